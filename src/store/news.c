#include "src/store/news.h"

#define KEPT           4u
#define KEPT_BYTES_MAX KIB(64)
#define TOGETHER_MIN   8u     /* fewer sessions are told one by one */
#define TOGETHER_MAX   16384u /* in one event */
#define PUSH_ROWS      500u   /* of what is pushed; who needs more asks */
#define ARENA_MAX      MIB(64)

struct question {
    uint64_t folder_id, since;
    uint32_t limit;
};

struct kept {
    struct question of;
    uint64_t upto;
    bool readers_only; /* it shows \Recent that nobody took: only who does not take any may see it */
    struct buf packed;
};

struct waiter {
    struct rpc_req *q;
    uint8_t session[SESSION_LEN];
};

/* One look into the file, and who waits for it. The first one made it, and gets \Recent. */
struct look {
    struct job job;
    struct question of;
    bool claim, push; /* push: for all sessions that stand at of.since, nobody asked */
    struct actor *actor;
    struct waiter *waiting;
    size_t n, cap;
    struct arena arena;
    Store__SyncResponse resp;
    struct look *next;
};

struct news {
    struct kept kept[KEPT];
    size_t turn;
    struct look *looks;
    struct question push; /* folder_id 0: none is under way */
    uint64_t push_again;  /* modseq that it may not reach */
};

static struct news *news_of(struct actor *a)
{
    if (!a->news)
        a->news = calloc(1, sizeof *a->news);
    return a->news;
}

void news_free(struct news **np)
{
    struct news *n = *np;

    *np = NULL;
    if (!n)
        return;
    for (size_t i = 0; i < KEPT; i++)
        buf_release(&n->kept[i].packed);
    free(n);
}

void news_forget(struct actor *a)
{
    for (size_t i = 0; a->news && i < KEPT; i++) {
        buf_release(&a->news->kept[i].packed);
        a->news->kept[i].of.folder_id = 0;
    }
}

/* ---- answers that are kept ----------------------------------------------------------------------- */

static bool same(const struct question *a, const struct question *b)
{
    return a->folder_id == b->folder_id && a->since == b->since && a->limit == b->limit;
}

static const struct kept *kept_find(const struct news *n, const struct question *of, bool read_only)
{
    for (size_t i = 0; i < KEPT; i++)
        if (n->kept[i].of.folder_id && same(&n->kept[i].of, of) && (read_only || !n->kept[i].readers_only))
            return &n->kept[i];
    return NULL;
}

static int pack(const Store__SyncResponse *m, struct buf *out)
{
    size_t n = store__sync_response__get_packed_size(m);
    uint8_t *p;

    out->max = RPC_BODY_MAX;
    if (!(p = buf_reserve(out, n ? n : 1)))
        return E_LIMIT;
    out->n = store__sync_response__pack(m, p);
    return 0;
}

/* Takes `packed` over. */
static void keep(struct news *n, const struct look *k, struct buf *packed)
{
    struct kept *e = &n->kept[n->turn++ % KEPT];

    buf_release(&e->packed);
    *e = (struct kept){ .of = k->of,
                        .upto = k->resp.highest_modseq,
                        .readers_only = !k->claim && k->resp.n_recent_ranges > 0,
                        .packed = *packed };
    *packed = (struct buf){ .max = 0 };
}

/* ---- looking ------------------------------------------------------------------------------------- */

static int look_run(struct job *j, struct mailbox *box)
{
    struct look *k = CONTAINER_OF(j, struct look, job);
    Store__SyncRequest q = STORE__SYNC_REQUEST__INIT;

    if (!box)
        return E_CLOSED;
    q.folder_id = k->of.folder_id;
    q.since_modseq = k->of.since;
    q.limit = k->of.limit;
    return mailbox_sync(box, &k->arena, &q, k->claim, &k->resp);
}

static void look_free(struct look *k)
{
    struct look **at = &k->actor->news->looks;

    while (*at && *at != k)
        at = &(*at)->next;
    if (*at)
        *at = k->next;
    arena_release(&k->arena);
    free(k->waiting);
    actor_unref(k->actor);
    free(k);
}

static void waiter_answer(const struct waiter *w, int status, struct str packed, uint64_t upto)
{
    struct session *s = session_find(str_of(w->session, SESSION_LEN));

    if (s && status == 0)
        s->stands = upto;
    rpc_reply_packed(w->q, status == E_CLOSED ? E_GONE : status, packed);
    store.requests--;
}

