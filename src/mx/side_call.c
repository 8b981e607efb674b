#include "src/mx/side_call.h"
#include "lib/base/errors.h"

#define LONGEST_MS (60 * 60000) /* while the message comes; slow senders are not that role's fault */

static void over(struct mx_side_call *c, int status, struct str body)
{
    c->answered(c->session, status, body);
    c->go_on(c->ctx);
}

static void no_room(struct timer *t)
{
    struct mx_side_call *c = CONTAINER_OF(t, struct mx_side_call, timer);

    mx_side_call_cancel(c);
    over(c, E_TIMEOUT, STR_NONE);
}

int mx_side_call_init(struct mx_side_call *c)
{
    return timer_init(&c->timer, role_loop(c->role), no_room);
}

void mx_side_call_release(struct mx_side_call *c)
{
    mx_side_call_cancel(c);
    timer_release(&c->timer);
}

static void done(void *ctx, int status, struct str body)
{
    struct mx_side_call *c = ctx;

    c->call = NULL;
    timer_clear(&c->timer);
    over(c, status, body);
}

static void has_room(void *ctx)
{
    struct mx_side_call *c = ctx;

    timer_clear(&c->timer);
    c->waits = false;
    c->go_on(c->ctx);
}

int mx_side_call_ask(struct mx_side_call *c, enum role_id to, uint32_t op, const ProtobufCMessage *m)
{
    struct rpc_ask ask = { .op = op,
                           .body = m,
                           .flags = RPC_NO_REPEAT,
                           .upload = true,
                           .done = done,
                           .on_room = has_room,
                           .ctx = c,
                           .deadline_ms = LONGEST_MS };
    struct rpc_link *link = role_link(c->role, to);

    if (!rpc_link_is_up(link))
        return E_UNAVAIL; /* it would wait for it to come up again */
    c->waits = false;
    c->call = rpc_link_ask(link, &ask);
    return c->call ? 0 : E_NOMEM;
}

int mx_side_call_send(struct mx_side_call *c, struct str bytes)
{
    return c->call ? rpc_call_send(c->call, bytes) : E_CLOSED;
}

void mx_side_call_end(struct mx_side_call *c)
{
    if (!c->call)
        return;
    rpc_call_hurry(c->call, c->timeout_ms);
    rpc_call_end(c->call);
}

void mx_side_call_cancel(struct mx_side_call *c)
{
    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    c->waits = false;
    timer_clear(&c->timer);
}

size_t mx_side_call_room(struct mx_side_call *c)
{
    size_t room = c->call ? rpc_call_room(c->call) : SIZE_MAX;

    if (room == 0 && !c->waits) {
        c->waits = true;
        timer_set(&c->timer, c->timeout_ms);
    }
    return room;
}
