#include "src/ctl/import.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/imap/mboxname.h"
#include <sodium.h>
#include <sysexits.h>
#include <unistd.h>

#define BAR_MS      200
#define GROUP_MAX   256u
#define GROUP_BYTES MIB(4)
#define STAGING_MAX 32u  /* that wait for the store's answer */
#define SAID_MAX    100u /* what was skipped is counted on, and no longer told one by one */

struct waiting {
    struct service_call *staging; /* under way */
    uint8_t name[16], hash[KNOWN_HASH_BYTES];
    uint64_t bytes;
    bool staged, out; /* out: not wanted after all */
    struct port_message m;
    char *what;
};
struct import_group {
    struct waiting v[GROUP_MAX];
    size_t n, answered;
    uint64_t bytes, number;
    struct arena arena;
    struct service_call *append; /* under way, of those that are not out */
    size_t nappend;
};

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

void import_skip(struct import *x, const char *what, int e)
{
    char shown[400];

    if (x->skipped++ < SAID_MAX)
        fprintf(stderr, "%sskipped: %s: %s\n", isatty(STDERR_FILENO) ? "\r" : "",
                ctl_shown(what, shown, sizeof shown),
                e == E_RANGE || e == E_SYNTAX ? "a folder or keyword that cannot be" : error_text(e));
}

/* ---- the folder ---- */

static int on_size(void *ctx, const Store__Row *row)
{
    struct import *x = ctx;

    return known_add(&x->known, row->bytes, row->uid);
}

static int on_nothing(void *ctx UNUSED, struct str bytes UNUSED)
{
    return 0;
}

static int name_ours(struct import *x, struct str theirs, struct buf *out)
{
    struct str name = x->folder ? str_from(x->folder) : theirs;
    int r = 0;

    if (mboxname_is_inbox(name))
        name = STR("INBOX");
    if (x->under)
        r = buf_printf(out, "%s/", x->under);
    return r < 0 ? r : (r = buf_puts(out, name)) < 0 ? r : mboxname_valid(buf_str(out)) ? 0 : E_RANGE;
}

static int folder_known(struct import *x, uint32_t from)
{
    const struct mail_fetch sizes = { on_size, on_nothing, x };
    uint32_t range[2] = { from ? from : 1, x->uidnext - 1 };

    return range[0] > range[1] ? 0 : mail_fetch(&x->mail, x->folder_id, range, 2, STORE__WANT__META, &sizes);
}

