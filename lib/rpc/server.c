/* lib/rpc/server.c
 *
 * Peers and their requests. A request lives from its frame until rpc_reply, even when its peer has
 * gone in between: then it is `cancelled`, and its reply goes nowhere. A peer's struct lives until
 * its connection is closed and its last request was replied. */
#include "lib/rpc/chan.h"
#include "lib/base/clock.h"
#include "lib/base/idmap.h"
#include "lib/base/log.h"
#include <stdio.h>

#define REQUESTS_MAX 8192u /* of one peer at a time */

struct rpc_server {
    struct loop *loop;
    const struct rpc_service *service;
    void *ctx;
    struct rpc_peer *peers;
};

struct rpc_peer {
    struct rpc_server *server; /* NULL once the server was freed */
    struct rpc_peer *next, **prev_next;
    struct chan *chan; /* NULL once gone */
    struct idmap requests;
    size_t live; /* requests not replied, mapped or cancelled */
    void *data;
    enum role_id role;
    uint32_t instance;
};

struct rpc_req {
    struct rpc_peer *peer;
    void *server_ctx;
    uint64_t id;
    uint32_t op, flags;
    uint8_t operation[RPC_OPERATION_LEN];
    bool has_operation, cancelled, replied;
    int64_t deadline_ms; /* monotonic; INT64_MAX: none */
    struct arena arena;
    struct inflow in;
    struct outflow out;
    struct buf answer; /* a packed response that waits for the stream before it */
    void (*on_data)(void *, struct str, bool);
    void (*on_room)(void *);
    void (*on_cancel)(void *);
    void *data_ctx, *room_ctx, *cancel_ctx;
};

static void peer_unref(struct rpc_peer *p)
{
    if (p->chan || p->live)
        return;
    if (p->prev_next) {
        *p->prev_next = p->next;
        if (p->next)
            p->next->prev_next = p->prev_next;
    }
    idmap_release(&p->requests);
    free(p);
}

static void req_free(struct rpc_req *q)
{
    struct rpc_peer *p = q->peer;

    arena_release(&q->arena);
    buf_release(&q->out.wait);
    buf_release(&q->answer);
    free(q);
    p->live--;
    peer_unref(p);
}

static void req_cancel(struct rpc_req *q)
{
    q->cancelled = true;
    if (q->replied) { /* only its stream was still going out */
        req_free(q);
        return;
    }
    if (q->on_cancel)
        q->on_cancel(q->cancel_ctx);
}

static void peer_closed(void *ctx, int why UNUSED)
{
    struct rpc_peer *p = ctx;
    struct rpc_req *q;
    uint64_t id, *ids;
    size_t n;

    p->live++; /* keep p while its requests go */
    ids = idmap_ids(&p->requests, &n);
    for (size_t i = 0; i < n; i++)
        if ((q = idmap_take(&p->requests, ids[i])))
            req_cancel(q);
    free(ids);
    while ((q = idmap_any(&p->requests, &id))) { /* no memory for the list: slower */
        idmap_take(&p->requests, id);
        req_cancel(q);
    }
    p->chan = NULL;
    if (p->server && p->server->service->peer_gone)
        p->server->service->peer_gone(p->server->ctx, p);
    p->live--;
    peer_unref(p);
}

static const struct rpc_op *op_of(const struct rpc_service *s, uint32_t op)
{
    return op < s->nops && s->ops[op].run ? &s->ops[op] : NULL;
}

static struct rpc_req *req_new(struct rpc_peer *p, const Rpc__Frame *f, const struct rpc_op *op)
{
    struct rpc_req *q = calloc(1, sizeof *q);

    if (!q || idmap_put(&p->requests, f->id, q) < 0) {
        free(q);
        return NULL;
    }
    q->peer = p;
    q->server_ctx = p->server->ctx;
    q->id = f->id;
    q->op = f->op;
    q->flags = op->flags;
    q->arena.max = MIB(4);
    q->in.allowed = op->flags & RPC_UP ? RPC_WINDOW : 0;
    q->out.credit = RPC_WINDOW;
    q->deadline_ms = f->deadline_ms ? clock_mono_ms() + f->deadline_ms : INT64_MAX;
    if (f->operation_id.len == RPC_OPERATION_LEN) {
        memcpy(q->operation, f->operation_id.data, RPC_OPERATION_LEN);
        q->has_operation = true;
    }
    p->live++;
    return q;
}

