#include "src/ctl/export.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/ctl/export_state.h"
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define BAR_MS  200
#define MARK_MS 2000

static void bar(struct export *x, bool last)
{
    int64_t now = clock_mono_ms();
    unsigned percent = x->all ? (unsigned)(x->messages * 100 / x->all) : 100;

    if (!isatty(STDERR_FILENO) || (!last && now - x->bar_ms < BAR_MS))
        return;
    x->bar_ms = now;
    fprintf(stderr, "\r[%-40.*s] %3u%%  %llu of %llu messages, %llu MiB%s",
            (int)(percent > 100 ? 40 : percent * 2 / 5), "########################################",
            percent > 100 ? 100 : percent, (unsigned long long)x->messages, (unsigned long long)x->all,
            (unsigned long long)(x->bytes >> 20), last ? "\n" : "");
}

/* ---- how far it is ---- */

/* What is there is on the disk, and then it is written down that it is. */
static int mark(struct export *x, struct export_state_folder *f)
{
    int64_t position;

    x->marked_ms = clock_mono_ms();
    if ((position = x->w->ops->mark(x->w)) < 0)
        return (int)position;
    f->position = position;
    f->uid = x->uid;
    return export_state_write(x->state);
}

/* Something that is not ours to write over. */
static bool taken(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && !(S_ISDIR(st.st_mode) && rmdir(path) == 0);
}

/* It is written down that this is begun before there is anything of it. */
int export_open(struct export *x, struct str password)
{
    int r = export_state_read(x->output, x->format, x->whose, &x->state);
    bool first = r == E_NOTFOUND;

    x->marked_ms = clock_mono_ms();
    if (r < 0 && !first)
        return r;
    if (first && taken(x->output))
        return E_EXISTS;
    if ((r = export_state_sweep(x->state)) < 0)
        return r;
    if (first && (r = export_state_write(x->state)) < 0)
        return r;
    if ((r = port_writer_open(x->format, x->output, password, export_state_farthest(x->state), &x->w)) < 0 &&
        first)
        export_state_free(&x->state, true);
    return r;
}

/* The folder begins, or goes on where it was. */
static int folder_begin(struct export *x, const Store__Folder *f)
{
    struct export_state_folder *s = export_state_find(x->state, f->id);
    bool again = s != NULL;
    struct str name = pb_str(f->name);
    int r;

    x->uid = 0;
    if (again && s->uidvalidity != f->uidvalidity)
        return E_STALE;
    if (!s && !(s = export_state_add(x->state, f->id, f->uidvalidity, name)))
        return E_LIMIT;
    if (!again && (r = export_state_write(x->state)) < 0)
        return r;
    x->uid = s->uid;
    x->messages += s->messages;
    x->bytes += s->bytes;
    if (!x->state->nameless)
        name = s->name; /* it may have another one by now */
    r = again ? x->w->ops->resume(x->w, name, s->position, s->uid) : x->w->ops->folder(x->w, name);
    /* Before its first message: where it is says which one it is. */
    return r == 0 && x->state->nameless && !s->position ? mark(x, s) : r;
}

/* ---- messages ---- */

static int message_end(struct export *x)
{
    struct export_state_folder *f = export_state_find(x->state, x->folder->id);
    int r = x->w->ops->end(x->w);

    x->in_message = false;
    x->messages++;
    bar(x, false);
    if (r < 0 || !f)
        return r;
    f->messages++;
    f->bytes += x->size;
    return clock_mono_ms() - x->marked_ms < MARK_MS ? 0 : mark(x, f);
}

static int on_row(void *ctx, const Store__Row *row)
{
    struct export *x = ctx;
    struct str *keywords = calloc(row->n_keywords + 1, sizeof *keywords);
    struct port_message m = { .number = row->uid,
                              .flags = row->flags,
                              .keywords = keywords,
                              .nkeywords = row->n_keywords,
                              .has_date = true,
                              .date_ms = row->internal_date_ms,
                              .bytes = row->bytes };
    int r;

    if (!keywords)
        return E_NOMEM;
    for (size_t i = 0; i < row->n_keywords; i++)
        keywords[i] = str_from(row->keywords[i]);
    r = x->in_message || row->data_bytes != row->bytes ? E_CORRUPT : x->w->ops->begin(x->w, &m);
    free(keywords);
    if (r < 0)
        return r;
    x->uid = row->uid;
    x->left = x->size = row->bytes;
    x->in_message = true;
    return x->left ? 0 : message_end(x);
}

