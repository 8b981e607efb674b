/* src/courier/courier.c
 *
 * The role that holds what leaves: the queue and the keys that sign. It has files and no network; the relay
 * dials. What it has taken is on disk before it says so. */
#include "src/courier/courier.h"
#include "lib/base/log.h"
#include "lib/crypto/box.h"
#include "src/common/dump.h"

#define WORKERS  2u
#define WORK_MAX 10000u
#define STOP_MS  6000 /* the relay waits a little less */

struct courier courier;
static struct timer ending;

/* ---- requests ---- */

/* Deliveries that are under way end first, within a time: the relay breaks off what it can, and what has gone out
 * whole has its answer noted, so that a start anew sends nothing twice. What is still under way then is known as such. */
void courier_end(void)
{
    if (!courier.stopping || courier.requests > 0 ||
        (!courier.hurry && (courier.active > 0 || courier_dispatch_busy())))
        return;
    timer_clear(&ending);
    work_pool_free(&courier.pool);
    lane_close();
    queue_close(&courier.queue); /* checkpointed and whole */
    role_stopped(courier.role);
}

void courier_begin(void)
{
    courier.requests++;
}

void courier_reply(struct rpc_req *q, int status, const ProtobufCMessage *m)
{
    rpc_reply(q, status, m, NULL);
    courier.requests--;
    courier_end();
}

/* ---- STATUS ---- */

struct status {
    struct lane_job job;
    struct rpc_req *q;
    struct queue_totals totals;
};

static int status_run(struct queue *q, struct lane_job *j)
{
    return queue_totals(q, &CONTAINER_OF(j, struct status, job)->totals);
}

static void status_done(struct lane_job *j, int status)
{
    struct status *s = CONTAINER_OF(j, struct status, job);
    Courier__StatusResponse m = COURIER__STATUS_RESPONSE__INIT;

    m.messages = s->totals.messages;
    m.targets = s->totals.targets;
    m.bytes = s->totals.bytes;
    m.enqueued = courier.enqueued;
    m.delivered = courier.delivered;
    m.deferred = courier.deferred;
    m.failed = courier.failed;
    m.uncertain = courier.uncertain;
    m.active = courier.active;
    if (s->totals.oldest_ms)
        m.oldest_ms = (uint64_t)(queue_now(courier.queue) - s->totals.oldest_ms);
    courier_reply(s->q, status, status < 0 ? NULL : &m.base);
}

static int op_status(struct rpc_req *q, struct str body UNUSED)
{
    struct status *s = ARENA_NEW(rpc_req_arena(q), struct status);
    int r;

    if (!s)
        return E_NOMEM;
    s->q = q;
    s->job = (struct lane_job){ .run = status_run, .done = status_done };
    if ((r = lane_submit(&s->job)) == 0)
        courier_begin();
    return r;
}

static void dump_ended(void)
{
    courier.requests--;
    courier_end();
}

static int op_dump(struct rpc_req *q, struct str body UNUSED)
{
    const struct dump_source s = { .path = "queue.sqlite",
                                   .key = role_subkey(courier.role, SUBKEY_QUEUE_DB),
                                   .pool = courier.pool,
                                   .ended = dump_ended };
    int r = courier.stopping ? E_UNAVAIL : 0;

    courier_begin();
    if (r < 0 || (r = dump_begin(q, &s)) < 0)
        courier.requests--;
    return r;
}

