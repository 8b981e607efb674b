/* src/ctl/cmd_import.c: `mailbox import`: messages from files of other programs. They are staged one by one, and go in
 * some at a time: each such group is there as a whole or not at all, so the command can be repeated whatever stopped it. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/imap/mboxname.h"
#include "lib/port/port.h"
#include "src/ctl/known.h"
#include "src/ctl/mail.h"
#include <jansson.h>
#include <sodium.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE_MS INT64_C(3600000)
#define BAR_MS      200
#define GROUP_MAX   64u
#define GROUP_BYTES MIB(4)
#define SAID_MAX    100u /* what was skipped is counted on, and no longer told one by one */

struct waiting { /* staged */
    uint8_t staging[16];
    struct port_message m;
    char what[400];
};

struct import {
    struct args a;
    const char *format_name, *input, *folder_name;
    enum port_format format;
    struct buf password;
    struct service *s;
    Directory__Alias *alias;
    struct mail mail;
    struct port_reader *r;
    /* the folder under way */
    struct buf folder;
    uint64_t folder_id;
    struct known known;
    /* the group under way */
    struct waiting group[GROUP_MAX];
    size_t n;
    uint64_t group_bytes;
    struct arena arena; /* of the group */
    bool too_short;     /* a message without a byte */
    uint64_t messages, repeats, skipped;
    int64_t bar_ms, began_ms;
};

static void import_release(struct import *x)
{
    port_reader_free(&x->r);
    known_release(&x->known);
    mail_close(&x->mail);
    buf_release(&x->password);
    buf_release(&x->folder);
    arena_release(&x->arena);
    service_close(&x->s);
}

static void bar(struct import *x, bool last)
{
    int64_t now = clock_mono_ms();
    unsigned percent = x->r->bytes_all ? (unsigned)(x->r->bytes * 100 / x->r->bytes_all) : 0;

    if (!isatty(STDERR_FILENO) || (!last && now - x->bar_ms < BAR_MS))
        return;
    x->bar_ms = now;
    percent = last || percent > 100 ? 100 : percent;
    fprintf(stderr, "\r[%-40.*s] %3u%%  %llu messages, %llu there already, %llu skipped%s",
            (int)(percent * 2 / 5), "########################################", percent,
            (unsigned long long)x->messages, (unsigned long long)x->repeats, (unsigned long long)x->skipped,
            last ? "\n" : "");
}

static void skip(struct import *x, const char *what, int e)
{
    if (x->skipped++ < SAID_MAX)
        fprintf(stderr, "%sskipped: %s: %s\n", isatty(STDERR_FILENO) ? "\r" : "", what,
                e == E_RANGE || e == E_SYNTAX ? "a folder or keyword that cannot be" : error_text(e));
}

/* ---- the folder ---- */

static int on_size(void *ctx, const Store__Row *row)
{
    struct import *x = ctx;

    return known_add(&x->known, row->bytes, row->uid, NULL);
}

static int on_nothing(void *ctx UNUSED, struct str bytes UNUSED)
{
    return 0;
}

static int folder_enter(struct import *x, struct str name)
{
    const struct mail_fetch sizes = { on_size, on_nothing, x };
    Store__FoldersResponse *made = NULL;
    Store__SelectResponse *sel = NULL;
    int r;

    if (mboxname_is_inbox(name))
        name = STR("INBOX");
    if (!mboxname_valid(name))
        return E_RANGE;
    buf_clear(&x->folder);
    known_release(&x->known);
    if ((r = mail_folder_make(&x->mail, name, &made)) < 0 || (r = mail_uids(&x->mail, name, &sel)) < 0)
        return r;
    x->folder_id = sel->folder->id;
    if (sel->n_uid_ranges && (r = mail_fetch(&x->mail, x->folder_id, sel->uid_ranges, sel->n_uid_ranges,
                                             STORE__WANT__META, &sizes)) < 0)
        return r;
    service_forget(x->s);
    return buf_puts(&x->folder, name);
}

/* ---- what is there already ---- */

struct hashing {
    crypto_generichash_state state;
    bool found;
};

