/* lib/rpc/link.c
 *
 * The asking side. A call is in the map from rpc_link_ask until its `done`; `sent` says whether the
 * present connection has carried it. When a connection is lost, calls that may be repeated become
 * unsent again and go out, oldest first, when the link is ready; the others are told E_CLOSED. */
#include "lib/rpc/chan.h"
#include "lib/base/clock.h"
#include "lib/base/idmap.h"
#include "lib/base/rand.h"

struct rpc_link {
    struct loop *loop;
    enum role_id server;
    const struct rpc_link_ops *ops;
    void *ctx;
    struct chan *chan;
    struct idmap calls;
    struct rpc_call *first, **last;         /* in order of asking */
    struct rpc_call *failed, **failed_last; /* to be told soon, in order of failing */
    struct timer tell;
    uint64_t next_id;
    bool greeted, ready, closing;
};

struct rpc_call {
    struct rpc_link *link;
    struct rpc_call *next, **prev_next;
    uint64_t id;
    uint32_t op, flags;
    uint8_t operation[RPC_OPERATION_LEN];
    bool changes, upload, download, sent, got_data, told;
    int64_t deadline_ms; /* monotonic */
    struct timer timer;
    struct buf body;
    struct inflow in;
    struct outflow out;
    int status;
    void (*done)(void *ctx, int status, struct str body);
    void (*on_data)(void *ctx, struct str data);
    void (*on_room)(void *ctx);
    void *ctx;
};

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_NONE] = "none",
    [ROLE_SUPERVISOR] = "supervisor",
    [ROLE_STORE] = "store",
    [ROLE_CONTENT] = "content",
    [ROLE_DIRECTORY] = "directory",
    [ROLE_IMAP] = "imap",
    [ROLE_MX] = "mx",
    [ROLE_CTL] = "ctl",
    [ROLE_POP3] = "pop3",
    [ROLE_SUBMISSION] = "submission",
    [ROLE_RESOLVER] = "resolver",
    [ROLE_COURIER] = "courier",
    [ROLE_RELAY] = "relay",
    [ROLE_WEB] = "web",
    [ROLE_JOBS] = "jobs",
    [ROLE_MONITOR] = "monitor",
    [ROLE_STORAGE] = "storage",
    [ROLE_FILTER] = "filter",
};

const char *role_name(enum role_id r)
{
    return r < ROLE_COUNT ? role_names[r] : "unknown";
}

static void call_unlink(struct rpc_call *c)
{
    *c->prev_next = c->next;
    if (c->next)
        c->next->prev_next = c->prev_next;
    else if (c->link->last == &c->next)
        c->link->last = c->prev_next;
    else if (c->link->failed_last == &c->next)
        c->link->failed_last = c->prev_next;
    idmap_take(&c->link->calls, c->id);
}

static void call_free(struct rpc_call *c)
{
    timer_release(&c->timer);
    buf_release(&c->body);
    buf_release(&c->out.wait);
    free(c);
}

static void call_finish(struct rpc_call *c, int status, struct str body)
{
    call_unlink(c);
    c->told = true;
    c->done(c->ctx, status, body);
    call_free(c);
}

/* Tell a call its failure from the loop, never from inside rpc_link_ask or a lost connection. */
static void call_fail_soon(struct rpc_call *c, int status)
{
    struct rpc_link *l = c->link;

    call_unlink(c);
    c->status = status;
    c->sent = false; /* not by the connection that may come before it is told */
    c->next = NULL;
    c->prev_next = l->failed_last;
    *l->failed_last = c;
    l->failed_last = &c->next;
    timer_set(&l->tell, 0);
}

static void tell_failed(struct timer *t)
{
    struct rpc_link *l = CONTAINER_OF(t, struct rpc_link, tell);
    struct rpc_call *c;

    while ((c = l->failed))
        call_finish(c, c->status, STR_NONE);
}

static void call_timeout(struct timer *t)
{
    struct rpc_call *c = CONTAINER_OF(t, struct rpc_call, timer);
    struct rpc_link *l = c->link;
    Rpc__Frame f = RPC__FRAME__INIT;

    f.kind = RPC__KIND__CANCEL;
    f.id = c->id;
    if (c->sent && l->chan && chan_send(l->chan, &f) < 0)
        chan_end(l->chan, E_CLOSED);
    call_finish(c, E_TIMEOUT, STR_NONE);
}

