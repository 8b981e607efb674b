/* src/directory/directory.c
 *
 * The role: requests come in on the loop, SQL runs in one lane in the order of arrival, answers go
 * out from the loop. What RESOLVE found is remembered until anything changes. */
#include "src/directory/cache.h"
#include "src/directory/ops.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/common/dump.h"
#include "src/common/role.h"
#include "src/directory/conf.h"

#define QUEUE_MAX  20000u /* requests waiting; more are told to come again */
#define STORES_MAX 64u

static struct {
    struct role *role;
    struct db *db;
    struct work_pool *pool;
    struct work_lane *lane;
    struct cache *cache;
    size_t pending;
    bool stopping;
    struct rpc_peer *stores[STORES_MAX]; /* told when limits change */
} dir;

struct job {
    struct work_job work;
    struct rpc_req *q;
    const struct directory_op *op;
    void *request;
    struct directory_answer answer;
    int status;
};

static void end_when_idle(void)
{
    if (!dir.stopping || dir.pending > 0)
        return;
    work_pool_free(&dir.pool);
    db_close(&dir.db); /* checkpointed and whole */
    role_stopped(dir.role);
}

static void job_run(struct work_job *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);

    j->status = j->op->run(dir.db, rpc_req_arena(j->q), j->request, &j->answer);
    if (j->status < 0 && error_is_transient(j->status)) {
        const struct db_error *e = db_error_detail(dir.db);

        if (j->status != E_BUSY || e->code != 0) /* "it has aliases still" is an answer */
            log_event(LOG_ERROR, "directory.failed", F_Z("op", j->op->name), F_ERR(j->status),
                      F_I64("sqlite", e->code), F_Z("text", e->text));
    }
}

static void limits_tell(void)
{
    Directory__Empty e = DIRECTORY__EMPTY__INIT;

    for (size_t i = 0; i < STORES_MAX; i++)
        if (dir.stores[i] && rpc_push(dir.stores[i], DIRECTORY__EVENT__LIMITS_CHANGED, &e.base) < 0)
            log_event(LOG_WARN, "directory.store_does_not_read");
}

static void job_done(struct work_job *w)
{
    struct job *j = CONTAINER_OF(w, struct job, work);

    /* Answers come in the order of the lane: what a change forgets here was read before it. */
    if (j->op->changes)
        cache_clear(dir.cache);
    else if (j->status == 0 && j->answer.cache_as.n > 0)
        cache_put(dir.cache, j->answer.cache_as, j->answer.body);
    if (j->op->limits && j->status == 0)
        limits_tell();
    dir.pending--;
    rpc_reply(j->q, j->status, j->status == 0 ? j->answer.body : NULL,
              NULL); /* frees j with the request's arena */
    end_when_idle();
}

/* A recipient or a login that we have just looked up. */
static bool answer_from_cache(struct rpc_req *q, void *request)
{
    struct str packed = cache_get(dir.cache, resolve_cache_key(rpc_req_arena(q), request));
    Directory__ResolveResponse *m;

    if (!packed.p || !(m = RPC_UNPACK(rpc_req_arena(q), packed, directory__resolve_response)))
        return false;
    rpc_reply(q, 0, &m->base, NULL);
    return true;
}

static int run_op(struct rpc_req *q, struct str body)
{
    const struct directory_op *op = directory_op_of(rpc_req_op(q));
    struct job *j;
    void *request;

    if (!op || !(request = rpc_unpack(op->request, rpc_req_arena(q), body)))
        return E_SYNTAX;
    if (dir.stopping)
        return E_UNAVAIL;
    if (rpc_req_op(q) == DIRECTORY__OP__RESOLVE && answer_from_cache(q, request))
        return 0;
    if (!(j = ARENA_NEW(rpc_req_arena(q), struct job)))
        return E_NOMEM;
    j->q = q;
    j->op = op;
    j->request = request;
    j->work.run = job_run;
    j->work.done = job_done;
    if (work_lane_submit(dir.lane, &j->work) < 0)
        return E_BUSY;
    dir.pending++;
    return 0;
}

static void dump_ended(void)
{
    dir.pending--;
    end_when_idle();
}

static int op_dump(struct rpc_req *q, struct str body UNUSED)
{
    const struct dump_source s = { .path = "directory.sqlite",
                                   .key = role_subkey(dir.role, SUBKEY_DIRECTORY_DB),
                                   .pool = dir.pool,
                                   .ended = dump_ended };
    int r = dir.stopping ? E_UNAVAIL : 0;

    dir.pending++;
    if (r < 0 || (r = dump_begin(q, &s)) < 0)
        dir.pending--;
    return r;
}