/* Who may ask. What leaves comes from those who have taken it in. */
#define SENDS FROM(SUBMISSION) | FROM(MX) | FROM(STORE) | FROM(JOBS) | FROM(WEB) | FROM(CTL)
static const struct rpc_op ops[] = {
    [COURIER__OP__STATUS] = { .run = op_status, .from = FROM(CTL) | FROM(MONITOR) | FROM(WEB) },
    [COURIER__OP__DUMP] = { .run = op_dump, .from = FROM(CTL), .flags = RPC_DOWN },
    [COURIER__OP__STAGE] = { .run = courier_op_stage, .from = SENDS, .flags = RPC_UP },
    [COURIER__OP__UNSTAGE] = { .run = courier_op_unstage, .from = SENDS },
    [COURIER__OP__ENQUEUE] = { .run = courier_op_enqueue, .from = SENDS },
    [COURIER__OP__REPORT_ARRIVAL] = { .run = courier_op_report_arrival, .from = FROM(MX) },
    [COURIER__OP__DKIM_MAKE] = { .run = courier_op_dkim, .from = FROM(CTL) },
    [COURIER__OP__DKIM_LIST] = { .run = courier_op_dkim, .from = FROM(CTL) | FROM(JOBS) | FROM(WEB) },
    [COURIER__OP__DKIM_ROTATE] = { .run = courier_op_dkim, .from = FROM(CTL) },
    [COURIER__OP__DKIM_FORGET] = { .run = courier_op_dkim, .from = FROM(CTL) },
    [COURIER__OP__WEBHOOK_KEY] = { .run = courier_op_webhook_key, .from = FROM(CTL) },
    [COURIER__OP__SRS_REVERSE] = { .run = courier_op_srs, .from = FROM(MX) },
    [COURIER__OP__BOUNCE_WEBHOOK] = { .run = courier_op_bounce_webhook, .from = FROM(CTL) },
    [COURIER__OP__SUPPRESSED_LIST] = { .run = courier_op_suppressed, .from = FROM(CTL) | FROM(WEB) },
    [COURIER__OP__SUPPRESSED_SET] = { .run = courier_op_suppressed, .from = FROM(CTL) },
    [COURIER__OP__TLS_REPORT] = { .run = courier_op_tls_report, .from = FROM(JOBS) },
    [COURIER__OP__TLS_REPORTED] = { .run = courier_op_tls_reported, .from = FROM(JOBS) },
    [COURIER__OP__QUEUE_LIST] = { .run = courier_op_list, .from = FROM(CTL) },
    [COURIER__OP__QUEUE_SHOW] = { .run = courier_op_show, .from = FROM(CTL) },
    [COURIER__OP__QUEUE_CHANGE] = { .run = courier_op_change, .from = FROM(CTL) },
};

static void peer_gone(void *ctx UNUSED, struct rpc_peer *p)
{
    stage_peer_gone(p);
}

static const struct rpc_service service = {
    .name = "courier", .ops = ops, .nops = ARRAY_LEN(ops), .peer_gone = peer_gone
};

/* ---- life ---- */

static void take_rules(void)
{
    courier.rules = (struct queue_rules){ .retry_first_ms = (int64_t)courier_conf.retry_first_ms,
                                          .retry_max_ms = (int64_t)courier_conf.retry_max_ms,
                                          .give_up_ms = (int64_t)courier_conf.give_up_ms,
                                          .delay_ms = (int64_t)courier_conf.delay_ms,
                                          .clock_ahead_ms = (int64_t)courier_conf.clock_ahead_ms,
                                          .bytes_max = courier_conf.queue_bytes,
                                          .per_destination = (uint32_t)courier_conf.per_destination,
                                          .recipients_max = (uint32_t)courier_conf.recipients_max };
}

static int courier_init(struct role *r)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    int e;

    courier.role = r;
    take_rules();
    courier_report_open(role_hostname(r), courier_conf.report_whole_bytes);
    courier_report_origin(courier_srs_origin);
    if ((e = crypto_init()) < 0)
        return e;
    e = queue_open("queue.sqlite", role_subkey(r, SUBKEY_QUEUE_DB), &courier.rules, &courier.queue, &why);
    if (e < 0 || why.n)
        log_event(e < 0 ? LOG_ERROR : LOG_WARN, e < 0 ? "courier.open_failed" : "courier.schema_mended",
                  F_ERR(e), F_STR("why", buf_str(&why)));
    if (e < 0)
        return e;
    if (!(courier.pool = work_pool_new("courier", WORKERS, WORK_MAX, 0)))
        return E_NOMEM;
    if ((e = lane_open(r)) < 0 || (e = courier_dispatch_open(r)) < 0 || (e = courier_tls_open(r)) < 0)
        return e;
    return loop_attach_pool(role_loop(r), courier.pool);
}

static void end_now(struct timer *t UNUSED)
{
    log_event(LOG_WARN, "courier.stopped_under_way", F_U64("deliveries", courier.active));
    courier.hurry = true;
    courier_end();
}

static void courier_stop(struct role *r)
{
    courier.stopping = true;
    courier_dispatch_stop();
    if (timer_init(&ending, role_loop(r), end_now) < 0)
        courier.hurry = true;
    else
        timer_set(&ending, STOP_MS);
    courier_end();
}

const struct role_def courier_role = {
    .id = ROLE_COURIER,
    .items = courier_conf_items,
    .nitems = COURIER_CONF_ITEMS,
    .conf = &courier_conf,
    .conf_bytes = sizeof courier_conf,
    .service = &service,
    .asks = FROM(RELAY) | FROM(MONITOR) | FROM(CONTENT),
    .links = &courier_links,
    .optional = true,
    .init = courier_init,
    .stop = courier_stop,
};
