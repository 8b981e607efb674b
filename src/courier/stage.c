/* src/courier/stage.c: bytes on their way in. A slow sender holds a spool and nothing else. */
#include "src/courier/courier.h"
#include "lib/base/clock.h"
#include "lib/base/rand.h"

#define STAGE_KEPT_MS (INT64_C(3600) * 1000) /* far more than any check of a message takes */
#define SWEEP_MS      60000

struct staging {
    struct rpc_req *q;
    struct stage *s;
    struct buf waiting, writing; /* to be appended by a worker; being appended */
    struct work_job job;
    bool busy, end, cancelled;
    int status;
};

void stage_free(struct stage *s)
{
    if (!s)
        return;
    courier.staged_bytes -= s->counted;
    spool_free(&s->spool);
    free(s);
}

static void link_in(struct stage *s)
{
    s->next = courier.stages;
    s->at = &courier.stages;
    if (s->next)
        s->next->at = &s->next;
    courier.stages = s;
}

static void link_out(struct stage *s)
{
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    s->next = NULL;
    s->at = NULL;
}

struct stage *stage_take(struct rpc_peer *p, struct str id)
{
    for (struct stage *s = courier.stages; s && id.n == STAGE_LEN; s = s->next)
        if (s->peer == p && memcmp(s->id, id.p, STAGE_LEN) == 0) {
            link_out(s);
            return s;
        }
    return NULL;
}

void stage_give_back(struct stage *s, const struct rpc_req *q)
{
    if (rpc_req_cancelled(q))
        stage_free(s);
    else
        link_in(s);
}

/* Our answer and its sender's change of mind may pass each other: then nobody knows its name. */
static void sweep(void)
{
    static int64_t swept_ms;
    int64_t now = clock_mono_ms();
    struct stage *next;

    if (now - swept_ms < SWEEP_MS)
        return;
    swept_ms = now;
    for (struct stage *s = courier.stages; s; s = next) {
        next = s->next;
        if (now - s->since_ms > STAGE_KEPT_MS) {
            link_out(s);
            stage_free(s);
        }
    }
}

void stage_peer_gone(struct rpc_peer *p)
{
    struct stage *next;

    for (struct stage *s = courier.stages; s; s = next) {
        next = s->next;
        if (s->peer == p) {
            link_out(s);
            stage_free(s);
        }
    }
}

static void finish(struct staging *g)
{
    Courier__StageResponse m = COURIER__STAGE_RESPONSE__INIT;

    if (g->busy || (!g->end && !g->cancelled && g->status == 0))
        return;
    if (g->cancelled && g->status == 0)
        g->status = E_CANCELED;
    rpc_req_on_data(g->q, NULL, NULL);
    rpc_req_on_cancel(g->q, NULL, NULL);
    if (g->status == 0) {
        rand_bytes(g->s->id, STAGE_LEN);
        g->s->since_ms = clock_mono_ms();
        m.stage = str_pb(str_of(g->s->id, STAGE_LEN));
        m.bytes = spool_size(g->s->spool);
        link_in(g->s);
    } else {
        stage_free(g->s);
    }
    courier_reply(g->q, g->status, g->status < 0 ? NULL : &m.base);
    buf_release(&g->waiting);
    buf_release(&g->writing);
    free(g);
}

static void write_on(struct staging *g);

static void append(struct work_job *w)
{
    struct staging *g = CONTAINER_OF(w, struct staging, job);

    g->status = spool_append(g->s->spool, buf_str(&g->writing));
}

static void appended(struct work_job *w)
{
    struct staging *g = CONTAINER_OF(w, struct staging, job);

    g->busy = false;
    if (!g->cancelled)
        rpc_req_consumed(g->q, g->writing.n);
    buf_clear(&g->writing);
    write_on(g);
    finish(g);
}

static void write_on(struct staging *g)
{
    struct buf swap = g->writing;

    if (g->busy || g->waiting.n == 0 || g->status < 0 || g->cancelled)
        return;
    g->writing = g->waiting;
    g->waiting = swap;
    g->job = (struct work_job){ .run = append, .done = appended };
    g->busy = true;
    if (work_submit(courier.pool, &g->job) < 0) {
        g->busy = false;
        g->status = E_BUSY;
    }
}

static int count(struct staging *g, size_t n)
{
    if (g->s->counted + n > courier_conf.message_bytes)
        return E_TOO_BIG;
    if (courier.staged_bytes + n > courier_conf.staging_bytes)
        return E_BUSY;
    g->s->counted += n;
    courier.staged_bytes += n;
    return 0;
}

static void data(void *ctx, struct str bytes, bool end)
{
    struct staging *g = ctx;
    struct spool *s = g->s->spool;

    g->end |= end;
    if (g->status < 0) {
        rpc_req_consumed(g->q, bytes.n);
    } else if ((g->status = count(g, bytes.n)) == 0) {
        if (!g->busy && !g->waiting.n && !spool_on_disk(s) && spool_size(s) + bytes.n <= SPOOL_MEMORY_MAX) {
            g->status = spool_append(s, bytes); /* memory only */
            rpc_req_consumed(g->q, bytes.n);
        } else {
            g->status = buf_puts(&g->waiting, bytes);
            write_on(g);
        }
    }
    if (!g->waiting.n || g->status < 0)
        finish(g);
}

static void cancelled(void *ctx)
{
    struct staging *g = ctx;

    g->cancelled = true;
    finish(g);
}

static struct stage *stage_new(struct rpc_peer *p)
{
    struct stage *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->peer = p;
    if (spool_new(role_data_dir(courier.role), courier_conf.message_bytes, &s->spool) < 0) {
        free(s);
        return NULL;
    }
    return s;
}

int courier_op_stage(struct rpc_req *q, struct str body)
{
    Courier__StageRequest *m = RPC_UNPACK(rpc_req_arena(q), body, courier__stage_request);
    struct staging *g;

    if (!m)
        return E_SYNTAX;
    if (courier.stopping)
        return E_UNAVAIL;
    if (m->bytes_expected > courier_conf.message_bytes)
        return E_TOO_BIG;
    sweep();
    if (courier.staged_bytes + m->bytes_expected > courier_conf.staging_bytes)
        return E_BUSY;
    if (!(g = calloc(1, sizeof *g)))
        return E_NOMEM;
    g->q = q;
    g->waiting.max = g->writing.max = 2 * RPC_WINDOW;
    if (!(g->s = stage_new(rpc_req_peer(q)))) {
        free(g);
        return E_NOMEM;
    }
    courier_begin();
    rpc_req_on_cancel(q, cancelled, g);
    rpc_req_on_data(q, data, g);
    return 0;
}

int courier_op_unstage(struct rpc_req *q, struct str body)
{
    Courier__UnstageRequest *m = RPC_UNPACK(rpc_req_arena(q), body, courier__unstage_request);

    if (!m)
        return E_SYNTAX;
    stage_free(stage_take(rpc_req_peer(q), pb_str(m->stage)));
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}
