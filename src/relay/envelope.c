/* src/relay/envelope.c: MAIL and RCPT as this server can take them. */
#include "src/relay/delivery.h"
#include "lib/smtp/command.h"

static const char *no_space(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return NULL;
    return s.p;
}

static int put_notify(struct buf *b, uint32_t notify)
{
    static const char *const words[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
    bool any = false;
    int r = buf_putz(b, " NOTIFY=");

    for (unsigned i = 0; i < ARRAY_LEN(words) && r == 0; i++)
        if (notify & BIT(i)) {
            r = buf_printf(b, "%s%s", any ? "," : "", words[i]);
            any = true;
        }
    return r;
}

int envelope_rcpt(const Relay__Recipient *x, const struct smtp_offer *o, struct buf *b)
{
    bool dsn = (o->has & SMTP_OFFER_DSN) != 0;
    int r;

    if (!no_space(pb_str(x->to)) && x->to.len)
        return E_SYNTAX;
    r = buf_printf(b, "RCPT TO:<%.*s>", STR_ARG(pb_str(x->to)));
    if (r == 0 && dsn && x->notify)
        r = put_notify(b, x->notify);
    if (r == 0 && dsn && x->orcpt.len && no_space(pb_str(x->orcpt))) {
        struct str type, address;

        if (str_cut(pb_str(x->orcpt), ';', &type, &address) && smtp_xtext_decode(address, NULL) == 0)
            r = buf_printf(b, " ORCPT=%.*s;%.*s", STR_ARG(type), STR_ARG(address)); /* is xtext as it came */
    }
    return r < 0 ? r : buf_putz(b, "\r\n");
}

int envelope_mail(const Relay__SendRequest *m, const struct smtp_offer *o, struct buf *b)
{
    int r;

    if (m->sender.len && !no_space(pb_str(m->sender)))
        return E_SYNTAX;
    r = buf_printf(b, "MAIL FROM:<%.*s>", STR_ARG(pb_str(m->sender)));
    if (r == 0 && (o->has & SMTP_OFFER_SIZE))
        r = buf_printf(b, " SIZE=%llu", (unsigned long long)m->bytes);
    if (r == 0 && (o->has & SMTP_OFFER_8BITMIME))
        r = buf_putz(b, m->eightbit ? " BODY=8BITMIME" : " BODY=7BIT");
    if (r == 0 && m->smtputf8)
        r = buf_putz(b, " SMTPUTF8");
    if (r == 0 && m->requiretls &&
        (o->has & SMTP_OFFER_REQUIRETLS)) /* a bounce goes without: keeps_requiretls */
        r = buf_putz(b, " REQUIRETLS");
    if (r == 0 && (o->has & SMTP_OFFER_DSN) && m->ret)
        r = buf_putz(b, m->ret == 1 ? " RET=FULL" : " RET=HDRS");
    if (r == 0 && (o->has & SMTP_OFFER_DSN) && m->envid.len && (r = buf_putz(b, " ENVID=")) == 0)
        r = smtp_xtext(b, pb_str(m->envid));
    if (r == 0 && (o->has & SMTP_OFFER_DELIVERBY) && m->deliver_by_s)
        r = buf_printf(b, " BY=%lld;%c", (long long)m->deliver_by_s, m->deliver_by_notify ? 'N' : 'R');
    if (r == 0 && (o->has & SMTP_OFFER_MT_PRIORITY) && m->priority)
        r = buf_printf(b, " MT-PRIORITY=%d", (int)m->priority);
    return r < 0 ? r : buf_putz(b, "\r\n");
}

static bool needs_utf8(const Relay__SendRequest *m)
{
    bool yes = m->smtputf8 || !str_is_ascii(pb_str(m->sender));

    for (size_t i = 0; i < m->n_recipients && !yes; i++)
        yes = !str_is_ascii(pb_str(m->recipients[i]->to));
    return yes;
}

const char *envelope_lacks(const Relay__SendRequest *m, const struct smtp_offer *o, const char **enhanced)
{
    *enhanced = "5.6.7";
    if (needs_utf8(m) && !(o->has & SMTP_OFFER_SMTPUTF8))
        return "the mail server takes no internationalized mail (SMTPUTF8)";
    *enhanced = "5.3.4";
    if (o->size_max && m->bytes > o->size_max)
        return "the message is larger than the mail server takes";
    return NULL;
}
