/* src/store/searching.c: SEARCH as requests. Slices queue on the reader's lane like everybody else's, so
 * that a long search delays nobody for longer than a slice; it ends when who asked is gone, or when it
 * takes too long. */
#include "src/store/store.h"
#include "src/store/search.h"

#define SLICE_MS  20
#define SEARCH_MS INT64_C(60000)
#define ARENA_MAX MIB(64)

struct searching {
    struct job job;
    struct rpc_req *q;
    struct actor *actor;
    struct search *search;
    struct arena arena;
    Store__SearchResponse resp;
    int64_t until_ms;
};

static void searching_end(struct searching *s, int status)
{
    rpc_req_on_cancel(s->q, NULL, NULL);
    request_reply(s->q, status == E_CLOSED ? E_GONE : status, status < 0 ? NULL : &s->resp.base, NULL);
    search_free(&s->search);
    arena_release(&s->arena);
    actor_unref(s->actor);
    free(s);
}

static int slice_run(struct job *j, struct mailbox *box)
{
    struct searching *s = CONTAINER_OF(j, struct searching, job);
    int r = search_step(s->search, box, SLICE_MS);

    if (r == 0)
        r = search_answer(s->search, box, &s->arena, &s->resp);
    return r;
}

static void slice_done(struct job *j);

static void go_on(struct searching *s)
{
    int r;

    s->job = (struct job){ .kind = JOB_READ, .reader = READER_SEARCH, .run = slice_run, .done = slice_done };
    if ((r = actor_submit(s->actor, &s->job)) < 0)
        searching_end(s, r);
}

static void slice_done(struct job *j)
{
    struct searching *s = CONTAINER_OF(j, struct searching, job);
    int r = j->status;

    if (r > 0 && clock_mono_ms() > s->until_ms)
        r = E_TIMEOUT;
    if (r == E_CANCELED && !rpc_req_cancelled(s->q))
        r = E_UNAVAIL; /* cut, so that the -wal could begin anew (checkpoint.c) */
    if (r > 0)
        go_on(s);
    else
        searching_end(s, r);
}

static void cancelled(void *ctx)
{
    struct searching *s = ctx;

    search_stop(s->search); /* the slice under way ends with E_CANCELED */
}

int op_search(struct rpc_req *q, struct str body)
{
    Store__SearchRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__search_request);
    struct session *session = m ? session_of(q, pb_str(m->session)) : NULL;
    struct searching *s;
    int r;

    if (!m || !session)
        return m ? E_GONE : E_SYNTAX;
    if (!(s = calloc(1, sizeof *s)))
        return E_NOMEM;
    if ((r = search_new(m, &s->search)) < 0) { /* the request lives in q's arena, as long as q */
        free(s);
        return r;
    }
    store__search_response__init(&s->resp);
    s->q = q;
    s->actor = session->actor;
    s->arena.max = ARENA_MAX;
    s->until_ms = clock_mono_ms() + (rpc_req_left_ms(q) < SEARCH_MS ? rpc_req_left_ms(q) : SEARCH_MS);
    actor_ref(s->actor);
    request_begin();
    rpc_req_on_cancel(q, cancelled, s);
    go_on(s);
    return 0;
}
