#include "src/mx/filter_call.h"
#include "lib/base/errors.h"
#include "proto/filter.pb-c.h"
#include "src/mx/service.h"

#define GRACE_MS  1000 /* it says itself who was slow */
#define RCPTS_MAX 20u

void mx_filter_call_answered(struct smtp_session *s, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    Filter__ScanResponse *m = NULL;
    struct mx_filtered f = { .score = 0 };

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
    mx_filter_answered(s, status, &f);
}

static int scan(struct mx_side_call *c, const struct smtp_session *s)
{
    Filter__ScanRequest m = FILTER__SCAN_REQUEST__INIT;
    ProtobufCBinaryData to[RCPTS_MAX];

    m.id = str_pb(str_from(s->m.id));
    m.client_ip = str_pb(s->peer_ip);
    m.client_name = str_pb(s->peer_name);
    m.helo = str_pb(s->helo);
    m.sender = str_pb(s->m.sender_address);
    m.recipients = to;
    for (const struct smtp_recipient *r = s->m.recipients; r && m.n_recipients < RCPTS_MAX; r = r->next)
        to[m.n_recipients++] = str_pb(r->mailbox.address);
    return mx_side_call_ask(c, ROLE_FILTER, FILTER__OP__SCAN, &m.base);
}

int64_t mx_filter_call_timeout_ms(const struct mx_conf *conf)
{
    return (int64_t)conf->filter_timeout_ms + GRACE_MS;
}

const struct mx_filter_io *mx_filter_call_io(const struct mx_conf *conf)
{
    static const struct mx_filter_io io = { scan, mx_side_call_send, mx_side_call_end, mx_side_call_cancel };

    bool any = (conf->clamav && conf->clamav[0]) || (conf->rspamd && conf->rspamd[0]);

    return any ? &io : NULL;
}
