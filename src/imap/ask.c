#include "src/imap/imap.h"

#define DOWNLOAD_MS 86400000 /* see the timer: what counts is that something comes */

static void ask_over(struct imap_ask *a)
{
    a->call = NULL;
    a->owed = 0;
    a->hold = false;
    timer_clear(&a->timer);
}

void imap_ask_cancel(struct imap_ask *a)
{
    if (a->call)
        rpc_call_cancel(a->call);
    ask_over(a);
}

static void answered(void *ctx, int status, struct str body)
{
    struct imap_ask *a = ctx;

    ask_over(a);
    a->done(a->c, status, body);
    imap_continue(a->c);
}

static int ask(struct imap_ask *a, struct imap_conn *c, struct rpc_link *link, const struct rpc_ask *what,
               imap_done_fn *done)
{
    if (a->call)
        return E_BUG;
    a->c = c;
    a->done = done;
    a->call = rpc_link_ask(link, what);
    if (a->call && a == &c->ask)
        imap_progress_begin(c);
    return a->call ? 0 : E_NOMEM;
}

/* A store that does not know the session would take the request for an attack. */
static bool can_ask(const struct imap_conn *c, uint32_t op)
{
    return op == STORE__OP__ATTACH || (c->session.is_held && !c->held);
}

int imap_ask_store_for(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body, bool changes,
                       int64_t deadline_ms, imap_done_fn *done)
{
    struct rpc_ask what = { .op = op,
                            .body = body,
                            .deadline_ms = deadline_ms,
                            .changes = changes,
                            .done = answered,
                            .ctx = &c->ask };

    return can_ask(c, op) ? ask(&c->ask, c, c->srv->store, &what, done) : E_UNAVAIL;
}

int imap_ask_store(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body, bool changes,
                   imap_done_fn *done)
{
    return imap_ask_store_for(c, op, body, changes, IMAP_ASK_MS, done);
}

static void got_data(void *ctx, struct str data)
{
    struct imap_ask *a = ctx;
    struct imap_conn *c = a->c;
    int r;

    if (c->closing)
        return;
    a->progress = true;
    a->owed += data.n;
    r = a->on_data(c, data);
    if (r < 0) {
        conn_abort(c->io, r);
        c->closing = true;
        return;
    }
    imap_continue(c);
}

/* The store is silent, and it is not we who hold it back. */
static void no_progress(struct timer *t)
{
    struct imap_ask *a = CONTAINER_OF(t, struct imap_ask, timer);

    if (!a->call)
        return;
    if (a->progress || a->owed) {
        a->progress = false;
        timer_set(t, IMAP_ASK_MS);
        return;
    }
    imap_ask_cancel(a);
    a->done(a->c, E_TIMEOUT, STR_NONE);
    imap_continue(a->c);
}

int imap_ask_down(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body, bool changes,
                  int (*on_data)(struct imap_conn *c, struct str data), imap_done_fn *done)
{
    struct rpc_ask what = { .op = op,
                            .body = body,
                            .deadline_ms = DOWNLOAD_MS,
                            .changes = changes,
                            .download = true,
                            .done = answered,
                            .on_data = got_data,
                            .ctx = &c->ask };
    int r;

    if (!can_ask(c, op))
        return E_UNAVAIL;
    if (!c->ask.timer.loop && timer_init(&c->ask.timer, c->srv->loop, no_progress) < 0)
        return E_NOMEM;
    c->ask.on_data = on_data;
    c->ask.owed = 0;
    c->ask.progress = false;
    if ((r = ask(&c->ask, c, c->srv->store, &what, done)) == 0)
        timer_set(&c->ask.timer, IMAP_ASK_MS);
    return r;
}

int imap_ask_directory(struct imap_conn *c, uint32_t op, const ProtobufCMessage *body, imap_done_fn *done)
{
    struct rpc_ask what = {
        .op = op, .body = body, .deadline_ms = IMAP_ASK_MS, .done = answered, .ctx = &c->ask
    };

    return ask(&c->ask, c, c->srv->directory, &what, done);
}

