/* src/resolver/resolver.c
 *
 * The role that asks the domain name system for all others: nobody else does. It joins the engine
 * (lib/dns/engine.h) to those who ask (proto/resolver.proto), to the upstreams (transport.h) and to time. It
 * sees names, never mail, and dials the configured upstreams only. */
#include "lib/base/descriptors.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/resolver.pb-c.h"
#include "src/common/role.h"
#include "src/resolver/transport.h"

#define ANSWER_EARLY_MS 20 /* before the caller's patience ends: it shall hear "timeout" from us */
#define DESCRIPTORS     16384u

static struct resolver_conf conf;
static struct {
    struct role *role;
    struct dns_upstreams upstreams;
    struct dns_engine *engine;
    struct doh *doh;
    struct plain *plain;
    struct timer tick;
} resolver;

/* ---- upstreams ---- */

static int send_query(void *ctx UNUSED, size_t upstream, uint64_t token, struct str query)
{
    const struct dns_upstream *u = &resolver.upstreams.v[upstream];

    return u->https ? doh_send(resolver.doh, u, token, query) : plain_send(resolver.plain, u, token, query);
}

static void cancel_query(void *ctx UNUSED, size_t upstream, uint64_t token)
{
    if (resolver.upstreams.v[upstream].https)
        doh_cancel(resolver.doh, token);
    else
        plain_cancel(resolver.plain, token);
}

/* The log says when one begins to fail, and when it is over; each single failure would say nothing more. */
static void heard(void *ctx UNUSED, const struct dns_upstream *u, uint64_t token, const struct dns_heard *h)
{
    const struct dns_health *health = dns_engine_health(resolver.engine, (size_t)(u - resolver.upstreams.v));
    bool failed = health->failed > 0;

    dns_engine_heard(resolver.engine, token, h);
    if (!failed && health->failed > 0)
        log_event(LOG_WARN, "resolver.upstream_fails", F_Z("upstream", u->name),
                  F_ERR(h->status < 0 ? h->status : E_SYNTAX));
    else if (failed && health->failed == 0)
        log_event(LOG_INFO, "resolver.upstream_works", F_Z("upstream", u->name));
}

/* An AD bit means something only from who cannot be impersonated (RFC 6840 5.8, RFC 6698 A.3): over TLS, or
 * inside this machine. */
static uint32_t flags_of(const struct dns_upstream *u)
{
    if (u->https)
        return DNS_UP_PRIVATE | DNS_UP_TRUST_AD;
    return (dns_upstream_is_local(u) ? DNS_UP_TRUST_AD : 0) | (conf.mix_case ? DNS_UP_MIX_CASE : 0);
}

/* ---- RESOLVE ---- */

struct asker {
    struct rpc_req *q;
    struct dns_wait *wait; /* NULL: answered */
};

static void answer(struct rpc_req *q, const struct dns_reply *r)
{
    Resolver__ResolveResponse m = RESOLVER__RESOLVE_RESPONSE__INIT;
    Resolver__Record *v = r->n ? ARENA_ARRAY(rpc_req_arena(q), r->n, Resolver__Record) : NULL;

    if (r->n && (!v || !(m.records = ARENA_ARRAY(rpc_req_arena(q), r->n, Resolver__Record *)))) {
        rpc_reply(q, E_NOMEM, NULL, NULL);
        return;
    }
    for (size_t i = 0; i < r->n; i++) {
        resolver__record__init(&v[i]);
        v[i].ttl_s = r->v[i].ttl_s;
        v[i].rdata = str_pb(r->v[i].bytes);
        m.records[i] = &v[i];
    }
    m.n_records = r->n;
    m.status = r->status;
    m.ad = r->ad;
    m.ttl_s = r->ttl_s;
    m.name = str_pb(str_of(r->name.wire, r->name.n));
    rpc_reply(q, 0, &m.base, NULL);
}

static void resolved(void *ctx, const struct dns_reply *r)
{
    struct asker *a = ctx;

    a->wait = NULL;
    answer(a->q, r);
}

static void no_longer_wanted(void *ctx)
{
    struct asker *a = ctx;

    if (!a->wait)
        return;
    dns_engine_forget(a->wait);
    a->wait = NULL;
    rpc_reply(a->q, E_CANCELED, NULL, NULL);
}

static void keep_ticking(void)
{
    if (dns_engine_busy(resolver.engine) && !timer_is_set(&resolver.tick))
        timer_set(&resolver.tick, DNS_TICK_MS);
}

static void tick(struct timer *t UNUSED)
{
    dns_engine_tick(resolver.engine);
    keep_ticking();
}