static void push_all(struct look *k, int status);

/* The others hear what is no longer recent to anybody. */
static void look_done(struct job *j)
{
    struct look *k = CONTAINER_OF(j, struct look, job);
    CLEANUP(buf_release) struct buf first = { .max = 0 }, others = { .max = 0 };
    uint64_t upto = k->resp.highest_modseq;
    int r = j->status;

    if (k->push)
        push_all(k, r);
    if (r == 0 && k->n)
        r = pack(&k->resp, &first);
    if (r == 0 && k->claim)
        k->resp.n_recent_ranges = 0;
    if (r == 0)
        r = pack(&k->resp, &others);
    for (size_t i = 0; i < k->n; i++)
        waiter_answer(&k->waiting[i], r, r < 0 ? STR_NONE : buf_str(i ? &others : &first), upto);
    if (r == 0 && !k->resp.gone && others.n <= KEPT_BYTES_MAX)
        keep(k->actor->news, k, &others);
    look_free(k);
    store_stop_when_idle();
}

/* A new look, or NULL. */
static struct look *look_new(struct actor *a, const struct question *of, bool claim)
{
    struct news *n = news_of(a);
    struct look *k = n ? calloc(1, sizeof *k) : NULL;

    if (!k)
        return NULL;
    k->of = *of;
    k->claim = claim;
    k->actor = a;
    k->arena.max = ARENA_MAX;
    store__sync_response__init(&k->resp);
    k->job = (struct job){ .kind = JOB_ALONE, .run = look_run, .done = look_done };
    k->next = n->looks;
    n->looks = k;
    actor_ref(a);
    return k;
}

static int wait_for(struct look *k, struct rpc_req *q, const struct session *s)
{
    if (k->n == k->cap) {
        size_t cap = k->cap ? 2 * k->cap : 4;
        struct waiter *v = realloc(k->waiting, cap * sizeof *v);

        if (!v)
            return E_NOMEM;
        k->waiting = v;
        k->cap = cap;
    }
    k->waiting[k->n].q = q;
    memcpy(k->waiting[k->n++].session, s->id, SESSION_LEN);
    request_begin();
    return 0;
}

/* Somebody looks for the very same: no commit can have come to the loop in between, or actor_tell will
 * tell of it. */
static struct look *look_find(const struct actor *a, const struct question *of, bool read_only)
{
    for (struct look *k = a->news ? a->news->looks : NULL; k; k = k->next)
        if (!k->push && same(&k->of, of) && (k->claim || read_only))
            return k;
    return NULL;
}