/* Too many at once, or no memory: "try later", and the peer's other requests go on. */
static int refuse_request(struct rpc_peer *p, uint64_t id, int status)
{
    Rpc__Frame f = RPC__FRAME__INIT;

    f.kind = RPC__KIND__RESPONSE;
    f.id = id;
    f.status = status;
    return chan_send(p->chan, &f);
}

static int start_request(struct rpc_peer *p, const Rpc__Frame *f)
{
    const struct rpc_op *op = op_of(p->server->service, f->op);
    struct rpc_req *q;
    int r;

    /* Before the body is looked at: our own roles never ask what they may not. */
    if (!op || !(op->from & BIT(p->role)))
        return E_DENIED;
    if (f->id == 0 || idmap_get(&p->requests, f->id))
        return E_SYNTAX;
    if (p->requests.n >= REQUESTS_MAX)
        return refuse_request(p, f->id, E_BUSY);
    q = req_new(p, f, op);
    if (!q)
        return refuse_request(p, f->id, E_NOMEM);
    r = op->guard ? op->guard(q, pb_str(f->body)) : 0;
    if (r == E_DENIED) {
        rpc_reply(q, r, NULL, NULL);
        return r;
    }
    if (r == 0)
        r = op->run(q, pb_str(f->body));
    if (r < 0)
        rpc_reply(q, r, NULL, NULL);
    return 0;
}

static int take_data(struct rpc_req *q, const Rpc__Frame *f)
{
    int r = inflow_take(&q->in, f->data.len, f->end);

    if (r == 0 && q->on_data && !q->replied)
        q->on_data(q->data_ctx, pb_str(f->data), f->end);
    return r;
}

static void finish_answer(struct rpc_req *q);

static int take_credit(struct rpc_req *q, const Rpc__Frame *f)
{
    int r;

    q->out.credit += f->credit;
    r = outflow_go_on(&q->out, q->peer->chan, q->id);
    if (r < 0)
        return r;
    if (q->replied)
        finish_answer(q);
    else if (q->on_room && rpc_req_room(q) > 0)
        q->on_room(q->room_ctx);
    return 0;
}

static int peer_frame(void *ctx, const Rpc__Frame *f)
{
    struct rpc_peer *p = ctx;
    struct rpc_req *q = f->id ? idmap_get(&p->requests, f->id) : NULL;
    int r = 0;

    switch (f->kind) {
    case RPC__KIND__HELLO: return 0;
    case RPC__KIND__REQUEST: r = start_request(p, f); break;
    case RPC__KIND__DATA: return q ? take_data(q, f) : 0; /* an answer may have crossed it */
    case RPC__KIND__CREDIT: return q ? take_credit(q, f) : 0;
    case RPC__KIND__CANCEL:
        if (q) {
            idmap_take(&p->requests, f->id);
            req_cancel(q);
        }
        return 0;
    default: return E_SYNTAX;
    }
    if (r < 0)
        log_event(LOG_ALARM, "rpc.denied", F_Z("role", role_name(p->role)), F_U64("op", f->op), F_ERR(r));
    return r;
}

static void peer_drained(void *ctx)
{
    struct rpc_peer *p = ctx;
    size_t n;
    uint64_t *ids = idmap_ids(&p->requests, &n);

    for (size_t i = 0; i < n && p->chan; i++) {
        struct rpc_req *q = idmap_get(&p->requests, ids[i]);

        if (q && q->on_room && !q->replied && rpc_req_room(q) > 0)
            q->on_room(q->room_ctx);
    }
    free(ids);
}

static const struct chan_ops peer_ops = {
    .on_frame = peer_frame,
    .on_drain = peer_drained,
    .on_close = peer_closed,
};

