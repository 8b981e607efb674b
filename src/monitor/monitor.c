/* src/monitor/monitor.c
 *
 * The role: takes what others report, keeps decisions in the journal, and answers whoever scrapes. It knows nothing that
 * others do not tell it, and nobody waits for it. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/courier.pb-c.h"
#include "proto/directory.pb-c.h"
#include "proto/resolver.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/role.h"
#include "src/monitor/conf.h"
#include "src/monitor/dmarc.h"
#include "src/monitor/journal.h"
#include "src/monitor/metrics.h"
#include "src/monitor/scrape.h"

#define QUEUE_MAX   1000u /* reports and questions that wait for the disk */
#define EXPIRE_MS   600000
#define STATUS_MS   2000
#define STATUS_OPEN 5u

static struct monitor_conf conf;
static struct {
    struct role *role;
    struct db *db;
    struct work_pool *pool;
    struct work_lane *lane;
    struct timer expire;
    struct metrics metrics;
    uint64_t notes, dropped, scrapes;
    size_t pending;
    bool expiring, stopping;
} monitor;

struct job {
    struct work_job work;
    struct rpc_req *q; /* NULL: of our own */
    void *request;
    const ProtobufCMessage *answer;
    int (*run)(struct job *j);
    int status;
    int64_t more;
};

static void end_when_idle(void)
{
    if (!monitor.stopping || monitor.pending > 0)
        return;
    work_pool_free(&monitor.pool);
    if (db_close(&monitor.db) < 0)
        log_event(LOG_WARN, "monitor.close_failed");
    role_stopped(monitor.role);
}

static void job_run(struct work_job *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);

    if ((j->status = j->run(j)) < 0) {
        const struct db_error *e = db_error_detail(monitor.db);

        log_event(LOG_ERROR, "monitor.failed", F_ERR(j->status), F_I64("sqlite", e->code),
                  F_Z("text", e->text));
    }
}

static void job_done(struct work_job *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);

    monitor.pending--;
    rpc_reply(j->q, j->status, j->status == 0 ? j->answer : NULL,
              NULL); /* frees j with the request's arena */
    end_when_idle();
}

static int submit(struct rpc_req *q, void *request, int (*run)(struct job *j))
{
    struct job *j = ARENA_NEW(rpc_req_arena(q), struct job);

    if (!j)
        return E_NOMEM;
    *j = (struct job){ .work = { .run = job_run, .done = job_done }, .q = q, .request = request, .run = run };
    if (monitor.stopping)
        return E_UNAVAIL;
    if (work_lane_submit(monitor.lane, &j->work) < 0)
        return E_BUSY;
    monitor.pending++;
    return 0;
}

/* ---- REPORT ---- */

static const Monitor__Empty empty = MONITOR__EMPTY__INIT;

static int add_notes(struct job *j)
{
    const Monitor__ReportRequest *m = j->request;

    uint64_t dropped = 0;
    int r = m->n_notes && conf.keep_ms ? journal_add(monitor.db, m->notes, m->n_notes) : 0;

    j->answer = &empty.base;
    if (r == 0 && m->n_dmarc)
        r = dmarc_add(monitor.db, m->dmarc, m->n_dmarc, &dropped);
    if (dropped)
        log_event(LOG_WARN, "monitor.dmarc_dropped", F_U64("n", dropped));
    return r;
}

static int op_report(struct rpc_req *q, struct str body)
{
    Monitor__ReportRequest *m = RPC_UNPACK(rpc_req_arena(q), body, monitor__report_request);
    struct rpc_peer *p = rpc_req_peer(q);
    int r;

    if (!m)
        return E_SYNTAX;
    if ((r = metrics_take(&monitor.metrics, rpc_peer_role(p), rpc_peer_instance(p), m)) < 0)
        return r;
    monitor.notes += m->n_notes;
    monitor.dropped += m->dropped;
    if (m->dropped)
        log_event(LOG_WARN, "monitor.notes_dropped", F_Z("role", role_name(rpc_peer_role(p))),
                  F_U64("n", m->dropped));
    if ((m->n_notes > 0 && conf.keep_ms > 0) || m->n_dmarc > 0)
        return submit(q, m, add_notes);
    rpc_reply(q, 0, &empty.base, NULL);
    return 0;
}

/* ---- QUERY ---- */

static int run_query(struct job *j)
{
    Monitor__QueryResponse *m = ARENA_NEW(rpc_req_arena(j->q), Monitor__QueryResponse);

    if (!m)
        return E_NOMEM;
    monitor__query_response__init(m);
    j->answer = &m->base;
    return journal_query(monitor.db, rpc_req_arena(j->q), j->request, m);
}

static int op_query(struct rpc_req *q, struct str body)
{
    Monitor__QueryRequest *m = RPC_UNPACK(rpc_req_arena(q), body, monitor__query_request);

    return m ? submit(q, m, run_query) : E_SYNTAX;
}

/* ---- DMARC ---- */

