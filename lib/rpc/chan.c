#include "lib/rpc/chan.h"
#include "lib/rpc/ws.h"

#define FRAME_MAX   (RPC_BODY_MAX + KIB(4))
#define PENDING_MAX MIB(32) /* a peer that lets so much wait has stopped reading */
#define PENDING_LOW MIB(1)

struct chan {
    struct conn *conn;
    const struct chan_ops *ops; /* NULL: forgotten */
    void *ctx;
    struct arena scratch;
    struct buf packed;
    bool greeted, ended;
};

static int check_hello(struct chan *c, const Rpc__Frame *f)
{
    if (f->kind != RPC__KIND__HELLO || f->version != RPC_VERSION)
        return E_VERSION;
    c->greeted = true;
    return 0;
}

static int one_frame(struct chan *c, struct str payload)
{
    Rpc__Frame *f = RPC_UNPACK(&c->scratch, payload, rpc__frame);
    int r = f ? 0 : E_SYNTAX;

    if (r == 0 && !c->greeted)
        r = check_hello(c, f);
    if (r == 0 && c->ops)
        r = c->ops->on_frame(c->ctx, f);
    arena_reset(&c->scratch);
    return r;
}

static ssize_t chan_data(void *ctx, struct str in)
{
    struct chan *c = ctx;
    size_t used = 0;

    while (c->ops && !c->ended) {
        struct str rest = str_skip(in, used);
        struct ws_header h;
        int n = ws_header_get(rest, &h), r;

        if (n < 0)
            return n;
        /* Both ends are ours: frames come whole and, without a proxy in between, unmasked. */
        if (n > 0 && (h.opcode != WS_BINARY || !h.fin || h.masked))
            return E_SYNTAX;
        if (n > 0 && h.bytes > FRAME_MAX)
            return E_LIMIT;
        if (n == 0 || rest.n - (size_t)n < h.bytes)
            break;
        r = one_frame(c, str_slice(rest, (size_t)n, (size_t)n + (size_t)h.bytes));
        if (r < 0)
            return r;
        used += (size_t)n + (size_t)h.bytes;
    }
    return c->ops && !c->ended ? (ssize_t)used : (ssize_t)in.n; /* nobody wants the rest any more */
}

static void chan_drained(void *ctx)
{
    struct chan *c = ctx;

    if (c->ops && c->ops->on_drain)
        c->ops->on_drain(c->ctx);
}

static void chan_closed(void *ctx, int why)
{
    struct chan *c = ctx;

    if (c->ops)
        c->ops->on_close(c->ctx, why ? why : E_CLOSED);
    arena_release(&c->scratch);
    buf_release(&c->packed);
    free(c);
}

static const struct conn_ops chan_conn_ops = {
    .on_data = chan_data,
    .on_drain = chan_drained,
    .on_close = chan_closed,
};

struct chan *chan_new(struct loop *l, int fd, const struct chan_ops *ops, void *ctx)
{
    const struct conn_limits lim = {
        .in_max = FRAME_MAX + WS_HEADER_MAX,
        .out_max = PENDING_MAX,
        .out_low = PENDING_LOW,
    };
    struct chan *c = calloc(1, sizeof *c);
    Rpc__Frame hello = RPC__FRAME__INIT;

    if (!c)
        return NULL;
    *c = (struct chan){
        .ops = ops, .ctx = ctx, .scratch = { .max = MIB(8) }, .packed = { .max = FRAME_MAX + WS_HEADER_MAX }
    };
    c->conn = conn_new(l, fd, &lim, &chan_conn_ops, c);
    if (!c->conn) {
        free(c);
        return NULL;
    }
    hello.kind = RPC__KIND__HELLO;
    hello.version = RPC_VERSION;
    if (chan_send(c, &hello) < 0)
        chan_end(c, E_NOMEM);
    return c;
}

