/* src/relay/relay.c
 *
 * The role that dials: other mail servers. It is handed one message at a time, and has neither the queue nor a
 * key of ours. How each attempt went is kept until the courier has it on disk: a courier that was killed asks. */
#include "src/relay/relay.h"
#include "lib/base/clock.h"
#include "lib/base/descriptors.h"
#include "lib/base/idmap.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"

#define KEPT_MAX    20000u
#define DESCRIPTORS 16384u

struct relay relay;

/* How an attempt went. */
struct outcome {
    uint64_t attempt, number; /* number: in the order they ended */
    struct buf packed;        /* a SendResponse */
    struct outcome *before, *behind;
};
static struct idmap kept; /* attempt -> struct outcome */
static struct outcome *oldest, *newest;
static uint64_t numbers;

int64_t relay_patience(int64_t ms)
{
    int64_t t = ms * (int64_t)relay_conf.time_percent / 100;

    return t > 0 ? t : 1;
}

/* ---- outcomes ---- */

void relay_keep(uint64_t attempt, const Relay__SendResponse *m)
{
    size_t n = relay__send_response__get_packed_size(m);
    struct outcome *o;

    if (kept.n >= KEPT_MAX || attempt == 0 || !(o = calloc(1, sizeof *o)))
        return;
    o->packed.max = n ? n : 1;
    if (!buf_reserve(&o->packed, o->packed.max) || idmap_put(&kept, attempt, o) < 0) {
        buf_release(&o->packed);
        free(o);
        return;
    }
    o->packed.n = relay__send_response__pack(m, (uint8_t *)o->packed.p);
    o->attempt = attempt;
    o->number = ++numbers;
    o->before = newest;
    *(newest ? &newest->behind : &oldest) = o;
    newest = o;
}

static void forget(uint64_t attempt)
{
    struct outcome *o = attempt ? idmap_take(&kept, attempt) : NULL;

    if (!o)
        return;
    *(o->before ? &o->before->behind : &oldest) = o->behind;
    *(o->behind ? &o->behind->before : &newest) = o->before;
    buf_release(&o->packed);
    free(o);
}