static int run_dmarc_list(struct job *j)
{
    Monitor__DmarcListResponse *m = ARENA_NEW(rpc_req_arena(j->q), Monitor__DmarcListResponse);

    if (!m)
        return E_NOMEM;
    monitor__dmarc_list_response__init(m);
    j->answer = &m->base;
    return dmarc_list(monitor.db, rpc_req_arena(j->q), clock_wall_ms() / 1000, j->request, m);
}

static int run_dmarc_rows(struct job *j)
{
    Monitor__DmarcRowsResponse *m = ARENA_NEW(rpc_req_arena(j->q), Monitor__DmarcRowsResponse);

    if (!m)
        return E_NOMEM;
    monitor__dmarc_rows_response__init(m);
    j->answer = &m->base;
    return dmarc_rows(monitor.db, rpc_req_arena(j->q), j->request, m);
}

static int run_dmarc_done(struct job *j)
{
    j->answer = &empty.base;
    return dmarc_done(monitor.db, j->request);
}

static int op_dmarc_list(struct rpc_req *q, struct str body)
{
    Monitor__DmarcListRequest *m = RPC_UNPACK(rpc_req_arena(q), body, monitor__dmarc_list_request);

    return m ? submit(q, m, run_dmarc_list) : E_SYNTAX;
}

static int op_dmarc_rows(struct rpc_req *q, struct str body)
{
    Monitor__DmarcRowsRequest *m = RPC_UNPACK(rpc_req_arena(q), body, monitor__dmarc_rows_request);

    return m ? submit(q, m, rpc_req_op(q) == MONITOR__OP__DMARC_DONE ? run_dmarc_done : run_dmarc_rows)
             : E_SYNTAX;
}

/* ---- STATUS ---- */

static int run_status(struct job *j)
{
    Monitor__StatusResponse *m = ARENA_NEW(rpc_req_arena(j->q), Monitor__StatusResponse);

    if (!m)
        return E_NOMEM;
    monitor__status_response__init(m);
    m->notes = monitor.notes;
    m->dropped = monitor.dropped;
    m->scrapes = monitor.scrapes;
    j->answer = &m->base;
    return journal_count(monitor.db, &m->entries);
}

static int op_status(struct rpc_req *q, struct str body UNUSED)
{
    return submit(q, NULL, run_status);
}

#define REPORTERS FROM(MX) | FROM(SUBMISSION) | FROM(IMAP) | FROM(POP3) | FROM(COURIER) | FROM(JOBS)
static const struct rpc_op ops[] = {
    [MONITOR__OP__STATUS] = { .run = op_status, .from = FROM(CTL) },
    [MONITOR__OP__REPORT] = { .run = op_report, .from = REPORTERS },
    [MONITOR__OP__DMARC_LIST] = { .run = op_dmarc_list, .from = FROM(JOBS) },
    [MONITOR__OP__DMARC_ROWS] = { .run = op_dmarc_rows, .from = FROM(JOBS) },
    [MONITOR__OP__DMARC_DONE] = { .run = op_dmarc_rows, .from = FROM(JOBS) },
    [MONITOR__OP__QUERY] = { .run = op_query, .from = FROM(CTL) | FROM(WEB) },
};
static const struct rpc_service service = { .name = "monitor", .ops = ops, .nops = ARRAY_LEN(ops) };

/* ---- the journal grows old ---- */

static struct job expiry;

static int run_expire(struct job *j)
{
    j->more = journal_expire(monitor.db, clock_wall_ms() - (int64_t)conf.keep_ms, conf.entries_max);
    return j->more < 0 ? (int)j->more : dmarc_expire(monitor.db, clock_wall_ms() / 1000);
}

static void expire_done(struct work_job *w UNUSED)
{
    monitor.pending--;
    monitor.expiring = false;
    if (!monitor.stopping)
        timer_set(&monitor.expire, expiry.status == 0 && expiry.more == JOURNAL_STEP ? 10 : EXPIRE_MS);
    end_when_idle();
}

static void expire(struct timer *t UNUSED)
{
    expiry = (struct job){ .work = { .run = job_run, .done = expire_done }, .run = run_expire };
    if (monitor.expiring || monitor.stopping || work_lane_submit(monitor.lane, &expiry.work) < 0)
        return;
    monitor.pending++;
    monitor.expiring = true;
}

/* ---- who scrapes ---- */

/* The roles that answer STATUS themselves. */
static const struct asked {
    enum role_id role;
    uint32_t op;
    const ProtobufCMessageDescriptor *answer;
} asked[] = {
    { ROLE_STORE, STORE__OP__STATUS, &store__status_response__descriptor },
    { ROLE_DIRECTORY, DIRECTORY__OP__STATUS, &directory__status_response__descriptor },
    { ROLE_RESOLVER, RESOLVER__OP__STATUS, &resolver__status_response__descriptor },
    { ROLE_COURIER, COURIER__OP__STATUS, &courier__status_response__descriptor },
};

/* One scrape: the numbers we have, and those of the roles that are asked for it. */
struct gathering {
    struct scrape *scrape;
    struct buf text;
    size_t waiting;
    struct part {
        struct gathering *all;
        const struct asked *who;
        bool answered;
    } parts[ARRAY_LEN(asked)];
};

