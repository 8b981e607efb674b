/* src/courier/suppressed.c: recipients that a domain's people do not write to any more, since they refused for good. */
#include "lib/base/clock.h"
#include "src/courier/courier.h"

#define LIST_MAX 500u

/* What says that there is no such person, and not that his server dislikes us or the message (RFC 3463 3.2, 3.3, RFC 7505). */
static bool is_hard(struct str enhanced)
{
    static const char *const codes[] = { "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1" };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_eq_z(enhanced, codes[i]))
            return true;
    return false;
}

/* Servers without enhanced codes. */
static bool says_nobody(uint32_t code, struct str text)
{
    static const char *const words[] = { "user unknown", "unknown user",   "no such user",
                                         "no mailbox",   "does not exist", "unknown recipient" };

    if (code != 550 && code != 551 && code != 553)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ifind(text, str_from(words[i])) >= 0)
            return true;
    return false;
}

bool courier_is_hard(uint32_t code, struct str enhanced, struct str text)
{
    return enhanced.n ? is_hard(enhanced) : says_nobody(code, text);
}

struct str courier_list_domain(struct arena *a, const struct queue_message *m)
{
    ptrdiff_t at = str_rchr(m->submitter, '@');
    struct str d = arena_dup(a, str_skip(m->submitter, (size_t)(at + 1)));

    for (size_t i = 0; i < d.n; i++)
        ((char *)(uintptr_t)d.p)[i] = ascii_lower(d.p[i]);
    return d;
}

bool courier_is_persons(const struct queue_message *m)
{
    return m->origin == COURIER__ORIGIN__SUBMITTED && m->submitter.n > 0;
}

int courier_suppress(struct queue *q, const struct queue_message *m, struct str to, uint32_t code,
                     struct str enhanced, struct str text)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct queue_suppressed s = { .until_ms = queue_now(q) + (int64_t)courier_conf.suppress_ms };
    int r;

    if (!courier_conf.suppress_ms || !courier_is_persons(m))
        return 0;
    s.domain = courier_list_domain(&a, m);
    if (courier_address_key(&a, to, &s.address) < 0 || !s.domain.n)
        return 0;
    if (code && (r = buf_printf(&why, "%u ", code)) < 0)
        return r;
    if ((r = buf_printf(&why, "%.*s%s%.*s", STR_ARG(enhanced), enhanced.n ? " " : "",
                        STR_ARG(str_slice(text, 0, QUEUE_ANSWER_MAX)))) < 0)
        return r;
    s.why = buf_str(&why);
    return queue_suppress(q, &s);
}

/* ---- what was just added ---- */

static int refuse_one(struct queue *q, struct arena *a, struct str domain, struct queue_claim *c,
                      struct queue_outcome *o, const struct queue_target *t)
{
    char since[CLOCK_ISO_LEN + 1];
    struct queue_suppressed s;
    struct str key;
    char *z;
    int r;

    if (!t->id || t->kind != COURIER__TARGET__KIND__ADDRESS || courier_address_key(a, t->to, &key) < 0 ||
        (r = queue_suppressed_find(q, a, domain, key, &s)) == 0)
        return 0;
    if (r < 0)
        return r;
    clock_iso(s.created_ms, since);
    z = arena_printf(a, "not tried: since %.10s that address is on the list of those that refused (%.*s)",
                     since, STR_ARG(s.why));
    if (!z)
        return E_NOMEM;
    c->targets[c->n] = *t;
    o[c->n++] = (struct queue_outcome){
        .result = QUEUE_FAILED, .enhanced = STR("5.1.1"), .text = str_from(z), .suppressed = true
    };
    return 0;
}

int courier_suppressed_end(struct queue *q, struct arena *a, const struct queue_message *m,
                           const struct queue_target *t, size_t n, struct queue_claim *c,
                           struct queue_outcome **o_out)
{
    struct queue_counts counts = { 0 };
    struct queue_outcome *o = NULL;
    struct str domain;
    int r = 0;