static int hash_row(void *ctx, const Store__Row *row UNUSED)
{
    ((struct hashing *)ctx)->found = true;
    return 0;
}

static int hash_data(void *ctx, struct str bytes)
{
    crypto_generichash_update(&((struct hashing *)ctx)->state, (const uint8_t *)bytes.p, bytes.n);
    return 0;
}

static int hash_of(void *ctx, uint32_t uid, uint8_t out[KNOWN_HASH_BYTES])
{
    struct import *x = ctx;
    uint32_t range[2] = { uid, uid };
    struct hashing h = { .found = false };
    const struct mail_fetch fetch = { hash_row, hash_data, &h };
    int r;

    crypto_generichash_init(&h.state, NULL, 0, KNOWN_HASH_BYTES);
    r = mail_fetch(&x->mail, x->folder_id, range, 2, STORE__WANT__META | STORE__WANT__BODY, &fetch);
    if (r == E_GONE || (r == 0 && !h.found))
        return E_NOTFOUND;
    if (r == 0)
        crypto_generichash_final(&h.state, out, KNOWN_HASH_BYTES);
    return r;
}

/* ---- the group ---- */

static void append_fill(Store__AppendRequest__Message *m, const struct waiting *w, char **keywords)
{
    store__append_request__message__init(m);
    m->staging = str_pb(str_of(w->staging, sizeof w->staging));
    m->flags = w->m.flags;
    m->has_date = w->m.has_date;
    m->internal_date_ms = w->m.date_ms;
    m->n_keywords = w->m.nkeywords;
    m->keywords = keywords;
    for (size_t i = 0; i < w->m.nkeywords; i++)
        keywords[i] = (char *)(uintptr_t)w->m.keywords[i].p;
}

static int append(struct import *x, const struct waiting *w, size_t n)
{
    Store__AppendRequest q = STORE__APPEND_REQUEST__INIT;
    Store__AppendRequest__Message *all = calloc(n, sizeof *all), **more = calloc(n, sizeof(void *));
    char **keywords[GROUP_MAX] = { NULL };
    Store__AppendResponse *resp = NULL;
    int r = all && more ? 0 : E_NOMEM;

    for (size_t i = 0; i < n && r == 0; i++) {
        if (!(keywords[i] = calloc(w[i].m.nkeywords + 1, sizeof(char *))))
            r = E_NOMEM;
        else
            append_fill(&all[i], &w[i], keywords[i]);
    }
    if (r == 0) {
        q.session = str_pb(str_of(x->mail.session, sizeof x->mail.session));
        q.to = str_pb(buf_str(&x->folder));
        q.staging = all[0].staging;
        q.flags = all[0].flags;
        q.keywords = all[0].keywords;
        q.n_keywords = all[0].n_keywords;
        q.has_date = all[0].has_date;
        q.internal_date_ms = all[0].internal_date_ms;
        for (size_t i = 1; i < n; i++)
            more[i - 1] = &all[i];
        q.more = more;
        q.n_more = n - 1;
        r = service_ask(x->s, ROLE_STORE, STORE__OP__APPEND, &q.base, &store__append_response__descriptor,
                        &resp);
    }
    for (size_t i = 0; i < n; i++)
        free(keywords[i]);
    free(more);
    free(all);
    return r;
}

static void unstage(struct import *x, const uint8_t staging[16])
{
    Store__UnstageRequest q = STORE__UNSTAGE_REQUEST__INIT;

    q.staging = str_pb(str_of(staging, 16));
    if (service_ask(x->s, ROLE_STORE, STORE__OP__UNSTAGE, &q.base, NULL, NULL) < 0)
        return; /* it goes with our connection */
}

/* Errors of one message; the others end the import. */
static bool its_own(int e)
{
    return e == E_TOO_BIG || e == E_LIMIT || e == E_RANGE || e == E_SYNTAX || e == E_NUL || e == E_CORRUPT;
}

