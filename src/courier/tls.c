/* src/courier/tls.c: what the relay has learnt of a domain's TLS goes on disk with the outcome; policies that are in use are
 * fetched again before they grow old (RFC 8461 10.2); counters for reports (RFC 8460). */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/smtp/sts.h"
#include "src/courier/courier.h"

#define DAY_MS    INT64_C(86400000)
#define LOOK_MS   INT64_C(600000) /* is a policy old? */
#define USED_DAYS 30              /* one that nobody needed for so long is let go */
#define ASK_MS    90000
#define TEXT_MAX  300u

static int keep(struct queue *q, struct str domain, const Relay__Sts *m)
{
    struct sts_policy p;
    struct queue_sts s = {
        .domain = domain, .id = pb_str(m->id), .text = pb_str(m->text), .fetched_ms = m->fetched_ms
    };

    if (s.id.n == 0 || s.id.n > STS_ID_MAX || sts_policy_parse(s.text, &p) < 0)
        return 0;
    s.expires_ms = s.fetched_ms + (int64_t)p.max_age_s * 1000;
    return queue_sts_keep(q, &s);
}

static struct str cut(ProtobufCBinaryData b, size_t max)
{
    return str_slice(pb_str(b), 0, max);
}

int courier_tls_learn(struct queue *q, struct str domain, const Relay__SendResponse *m)
{
    int r = m && m->sts ? keep(q, domain, m->sts) : 0;

    for (size_t i = 0; m && courier_conf.tls_reports && i < m->n_notes && r == 0; i++) {
        const Relay__TlsNote *n = m->notes[i];
        struct queue_tls t = { .policy = (uint32_t)n->policy,
                               .result = cut(n->result, TEXT_MAX),
                               .mx = cut(n->mx, TEXT_MAX),
                               .ip = cut(n->ip, TEXT_MAX),
                               .from_ip = cut(n->from_ip, TEXT_MAX),
                               .reason = cut(n->reason, TEXT_MAX),
                               .policy_text = cut(n->policy_text, KIB(16)) };

        if (t.policy <= 2)
            r = queue_tls_count(q, domain, &t);
    }
    return r;
}

/* ---- policies that grow old ---- */

static struct {
    struct timer timer;
    struct lane_job job;
    struct arena arena; /* of what is asked and answered */
    struct queue_sts s;
    Relay__RefreshResponse *m;
    int found;
    bool open, busy;
    int64_t asked_ms; /* the last one's: each round goes on from there */
} care;

static void next(int64_t ms)
{
    care.busy = false;
    arena_reset(&care.arena);
    if (!courier.stopping)
        timer_set(&care.timer, ms);
}

static int note_run(struct queue *q, struct lane_job *j UNUSED)
{
    return keep(q, care.s.domain, care.m->sts);
}

static void noted(struct lane_job *j UNUSED, int status UNUSED)
{
    next(1000);
}

static void answered(void *ctx UNUSED, int status, struct str body)
{
    care.m = status == 0 ? RPC_UNPACK(&care.arena, body, relay__refresh_response) : NULL;
    care.job = (struct lane_job){ .run = note_run, .done = noted };
    if (!care.m || !care.m->sts || lane_submit(&care.job) < 0)
        next(status == E_CLOSED ? LOOK_MS : 1000);
}

static int find(struct queue *q, struct lane_job *j UNUSED)
{
    int64_t now = clock_wall_ms();

    care.s = (struct queue_sts){ .fetched_ms = care.asked_ms };
    care.found = queue_sts_oldest(q, &care.arena, now - DAY_MS, now / DAY_MS - USED_DAYS, &care.s);
    return care.found < 0 ? care.found : 0;
}

