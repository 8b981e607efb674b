#include "src/mx/filter_call.h"
#include "lib/base/errors.h"
#include "proto/filter.pb-c.h"
#include "src/mx/service.h"

#define LONGEST_MS (60 * 60000) /* while the message comes; slow senders are not the filter's fault */
#define GRACE_MS   1000         /* it says itself who was slow */
#define RCPTS_MAX  20u

static void cancel(struct mx_filter_call *c);

static void no_room(struct timer *t)
{
    struct mx_filter_call *c = CONTAINER_OF(t, struct mx_filter_call, timer);

    cancel(c);
    mx_filter_answered(c->session, E_TIMEOUT, NULL);
    c->go_on(c->ctx);
}

int mx_filter_call_init(struct mx_filter_call *c, struct role *role, struct smtp_session *s,
                        int64_t timeout_ms, void (*go_on)(void *ctx), void *ctx)
{
    *c = (struct mx_filter_call){
        .session = s, .role = role, .timeout_ms = timeout_ms + GRACE_MS, .go_on = go_on, .ctx = ctx
    };
    return timer_init(&c->timer, role_loop(role), no_room);
}

void mx_filter_call_release(struct mx_filter_call *c)
{
    cancel(c);
    timer_release(&c->timer);
}

static void answered(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    Filter__ScanResponse *m = NULL;
    struct mx_filter_call *c = ctx;
    struct mx_filtered f = { .score = 0 };

    c->call = NULL;
    timer_clear(&c->timer);
    if (status == 0 && !(m = RPC_UNPACK(&a, body, filter__scan_response)))
        status = E_BUG;
    if (m)
        f = (struct mx_filtered){ .clamav = (enum mx_filter_state)m->clamav,
                                  .rspamd = (enum mx_filter_state)m->rspamd,
                                  .name = pb_str(m->name),
                                  .clamav_why = pb_str(m->clamav_why),
                                  .score = m->score,
                                  .action = pb_str(m->action),
                                  .symbols = pb_str(m->symbols),
                                  .rspamd_why = pb_str(m->rspamd_why) };
    mx_filter_answered(c->session, status, &f);
    c->go_on(c->ctx);
}

static void has_room(void *ctx)
{
    struct mx_filter_call *c = ctx;

    timer_clear(&c->timer);
    c->waits = false;
    c->go_on(c->ctx);
}

static int scan(struct mx_filter_call *c, const struct smtp_session *s)
{
    Filter__ScanRequest m = FILTER__SCAN_REQUEST__INIT;
    ProtobufCBinaryData to[RCPTS_MAX];
    struct rpc_ask ask = { .op = FILTER__OP__SCAN,
                           .body = &m.base,
                           .flags = RPC_NO_REPEAT,
                           .upload = true,
                           .done = answered,
                           .on_room = has_room,
                           .ctx = c,
                           .deadline_ms = LONGEST_MS };
    struct rpc_link *link = role_link(c->role, ROLE_FILTER);

    if (!rpc_link_is_up(link))
        return E_UNAVAIL; /* it would wait for it to come up again */
    m.id = str_pb(str_from(s->m.id));
    m.client_ip = str_pb(s->peer_ip);
    m.client_name = str_pb(s->peer_name);
    m.helo = str_pb(s->helo);
    m.sender = str_pb(s->m.sender_address);
    m.recipients = to;
    for (const struct smtp_recipient *r = s->m.recipients; r && m.n_recipients < RCPTS_MAX; r = r->next)
        to[m.n_recipients++] = str_pb(r->mailbox.address);
    c->waits = false;
    c->call = rpc_link_ask(link, &ask);
    return c->call ? 0 : E_NOMEM;
}

static int send_bytes(struct mx_filter_call *c, struct str bytes)
{
    return c->call ? rpc_call_send(c->call, bytes) : E_CLOSED;
}

static void end(struct mx_filter_call *c)
{
    if (!c->call)
        return;
    rpc_call_hurry(c->call, c->timeout_ms);
    rpc_call_end(c->call);
}

static void cancel(struct mx_filter_call *c)
{
    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    c->waits = false;
    timer_clear(&c->timer);
}

const struct mx_filter_io *mx_filter_call_io(const struct mx_conf *conf)
{
    static const struct mx_filter_io io = { scan, send_bytes, end, cancel };

    bool any = (conf->clamav && conf->clamav[0]) || (conf->rspamd && conf->rspamd[0]);

    return any ? &io : NULL;
}

size_t mx_filter_call_room(struct mx_filter_call *c)
{
    size_t room = c->call ? rpc_call_room(c->call) : SIZE_MAX;

    if (room == 0 && !c->waits) {
        c->waits = true;
        timer_set(&c->timer, c->timeout_ms);
    }
    return room;
}