int chan_send(struct chan *c, const Rpc__Frame *f)
{
    struct ws_header h = { .opcode = WS_BINARY,
                           .fin = true,
                           .bytes = protobuf_c_message_get_packed_size(&f->base) };
    uint8_t head[WS_HEADER_MAX];
    size_t n = ws_header_put(head, &h);
    int r;
    uint8_t *p;

    if (h.bytes > FRAME_MAX)
        return E_LIMIT;
    buf_clear(&c->packed);
    if ((r = buf_append(&c->packed, head, n)) < 0)
        return r;
    if (!(p = buf_reserve(&c->packed, (size_t)h.bytes)))
        return E_NOMEM;
    c->packed.n += protobuf_c_message_pack(&f->base, p);
    r = conn_write(c->conn, buf_str(&c->packed));
    if (c->packed.cap > KIB(8))
        buf_release(&c->packed);
    else
        explicit_bzero(c->packed.p, c->packed.n);
    return r;
}

size_t chan_pending(const struct chan *c)
{
    return conn_out_pending(c->conn);
}

void chan_end(struct chan *c, int why)
{
    c->ended = true;
    conn_abort(c->conn, why);
}

void chan_forget(struct chan *c)
{
    c->ops = NULL;
    conn_abort(c->conn, E_CLOSED);
}

static int send_data(struct chan *c, uint64_t id, struct str data, bool end)
{
    Rpc__Frame f = RPC__FRAME__INIT;

    f.kind = RPC__KIND__DATA;
    f.id = id;
    f.data = str_pb(data);
    f.end = end;
    return chan_send(c, &f);
}

/* As much of `data` as credit allows; returns what was sent. */
static ssize_t send_credited(struct outflow *o, struct chan *c, uint64_t id, struct str data)
{
    size_t sent = 0;

    while (sent < data.n && o->credit) {
        size_t n = size_min(size_min(data.n - sent, o->credit), RPC_DATA_MAX);
        int r = send_data(c, id, str_slice(data, sent, sent + n), false);

        if (r < 0)
            return r;
        o->credit -= n;
        sent += n;
    }
    return (ssize_t)sent;
}

int outflow_send(struct outflow *o, struct chan *c, uint64_t id, struct str data)
{
    size_t now = o->wait.n == 0 && c ? size_min(o->credit, data.n) : 0;
    ssize_t sent = 0;

    if (o->end)
        return E_BUG;
    o->wait.max = RPC_WINDOW + RPC_DATA_MAX;
    if (data.n - now > o->wait.max - o->wait.n)
        return E_LIMIT; /* before a part of it is on its way */
    if (now)
        sent = send_credited(o, c, id, data);
    if (sent < 0)
        return (int)sent;
    return buf_puts(&o->wait, str_skip(data, (size_t)sent));
}

int outflow_go_on(struct outflow *o, struct chan *c, uint64_t id)
{
    ssize_t sent = send_credited(o, c, id, buf_str(&o->wait));

    if (sent < 0)
        return (int)sent;
    buf_drop(&o->wait, (size_t)sent);
    if (o->wait.n == 0)
        buf_release(&o->wait);
    if (o->end && !o->end_sent && o->wait.n == 0) {
        o->end_sent = true;
        return send_data(c, id, STR_NONE, true);
    }
    return 0;
}

size_t outflow_room(const struct outflow *o, const struct chan *c)
{
    if (o->wait.n || (c && chan_pending(c) >= PENDING_LOW))
        return 0;
    return o->credit;
}

int inflow_take(struct inflow *in, size_t n, bool end)
{
    if (in->ended || n > in->allowed || n > RPC_DATA_MAX)
        return E_LIMIT;
    in->allowed -= n;
    in->ended = end;
    return 0;
}

int inflow_consumed(struct inflow *in, struct chan *c, uint64_t id, size_t n)
{
    Rpc__Frame f = RPC__FRAME__INIT;

    in->owed += n;
    if (in->ended || in->owed < RPC_WINDOW / 4)
        return 0;
    f.kind = RPC__KIND__CREDIT;
    f.id = id;
    f.credit = (uint32_t)in->owed;
    in->allowed += in->owed;
    in->owed = 0;
    return chan_send(c, &f);
}