static int on_data(void *ctx, struct str bytes)
{
    struct export *x = ctx;
    int r;

    if (!x->in_message || bytes.n > x->left)
        return E_CORRUPT;
    if ((r = x->w->ops->data(x->w, bytes)) < 0)
        return r;
    x->left -= bytes.n;
    x->bytes += bytes.n;
    return x->left ? 0 : message_end(x);
}

/* A message that is removed while we read it is left out, and told. */
static int folder_export(struct export *x, const Store__Folder *f)
{
    const struct mail_fetch fetch = { on_row, on_data, x };
    int r = folder_begin(x, f);

    if (r < 0)
        return r;
    x->folders++;
    x->folder = f;
    while ((r = x->from->fetch(x->from->ctx, f, x->uid, &fetch)) == E_GONE) {
        x->gone++;
        if (!x->in_message)
            return 0; /* the folder itself */
        x->in_message = false;
        if ((r = x->w->ops->cancel(x->w)) < 0)
            return r;
    }
    if (r < 0 || x->in_message)
        return r < 0 ? r : E_CORRUPT;
    return mark(x, export_state_find(x->state, f->id));
}

int export_all(struct export *x)
{
    Store__FoldersResponse *m = NULL;
    int r = x->from->folders(x->from->ctx, &m);

    for (size_t i = 0; r == 0 && i < m->n_folders; i++)
        x->all += m->folders[i]->messages;
    for (size_t i = 0; r == 0 && i < m->n_folders; i++)
        if (m->folders[i]->id && !m->folders[i]->noselect)
            r = folder_export(x, m->folders[i]);
    if (r == 0 && (r = x->w->ops->finish(x->w)) == 0)
        bar(x, true);
    if (r == 0)
        export_state_free(&x->state, true);
    return r;
}

void export_release(struct export *x)
{
    port_writer_free(&x->w);
    export_state_free(&x->state, false);
}

int export_say(const struct export *x, const char *whose, const char *output, int e)
{
    const char *what = x->w && x->w->what[0] ? x->w->what : output;

    switch (e) {
    case E_STALE:
        return ctl_fail(
            EX_CANTCREAT,
            "%s.resume says that something else was begun there, or the mailbox has new numbers since: remove "
            "both, and begin anew",
            output);
    case E_EXISTS: return ctl_fail(EX_CANTCREAT, "%s: something is there already", output);
    case E_SYNTAX:
        return ctl_fail(EX_DATAERR,
                        "a password that begins with \"raw:\" or \"x'\" cannot be that of an SQLite file");
    case E_CLOSED:
    case E_TIMEOUT:
    case E_UNAVAIL:
        return ctl_fail(
            EX_TEMPFAIL,
            "%s: the service ended, or its store was started again, before all was read: the same "
            "command goes on where this one was",
            whose);
    case E_AUTH:
        return ctl_fail(
            EX_NOPERM,
            "%s was begun with another password, or changed since: go on with the one it was begun "
            "with, or remove it and %s.resume, and begin anew",
            output, output);
    case E_UNSUPPORTED:
        return ctl_fail(EX_UNAVAILABLE, "this machine's OpenSSL lacks what encrypts a zip file");
    case E_NOTFOUND:
    case E_DENIED:
    case E_FULL:
    case E_IO: return ctl_fail(EX_CANTCREAT, "%s: %s", what, error_text(e));
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", whose, error_text(e));
    }
}

void export_report(const struct export *x, const char *whose, const char *output, bool json)
{
    if (json)
        printf("{\"messages\": %llu, \"folders\": %llu, \"bytes\": %llu, \"gone\": %llu}\n",
               (unsigned long long)x->messages, (unsigned long long)x->folders, (unsigned long long)x->bytes,
               (unsigned long long)x->gone);
    else
        fprintf(stderr, "%s: %llu messages of %llu folders, %llu bytes, are in %s%s\n", whose,
                (unsigned long long)x->messages, (unsigned long long)x->folders, (unsigned long long)x->bytes,
                output, x->gone ? "; some were removed while they were read, and are not" : "");
}