static int op_resolve(struct rpc_req *q, struct str body)
{
    Resolver__ResolveRequest *m = RPC_UNPACK(rpc_req_arena(q), body, resolver__resolve_request);
    const struct dns_reply no_name = { .status = DNS_BADNAME };
    struct asker *a = ARENA_NEW(rpc_req_arena(q), struct asker);
    int64_t left = rpc_req_left_ms(q), max = (int64_t)conf.timeout_ms;
    struct dns_wait *wait = NULL;
    struct dns_name name;
    int r;

    if (!m || !a)
        return m ? E_NOMEM : E_SYNTAX;
    if (m->type > UINT16_MAX)
        return E_UNSUPPORTED;
    if ((r = dns_name_parse(pb_str(m->name), &name)) == E_NOMEM)
        return r;
    if (r < 0) {
        answer(q, &no_name);
        return 0;
    }
    a->q = q;
    left = left < max ? left - ANSWER_EARLY_MS : max;
    rpc_req_on_cancel(q, no_longer_wanted, a); /* now: the request may be answered, and gone, in there */
    r = dns_engine_ask(resolver.engine, &name, (uint16_t)m->type, left, resolved, a, &wait);
    if (wait)
        a->wait = wait;
    keep_ticking();
    return r;
}

/* ---- STATUS ---- */

static int op_status(struct rpc_req *q, struct str body UNUSED)
{
    Resolver__StatusResponse m = RESOLVER__STATUS_RESPONSE__INIT;
    Resolver__Upstream v[DNS_UPSTREAMS_MAX], *list[DNS_UPSTREAMS_MAX];
    struct dns_engine_counts n = dns_engine_counts(resolver.engine);

    for (size_t i = 0; i < resolver.upstreams.n; i++) {
        const struct dns_health *h = dns_engine_health(resolver.engine, i);

        resolver__upstream__init(&v[i]);
        v[i].name = str_pb(str_from(resolver.upstreams.v[i].name));
        v[i].answers = h->answers;
        v[i].failures = h->failures;
        v[i].failed = h->failed;
        v[i].took_us = h->took_us;
        list[i] = &v[i];
    }
    m.n_upstreams = resolver.upstreams.n;
    m.upstreams = list;
    m.asked = n.asked;
    m.hits = n.cache.hits;
    m.joined = n.joined;
    m.given_up = n.given_up;
    m.refused = n.refused;
    m.prefetched = n.prefetched;
    m.forged = n.forged;
    m.questions = n.questions;
    m.entries = n.cache.entries;
    m.bytes = n.cache.bytes;
    m.evicted = n.cache.evicted;
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

/* Who may ask: whoever has to do with other people's servers. It learns nothing of mail by that. */
static const struct rpc_op ops[] = {
    [RESOLVER__OP__STATUS] = { .run = op_status, .from = FROM(CTL) | FROM(MONITOR) },
    [RESOLVER__OP__RESOLVE] = { .run = op_resolve,
                                .from = FROM(MX) | FROM(COURIER) | FROM(RELAY) | FROM(STORAGE) | FROM(JOBS) |
                                        FROM(CTL) },
};
static const struct rpc_service service = { .name = "resolver", .ops = ops, .nops = ARRAY_LEN(ops) };

/* ---- life ---- */

/* A descriptor for each plain query. */
static void want_descriptors(void)
{
    if (descriptors_raise(DESCRIPTORS) < DESCRIPTORS)
        log_event(LOG_WARN, "resolver.few_descriptors");
}

static int resolver_init(struct role *r)
{
    const struct dns_transport t = { .send = send_query, .cancel = cancel_query };
    struct dns_engine_conf c = {
        .cache_bytes = conf.cache_bytes,
        .questions_max = conf.questions_max,
        .patience_ms = (int64_t)conf.patience_ms,
        .limit_ms = (int64_t)conf.timeout_ms,
        .keep_max_s = (uint32_t)(conf.keep_max_ms / 1000),
        .no_max_s = (uint32_t)(conf.no_max_ms / 1000),
        .prefetch = conf.prefetch,
    };
    int e;

    resolver.role = r;
    if ((e = dns_upstreams_parse(str_from(conf.upstreams), &resolver.upstreams, NULL)) < 0)
        return e; /* the supervisor has read it too and said why */
    c.upstreams = resolver.upstreams.n;
    for (size_t i = 0; i < c.upstreams; i++)
        c.flags[i] = flags_of(&resolver.upstreams.v[i]);
    want_descriptors();
    if (!(resolver.doh = doh_new(role_loop(r), &conf, &resolver.upstreams, heard, NULL)))
        return conf.ca_file[0] ? E_NOTFOUND : E_NOMEM;
    if (!(resolver.plain = plain_new(role_loop(r), heard, NULL)) ||
        !(resolver.engine = dns_engine_new(&c, &t)))
        return E_NOMEM;
    return timer_init(&resolver.tick, role_loop(r), tick);
}

static size_t resolver_dials(struct role *r UNUSED, uint16_t *ports, size_t max)
{
    size_t n = resolver.upstreams.n < max ? resolver.upstreams.n : max;

    for (size_t i = 0; i < n; i++)
        ports[i] = resolver.upstreams.v[i].port;
    return n;
}

const struct role_def resolver_role = {
    .id = ROLE_RESOLVER,
    .items = resolver_conf_items,
    .nitems = RESOLVER_CONF_ITEMS,
    .conf = &conf,
    .conf_bytes = sizeof conf,
    .service = &service,
    .optional = true,
    .init = resolver_init,
    .dials = resolver_dials,
};