/* Who may ask what. */
#define READS \
    FROM(IMAP) | FROM(MX) | FROM(POP3) | FROM(SUBMISSION) | FROM(WEB) | FROM(STORE) | FROM(CTL) | FROM(JOBS)
static const struct rpc_op ops[] = {
    [DIRECTORY__OP__STATUS] = { run_op, FROM(CTL) | FROM(MONITOR) | FROM(WEB), 0, NULL },
    [DIRECTORY__OP__RESOLVE] = { run_op, READS, 0, NULL },
    [DIRECTORY__OP__DOMAIN_ADD] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__DOMAIN_LIST] = { run_op, FROM(CTL) | FROM(JOBS), 0, NULL },
    [DIRECTORY__OP__DOMAIN_REMOVE] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ALIAS_ADD] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ALIAS_LIST] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ALIAS_SHOW] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ALIAS_REMOVE] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__KEYSTATE_PREPARE] = { run_op, FROM(STORE), 0, NULL },
    [DIRECTORY__OP__KEYSTATE_COMMIT] = { run_op, FROM(STORE), 0, NULL },
    [DIRECTORY__OP__MAILBOX_BIND] = { run_op, FROM(STORE), 0, NULL },
    [DIRECTORY__OP__LEASE] = { run_op, FROM(STORE), 0, NULL },
    [DIRECTORY__OP__LIMIT_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ACCOUNT_ADD] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ACCOUNT_LIST] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ACCOUNT_REMOVE] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ACCOUNT_GIVE] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__SENDER] = { run_op, FROM(SUBMISSION), 0, NULL },
    [DIRECTORY__OP__SENDING_SET] = { run_op, FROM(CTL) | FROM(WEB), 0, NULL },
    [DIRECTORY__OP__DOMAIN_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ALIAS_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__TARGET_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__PATTERN_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__PATTERN_LIST] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ACCESS_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__ACCESS_LIST] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__DUMP] = { op_dump, FROM(CTL), RPC_DOWN, NULL },
    [DIRECTORY__OP__SPAM_SET] = { run_op, FROM(CTL), 0, NULL },
    [DIRECTORY__OP__VACATION] = { run_op, FROM(CTL) | FROM(WEB), 0, NULL },
};

static void peer_change(struct rpc_peer *p, struct rpc_peer *from, struct rpc_peer *to)
{
    if (rpc_peer_role(p) != ROLE_STORE)
        return;
    for (size_t i = 0; i < STORES_MAX; i++)
        if (dir.stores[i] == from) {
            dir.stores[i] = to;
            return;
        }
}

static void peer_up(void *ctx UNUSED, struct rpc_peer *p)
{
    peer_change(p, NULL, p);
}

static void peer_gone(void *ctx UNUSED, struct rpc_peer *p)
{
    peer_change(p, p, NULL);
}

static const struct rpc_service service = {
    .name = "directory", .ops = ops, .nops = ARRAY_LEN(ops), .peer_up = peer_up, .peer_gone = peer_gone
};

static int open_db(const uint8_t key[DB_KEY_BYTES])
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct db_error error = { 0 };
    struct db_options opt = { .flags = DB_CREATE, .cache_kib = 4096, .error = &error };
    int r = db_open("directory.sqlite", key, &opt, &dir.db);

    if (r < 0) {
        log_event(LOG_ERROR, "directory.open_failed", F_ERR(r), F_I64("sqlite", error.code),
                  F_Z("text", error.text));
        return r;
    }
    if ((r = accounts_migrate(dir.db, &why)) < 0)
        log_event(LOG_ERROR, "directory.schema_refused", F_ERR(r), F_STR("why", buf_str(&why)));
    else if (why.n)
        log_event(LOG_WARN, "directory.schema_mended", F_STR("why", buf_str(&why)));
    return r;
}

static int directory_init(struct role *r)
{
    int e;

    dir.role = r;
    if ((e = open_db(role_subkey(r, SUBKEY_DIRECTORY_DB))) < 0)
        return e;
    dir.pool = work_pool_new("directory", 2, QUEUE_MAX, 0);
    dir.lane = dir.pool ? work_lane_new(dir.pool) : NULL;
    dir.cache = cache_new();
    if (!dir.lane || !dir.cache)
        return E_NOMEM;
    return loop_attach_pool(role_loop(r), dir.pool);
}

static void directory_stop(struct role *r UNUSED)
{
    dir.stopping = true;
    end_when_idle();
}

const struct role_def directory_role = {
    .id = ROLE_DIRECTORY,
    .items = directory_conf_items,
    .nitems = DIRECTORY_CONF_ITEMS,
    .conf = &directory_conf,
    .conf_bytes = sizeof directory_conf,
    .service = &service,
    .init = directory_init,
    .stop = directory_stop,
};
