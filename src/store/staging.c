/* src/store/staging.c: bytes on their way in. A slow sender holds a spool and nothing else. */
#include "src/store/store.h"
#include "lib/base/rand.h"
#include <assert.h>

#define NETWORK_MAX 64u

/* What one network has staged; found by a walk, since few networks do at once. */
struct staged_network {
    char name[NETWORK_MAX];
    uint64_t bytes;
    size_t refs;
    struct staged_network *next;
};

static struct staged_network *network_get(struct str name)
{
    struct staged_network *n;

    name = str_slice(name, 0, NETWORK_MAX - 1);
    for (n = store.networks; n; n = n->next)
        if (str_eq_z(name, n->name)) {
            n->refs++;
            return n;
        }
    if (!(n = calloc(1, sizeof *n)))
        return NULL;
    memcpy(n->name, name.p, name.n);
    n->refs = 1;
    n->next = store.networks;
    store.networks = n;
    return n;
}

static void network_put(struct staged_network *n)
{
    struct staged_network **at = &store.networks;

    if (--n->refs)
        return;
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    free(n);
}

/* ---- staged bytes ------------------------------------------------------------------------------- */

static int staged_read(const struct bytes_in *in, uint64_t off, void *p, size_t n)
{
    struct staged *s = (struct staged *)(uintptr_t)((const char *)in - offsetof(struct staged, in));
    int r;

    pthread_mutex_lock(&s->lock); /* a spool has one user at a time, a message several recipients */
    r = spool_read(s->spool, off, p, n);
    pthread_mutex_unlock(&s->lock);
    return r;
}

struct staged *staged_new(uint64_t max_bytes)
{
    struct staged *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    if (spool_new(store.files.dir, max_bytes, &s->spool) < 0) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->in.read = staged_read;
    s->refs = 1;
    return s;
}

void staged_ref(struct staged *s)
{
    s->refs++;
}

void staged_unref(struct staged *s)
{
    if (--s->refs)
        return;
    store.staged_bytes -= s->counted;
    if (s->network) {
        s->network->bytes -= s->counted;
        network_put(s->network);
    }
    spool_free(&s->spool);
    pthread_mutex_destroy(&s->lock);
    explicit_bzero(s, sizeof *s);
    free(s);
}

static int staged_name(struct staged *s, struct peer *p)
{
    do
        rand_bytes(s->id, sizeof s->id);
    while (idmap_get(&store.stagings, id_key(s->id)));
    if (idmap_put(&store.stagings, id_key(s->id), s) < 0)
        return E_NOMEM;
    s->peer_next = p->stagings;
    s->peer_prev = &p->stagings;
    if (s->peer_next)
        s->peer_next->peer_prev = &s->peer_next;
    p->stagings = s;
    return 0;
}

void staged_forget(struct staged *s)
{
    if (!s->peer_prev)
        return;
    idmap_take(&store.stagings, id_key(s->id));
    *s->peer_prev = s->peer_next;
    if (s->peer_next)
        s->peer_next->peer_prev = s->peer_prev;
    s->peer_prev = NULL;
    s->peer_next = NULL;
    staged_unref(s);
}

/* Complete, and this very peer's. */
struct staged *staged_find(struct rpc_req *q, struct str id)
{
    struct peer *p = rpc_peer_data(rpc_req_peer(q));

    if (id.n != STAGING_LEN)
        return NULL;
    for (struct staged *s = p->stagings; s; s = s->peer_next)
        if (memcmp(s->id, id.p, STAGING_LEN) == 0)
            return s->complete ? s : NULL;
    return NULL;
}

/* ---- STAGE -------------------------------------------------------------------------------------- */

struct stage {
    struct rpc_req *q;
    struct staged *s;
    uint64_t max;
    struct buf waiting, writing; /* to be appended by a worker; being appended */
    struct work_job job;
    bool busy, end, cancelled;
    int status;
};