static void gathered(struct gathering *g)
{
    if (--g->waiting > 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        if (buf_printf(&g->text, "%sletterlock_role_answers{role=\"%s\"} %d\n",
                       i ? ""
                         : "# HELP letterlock_role_answers Whether the role answered within 2 s.\n"
                           "# TYPE letterlock_role_answers gauge\n",
                       role_name(asked[i].role), g->parts[i].answered) < 0)
            log_event(LOG_WARN, "monitor.scrape_too_long");
    scrape_answer(g->scrape, buf_str(&g->text));
    buf_release(&g->text);
    free(g);
}

/* What does not answer in time is up 0, and its numbers are missing: better than a scrape that fails. */
static void told(void *ctx, int status, struct str body)
{
    struct part *p = ctx;
    struct gathering *g = p->all;
    struct arena a = { .max = KIB(256) };
    ProtobufCMessage *m = status == 0 ? rpc_unpack(p->who->answer, &a, body) : NULL;

    p->answered = m != NULL;
    if (m && metrics_print_status(role_name(p->who->role), m, &g->text) < 0)
        log_event(LOG_WARN, "monitor.scrape_too_long");
    arena_release(&a);
    gathered(g);
}

static void ask(struct gathering *g, size_t i)
{
    Monitor__Empty m = MONITOR__EMPTY__INIT; /* as all StatusRequests are */
    struct rpc_link *l = role_link(monitor.role, asked[i].role);
    struct rpc_ask q = {
        .op = asked[i].op, .body = &m.base, .deadline_ms = STATUS_MS, .done = told, .flags = RPC_NO_REPEAT
    };

    g->parts[i] = (struct part){ .all = g, .who = &asked[i] };
    q.ctx = &g->parts[i];
    g->waiting++;
    if (!rpc_link_is_up(l) || !rpc_link_ask(l, &q))
        told(&g->parts[i], E_UNAVAIL, STR_NONE);
}

static void scraped(struct scrape *s)
{
    struct gathering *g = calloc(1, sizeof *g);

    monitor.scrapes++;
    if (!g) {
        scrape_answer(s, STR(""));
        return;
    }
    *g = (struct gathering){ .scrape = s, .text = { .max = METRICS_BYTES_MAX }, .waiting = 1 };
    if (metrics_print(&monitor.metrics, &g->text) < 0 ||
        buf_printf(&g->text,
                   "# TYPE letterlock_monitor_notes counter\nletterlock_monitor_notes %llu\n"
                   "# TYPE letterlock_monitor_dropped counter\nletterlock_monitor_dropped %llu\n",
                   (unsigned long long)monitor.notes, (unsigned long long)monitor.dropped) < 0)
        log_event(LOG_WARN, "monitor.scrape_too_long");
    for (size_t i = 0; i < ARRAY_LEN(asked); i++)
        ask(g, i);
    gathered(g);
}

/* ---- life ---- */

static int open_journal(const uint8_t key[DB_KEY_BYTES])
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct db_error error = { 0 };
    int r = journal_open(key, &monitor.db, &error, &why);

    if (r < 0)
        log_event(LOG_ERROR, "monitor.open_failed", F_ERR(r), F_I64("sqlite", error.code),
                  F_Z("text", error.text), F_STR("why", buf_str(&why)));
    else if (why.n)
        log_event(LOG_WARN, "monitor.schema_mended", F_STR("why", buf_str(&why)));
    return r;
}

static int monitor_init(struct role *r)
{
    int e;

    monitor.role = r;
    if ((e = open_journal(role_subkey(r, SUBKEY_JOURNAL_DB))) < 0)
        return e;
    monitor.pool = work_pool_new("monitor", 1, QUEUE_MAX, 5);
    monitor.lane = monitor.pool ? work_lane_new(monitor.pool) : NULL;
    if (!monitor.lane)
        return E_NOMEM;
    if ((e = loop_attach_pool(role_loop(r), monitor.pool)) < 0)
        return e;
    return timer_init(&monitor.expire, role_loop(r), expire);
}

static int monitor_start(struct role *r)
{
    size_t n;
    const struct role_listener *l = role_listeners(r, &n);
    int e = 0;

    for (size_t i = 0; i < n && e == 0; i++)
        e = scrape_listen(role_loop(r), l[i].fd, scraped);
    timer_set(&monitor.expire, 1000);
    return e;
}

static void monitor_stop(struct role *r UNUSED)
{
    monitor.stopping = true;
    timer_clear(&monitor.expire);
    end_when_idle();
}

const struct role_def monitor_role = {
    .id = ROLE_MONITOR,
    .items = monitor_conf_items,
    .nitems = MONITOR_CONF_ITEMS,
    .conf = &conf,
    .conf_bytes = sizeof conf,
    .service = &service,
    .asks = FROM(STORE) | FROM(DIRECTORY) | FROM(RESOLVER) | FROM(COURIER),
    .optional = true,
    .init = monitor_init,
    .start = monitor_start,
    .stop = monitor_stop,
};
