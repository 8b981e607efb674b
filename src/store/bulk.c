/* src/store/bulk.c: SORT and THREAD: a search in slices (searching.c), then one job puts what it found in
 * order, and the answer streams as the peer has room. Four bytes a message: a million of them are 4 MB, and no one response could hold them. */
#include "src/store/store.h"
#include "src/store/search.h"

#define ARENA_MAX MIB(64)
#define OUT_MAX   MIB(64)
#define SLICE     KIB(60)
#define SLICE_MS  20

struct bulk {
    struct job job;
    struct rpc_req *q;
    struct actor *actor;
    struct arena arena;
    struct buf out;
    size_t at;
    Store__OrderResponse resp;
    Store__SearchRequest key;
    Store__SearchResponse found;
    struct search *search;
    const Store__SortRequest *sort; /* one of these */
    const Store__ThreadRequest *thread;
    bool running;
};

static void bulk_end(struct bulk *b, int status)
{
    rpc_req_on_room(b->q, NULL, NULL);
    request_reply(b->q, status == E_CLOSED ? E_GONE : status, status < 0 ? NULL : &b->resp.base, NULL);
    search_free(&b->search);
    buf_release(&b->out);
    arena_release(&b->arena);
    actor_unref(b->actor);
    free(b);
}

static void bulk_go_on(void *ctx)
{
    struct bulk *b = ctx;

    if (b->running)
        return;
    while (b->at < b->out.n && rpc_req_room(b->q) > 0) {
        size_t n = size_min(size_min(b->out.n - b->at, SLICE), rpc_req_room(b->q));
        int r = rpc_req_send(b->q, str_of(b->out.p + b->at, n));

        if (r < 0) {
            bulk_end(b, r);
            return;
        }
        b->at += n;
    }
    if (b->at == b->out.n)
        bulk_end(b, 0);
}

static void bulk_cancelled(void *ctx)
{
    struct bulk *b = ctx;

    if (b->running)
        search_stop(b->search); /* the slice under way ends with E_CANCELED */
    else
        bulk_end(b, E_CANCELED);
}

static int bulk_run(struct job *j, struct mailbox *box)
{
    struct bulk *b = CONTAINER_OF(j, struct bulk, job);

    int r = search_step(b->search, box, SLICE_MS);

    if (r != 0 || (r = search_answer(b->search, box, &b->arena, &b->found)) < 0)
        return r;
    return b->sort ? mailbox_sort(box, b->sort, &b->found, &b->out, &b->resp)
                   : mailbox_thread(box, b->thread, &b->found, &b->out, &b->resp);
}

static void bulk_slice(struct bulk *b);

static void bulk_done(struct job *j)
{
    struct bulk *b = CONTAINER_OF(j, struct bulk, job);

    b->running = false;
    if (j->status < 0 || rpc_req_cancelled(b->q))
        bulk_end(b, j->status < 0 ? j->status : E_CANCELED);
    else if (j->status > 0)
        bulk_slice(b);
    else
        bulk_go_on(b);
}

static void bulk_slice(struct bulk *b)
{
    int r;

    b->job = (struct job){ .kind = JOB_READ, .reader = READER_SEARCH, .run = bulk_run, .done = bulk_done };
    b->running = true;
    if ((r = actor_submit(b->actor, &b->job)) < 0) {
        b->running = false;
        bulk_end(b, r);
    }
}

static bool sorts_by_relevance(const Store__SortRequest *q)
{
    for (size_t i = 0; i < q->n_criteria; i++)
        if (q->criteria[i]->key == STORE__SORT_REQUEST__KEY__RELEVANCE)
            return true;
    return q->relevance;
}

static int bulk_start(struct rpc_req *q, struct session *s, const Store__SortRequest *sort,
                      const Store__ThreadRequest *thread)
{
    struct bulk *b = calloc(1, sizeof *b);
    int r;

    if (!b)
        return E_NOMEM;
    *b = (struct bulk){ .q = q,
                        .actor = s->actor,
                        .arena = { .max = ARENA_MAX },
                        .out = { .max = OUT_MAX },
                        .resp = STORE__ORDER_RESPONSE__INIT,
                        .sort = sort,
                        .thread = thread,
                        .key = STORE__SEARCH_REQUEST__INIT,
                        .found = STORE__SEARCH_RESPONSE__INIT };
    b->key.folder_id = sort ? sort->folder_id : thread->folder_id;
    b->key.key = sort ? sort->key : thread->key;
    b->key.relevance = sort && sorts_by_relevance(sort);
    if ((r = search_new(&b->key, &b->search)) < 0) { /* the key lives in q's arena, as long as q */
        free(b);
        return r;
    }
    actor_ref(b->actor);
    request_begin();
    rpc_req_on_cancel(q, bulk_cancelled, b);
    rpc_req_on_room(q, bulk_go_on, b);
    bulk_slice(b);
    return 0;
}

int op_sort(struct rpc_req *q, struct str body)
{
    Store__SortRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__sort_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;

    return !m ? E_SYNTAX : !s ? E_GONE : bulk_start(q, s, m, NULL);
}

int op_thread(struct rpc_req *q, struct str body)
{
    Store__ThreadRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__thread_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;

    return !m ? E_SYNTAX : !s ? E_GONE : bulk_start(q, s, NULL, m);
}