    c->m = *m;
    c->n = 0;
    if (!courier_is_persons(m))
        return 0;
    domain = courier_list_domain(a, m);
    c->targets = ARENA_ARRAY(a, n, struct queue_target);
    *o_out = o = ARENA_ARRAY(a, n, struct queue_outcome);
    if (!o || !c->targets || !domain.p)
        return E_NOMEM;
    for (size_t i = 0; i < n && r == 0; i++)
        r = refuse_one(q, a, domain, c, o, &t[i]);
    if (r < 0 || c->n == 0)
        return r;
    if ((r = courier_settle_reports(q, c, o, &counts)) < 0)
        return r;
    return queue_end(q, m->id, c->targets, c->n);
}

/* ---- for people ---- */

struct asked {
    struct lane_job job;
    struct rpc_req *q;
    Courier__SuppressedListRequest *list;
    Courier__SuppressedRequest *set;
    Courier__SuppressedListResponse *out;
};

static void row_of(const Courier__Suppressed *m, struct queue_suppressed *out)
{
    *out = (struct queue_suppressed){ .domain = pb_str(m->domain),
                                      .address = pb_str(m->address),
                                      .why = pb_str(m->why),
                                      .until_ms = m->until_ms };
}

static int list_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    struct arena *a = rpc_req_arena(k->q);
    struct queue_suppressed after = { .until_ms = 0 }, *v = NULL;
    size_t max = k->list->limit && k->list->limit < LIST_MAX ? k->list->limit : LIST_MAX, n = 0;
    Courier__Suppressed *rows;
    int r;

    if (k->list->after)
        row_of(k->list->after, &after);
    if (!(k->out = ARENA_NEW(a, Courier__SuppressedListResponse)))
        return E_NOMEM;
    courier__suppressed_list_response__init(k->out);
    if ((r = queue_suppressed_list(q, a, &after, pb_str(k->list->domain), max, &v, &n)) < 0)
        return r;
    rows = ARENA_ARRAY(a, n + 1, Courier__Suppressed);
    k->out->list = ARENA_ARRAY(a, n + 1, Courier__Suppressed *);
    if (!rows || !k->out->list)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        courier__suppressed__init(&rows[i]);
        rows[i].domain = str_pb(v[i].domain);
        rows[i].address = str_pb(v[i].address);
        rows[i].created_ms = v[i].created_ms;
        rows[i].until_ms = v[i].until_ms;
        rows[i].why = str_pb(v[i].why);
        k->out->list[k->out->n_list++] = &rows[i];
    }
    k->out->more = n == max;
    return 0;
}

static int set_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    struct arena *a = rpc_req_arena(k->q);
    struct queue_suppressed s;
    struct str domain;
    char *z;
    int r;

    row_of(k->set->row, &s);
    if (!(z = arena_printf(a, "x@%.*s", STR_ARG(s.domain))))
        return E_NOMEM;
    if ((r = courier_address_key(a, s.address, &s.address)) < 0 ||
        (r = courier_address_dest(a, str_from(z), &domain)) < 0)
        return r == E_LIMIT ? E_SYNTAX : r;
    s.domain = domain;
    return k->set->remove ? queue_suppressed_remove(q, s.domain, s.address) : queue_suppress(q, &s);
}

static void answered(struct lane_job *j, int status)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    Courier__Empty empty = COURIER__EMPTY__INIT;

    courier_reply(k->q, status, status < 0 ? NULL : k->out ? &k->out->base : &empty.base);
}

int courier_op_suppressed(struct rpc_req *q, struct str body)
{
    bool lists = rpc_req_op(q) == COURIER__OP__SUPPRESSED_LIST;
    struct asked *k = ARENA_NEW(rpc_req_arena(q), struct asked);
    int r;

    if (!k)
        return E_NOMEM;
    k->q = q;
    if (lists)
        k->list = RPC_UNPACK(rpc_req_arena(q), body, courier__suppressed_list_request);
    else
        k->set = RPC_UNPACK(rpc_req_arena(q), body, courier__suppressed_request);
    if (!k->list && (!k->set || !k->set->row))
        return E_SYNTAX;
    k->job = (struct lane_job){ .run = lists ? list_run : set_run, .done = answered };
    if ((r = lane_submit(&k->job)) == 0)
        courier_begin();
    return r;
}