struct rpc_server *rpc_server_new(struct loop *l, const struct rpc_service *service, void *ctx)
{
    struct rpc_server *s = calloc(1, sizeof *s);

    if (s)
        *s = (struct rpc_server){ .loop = l, .service = service, .ctx = ctx };
    return s;
}

void rpc_server_free(struct rpc_server **sp)
{
    struct rpc_server *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    while (s->peers) {
        struct rpc_peer *p = s->peers;

        s->peers = p->next;
        if (p->next)
            p->next->prev_next = &s->peers;
        p->prev_next = NULL;
        p->next = NULL;
        p->live++;
        if (p->chan) {
            chan_forget(p->chan);
            peer_closed(p, 0);
        }
        p->server = NULL;
        p->live--;
        peer_unref(p);
    }
    free(s);
}

int rpc_server_add(struct rpc_server *s, int fd, enum role_id role, uint32_t instance)
{
    struct rpc_peer *p = calloc(1, sizeof *p);

    if (!p)
        return E_NOMEM;
    *p = (struct rpc_peer){ .server = s, .role = role, .instance = instance };
    p->chan = chan_new(s->loop, fd, &peer_ops, p);
    if (!p->chan) {
        free(p);
        return E_NOMEM;
    }
    p->next = s->peers;
    p->prev_next = &s->peers;
    if (p->next)
        p->next->prev_next = &p->next;
    s->peers = p;
    if (s->service->peer_up)
        s->service->peer_up(s->ctx, p);
    return 0;
}

enum role_id rpc_peer_role(const struct rpc_peer *p)
{
    return p->role;
}

uint32_t rpc_peer_instance(const struct rpc_peer *p)
{
    return p->instance;
}

void *rpc_peer_data(const struct rpc_peer *p)
{
    return p->data;
}

void rpc_peer_set_data(struct rpc_peer *p, void *data)
{
    p->data = data;
}

int rpc_push(struct rpc_peer *p, uint32_t event, const ProtobufCMessage *body)
{
    CLEANUP(buf_release) struct buf packed = { .max = RPC_BODY_MAX };
    Rpc__Frame f = RPC__FRAME__INIT;
    size_t n = protobuf_c_message_get_packed_size(body);
    uint8_t *at = n ? buf_reserve(&packed, n) : NULL;
    int r;

    if (!p->chan)
        return E_CLOSED;
    if (n && !at)
        return E_NOMEM;
    packed.n = n ? protobuf_c_message_pack(body, at) : 0;
    f.kind = RPC__KIND__EVENT;
    f.op = event;
    f.body = str_pb(buf_str(&packed));
    r = chan_send(p->chan, &f);
    if (r == E_LIMIT)
        rpc_peer_drop(p, "does not read");
    return r;
}

void rpc_peer_drop(struct rpc_peer *p, const char *why)
{
    log_event(LOG_ERROR, "rpc.dropped", F_Z("role", role_name(p->role)), F_U64("instance", p->instance),
              F_Z("why", why));
    if (p->chan)
        chan_end(p->chan, E_CLOSED);
}

struct rpc_peer *rpc_req_peer(const struct rpc_req *q)
{
    return q->peer;
}

void *rpc_req_ctx(const struct rpc_req *q)
{
    return q->server_ctx;
}

uint32_t rpc_req_op(const struct rpc_req *q)
{
    return q->op;
}

struct str rpc_req_operation(const struct rpc_req *q)
{
    return q->has_operation ? str_of(q->operation, RPC_OPERATION_LEN) : STR_NONE;
}

int64_t rpc_req_left_ms(const struct rpc_req *q)
{
    return q->deadline_ms == INT64_MAX ? INT64_MAX : q->deadline_ms - clock_mono_ms();
}

struct arena *rpc_req_arena(struct rpc_req *q)
{
    return &q->arena;
}

void rpc_req_on_cancel(struct rpc_req *q, void (*fn)(void *ctx), void *ctx)
{
    q->on_cancel = fn;
    q->cancel_ctx = ctx;
}

