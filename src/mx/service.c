#include "src/mx/bounce.h"
#include "src/mx/dmarc_note.h"
#include "src/mx/service.h"
#include "src/mx/verdict.h"

static void hello(struct smtp_session *s, const struct smtp_command *c)
{
    mx_policy_hello(s, c->helo_valid);
}

static void begin(struct smtp_session *s)
{
    mx_auth_start(s);
    mx_forward_begin(s);
    mx_spam_start(s);
    mx_filter_start(s);
}

static void forget(struct smtp_session *s)
{
    mx_forward_forget(s);
    mx_vacation_forget(s);
    mx_dsn_forget(s);
    mx_auth_free(s);
    mx_policy_forget(s);
    mx_spam_forget(s);
    mx_filter_forget(s);
}

static int offer(const struct smtp_session *s, struct buf *text)
{
    /* What is in a mailbox when we say 250 has arrived: MT-PRIORITY and REQUIRETLS are for what goes on from here
     * (courier_leg.c); there is nothing to hold (FUTURERELEASE) or to be late with (DELIVERBY). */
    int r = buf_printf(text, "\nDSN\nMT-PRIORITY%s", s->tls ? "\nREQUIRETLS" : "");

    return r == 0 && mx_own(s)->become ? buf_putz(text, "\n" SMTP_XCLIENT_OFFER) : r;
}

static const struct smtp_reply *judge(struct smtp_session *s, const char **why_out)
{
    const struct smtp_reply *no;

    mx_auth_conclude(s);
    s->m.of_ours = mx_own(s)->policy.trusted;
    *why_out = "greylist";
    if ((no = mx_policy_verdict(s)) || (no = mx_verdict(mx_own(s)->conf, &s->m, why_out)))
        return no;
    *why_out = "infected";
    if ((no = mx_filter_verdict(s)))
        return no;
    *why_out = "spam";
    if ((no = mx_spam_verdict(s)))
        return no;
    mx_filter_mark(s);
    *why_out = "loop";
    return mx_forward_verdict(s);
}

static const struct smtp_reply *verdict(struct smtp_session *s, const char **why_out)
{
    const struct smtp_reply *no = judge(s, why_out);

    if (!no)
        mx_dsn_settle(s);
    mx_dmarc_note(s, no && strcmp(*why_out, "dmarc") == 0);
    return no;
}

static bool rcpt(struct smtp_session *s, const struct smtp_command *c)
{
    mx_spam_rcpt(s, &c->path);
    return mx_bounce_rcpt(s, c);
}

/* What the one takes out the other does not see. */
static int feed(struct smtp_session *s, struct str in, struct str *out)
{
    int r;

    mx_forward_feed(s, in);
    mx_vacation_feed(s, in);
    mx_dsn_feed(s, in);
    r = mx_auth_feed(s, in, &in);
    if (r == 0 && (r = mx_spam_feed(s, in, false, out)) == 0)
        mx_filter_feed(s, *out, false);
    return r;
}

static int end(struct smtp_session *s, struct str *out)
{
    struct str in = STR("");
    int r = mx_auth_end(s, &in);

    if (r == 0 && (r = mx_spam_feed(s, in, true, out)) == 0)
        mx_filter_feed(s, *out, true);
    return r;
}

static bool settled(struct smtp_session *s)
{
    bool known = mx_auth_settled(s); /* both are asked: each sends its questions on */

    return mx_spam_settled(s) && mx_filter_settled(s) && known;
}

static void give_up(struct smtp_session *s)
{
    if (mx_own(s)->auth)
        mx_auth_give_up(s);
    mx_spam_give_up(s);
    mx_filter_give_up(s);
}

static const struct smtp_service smtp_service = {
    .extensions = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_BINARYMIME |
                  SMTP_EXT_REQUIRETLS | SMTP_EXT_PRIORITY | SMTP_EXT_DSN,
    .fields_max = MX_AUTH_FIELDS_MAX + MX_SPAM_FIELDS_MAX,
    .offer = offer,
    .mail = mx_policy_mail,
    .hello = hello,
    .accept = mx_policy_rcpt,
    .take = mx_recipient_take,
    .concerned = mx_recipient_concerned,
    .xclient = mx_xclient,
    .rcpt = rcpt,
    .begin = begin,
    .feed = feed,
    .end = end,
    .forget = forget,
    .settled = settled,
    .give_up = give_up,
    .verdict = verdict,
};

void mx_session_serve(struct smtp_session *s, struct mx_own *own)
{
    s->service = &smtp_service;
    s->own = own;
}