static int call_transmit(struct rpc_call *c)
{
    Rpc__Frame f = RPC__FRAME__INIT;
    int64_t left = c->deadline_ms - clock_mono_ms();
    int r;

    f.kind = RPC__KIND__REQUEST;
    f.id = c->id;
    f.op = c->op;
    f.deadline_ms = left < 1 ? 1 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
    if (c->changes)
        f.operation_id = str_pb(str_of(c->operation, RPC_OPERATION_LEN));
    f.body = str_pb(buf_str(&c->body));
    r = chan_send(c->link->chan, &f);
    if (r < 0)
        return r;
    c->sent = true;
    c->in = (struct inflow){ .allowed = c->download ? RPC_WINDOW : 0 };
    c->out.credit = RPC_WINDOW;
    c->out.end_sent = false;
    if (c->upload)
        r = outflow_go_on(&c->out, c->link->chan, c->id);
    return r;
}

static bool may_go(const struct rpc_call *c)
{
    return c->link->greeted && (c->link->ready || (c->flags & RPC_URGENT));
}

static void send_waiting(struct rpc_link *l)
{
    for (struct rpc_call *c = l->first; c && l->chan; c = c->next) {
        if (!c->sent && may_go(c) && call_transmit(c) < 0) {
            chan_end(l->chan, E_CLOSED);
            return;
        }
    }
}

static void link_lost(void *ctx, int why UNUSED)
{
    struct rpc_link *l = ctx;
    bool was_up = l->greeted;

    l->chan = NULL;
    l->greeted = l->ready = false;
    for (struct rpc_call *c = l->first, *next; c; c = next) {
        next = c->next;
        if (c->sent && (c->upload || c->got_data || (c->flags & (RPC_NO_REPEAT | RPC_URGENT))))
            call_fail_soon(c, E_CLOSED);
        else
            c->sent = false;
    }
    while (l->first && l->ops && l->ops->once)
        call_fail_soon(l->first, E_CLOSED);
    if (l->ops && l->ops->on_down && (was_up || l->ops->once))
        l->ops->on_down(l->ctx, l);
}

static void link_drained(void *ctx);

static void link_up(struct rpc_link *l)
{
    l->greeted = true;
    if (l->ops && l->ops->on_up)
        l->ops->on_up(l->ctx, l);
    else
        l->ready = true;
    send_waiting(l);
    link_drained(l); /* what waited in memory has gone: uploads may have room, and no credit need tell them */
}

static int take_data(struct rpc_call *c, const Rpc__Frame *f)
{
    int r = inflow_take(&c->in, f->data.len, f->end);

    if (r < 0)
        return r;
    c->got_data = true;
    if (f->data.len && c->on_data)
        c->on_data(c->ctx, pb_str(f->data));
    return 0;
}

static int take_credit(struct rpc_call *c, const Rpc__Frame *f)
{
    int r;

    c->out.credit += f->credit;
    r = outflow_go_on(&c->out, c->link->chan, c->id);
    if (r == 0 && c->on_room && rpc_call_room(c) > 0)
        c->on_room(c->ctx);
    return r;
}

static int link_frame(void *ctx, const Rpc__Frame *f)
{
    struct rpc_link *l = ctx;
    struct rpc_call *c = f->id ? idmap_get(&l->calls, f->id) : NULL;

    switch (f->kind) {
    case RPC__KIND__HELLO:
        if (l->greeted)
            return E_SYNTAX;
        link_up(l);
        return 0;
    case RPC__KIND__EVENT:
        if (l->ops && l->ops->on_event)
            l->ops->on_event(l->ctx, l, f->op, pb_str(f->body));
        return 0;
    case RPC__KIND__DATA: return c ? take_data(c, f) : 0; /* c may have been cancelled */
    case RPC__KIND__CREDIT: return c ? take_credit(c, f) : 0;
    case RPC__KIND__RESPONSE:
        if (c)
            call_finish(c, f->status > 0 ? E_BUG : f->status, pb_str(f->body));
        return 0;
    default: return E_SYNTAX;
    }
}

static void link_drained(void *ctx)
{
    struct rpc_link *l = ctx;
    size_t n;
    uint64_t *ids = idmap_ids(&l->calls, &n);

    for (size_t i = 0; i < n; i++) {
        struct rpc_call *c = idmap_get(&l->calls, ids[i]);

        if (c && c->sent && c->on_room && rpc_call_room(c) > 0)
            c->on_room(c->ctx);
    }
    free(ids);
}

static const struct chan_ops link_chan_ops = {
    .on_frame = link_frame,
    .on_drain = link_drained,
    .on_close = link_lost,
};

struct rpc_link *rpc_link_new(struct loop *l, enum role_id server, const struct rpc_link_ops *ops, void *ctx)
{
    struct rpc_link *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    *k = (struct rpc_link){ .loop = l, .server = server, .ops = ops, .ctx = ctx, .next_id = 1 };
    k->last = &k->first;
    k->failed_last = &k->failed;
    if (timer_init(&k->tell, l, tell_failed) < 0) {
        free(k);
        return NULL;
    }
    return k;
}

