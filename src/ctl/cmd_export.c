/* src/ctl/cmd_export.c: `mailbox export`: everything in a mailbox, in files that other programs read. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/port/port.h"
#include "src/ctl/mail.h"
#include <jansson.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_MS INT64_C(604800000) /* of one folder */
#define BAR_MS      200

struct export
{
    struct args a;
    const char *format_name, *output;
    enum port_format format;
    struct buf password;
    struct service *s;
    Directory__Alias *alias;
    struct mail mail;
    struct port_writer *w;
    /* of the folder and the message under way */
    uint32_t uid;
    uint64_t left;
    bool in_message;
    /* so far, and in all */
    uint64_t messages, bytes, folders, gone, all;
    int64_t bar_ms;
};

static void export_release(struct export *x)
{
    port_writer_free(&x->w);
    mail_close(&x->mail);
    buf_release(&x->password);
    service_close(&x->s);
}

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

/* ---- messages ---- */

static int message_end(struct export *x)
{
    x->in_message = false;
    x->messages++;
    bar(x, false);
    return x->w->ops->end(x->w);
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
    x->left = row->bytes;
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

/* What is behind `uid`. How many numbers. */
static size_t ranges_after(uint32_t *v, size_t n, uint32_t uid)
{
    size_t k = 0;

    for (size_t i = 0; i + 1 < n; i += 2) {
        if (v[i + 1] <= uid)
            continue;
        v[k++] = v[i] > uid ? v[i] : uid + 1;
        v[k++] = v[i + 1];
    }
    return k;
}

/* A message that is removed while we read it is left out, and told. */
static int folder_export(struct export *x, const Store__Folder *f)
{
    const struct mail_fetch fetch = { on_row, on_data, x };
    Store__SelectResponse *sel = NULL;
    int r = mail_uids(&x->mail, pb_str(f->name), &sel);
    size_t n;

    if (r < 0 || (r = x->w->ops->folder(x->w, pb_str(f->name))) < 0)
        return r;
    x->folders++;
    n = sel->n_uid_ranges;
    do {
        r = n ? mail_fetch(&x->mail, f->id, sel->uid_ranges, n, STORE__WANT__META | STORE__WANT__BODY, &fetch)
              : 0;
        if (r != E_GONE)
            break;
        x->gone++;
        if (!x->in_message)
            break;
        x->in_message = false;
        n = ranges_after(sel->uid_ranges, n, x->uid);
    } while ((r = x->w->ops->cancel(x->w)) == 0);
    return r == 0 && x->in_message ? E_CORRUPT : r;
}

static int all_export(struct export *x)
{
    Store__FoldersResponse *m = NULL;
    int r = mail_folders(&x->mail, STR_NONE, &m);

    for (size_t i = 0; r == 0 && i < m->n_folders; i++)
        x->all += m->folders[i]->messages;
    for (size_t i = 0; r == 0 && i < m->n_folders; i++)
        if (m->folders[i]->id && !m->folders[i]->noselect)
            r = folder_export(x, m->folders[i]);
    return r < 0 ? r : x->w->ops->finish(x->w);
}

/* ---- the command ---- */

static int say(const struct export *x, int e)
{
    const char *what = x->w && x->w->what[0] ? x->w->what : x->output;

    switch (e) {
    case E_AUTH: return ctl_fail(EX_NOPERM, "that password does not open the mailbox of %s", x->a.words[0]);
    case E_EXISTS: return ctl_fail(EX_CANTCREAT, "%s: something is there already", x->output);
    case E_SYNTAX:
        return ctl_fail(EX_DATAERR,
                        "a password that begins with \"raw:\" or \"x'\" cannot be that of an SQLite file");
    case E_UNSUPPORTED: return ctl_fail(EX_UNAVAILABLE, "this machine's libarchive encrypts no zip files");
    case E_NOTFOUND:
    case E_DENIED:
    case E_FULL:
    case E_IO: return ctl_fail(EX_CANTCREAT, "%s: %s", what, error_text(e));
    default: return ctl_fail(ctl_exit_code(e), "%s: %s", x->a.words[0], error_text(e));
    }
}

static int take(struct export *x)
{
    int r;

    if (!x->format_name || !x->output)
        return ctl_fail(EX_USAGE, "--format and --output are needed");
    if (!port_format_of(x->format_name, &x->format))
        return ctl_fail(EX_USAGE, "--format is one of sqlite, mbox, Maildir and eml");
    if ((r = service_open(&x->a, &x->s)) != 0 ||
        (r = alias_ask(x->s, DIRECTORY__OP__ALIAS_SHOW, x->a.words[0], &x->alias)) != 0)
        return r;
    if (x->alias->mailbox_id.len == 0)
        return ctl_fail(EX_DATAERR, "%s has no mailbox yet", x->a.words[0]);
    if (secret_read("A password of this mailbox", &x->password) < 0 || x->password.n == 0)
        return ctl_fail(EX_NOINPUT, "a password is needed: on the terminal, or a line of standard input");
    return 0;
}

int cmd_mailbox_export(int argc, char **argv)
{
    CLEANUP(export_release) struct export x = { .password = { .max = KIB(2) } };
    const struct option opts[] = { { "--format", &x.format_name, NULL }, { "--output", &x.output, NULL } };
    int r;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &x.a)) != 0 || (r = take(&x)) != 0)
        return r;
    if ((r = mail_open(&x.mail, x.s, x.alias, buf_str(&x.password))) < 0 ||
        (r = port_writer_open(x.format, x.output, buf_str(&x.password), &x.w)) < 0)
        return say(&x, r);
    service_patience(x.s, PATIENCE_MS);
    if ((r = all_export(&x)) < 0)
        return say(&x, r);
    bar(&x, true);
    if (x.a.json)
        printf("{\"messages\": %llu, \"folders\": %llu, \"bytes\": %llu, \"gone\": %llu}\n",
               (unsigned long long)x.messages, (unsigned long long)x.folders, (unsigned long long)x.bytes,
               (unsigned long long)x.gone);
    else
        fprintf(stderr, "%s: %llu messages of %llu folders, %llu bytes, are in %s%s\n", x.a.words[0],
                (unsigned long long)x.messages, (unsigned long long)x.folders, (unsigned long long)x.bytes,
                x.output, x.gone ? "; some were removed while they were read, and are not" : "");
    return EX_OK;
}