static void stage_finish(struct stage *g)
{
    Store__StageResponse resp = STORE__STAGE_RESPONSE__INIT;

    if (g->busy || (!g->end && !g->cancelled && g->status == 0))
        return;
    if (g->cancelled && g->status == 0)
        g->status = E_CANCELED;
    if (g->status == 0)
        g->status = staged_name(g->s, rpc_peer_data(rpc_req_peer(g->q)));
    rpc_req_on_data(g->q, NULL, NULL);
    rpc_req_on_cancel(g->q, NULL, NULL);
    if (g->status == 0) {
        g->s->in.bytes = spool_size(g->s->spool);
        g->s->complete = true;
        spool_hash(g->s->spool, g->s->hash);
        resp.staging = str_pb(str_of(g->s->id, STAGING_LEN));
        resp.bytes = g->s->in.bytes;
        resp.hash = str_pb(str_of(g->s->hash, HASH_BYTES));
    } else {
        staged_unref(g->s);
    }
    request_reply(g->q, g->status, g->status < 0 ? NULL : &resp.base, NULL);
    buf_release(&g->waiting);
    buf_release(&g->writing);
    free(g);
}

static void stage_write(struct stage *g);

static void stage_run(struct work_job *w)
{
    struct stage *g = CONTAINER_OF(w, struct stage, job);

    g->status = spool_append(g->s->spool, buf_str(&g->writing));
}

static void stage_written(struct work_job *w)
{
    struct stage *g = CONTAINER_OF(w, struct stage, job);

    g->busy = false;
    if (!g->cancelled)
        rpc_req_consumed(g->q, g->writing.n);
    buf_clear(&g->writing);
    stage_write(g);
    stage_finish(g);
}

static void stage_write(struct stage *g)
{
    struct buf swap = g->writing;

    if (g->busy || g->waiting.n == 0 || g->status < 0 || g->cancelled)
        return;
    g->writing = g->waiting;
    g->waiting = swap;
    g->job = (struct work_job){ .run = stage_run, .done = stage_written };
    g->busy = true;
    if (work_submit(store.pool, &g->job) < 0) {
        g->busy = false;
        g->status = E_BUSY;
    }
}

static int stage_count(struct stage *g, size_t n)
{
    struct staged *s = g->s;

    if (s->counted + n > g->max)
        return E_TOO_BIG;
    if (store.staged_bytes + n > store_conf.staging_bytes ||
        s->network->bytes + n > store_conf.staging_network_bytes)
        return E_BUSY;
    s->counted += n;
    s->network->bytes += n;
    store.staged_bytes += n;
    return 0;
}

static void stage_data(void *ctx, struct str data, bool end)
{
    struct stage *g = ctx;
    struct spool *s = g->s->spool;

    g->end |= end;
    if (g->status < 0) {
        rpc_req_consumed(g->q, data.n);
    } else if ((g->status = stage_count(g, data.n)) == 0) {
        if (!g->busy && !g->waiting.n && !spool_on_disk(s) && spool_size(s) + data.n <= SPOOL_MEMORY_MAX) {
            g->status = spool_append(s, data); /* memory only */
            rpc_req_consumed(g->q, data.n);
        } else {
            g->status = buf_puts(&g->waiting, data);
            stage_write(g);
        }
    }
    if (!g->waiting.n || g->status < 0)
        stage_finish(g);
}

static void stage_cancelled(void *ctx)
{
    struct stage *g = ctx;

    g->cancelled = true;
    stage_finish(g);
}

int op_stage(struct rpc_req *q, struct str body)
{
    Store__StageRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__stage_request);
    struct stage *g;

    if (!m)
        return E_SYNTAX;
    if (store.stopping)
        return E_UNAVAIL;
    if (m->bytes_expected > store_conf.message_bytes || (m->bytes_max && m->bytes_expected > m->bytes_max))
        return E_TOO_BIG;
    if (store.staged_bytes + m->bytes_expected > store_conf.staging_bytes)
        return E_BUSY;
    if (!(g = calloc(1, sizeof *g)))
        return E_NOMEM;
    g->q = q;
    g->max =
        m->bytes_max && m->bytes_max < store_conf.message_bytes ? m->bytes_max : store_conf.message_bytes;
    g->waiting.max = g->writing.max = 2 * RPC_WINDOW;
    if (!(g->s = staged_new(g->max)) || !(g->s->network = network_get(str_from(m->network)))) {
        if (g->s)
            staged_unref(g->s);
        free(g);
        return E_NOMEM;
    }
    request_begin();
    rpc_req_on_cancel(q, stage_cancelled, g);
    rpc_req_on_data(q, stage_data, g);
    return 0;
}

int op_unstage(struct rpc_req *q, struct str body)
{
    Store__UnstageRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__unstage_request);
    struct staged *s = m ? staged_find(q, pb_str(m->staging)) : NULL;

    if (!m)
        return E_SYNTAX;
    if (s)
        staged_forget(s);
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}
