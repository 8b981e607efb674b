#include "src/mx/service.h"
#include "src/mx/verdict.h"

static void hello(struct mx_session *s, const struct smtp_command *c)
{
    mx_policy_hello(s, c->helo_valid);
}

static void begin(struct mx_session *s)
{
    mx_auth_start(s);
    mx_forward_begin(s);
}

static int feed(struct mx_session *s, struct str in, struct str *out)
{
    mx_forward_feed(s, in);
    return mx_auth_feed(s, in, out);
}

static void forget(struct mx_session *s)
{
    mx_forward_forget(s);
    mx_auth_free(s);
    mx_policy_forget(s);
}

static int offer(const struct mx_session *s, struct buf *text)
{
    return mx_own(s)->become ? buf_putz(text, "\n" SMTP_XCLIENT_OFFER) : 0;
}

static const struct smtp_reply *verdict(struct mx_session *s, const char **why_out)
{
    const struct smtp_reply *no;

    mx_auth_conclude(s);
    *why_out = "greylist";
    if ((no = mx_policy_verdict(s)) || (no = mx_verdict(mx_own(s)->conf, &s->m, why_out)))
        return no;
    *why_out = "loop";
    return mx_forward_verdict(s);
}

static const struct mx_service mx_service = {
    .extensions = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_BINARYMIME,
    .fields_max = MX_AUTH_FIELDS_MAX,
    .offer = offer,
    .mail = mx_policy_mail,
    .hello = hello,
    .accept = mx_policy_rcpt,
    .take = mx_recipient_take,
    .xclient = mx_xclient,
    .begin = begin,
    .feed = feed,
    .end = mx_auth_end,
    .forget = forget,
    .settled = mx_auth_settled,
    .give_up = mx_auth_give_up,
    .verdict = verdict,
};

void mx_session_serve(struct mx_session *s, struct mx_own *own)
{
    s->service = &mx_service;
    s->own = own;
}