static int op_noted(struct rpc_req *q, struct str body)
{
    Relay__NotedRequest *m = RPC_UNPACK(rpc_req_arena(q), body, relay__noted_request);

    if (!m)
        return E_SYNTAX;
    for (size_t i = 0; i < m->n_attempts; i++)
        forget(m->attempts[i]);
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

#define COLLECT_MAX   200u
#define COLLECT_BYTES KIB(256) /* of an answer, far below what one may hold; one outcome always fits */

/* In the order they ended, from behind `after`: what ends between two pages is on a later one. */
static int collect_page(struct arena *a, uint64_t after, Relay__CollectResponse *m)
{
    size_t bytes = 0;

    if (!(m->finished = ARENA_ARRAY(a, COLLECT_MAX, Relay__Collected *)))
        return E_NOMEM;
    m->next = after;
    for (const struct outcome *o = oldest; o; o = o->behind) {
        Relay__Collected *c;

        if (o->number <= after)
            continue;
        m->more = m->n_finished == COLLECT_MAX || (bytes > 0 && bytes + o->packed.n > COLLECT_BYTES);
        if (m->more)
            return 0;
        if (!(c = ARENA_NEW(a, Relay__Collected)) ||
            !(c->outcome = RPC_UNPACK(a, buf_str(&o->packed), relay__send_response)))
            return E_NOMEM;
        c->base.descriptor = &relay__collected__descriptor;
        c->attempt = o->attempt;
        m->finished[m->n_finished++] = c;
        m->next = o->number;
        bytes += o->packed.n;
    }
    return 0;
}

static int op_collect(struct rpc_req *q, struct str body)
{
    Relay__CollectResponse m = RELAY__COLLECT_RESPONSE__INIT;
    struct arena *a = rpc_req_arena(q);
    Relay__CollectRequest *in = RPC_UNPACK(a, body, relay__collect_request);
    int r;

    if (!in)
        return E_SYNTAX;
    if ((r = collect_page(a, in->after, &m)) < 0)
        return r;
    if (!m.more) {
        if (!(m.running = ARENA_ARRAY(a, relay.deliveries + 1, uint64_t)))
            return E_NOMEM;
        m.n_running = relay_delivery_running(m.running, relay.deliveries);
        m.n_running += relay_post_running(m.running + m.n_running, relay.deliveries - m.n_running);
    }
    m.boot = str_pb(str_of(relay.boot, sizeof relay.boot));
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static int op_status(struct rpc_req *q, struct str body UNUSED)
{
    Relay__StatusResponse m = RELAY__STATUS_RESPONSE__INIT;

    m.connections = relay.connections;
    m.dialled = relay.dialled;
    m.reused = relay.reused;
    m.tls = relay.with_tls;
    m.resumed = relay.resumed;
    m.messages = relay.messages;
    rpc_reply(q, 0, &m.base, NULL);
    return 0;
}

static const struct rpc_op ops[] = {
    [RELAY__OP__STATUS] = { .run = op_status, .from = FROM(COURIER) },
    [RELAY__OP__SEND] = { .run = relay_op_send, .from = FROM(COURIER), .flags = RPC_UP },
    [RELAY__OP__COLLECT] = { .run = op_collect, .from = FROM(COURIER) },
    [RELAY__OP__REFRESH] = { .run = relay_op_refresh, .from = FROM(COURIER) },
    [RELAY__OP__POST] = { .run = relay_op_post, .from = FROM(COURIER), .flags = RPC_UP },
    [RELAY__OP__NOTED] = { .run = op_noted, .from = FROM(COURIER) },
};
static const struct rpc_service service = { .name = "relay", .ops = ops, .nops = ARRAY_LEN(ops) };

/* ---- life ---- */

#define STOP_MS 5000
#define LOOK_MS 20

static struct timer ending;
static int64_t end_at_ms;

/* What has not gone out whole is broken off; what has waits for its peer's answer, and for the courier to note it. */
static void end_look(struct timer *t UNUSED)
{
    if ((relay.deliveries > 0 || kept.n > 0) && clock_mono_ms() < end_at_ms) {
        timer_set(&ending, LOOK_MS);
        return;
    }
    if (relay.deliveries > 0)
        log_event(LOG_WARN, "relay.stopped_under_way", F_U64("deliveries", relay.deliveries));
    role_stopped(relay.role);
}

static void relay_stop(struct role *r)
{
    relay.stopping = true;
    end_at_ms = clock_mono_ms() + STOP_MS;
    relay_delivery_stop();
    if (timer_init(&ending, role_loop(r), end_look) < 0)
        role_stopped(r);
    else
        timer_set(&ending, LOOK_MS);
}

/* Whoever answers is taken at first; who looks at the verdict decides. */
static int policies_open(void)
{
    int e;

    if ((e = tls_peer_enable(tls_ctx_ssl(relay.tls))) < 0 || (e = tls_ctx_new_client(&relay.tls_pkix)) < 0)
        return e;
    if (relay_conf.mta_sts && (e = tls_ctx_trust(relay.tls_pkix, relay_conf.ca_file)) < 0)
        log_event(LOG_WARN, "relay.no_authorities", F_Z("key", "relay.ca_file"), F_ERR(e));
    return 0;
}

static int relay_init(struct role *r)
{
    int e;

    relay.role = r;
    rand_bytes(relay.boot, sizeof relay.boot);
    if (descriptors_raise(DESCRIPTORS) < DESCRIPTORS)
        log_event(LOG_WARN, "relay.few_descriptors");
    relay_post_open();
    if ((e = tls_ctx_new_client(&relay.tls)) < 0 || (e = tls_ctx_new_client(&relay.tls_verified)) < 0)
        return e;
    if (relay_conf.smarthost[0] && (e = tls_ctx_verify(relay.tls_verified, relay_conf.ca_file)) < 0)
        log_event(LOG_ERROR, "relay.no_authorities", F_Z("key", "relay.ca_file"), F_ERR(e));
    return e < 0 ? e : policies_open();
}

/* The port of other servers, of our own MX, that of the smarthost, and those of webhooks. */
static size_t relay_dials(struct role *r UNUSED, uint16_t *ports, size_t max)
{
    struct str text = str_from(relay_conf.smarthost);
    ptrdiff_t colon = str_rchr(text, ':');
    uint32_t port = 587;
    size_t n = 0;

    if (n < max)
        ports[n++] = (uint16_t)relay_conf.smtp_port;
    if (n < max && relay_own_port())
        ports[n++] = relay_own_port();
    if (relay_conf.mta_sts && n < max)
        ports[n++] = (uint16_t)relay_conf.sts_port;
    if (text.n && n < max) {
        if (colon >= 0 && !str_to_u32(str_skip(text, (size_t)colon + 1), &port))
            port = 587;
        ports[n++] = (uint16_t)port;
    }
    return n + relay_post_ports(ports + n, max - n);
}

const struct role_def relay_role = {
    .id = ROLE_RELAY,
    .items = relay_conf_items,
    .nitems = RELAY_CONF_ITEMS,
    .conf = &relay_conf,
    .conf_bytes = sizeof relay_conf,
    .service = &service,
    .asks = FROM(RESOLVER),
    .optional = true,
    .init = relay_init,
    .dials = relay_dials,
    .stop = relay_stop,
};