static void found(struct lane_job *j UNUSED, int status)
{
    Relay__RefreshRequest m = RELAY__REFRESH_REQUEST__INIT;
    Relay__Sts sts = RELAY__STS__INIT;
    struct rpc_ask ask = {
        .op = RELAY__OP__REFRESH, .body = &m.base, .deadline_ms = ASK_MS, .done = answered
    };

    if (status < 0 || care.found == 0) {
        care.asked_ms = 0;
        next(LOOK_MS);
        return;
    }
    care.asked_ms = care.s.fetched_ms;
    sts.id = str_pb(care.s.id);
    sts.text = str_pb(care.s.text);
    sts.fetched_ms = care.s.fetched_ms;
    m.domain = str_pb(care.s.domain);
    m.sts = &sts;
    if (!rpc_link_ask(role_link(courier.role, ROLE_RELAY), &ask))
        next(LOOK_MS);
}

static void look(struct timer *t UNUSED)
{
    if (courier.stopping || care.busy)
        return;
    care.busy = true;
    care.job = (struct lane_job){ .run = find, .done = found };
    if (lane_submit(&care.job) < 0)
        next(LOOK_MS);
}

int courier_tls_open(struct role *r)
{
    int e = timer_init(&care.timer, role_loop(r), look);

    care.arena.max = MIB(1);
    if (e == 0)
        timer_set(&care.timer, LOOK_MS);
    return e;
}

/* ---- TLS_REPORT, TLS_REPORTED ---- */

struct asked {
    struct lane_job job;
    struct rpc_req *q;
    Courier__TlsReportRequest *m;
    Courier__TlsReportResponse out;
};

static int rows_out(struct arena *a, const struct queue_tls *v, size_t n, Courier__TlsReportResponse *out)
{
    Courier__TlsCount *c = ARENA_ARRAY(a, n + 1, Courier__TlsCount);

    if (!c || !(out->counts = ARENA_ARRAY(a, n + 1, Courier__TlsCount *)))
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        courier__tls_count__init(&c[i]);
        c[i].policy = v[i].policy;
        c[i].result = str_pb(v[i].result);
        c[i].mx = str_pb(v[i].mx);
        c[i].ip = str_pb(v[i].ip);
        c[i].from_ip = str_pb(v[i].from_ip);
        c[i].reason = str_pb(v[i].reason);
        c[i].policy_text = str_pb(v[i].policy_text);
        c[i].sessions = v[i].sessions;
        out->counts[out->n_counts++] = &c[i];
    }
    return 0;
}

static int report_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);
    struct arena *a = rpc_req_arena(k->q);
    struct str domain = pb_str(k->m->after_domain);
    int64_t day = k->m->after_day;
    struct queue_tls *v;
    size_t n;
    int r;

    courier__tls_report_response__init(&k->out);
    if ((r = queue_tls_next(q, a, queue_now(q) / DAY_MS, &day, &domain)) <= 0)
        return r;
    k->out.found = true;
    k->out.day = day;
    k->out.domain = str_pb(domain);
    return (r = queue_tls_rows(q, a, day, domain, &v, &n)) < 0 ? r : rows_out(a, v, n, &k->out);
}

static int reported_run(struct queue *q, struct lane_job *j)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);

    courier__tls_report_response__init(&k->out);
    return queue_tls_forget(q, k->m->after_day, pb_str(k->m->after_domain));
}

static void done(struct lane_job *j, int status)
{
    struct asked *k = CONTAINER_OF(j, struct asked, job);

    courier_reply(k->q, status, status < 0 ? NULL : &k->out.base);
}

static int begin(struct rpc_req *q, struct str body, int (*run)(struct queue *q, struct lane_job *j))
{
    struct asked *k = ARENA_NEW(rpc_req_arena(q), struct asked);
    int r;

    if (!k)
        return E_NOMEM;
    *k = (struct asked){ .q = q,
                         .m = RPC_UNPACK(rpc_req_arena(q), body, courier__tls_report_request),
                         .job = { .run = run, .done = done } };
    if (!k->m)
        return E_SYNTAX;
    if ((r = lane_submit(&k->job)) == 0)
        courier_begin();
    return r;
}

int courier_op_tls_report(struct rpc_req *q, struct str body)
{
    return begin(q, body, report_run);
}

int courier_op_tls_reported(struct rpc_req *q, struct str body)
{
    return begin(q, body, reported_run);
}