/* One that cannot be kept must not keep the others out. */
static int group_single(struct import *x)
{
    int r = 0;

    for (size_t i = 0; i < x->n; i++) {
        if (r == 0 && (r = append(x, &x->group[i], 1)) == 0) {
            x->messages++;
            continue;
        }
        unstage(x, x->group[i].staging);
        if (its_own(r)) {
            skip(x, x->group[i].what, r);
            r = 0;
        }
    }
    return r;
}

static int group_flush(struct import *x)
{
    int r = x->n ? append(x, x->group, x->n) : 0;

    if (r == 0)
        x->messages += x->n;
    else if (x->n == 1 || its_own(r) || r == E_QUOTA)
        r = group_single(x);
    x->n = 0;
    x->group_bytes = 0;
    arena_reset(&x->arena);
    service_forget(x->s);
    bar(x, false);
    return r;
}

/* ---- messages ---- */

static int64_t source(void *ctx, size_t max, struct buf *out)
{
    struct import *x = ctx;

    return x->r->ops->read(x->r, max < 4 ? 4 : max, out);
}

static int waiting_fill(struct import *x, struct waiting *w, const struct port_message *m,
                        const uint8_t *staging)
{
    w->m = *m;
    w->m.keywords = arena_array(&x->arena, m->nkeywords + 1, sizeof *w->m.keywords);
    if (!w->m.keywords)
        return E_NOMEM;
    for (size_t i = 0; i < m->nkeywords; i++) {
        const char *z = arena_dupz(&x->arena, m->keywords[i]);

        if (!z)
            return E_NOMEM;
        w->m.keywords[i] = str_from(z);
    }
    memcpy(w->staging, staging, sizeof w->staging);
    snprintf(w->what, sizeof w->what, "%s", x->r->what);
    return 0;
}

/* `m` is borrowed from the reader, which goes on while its bytes are read. */
static int message_import(struct import *x, const struct port_message *m)
{
    struct waiting *w = &x->group[x->n];
    Store__StageResponse *st = NULL;
    uint8_t hash[KNOWN_HASH_BYTES];
    int r;

    if ((r = waiting_fill(x, w, m, (const uint8_t[16]){ 0 })) < 0 ||
        (r = mail_stage(&x->mail, source, x, &st)) < 0)
        return r;
    memcpy(w->staging, st->staging.data, sizeof w->staging);
    memcpy(hash, st->hash.data, sizeof hash);
    r = known_find(&x->known, st->bytes, hash, hash_of, x);
    if (r == 0 && (r = known_add(&x->known, st->bytes, 0, hash)) == 0) {
        x->n++;
        x->group_bytes += st->bytes;
        return x->n < GROUP_MAX && x->group_bytes < GROUP_BYTES ? 0 : group_flush(x);
    }
    unstage(x, w->staging);
    x->repeats += r > 0;
    return r < 0 ? r : 0;
}

static int one(struct import *x, const struct port_message *m)
{
    struct str folder = x->folder_name && x->format != PORT_MBOX ? str_from(x->folder_name) : m->folder;
    int r = 0;

    if (!x->folder.n || !str_eq(buf_str(&x->folder), mboxname_is_inbox(folder) ? STR("INBOX") : folder)) {
        if ((r = group_flush(x)) == 0)
            r = folder_enter(x, folder);
    }
    return r < 0 ? r : message_import(x, m);
}

static int all_import(struct import *x)
{
    struct port_message m;
    int n, r = 0;

    while (r == 0 && (n = x->r->ops->next(x->r, &m)) != 0) {
        r = n < 0 ? n : one(x, &m);
        if (its_own(r)) {
            skip(x, x->r->what, r);
            r = 0;
        }
    }
    return r < 0 ? r : group_flush(x);
}

/* ---- the command ---- */