static int folder_enter(struct import *x, struct str theirs)
{
    CLEANUP(buf_release) struct buf ours = { .max = KIB(2) };
    Store__FoldersResponse *made = NULL;
    uint32_t from = 1;
    int r;

    x->entered = false;
    known_release(&x->known);
    buf_clear(&x->theirs);
    buf_clear(&x->ours);
    if ((r = name_ours(x, theirs, &ours)) < 0 || (r = mail_folder_make(&x->mail, buf_str(&ours), &made)) < 0)
        return r;
    x->folder_id = made->folders[0]->id;
    x->uidnext = made->folders[0]->uidnext;
    x->number = 0;
    if (x->hooks && (r = x->hooks->entered(x->hooks->ctx, theirs, buf_str(&ours), &from)) < 0)
        return r;
    if ((r = folder_known(x, from)) < 0 || (r = buf_puts(&x->theirs, theirs)) < 0 ||
        (r = buf_puts(&x->ours, buf_str(&ours))) < 0)
        return r;
    service_forget(x->mail.s);
    x->entered = true;
    return 0;
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

/* ---- staging ---- */

/* Errors of one message; the others end the import. */
static bool its_own(int e)
{
    return e == E_TOO_BIG || e == E_LIMIT || e == E_RANGE || e == E_SYNTAX || e == E_NUL || e == E_CORRUPT;
}

static void unstage(struct import *x, struct waiting *w)
{
    Store__UnstageRequest q = STORE__UNSTAGE_REQUEST__INIT;

    w->out = true;
    if (!w->staged)
        return;
    w->staged = false;
    q.staging = str_pb(str_of(w->name, sizeof w->name));
    if (service_ask(x->mail.s, ROLE_STORE, STORE__OP__UNSTAGE, &q.base, NULL, NULL) < 0)
        return; /* it goes with our connection */
}

/* The oldest that is under way. */
static int staging_answer(struct import *x, struct import_group *g)
{
    struct waiting *w = &g->v[g->answered++];
    Store__StageResponse *st = NULL;
    int r = service_end(&w->staging, &store__stage_response__descriptor, &st);

    if (r < 0) {
        w->out = true;
        if (its_own(r))
            import_skip(x, w->what, r);
        return its_own(r) ? 0 : r;
    }
    memcpy(w->name, st->staging.data, sizeof w->name);
    memcpy(w->hash, st->hash.data, sizeof w->hash);
    w->bytes = st->bytes;
    w->staged = true;
    if ((r = known_take(&x->known, w->bytes, w->hash, hash_of, x)) == 0)
        return 0;
    unstage(x, w);
    x->repeats += r > 0;
    return r < 0 ? r : 0;
}

static int64_t source(void *ctx, size_t max, struct buf *out)
{
    struct import *x = ctx;
    int64_t n = x->r->ops->read(x->r, max < 4 ? 4 : max, out);

    if (n > 0)
        x->group->bytes += (uint64_t)n;
    return n;
}

static int waiting_fill(struct import *x, struct waiting *w, const struct port_message *m)
{
    struct arena *a = &x->group->arena;

    *w = (struct waiting){ .m = *m };
    w->m.keywords = arena_array(a, m->nkeywords + 1, sizeof *w->m.keywords);
    w->what = (char *)(uintptr_t)arena_dupz(a, str_from(x->r->what));
    if (!w->m.keywords || !w->what)
        return E_NOMEM;
    for (size_t i = 0; i < m->nkeywords; i++) {
        const char *z = arena_dupz(a, m->keywords[i]);

        if (!z)
            return E_NOMEM;
        w->m.keywords[i] = str_from(z);
    }
    return 0;
}

/* ---- the group ---- */

static void append_fill(Store__AppendRequest__Message *m, const struct waiting *w, char **keywords)
{
    store__append_request__message__init(m);
    m->staging = str_pb(str_of(w->name, sizeof w->name));
    m->flags = w->m.flags;
    m->has_date = w->m.has_date;
    m->internal_date_ms = w->m.date_ms;
    m->n_keywords = w->m.nkeywords;
    m->keywords = keywords;
    for (size_t i = 0; i < w->m.nkeywords; i++)
        keywords[i] = (char *)(uintptr_t)w->m.keywords[i].p;
}

/* The first `n` that are not out, from w on. */
static int append_begin(struct import *x, const struct waiting *w, size_t n, struct service_call **out)
{
    Store__AppendRequest q = STORE__APPEND_REQUEST__INIT;
    Store__AppendRequest__Message *all = calloc(n, sizeof *all), **more = calloc(n, sizeof(void *));
    char ***keywords = calloc(n, sizeof *keywords);
    int r = all && more && keywords ? 0 : E_NOMEM;

    for (size_t i = 0; i < n && r == 0; w++) {
        if (w->out)
            continue;
        if (!(keywords[i] = calloc(w->m.nkeywords + 1, sizeof(char *))))
            r = E_NOMEM;
        else
            append_fill(&all[i], w, keywords[i]);
        i++;
    }
    if (r == 0) {
        q.session = str_pb(str_of(x->mail.session, sizeof x->mail.session));
        q.to = str_pb(buf_str(&x->ours));
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
        r = service_begin(x->mail.s, ROLE_STORE, STORE__OP__APPEND, &q.base, NULL, NULL, out);
    }
    for (size_t i = 0; keywords && i < n; i++)
        free(keywords[i]);
    free(keywords);
    free(more);
    free(all);
    return r;
}

static int append_end(struct import *x, struct service_call **c, size_t n)
{
    Store__AppendResponse *resp = NULL;
    int r = service_end(c, &store__append_response__descriptor, &resp);

    if (r < 0)
        return r;
    x->messages += n;
    x->uidnext = resp->uid + (uint32_t)n;
    return 0;
}

/* One that cannot be kept must not keep the others out. */
static int group_single(struct import *x, struct import_group *g)
{
    int r = 0;

    for (size_t i = 0; i < g->n; i++) {
        struct waiting *w = &g->v[i];

        if (w->out)
            continue;
        if (r == 0 && (r = append_begin(x, w, 1, &g->append)) == 0 && (r = append_end(x, &g->append, 1)) == 0)
            continue;
        unstage(x, w);
        if (its_own(r)) {
            import_skip(x, w->what, r);
            r = 0;
        }
    }
    return r;
}

static void group_clear(struct import_group *g)
{
    g->n = g->answered = g->nappend = 0;
    g->bytes = 0;
    arena_reset(&g->arena);
}

/* What was sent is in. */
static int group_landed(struct import *x)
{
    struct import_group *g = x->sent;
    bool any = g->n > 0;
    int r = g->append ? append_end(x, &g->append, g->nappend) : 0;

    if (r < 0 && (g->nappend == 1 || its_own(r) || r == E_QUOTA))
        r = group_single(x, g);
    if (r == 0 && any && x->hooks)
        r = x->hooks->landed(x->hooks->ctx, buf_str(&x->theirs), buf_str(&x->ours), g->number, x->uidnext);
    group_clear(g);
    service_forget(x->mail.s);
    bar(x, false);
    return r;
}

/* The group that is full goes to the store, once the one before is in. */
static int group_send(struct import *x)
{
    struct import_group *g = x->group;
    int r = 0;

    while (g->answered < g->n && r == 0)
        r = staging_answer(x, g);
    if (r < 0 || (r = group_landed(x)) < 0)
        return r;
    for (size_t i = 0; i < g->n; i++)
        g->nappend += !g->v[i].out;
    g->number = x->number;
    if (g->nappend && (r = append_begin(x, g->v, g->nappend, &g->append)) < 0)
        return r;
    x->group = x->sent;
    x->sent = g;
    return 0;
}

static int group_flush(struct import *x)
{
    int r = group_send(x);

    return r < 0 ? r : group_landed(x);
}

int import_flush(struct import *x)
{
    int r = x->entered ? group_flush(x) : 0;

    x->entered = false;
    return r;
}

/* ---- messages ---- */

/* `m` is borrowed from the reader, which goes on while its bytes are read. */
static int message_import(struct import *x, const struct port_message *m)
{
    struct import_group *g = x->group;
    struct waiting *w = &g->v[g->n];
    int r;

    if ((r = waiting_fill(x, w, m)) < 0)
        return r;
    r = mail_stage_begin(&x->mail, source, x, &w->staging);
    if (r == 0 || (its_own(r) && !x->r->cut))
        x->number = m->number;
    if (r < 0)
        return r;
    g->n++;
    while (g->n - g->answered > STAGING_MAX)
        if ((r = staging_answer(x, g)) < 0)
            return r;
    return g->n < GROUP_MAX && g->bytes < GROUP_BYTES ? 0 : group_send(x);
}

static int one(struct import *x, const struct port_message *m)
{
    int r = 0;

    if (!x->entered || !str_eq(buf_str(&x->theirs), m->folder)) {
        if (x->entered)
            r = group_flush(x);
        if (r == 0)
            r = folder_enter(x, m->folder);
    }
    return r < 0 ? r : message_import(x, m);
}

/* What was begun is ended, whatever became of it. */
static void group_abandon(struct import *x, struct import_group *g)
{
    if (!g)
        return;
    if (g->append && append_end(x, &g->append, g->nappend) < 0)
        group_clear(g);
    for (size_t i = 0; i < g->n; i++)
        if (g->v[i].staging && service_end(&g->v[i].staging, NULL, NULL) < 0)
            g->v[i].out = true;
    arena_release(&g->arena);
    free(g);
}

static int all(struct import *x)
{
    struct port_message m;
    int n, r = 0;

    while (r == 0 && (n = x->r->ops->next(x->r, &m)) != 0) {
        r = n < 0 ? n : one(x, &m);
        if (r < 0 && x->r->cut) {
            x->r->cut = false;
            r = 0;
        } else if (its_own(r)) {
            import_skip(x, x->r->what, r);
            r = 0;
        }
    }
    return r < 0 ? r : x->entered ? group_flush(x) : 0;
}

int import_all(struct import *x)
{
    int r;

    x->began_ms = clock_mono_ms();
    x->theirs.max = x->ours.max = KIB(2);
    x->group = calloc(1, sizeof *x->group);
    x->sent = calloc(1, sizeof *x->sent);
    if (!x->group || !x->sent)
        return E_NOMEM;
    x->group->arena.max = x->sent->arena.max = MIB(128);
    r = all(x);
    if (r == E_QUOTA && x->entered && x->sent->append && group_landed(x) < 0)
        r = E_QUOTA;
    return r;
}

/* ---- what came of it ---- */

int import_say(const struct import *x, const char *input, int e)
{
    switch (e) {
    case E_AUTH:
        return ctl_fail(EX_NOPERM, "that password does not open %s",
                        x->r || !x->mail.open ? x->address : input);
    case E_QUOTA:
        return ctl_fail(
            EX_CANTCREAT,
            "%s: its limit is reached: %llu messages are in, the rest is not (the same command goes on)",
            x->address, (unsigned long long)x->messages);
    case E_NOTFOUND: return ctl_fail(EX_NOINPUT, "%s: nothing of that format is there", input);
    default:
        return ctl_fail(ctl_exit_code(e), "%s: %s: %llu messages are in (the same command goes on)",
                        x->address, error_text(e), (unsigned long long)x->messages);
    }
}

int import_report(struct import *x, bool json)
{
    bar(x, true);
    if (json)
        printf("{\"messages\": %llu, \"there_already\": %llu, \"skipped\": %llu, \"took_ms\": %lld}\n",
               (unsigned long long)x->messages, (unsigned long long)x->repeats,
               (unsigned long long)x->skipped, (long long)(clock_mono_ms() - x->began_ms));
    else
        fprintf(stderr, "%s: %llu messages brought in, %llu were there already, %llu skipped\n", x->address,
                (unsigned long long)x->messages, (unsigned long long)x->repeats,
                (unsigned long long)x->skipped);
    return x->skipped ? EX_DATAERR : EX_OK;
}

void import_release(struct import *x)
{
    group_abandon(x, x->group);
    group_abandon(x, x->sent);
    x->group = x->sent = NULL;
    port_reader_free(&x->r);
    known_release(&x->known);
    mail_close(&x->mail);
    buf_release(&x->theirs);
    buf_release(&x->ours);
}
