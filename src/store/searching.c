/* src/store/searching.c: SEARCH as requests. Slices queue on the reader's lane like everybody else's, so
 * that a long search delays nobody for longer than a slice; it ends when who asked is gone, or when it
 * takes too long. */
#include "src/store/store.h"
#include "src/store/search.h"

#define SLICE_MS  20
#define SEARCH_MS INT64_C(60000)
#define ARENA_MAX MIB(64)

/* One lane's share: its slices, one after the other. */
struct part {
    struct job job;
    struct searching *of;
    unsigned reader;
    bool running;
};

struct searching {
    struct part part[SEARCH_SHARES];
    struct rpc_req *q;
    struct actor *actor;
    struct search *search;
    struct arena arena;
    Store__SearchResponse resp;
    int64_t until_ms;
    bool helped, answering;
    int status; /* the first that is not good */
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
    struct part *p = CONTAINER_OF(j, struct part, job);
    struct searching *s = p->of;
    int r = 0;

    if (p->reader == READER_HELPER)
        return search_help(s->search, box, SLICE_MS);
    if (!s->answering && (r = search_step(s->search, box, SLICE_MS)) == 0 && s->helped)
        return 0; /* the helper may have some still */
    return r ? r : search_answer(s->search, box, &s->arena, &s->resp);
}

static void slice_done(struct job *j);

static int part_go_on(struct part *p)
{
    int r;

    p->job = (struct job){ .kind = JOB_READ, .reader = p->reader, .run = slice_run, .done = slice_done };
    r = actor_submit(p->of->actor, &p->job);
    p->running = r >= 0;
    return r;
}

/* No part runs: the answer, or the end. */
static void searching_turn(struct searching *s)
{
    if (s->status == 0 && s->helped && !s->answering) {
        s->answering = true;
        s->status = part_go_on(&s->part[0]);
        if (s->status == 0)
            return;
    }
    searching_end(s, s->status);
}

/* A second thread for what is left. That there is none is no error: the first does it all. */
static void help(struct searching *s)
{
    if (s->helped || store_conf.search_workers < SEARCH_SHARES || search_left(s->search) < SEARCH_HELP_TEXTS)
        return;
    s->helped = part_go_on(&s->part[1]) >= 0;
}

static void slice_done(struct job *j)
{
    struct part *p = CONTAINER_OF(j, struct part, job);
    struct searching *s = p->of;
    int r = j->status;

    p->running = false;
    if (r > 0 && clock_mono_ms() > s->until_ms)
        r = E_TIMEOUT;
    if (r == E_CANCELED && !rpc_req_cancelled(s->q))
        r = E_UNAVAIL; /* cut, so that the -wal could begin anew (checkpoint.c) */
    if (r > 0 && s->status == 0) {
        if (p == &s->part[0])
            help(s);
        r = part_go_on(p);
    }
    if (r < 0 && s->status == 0) {
        s->status = r;
        search_stop(s->search);
    }
    for (size_t i = 0; i < SEARCH_SHARES; i++)
        if (s->part[i].running)
            return;
    searching_turn(s);
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
    for (unsigned i = 0; i < SEARCH_SHARES; i++)
        s->part[i] = (struct part){ .of = s, .reader = i ? READER_HELPER : READER_SEARCH };
    if ((r = part_go_on(&s->part[0])) < 0)
        searching_end(s, r);
    return 0;
}