static int say(const struct import *x, int e)
{
    const char *address = x->a.words[0];

    switch (e) {
    case E_AUTH:
        return ctl_fail(EX_NOPERM, "that password does not open %s",
                        x->r || !x->mail.open ? address : x->input);
    case E_QUOTA:
        return ctl_fail(
            EX_CANTCREAT,
            "%s: its limit is reached: %llu messages are in, the rest is not (the same command goes on)",
            address, (unsigned long long)x->messages);
    case E_UNSUPPORTED: return ctl_fail(EX_USAGE, "--format is one of mbox, Maildir and eml");
    case E_NOTFOUND: return ctl_fail(EX_NOINPUT, "%s: nothing of that format is there", x->input);
    default:
        return ctl_fail(ctl_exit_code(e), "%s: %s: %llu messages are in (the same command goes on)", address,
                        error_text(e), (unsigned long long)x->messages);
    }
}

/* "/x/Work.mbox" is Work. */
static struct str folder_of(const struct import *x)
{
    struct str s = str_from(x->input);
    ptrdiff_t slash;

    if (x->folder_name)
        return str_from(x->folder_name);
    slash = str_rchr(s, '/');
    s = slash >= 0 ? str_skip(s, (size_t)slash + 1) : s;
    if (str_ends(s, STR(".mbox")))
        s.n -= 5;
    return s.n ? s : STR("INBOX");
}

/* A zip may have a password of its own: asked for when the mailbox's is not it. */
static int input_open(struct import *x)
{
    CLEANUP(buf_release) struct buf own = { .max = KIB(2) };
    int r = port_reader_open(x->format, x->input, buf_str(&x->password), folder_of(x), &x->r);

    if (r != E_AUTH || secret_read("The password of the zip file", &own) < 0)
        return r;
    return port_reader_open(x->format, x->input, buf_str(&own), folder_of(x), &x->r);
}

static int take(struct import *x)
{
    int r;

    if (!x->format_name || !x->input)
        return ctl_fail(EX_USAGE, "--format and --input are needed");
    if (!port_format_of(x->format_name, &x->format) || x->format == PORT_SQLITE)
        return ctl_fail(EX_USAGE, "--format is one of mbox, Maildir and eml");
    if ((r = service_open(&x->a, &x->s)) != 0 ||
        (r = alias_ask(x->s, DIRECTORY__OP__ALIAS_SHOW, x->a.words[0], &x->alias)) != 0)
        return r;
    if (x->alias->mailbox_id.len == 0)
        return ctl_fail(EX_DATAERR, "%s has no mailbox yet", x->a.words[0]);
    if (secret_read("A password of this mailbox", &x->password) < 0 || x->password.n == 0)
        return ctl_fail(EX_NOINPUT, "a password is needed: on the terminal, or a line of standard input");
    return 0;
}

static int report(struct import *x)
{
    bar(x, true);
    if (x->a.json)
        printf("{\"messages\": %llu, \"there_already\": %llu, \"skipped\": %llu, \"took_ms\": %lld}\n",
               (unsigned long long)x->messages, (unsigned long long)x->repeats,
               (unsigned long long)x->skipped, (long long)(clock_mono_ms() - x->began_ms));
    else
        fprintf(stderr, "%s: %llu messages brought in, %llu were there already, %llu skipped\n",
                x->a.words[0], (unsigned long long)x->messages, (unsigned long long)x->repeats,
                (unsigned long long)x->skipped);
    return x->skipped ? EX_DATAERR : EX_OK;
}

int cmd_mailbox_import(int argc, char **argv)
{
    static struct import x = { .password = { .max = KIB(2) },
                               .folder = { .max = KIB(2) },
                               .arena = { .max = MIB(8) } };
    const struct option opts[] = { { "--format", &x.format_name, NULL },
                                   { "--input", &x.input, NULL },
                                   { "--folder", &x.folder_name, NULL } };
    int r, code;

    if ((r = args_parse(argc, argv, opts, ARRAY_LEN(opts), 1, &x.a)) != 0 || (r = take(&x)) != 0) {
        import_release(&x);
        return r;
    }
    x.began_ms = clock_mono_ms();
    service_patience(x.s, PATIENCE_MS);
    if ((r = mail_open(&x.mail, x.s, x.alias, buf_str(&x.password))) == 0 && (r = input_open(&x)) == 0)
        r = all_import(&x);
    code = r < 0 ? say(&x, r) : report(&x);
    import_release(&x);
    return code;
}
