/* src/courier/recovery.c: what a courier that was killed finds again.
 *
 * The first thing it asks a relay is how those attempts went that its books say are under way. Those that nobody knows
 * of go once more; whether they may have arrived already is known too: not when the relay is still the same. */
#include "lib/base/log.h"
#include "proto/relay.pb-c.h"
#include "src/courier/courier.h"

#define ASK_MS 20000

/* What it knows comes in pages. Only when all of them are noted is what the books have under way beyond that unknown. */
struct recovery {
    struct lane_job job;
    struct arena arena; /* of the answer */
    Relay__CollectResponse *m;
    uint64_t found, back, uncertain, after;
    struct queue_counts counts;
    bool wait, same;
};

static void collect(struct recovery *v);

static void told(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

static bool is_running(const struct recovery *v, uint64_t attempt)
{
    for (size_t i = 0; i < v->m->n_running; i++)
        if (v->m->running[i] == attempt)
            return true;
    return false;
}

static int recover_known(struct queue *q, struct recovery *v, const Relay__Collected *known)
{
    struct queue_claim c = { .arena = { .max = MIB(4) } };
    struct queue_counts counts = { 0 };
    struct queue_outcome *o = NULL;
    int r = queue_claim_again(q, known->attempt, &c);

    if (r == 0 && !(o = ARENA_ARRAY(&c.arena, c.n, struct queue_outcome)))
        r = E_NOMEM;
    if (r == 0)
        r = courier_outcomes(known->outcome, o, c.n);
    if (r == 0)
        r = courier_settle(q, &c, o, known->outcome->trouble, &counts);
    if (r == 0)
        r = courier_tls_learn(q, c.domain, known->outcome);
    v->found += r == 0;
    arena_release(&c.arena);
    return r == E_NOTFOUND ? 0 : r; /* it was noted before */
}

/* Nobody knows how they went: whether they may have arrived depends on whether it is the same relay. */
static int recover_unknown(struct queue *q, struct recovery *v)
{
    uint64_t attempts[256], after = 0;
    size_t n = 0;
    int r;

    do {
        if ((r = queue_under_way(q, after, attempts, ARRAY_LEN(attempts), &n)) < 0)
            return r;
        for (size_t i = 0; i < n; i++) {
            after = attempts[i];
            if (is_running(v, after))
                v->wait = true;
            else if ((r = queue_give_back(q, after, v->same ? &v->back : &v->uncertain, &v->counts)) < 0)
                return r;
        }
    } while (n == ARRAY_LEN(attempts));
    return 0;
}

static int recover(struct queue *q, struct lane_job *j)
{
    struct recovery *v = CONTAINER_OF(j, struct recovery, job);
    uint8_t boot[16];
    int r;

    if ((r = queue_relay(q, boot)) < 0)
        return r;
    v->same = v->m->boot.len == 16 && memcmp(boot, v->m->boot.data, 16) == 0;
    for (size_t i = 0; i < v->m->n_finished && !courier_dispatch_recovered() && r == 0; i++)
        r = recover_known(q, v, v->m->finished[i]);
    if (r < 0 || v->m->more)
        return r;
    if (!courier_dispatch_recovered() && ((r = recover_unknown(q, v)) < 0 || v->wait))
        return r; /* the boot stays as it is until all are known */
    return v->same || v->m->boot.len != 16 ? 0 : queue_relay_set(q, v->m->boot.data);
}

static void recovery_free(struct recovery *v)
{
    if (v)
        arena_release(&v->arena);
    free(v);
}

static void recovery_failed(struct recovery *v)
{
    recovery_free(v);
    courier_dispatch_later();
}

static void recovery_noted(const struct recovery *v)
{
    Relay__NotedRequest m = RELAY__NOTED_REQUEST__INIT;
    struct rpc_ask ask = { .op = RELAY__OP__NOTED,
                           .body = &m.base,
                           .flags = RPC_URGENT | RPC_NO_REPEAT,
                           .deadline_ms = ASK_MS,
                           .done = told };
    uint64_t attempts[256];

    for (size_t i = 0; i < v->m->n_finished && m.n_attempts < ARRAY_LEN(attempts); i++)
        attempts[m.n_attempts++] = v->m->finished[i]->attempt;
    m.attempts = attempts;
    if (m.n_attempts)
        (void)rpc_link_ask(role_link(courier.role, ROLE_RELAY), &ask);
}

static void recovered(struct lane_job *j, int status)
{
    struct recovery *v = CONTAINER_OF(j, struct recovery, job);

    if (status < 0) {
        recovery_failed(v);
        return;
    }
    recovery_noted(v);
    if (v->m->more) {
        v->after = v->m->next;
        collect(v);
        return;
    }
    if (v->found + v->back + v->uncertain > 0)
        log_event(LOG_WARN, "courier.recovered", F_U64("known", v->found), F_U64("not_sent", v->back),
                  F_U64("uncertain", v->uncertain));
    courier_set_aside(v->counts.aside, 0);
    courier.uncertain += v->uncertain;
    if (v->wait) {
        recovery_failed(v); /* in a while, from the beginning */
        return;
    }
    courier_dispatch_up();
    recovery_free(v);
}

static void collected(void *ctx, int status, struct str body)
{
    struct recovery *v = ctx;

    if (status == 0 && (v->m = RPC_UNPACK(&v->arena, body, relay__collect_response))) {
        v->job = (struct lane_job){ .run = recover, .done = recovered };
        if (lane_submit(&v->job) == 0)
            return;
    }
    if (status == E_CLOSED)
        recovery_free(v); /* the next relay is asked */
    else
        recovery_failed(v);
}

/* v: to go on with its next page; NULL: from the first. */
static void collect(struct recovery *v)
{
    Relay__CollectRequest m = RELAY__COLLECT_REQUEST__INIT;
    struct rpc_ask ask = { .op = RELAY__OP__COLLECT,
                           .body = &m.base,
                           .flags = RPC_URGENT | RPC_NO_REPEAT,
                           .deadline_ms = ASK_MS,
                           .done = collected };

    if (v)
        arena_reset(&v->arena);
    else if ((v = calloc(1, sizeof *v)))
        v->arena.max = MIB(16);
    if (!v) {
        courier_dispatch_later();
        return;
    }
    m.after = v->after;
    ask.ctx = v;
    if (!rpc_link_ask(role_link(courier.role, ROLE_RELAY), &ask))
        recovery_failed(v);
}

void courier_recover(void)
{
    collect(NULL);
}