void rpc_link_free(struct rpc_link **lp)
{
    struct rpc_link *l = *lp;

    *lp = NULL;
    if (!l)
        return;
    l->closing = true;
    if (l->chan)
        chan_forget(l->chan);
    l->chan = NULL;
    while (l->first)
        call_fail_soon(l->first, E_CLOSED);
    tell_failed(&l->tell);
    timer_release(&l->tell);
    idmap_release(&l->calls);
    free(l);
}

void rpc_link_ready(struct rpc_link *l)
{
    if (!l->greeted || l->ready)
        return;
    l->ready = true;
    send_waiting(l);
    link_drained(l);
}

bool rpc_link_is_up(const struct rpc_link *l)
{
    return l->greeted;
}

int rpc_link_connect(struct rpc_link *l, int fd)
{
    if (l->chan) {
        chan_forget(l->chan);
        link_lost(l, E_CLOSED);
    }
    l->chan = chan_new(l->loop, fd, &link_chan_ops, l);
    return l->chan ? 0 : E_NOMEM;
}

size_t rpc_link_pending(const struct rpc_link *l)
{
    return l->calls.n;
}

static struct rpc_call *call_new(struct rpc_link *l, const struct rpc_ask *ask)
{
    struct rpc_call *c = calloc(1, sizeof *c);
    size_t n = ask->body ? protobuf_c_message_get_packed_size(ask->body) : 0;
    uint8_t *at;

    if (!c)
        return NULL;
    *c = (struct rpc_call){
        .link = l,
        .id = l->next_id++,
        .op = ask->op,
        .flags = ask->flags,
        .changes = ask->changes,
        .upload = ask->upload,
        .download = ask->download,
        .deadline_ms = clock_mono_ms() + ask->deadline_ms,
        .body = { .max = RPC_BODY_MAX },
        .out = { .credit = RPC_WINDOW },
        .done = ask->done,
        .on_data = ask->on_data,
        .on_room = ask->on_room,
        .ctx = ask->ctx,
    };
    at = n ? buf_reserve(&c->body, n) : NULL;
    if ((n && !at) || timer_init(&c->timer, l->loop, call_timeout) < 0 ||
        idmap_put(&l->calls, c->id, c) < 0) {
        call_free(c);
        return NULL;
    }
    c->body.n = n ? protobuf_c_message_pack(ask->body, at) : 0;
    if (ask->changes)
        rand_bytes(c->operation, sizeof c->operation);
    c->prev_next = l->last;
    *l->last = c;
    l->last = &c->next;
    return c;
}

struct rpc_call *rpc_link_ask(struct rpc_link *l, const struct rpc_ask *ask)
{
    struct rpc_call *c = l->closing ? NULL : call_new(l, ask);

    if (!c)
        return NULL;
    timer_set(&c->timer, ask->deadline_ms);
    if (may_go(c) && call_transmit(c) < 0)
        chan_end(l->chan, E_CLOSED); /* link_lost decides about c */
    return c;
}

int rpc_call_send(struct rpc_call *c, struct str data)
{
    struct chan *chan = c->sent ? c->link->chan : NULL;

    return outflow_send(&c->out, chan, c->id, data);
}

size_t rpc_call_room(const struct rpc_call *c)
{
    return outflow_room(&c->out, c->link->chan);
}

void rpc_call_hurry(struct rpc_call *c, int64_t ms)
{
    int64_t at = clock_mono_ms() + ms;

    if (at >= c->deadline_ms)
        return;
    c->deadline_ms = at;
    timer_set(&c->timer, ms);
}

void rpc_call_end(struct rpc_call *c)
{
    c->out.end = true;
    if (c->sent && c->link->chan && outflow_go_on(&c->out, c->link->chan, c->id) < 0)
        chan_end(c->link->chan, E_CLOSED);
}

void rpc_call_consumed(struct rpc_call *c, size_t n)
{
    if (c->sent && c->link->chan && inflow_consumed(&c->in, c->link->chan, c->id, n) < 0)
        chan_end(c->link->chan, E_CLOSED);
}

void rpc_call_cancel(struct rpc_call *c)
{
    Rpc__Frame f = RPC__FRAME__INIT;
    struct rpc_link *l = c->link;

    if (c->told)
        return; /* from inside its own done */
    f.kind = RPC__KIND__CANCEL;
    f.id = c->id;
    if (c->sent && l->chan && chan_send(l->chan, &f) < 0)
        chan_end(l->chan, E_CLOSED);
    call_unlink(c);
    call_free(c);
}