int imap_ask_sync(struct imap_conn *c, const ProtobufCMessage *body, imap_done_fn *done)
{
    struct rpc_ask what = {
        .op = STORE__OP__SYNC, .body = body, .deadline_ms = IMAP_ASK_MS, .done = answered, .ctx = &c->sync
    };

    if (!can_ask(c, STORE__OP__SYNC))
        return E_UNAVAIL;
    return ask(&c->sync, c, c->srv->store, &what, done);
}

void imap_done_plain(struct imap_conn *c, int status, struct str body UNUSED)
{
    if (status < 0)
        imap_fail_status(c, status);
    else
        imap_ok(c, "Completed");
}

int imap_pick_saved(struct imap_conn *c, struct uidranges *out)
{
    const struct uidranges *s = &c->saved;
    int r = 0;

    for (size_t i = 0; i < s->n && r == 0; i++) {
        uint32_t uid = uidranges_next(&c->view->uids, s->r[i].lo - 1);

        for (; uid && uid <= s->r[i].hi && r == 0; uid = uidranges_next(&c->view->uids, uid))
            r = uidranges_add(out, uid, uid);
    }
    return r;
}

int imap_pick(struct imap_conn *c, struct args *a, struct uidranges *out)
{
    struct view *v = c->view;
    const struct seqset *set;
    size_t was = a->at;
    struct str text;
    int r = args_set_text(a, &text);

    if (r < 0)
        return r;
    if (str_eq_z(text, "$"))
        return imap_pick_saved(c, out);
    if (c->uid)
        r = seqset_parse_lenient(&c->arena, text, uidranges_last(&v->uids), &set);
    else
        r = seqset_parse(&c->arena, text, uidranges_count(&v->uids), &set);
    if (r == 0)
        r = c->uid ? uidranges_pick_uids(&v->uids, set, out) : uidranges_pick_seqs(&v->uids, set, out);
    if (r == E_SYNTAX || r == E_RANGE) {
        a->at = was;
        r = args_fail(a, "numbers of messages that there are");
    }
    return r;
}

int imap_limit(struct imap_conn *c, struct uidranges *uids)
{
    uint32_t n = uidranges_count(uids);
    uint64_t limit = c->srv->conf.message_limit;

    if (!limit || n <= limit)
        return 0;
    c->limited_uid = uidranges_uid(uids, n - (uint32_t)limit + 1);
    return uidranges_remove(uids, 1, c->limited_uid - 1);
}

bool imap_over_limit(struct imap_conn *c, uint64_t messages)
{
    uint64_t limit = c->srv->conf.message_limit;
    char code[48];

    if (!limit || messages <= limit)
        return false;
    snprintf(code, sizeof code, "MESSAGELIMIT %llu", (unsigned long long)limit);
    imap_no(c, code, "Too many messages for one command, try some of them");
    return true;
}

int imap_pack_ranges(struct arena *a, const struct uidranges *u, size_t *n_out, uint32_t **out)
{
    uint32_t *v = ARENA_ARRAY(a, 2 * u->n, uint32_t);

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < u->n; i++) {
        v[2 * i] = u->r[i].lo;
        v[2 * i + 1] = u->r[i].hi;
    }
    *n_out = 2 * u->n;
    *out = v;
    return 0;
}

int imap_unpack_ranges(const uint32_t *v, size_t n, struct uidranges *out)
{
    int r = 0;

    if (n % 2)
        return E_CORRUPT;
    for (size_t i = 0; i < n && r == 0; i += 2) {
        if (v[i] == 0 || v[i] > v[i + 1] || (i && v[i] <= v[i - 1]))
            return E_CORRUPT;
        r = uidranges_add(out, v[i], v[i + 1]);
    }
    return r;
}