bool rpc_req_cancelled(const struct rpc_req *q)
{
    return q->cancelled;
}

void rpc_req_on_data(struct rpc_req *q, void (*fn)(void *ctx, struct str data, bool end), void *ctx)
{
    q->on_data = fn;
    q->data_ctx = ctx;
}

void rpc_req_consumed(struct rpc_req *q, size_t n)
{
    if (!q->cancelled && q->peer->chan && inflow_consumed(&q->in, q->peer->chan, q->id, n) < 0)
        chan_end(q->peer->chan, E_CLOSED);
}

int rpc_req_send(struct rpc_req *q, struct str data)
{
    if (q->cancelled)
        return E_CANCELED;
    return outflow_send(&q->out, q->peer->chan, q->id, data);
}

size_t rpc_req_room(const struct rpc_req *q)
{
    return q->cancelled ? 0 : outflow_room(&q->out, q->peer->chan);
}

void rpc_req_on_room(struct rpc_req *q, void (*fn)(void *ctx), void *ctx)
{
    q->on_room = fn;
    q->room_ctx = ctx;
}

/* Sends the packed response once no stream bytes wait before it, and frees the request. */
static void finish_answer(struct rpc_req *q)
{
    Rpc__Frame *f;

    if (q->out.wait.n)
        return;
    idmap_take(&q->peer->requests, q->id);
    arena_reset(&q->arena);
    q->arena.max = MIB(8);
    f = RPC_UNPACK(&q->arena, buf_str(&q->answer), rpc__frame);
    if (!f || chan_send(q->peer->chan, f) < 0)
        chan_end(q->peer->chan, E_CLOSED);
    req_free(q);
}

/* `f` is packed when its stream is out. */
static void answer(struct rpc_req *q, Rpc__Frame *f)
{
    size_t n;
    uint8_t *at;

    f->kind = RPC__KIND__RESPONSE;
    f->id = q->id;
    if (q->out.wait.n == 0) {
        idmap_take(&q->peer->requests, q->id);
        if (chan_send(q->peer->chan, f) < 0)
            chan_end(q->peer->chan, E_CLOSED);
        req_free(q);
        return;
    }
    q->answer.max = RPC_BODY_MAX + KIB(4);
    n = protobuf_c_message_get_packed_size(&f->base);
    at = buf_reserve(&q->answer, n);
    if (at)
        q->answer.n = protobuf_c_message_pack(&f->base, at);
    else
        chan_end(q->peer->chan, E_NOMEM); /* peer_closed frees q */
}

/* False when nobody hears the answer any more: then q is gone. */
static bool still_wanted(struct rpc_req *q)
{
    q->replied = true;
    if (!q->cancelled && q->peer->chan)
        return true;
    if (!q->cancelled)
        idmap_take(&q->peer->requests, q->id);
    req_free(q);
    return false;
}

void rpc_reply_packed(struct rpc_req *q, int status, struct str body)
{
    Rpc__Frame f = RPC__FRAME__INIT;

    if (!still_wanted(q))
        return;
    f.status = body.n > RPC_BODY_MAX ? E_LIMIT : status;
    if (f.status == 0)
        f.body = str_pb(body);
    answer(q, &f);
}

void rpc_reply(struct rpc_req *q, int status, const ProtobufCMessage *body, const char *detail)
{
    CLEANUP(buf_release) struct buf packed = { .max = RPC_BODY_MAX };
    size_t n = status == 0 && body ? protobuf_c_message_get_packed_size(body) : 0;
    Rpc__Frame f = RPC__FRAME__INIT;
    char words[RPC_DETAIL_MAX + 1];
    uint8_t *at;

    if (!still_wanted(q))
        return;
    at = n ? buf_reserve(&packed, n) : NULL;
    packed.n = at ? protobuf_c_message_pack(body, at) : 0;
    f.status = n && !at ? E_LIMIT : status;
    f.body = str_pb(buf_str(&packed));
    if (detail) {
        snprintf(words, sizeof words, "%s", detail);
        f.detail = words;
    }
    answer(q, &f);
}