int op_sync(struct rpc_req *q, struct str body)
{
    Store__SyncRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__sync_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;
    const struct kept *e = NULL;
    struct question of;
    struct look *k;
    int r;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    of = (struct question){ m->folder_id, m->since_modseq, m->limit };
    s->told = false;            /* what changes from here on is news; a store that began anew */
    s->selected = m->folder_id; /* learns here which folder the session has selected */
    if (s->actor->news)
        e = kept_find(s->actor->news, &of, s->read_only);
    if (e) {
        s->stands = e->upto;
        rpc_reply_packed(q, 0, buf_str(&e->packed));
        return 0;
    }
    if ((k = look_find(s->actor, &of, s->read_only)))
        return wait_for(k, q, s);
    if (!(k = look_new(s->actor, &of, !s->read_only)))
        return E_NOMEM;
    if ((r = wait_for(k, q, s)) == 0 && (r = actor_submit(k->actor, &k->job)) < 0)
        store.requests--;
    if (r < 0)
        look_free(k);
    return r == E_CLOSED ? E_GONE : r;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void tell_one(struct session *s, const struct mailbox_change *c)
{
    Store__ChangedEvent e = STORE__CHANGED_EVENT__INIT;

    e.session = str_pb(str_of(s->id, SESSION_LEN));
    e.folder_id = c->folder_id;
    e.highest_modseq = c->modseq;
    s->told = rpc_push(s->peer, STORE__EVENT__CHANGED, &e.base) == 0; /* until it asks: once is enough */
}

static bool stands_at(const struct session *s, const struct question *of)
{
    return s && s->selected == of->folder_id && !s->told && s->stands == of->since;
}

/* One event to this peer for as many of v as are his. */
static void push_peer(struct session **v, size_t n, struct rpc_peer *peer, const struct look *k)
{
    Store__ChangedEvent e = STORE__CHANGED_EVENT__INIT;
    Store__SyncResponse resp = k->resp;
    ProtobufCBinaryData *ids = calloc(n, sizeof *ids);

    if (!ids)
        return; /* they hear of the next change, or ask */
    resp.n_recent_ranges = 0;
    e.folder_id = k->of.folder_id;
    e.highest_modseq = resp.highest_modseq;
    e.since_modseq = k->of.since;
    e.news = &resp;
    e.sessions = ids;
    for (size_t i = 0; i < n && e.n_sessions < TOGETHER_MAX; i++) {
        if (!v[i] || v[i]->peer != peer)
            continue;
        ids[e.n_sessions++] = str_pb(str_of(v[i]->id, SESSION_LEN));
        v[i]->stands = resp.highest_modseq;
        v[i] = NULL;
    }
    if (rpc_push(peer, STORE__EVENT__CHANGED, &e.base) < 0)
        log_event(LOG_WARN, "store.peer_does_not_read");
    free(ids);
}

static void push_begin(struct actor *a, const struct mailbox_change *c, uint64_t since);

static void push_all(struct look *k, int status)
{
    struct mailbox_change c = { k->of.folder_id, k->of.since + 1 };
    struct news *n = k->actor->news;
    struct session **v = NULL;
    size_t count = 0, all = 0;

    n->push.folder_id = 0;
    for (struct session *s = status < 0 ? k->actor->sessions : NULL; s; s = s->next)
        if (stands_at(s, &k->of))
            tell_one(s, &c); /* it asks, and hears what is wrong */
    if (status < 0)
        return;
    for (struct session *s = k->actor->sessions; s; s = s->next)
        count += stands_at(s, &k->of);
    if (count && k->resp.highest_modseq > k->of.since && (v = calloc(count, sizeof *v)))
        for (struct session *s = k->actor->sessions; s; s = s->next)
            if (stands_at(s, &k->of))
                v[all++] = s;
    for (size_t i = 0; i < all; i++)
        if (v[i])
            push_peer(v + i, all - i, v[i]->peer, k);
    free(v);
    if (n->push_again > k->resp.highest_modseq && k->actor->sessions)
        push_begin(k->actor, &(struct mailbox_change){ k->of.folder_id, n->push_again },
                   k->resp.highest_modseq);
}

static void push_begin(struct actor *a, const struct mailbox_change *c, uint64_t since)
{
    struct question of = { c->folder_id, since, PUSH_ROWS };
    struct look *k = look_new(a, &of, false);

    if (!k)
        return;
    k->push = true;
    a->news->push = of;
    a->news->push_again = 0;
    if (actor_submit(a, &k->job) < 0) {
        a->news->push.folder_id = 0;
        look_free(k);
    }
}

/* Told one by one, but for those that stand where a push begins. */
static void tell_others(struct session *s, const struct mailbox_change *c, const struct question *but)
{
    for (; s; s = s->next)
        if (s->selected == c->folder_id && !s->told && !stands_at(s, but))
            tell_one(s, c);
}

/* The first session asks by itself, and may take \Recent; those that stand where it stands are pushed the
 * news; whoever stands elsewhere asks. */
static void tell_folder(struct actor *a, const struct mailbox_change *c)
{
    struct question at = { .folder_id = c->folder_id };
    struct session *first = a->sessions;
    size_t together = 0;

    while (first && (first->selected != c->folder_id || first->told))
        first = first->next;
    if (!first)
        return;
    at.since = first->stands;
    tell_one(first, c);
    if (a->news && a->news->push.folder_id == c->folder_id) {
        if (c->modseq > a->news->push_again)
            a->news->push_again = c->modseq;
        tell_others(first->next, c, &a->news->push);
        return;
    }
    for (struct session *s = first->next; s; s = s->next)
        together += stands_at(s, &at);
    if (together < TOGETHER_MIN || at.since >= c->modseq || (a->news && a->news->push.folder_id))
        at.folder_id = 0;
    tell_others(first->next, c, &at);
    if (at.folder_id)
        push_begin(a, c, at.since);
}

void news_tell(struct actor *a, const struct mailbox_change *c, size_t n)
{
    news_forget(a);
    for (size_t i = 0; i < n && a->sessions; i++)
        tell_folder(a, &c[i]);
}
