#include "src/mx/service.h"
#include "src/mx/verdict.h"

static const struct smtp_reply *verdict(struct mx_session *s, const char **why_out)
{
    mx_auth_conclude(s);
    return mx_verdict(mx_own(s)->conf, &s->m, why_out);
}

static const struct mx_service mx_service = {
    .extensions = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_BINARYMIME,
    .fields_max = MX_AUTH_FIELDS_MAX,
    .begin = mx_auth_start,
    .feed = mx_auth_feed,
    .end = mx_auth_end,
    .forget = mx_auth_free,
    .settled = mx_auth_settled,
    .give_up = mx_auth_give_up,
    .verdict = verdict,
};

void mx_session_serve(struct mx_session *s, struct mx_own *own)
{
    s->service = &mx_service;
    s->own = own;
}
