#include "src/common/courier_send.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/rpc/pb.h"
#include "proto/courier.pb-c.h"
#include <stdlib.h>

#define TRIES       4u
#define STAGE_BYTES 16u

struct sending {
    struct rpc_link *courier;
    struct rpc_call *stage;
    struct courier_send what; /* its strings lie in `strings` */
    struct buf text;
    size_t sent;
    unsigned tries;
    bool ended;
    uint8_t delivery_id[COURIER_SEND_ID], once[COURIER_SEND_ONCE];
    courier_send_fn *done;
    void *ctx;
    char strings[];
};

static int stage(struct sending *s);

static void sending_end(struct sending *s, int status)
{
    courier_send_fn *done = s->done;
    void *ctx = s->ctx;

    /* What was staged is gone with a courier that died. */
    if ((status == E_CLOSED || status == E_NOTFOUND) && ++s->tries < TRIES && (status = stage(s)) == 0)
        return;
    buf_release(&s->text);
    free(s);
    done(ctx, status);
}

static void queued(void *ctx, int status, struct str body UNUSED)
{
    sending_end(ctx, status);
}

static int enqueue(struct sending *s, ProtobufCBinaryData staged)
{
    Courier__EnqueueRequest q = COURIER__ENQUEUE_REQUEST__INIT;
    Courier__Target t = COURIER__TARGET__INIT, *list = &t;
    struct rpc_ask ask = { .op = COURIER__OP__ENQUEUE,
                           .body = &q.base,
                           .changes = true,
                           .deadline_ms = s->what.ask_ms,
                           .done = queued,
                           .ctx = s };

    t.kind = s->what.webhook ? COURIER__TARGET__KIND__WEBHOOK : COURIER__TARGET__KIND__ADDRESS;
    t.to = str_pb(s->what.to);
    t.alias = str_pb(s->what.alias);
    t.notify = s->what.never_notify;
    t.delivery_id = str_pb(str_of(s->delivery_id, sizeof s->delivery_id));
    q.stage = staged;
    q.origin = COURIER__ORIGIN__REPORT;
    q.signer = str_pb(s->what.signer);
    q.smtputf8 = s->what.smtputf8;
    q.targets = &list;
    q.n_targets = 1;
    if (s->what.once) {
        q.once = str_pb(str_of(s->once, sizeof s->once));
        q.once_days = s->what.once_days;
    }
    return rpc_link_ask(s->courier, &ask) ? 0 : E_NOMEM;
}

static void staged(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct sending *s = ctx;
    Courier__StageResponse *m = status == 0 ? RPC_UNPACK(&a, body, courier__stage_response) : NULL;

    s->stage = NULL;
    if (status == 0)
        status = m && m->stage.len == STAGE_BYTES ? enqueue(s, m->stage) : E_CORRUPT;
    if (status < 0)
        sending_end(s, status);
}

/* As much as there is room for; the end once. */
static void pump(void *ctx)
{
    struct sending *s = ctx;
    size_t room;

    while (s->sent < s->text.n && (room = rpc_call_room(s->stage)) > 0) {
        size_t n = size_min(room, s->text.n - s->sent);

        if (rpc_call_send(s->stage, str_slice(buf_str(&s->text), s->sent, s->sent + n)) < 0)
            return; /* its deadline ends it */
        s->sent += n;
    }
    if (s->sent == s->text.n && !s->ended) {
        s->ended = true;
        rpc_call_end(s->stage);
    }
}

static int stage(struct sending *s)
{
    Courier__StageRequest q = COURIER__STAGE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__STAGE,
                           .body = &q.base,
                           .upload = true,
                           .deadline_ms = s->what.ask_ms,
                           .done = staged,
                           .on_room = pump,
                           .ctx = s };

    q.bytes_expected = s->text.n;
    s->sent = 0;
    s->ended = false;
    if (!(s->stage = rpc_link_ask(s->courier, &ask)))
        return E_NOMEM;
    pump(s);
    return 0;
}

static char *keep(char *at, struct str *s)
{
    if (s->n) /* without bytes it may point nowhere */
        memcpy(at, s->p, s->n);
    s->p = at;
    return at + s->n;
}

static struct sending *sending_new(const struct courier_send *q)
{
    struct sending *s = calloc(1, sizeof *s + q->to.n + q->signer.n + q->alias.n + 1);

    if (!s)
        return NULL;
    s->what = *q;
    keep(keep(keep(s->strings, &s->what.to), &s->what.signer), &s->what.alias);
    if (q->delivery_id)
        memcpy(s->delivery_id, q->delivery_id, sizeof s->delivery_id);
    else
        rand_bytes(s->delivery_id, sizeof s->delivery_id);
    if (q->once)
        memcpy(s->once, q->once, sizeof s->once);
    return s;
}

int courier_send(struct rpc_link *courier, const struct courier_send *q, struct buf *text,
                 courier_send_fn *done, void *ctx)
{
    struct sending *s = sending_new(q);
    int r = s ? 0 : E_NOMEM;

    if (r == 0) {
        s->courier = courier;
        s->text = *text;
        s->done = done;
        s->ctx = ctx;
        *text = (struct buf){ .max = text->max };
        r = stage(s);
    }
    if (r < 0) {
        buf_release(s ? &s->text : text);
        free(s);
    }
    return r;
}
