#include "lib/smtp/trace.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"

const char *trace_protocol(bool esmtp, bool tls, bool authenticated, bool smtputf8)
{
    static const char *const names[] = {
        "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA",
    };

    return esmtp ? names[(smtputf8 ? 4 : 0) + (authenticated ? 2 : 0) + (tls ? 1 : 0)] : "SMTP";
}

int trace_date(struct buf *out, int64_t when_ms)
{
    static const char days[] = "ThuFriSatSunMonTueWed", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t s = when_ms / 1000, day = s / 86400, year;
    unsigned month, mday, rest = (unsigned)(s % 86400);

    clock_civil_from_days(day, &year, &month, &mday);
    return buf_printf(out, "%.3s, %u %.3s %04lld %02u:%02u:%02u +0000", days + 3 * (day % 7), mday,
                      months + 3 * (month - 1), (long long)year, rest / 3600, rest / 60 % 60, rest % 60);
}

/* RFC 3848, RFC 6531 4.3: the same for LMTP. */
static const char *lmtp_protocol(const struct trace_hop *h)
{
    static const char *const names[] = {
        "LMTP", "LMTPS", "LMTPA", "LMTPSA", "UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA",
    };

    return names[(h->smtputf8 ? 4 : 0) + (h->authenticated ? 2 : 0) + (h->tls.n > 0 ? 1 : 0)];
}

/* A foreign word inside our header: only what a domain or literal may hold, the rest is '?'. */
static int put_word(struct buf *out, struct str s, bool utf8)
{
    int r = 0;

    utf8 = utf8 && smtp_utf8_clean(s);
    s = str_slice(s, 0, SMTP_DOMAIN_MAX);
    if (s.n == 0)
        return buf_putz(out, "unknown");
    for (size_t i = 0; i < s.n && r == 0; i++) {
        char c = s.p[i];
        bool ok = ascii_alpha(c) || ascii_digit(c) || (c && strchr(".-_:[]", c)) ||
                  (utf8 && (unsigned char)c > 127);

        r = buf_putc(out, ok ? c : '?');
    }
    return r;
}

static int put_peer(struct buf *out, const struct trace_hop *h)
{
    bool v6 = str_chr(h->peer_ip, ':') >= 0;
    int r;

    if (h->peer_ip.n == 0)
        return buf_putz(out, "\r\n");
    if ((r = buf_putz(out, " (")) < 0)
        return r;
    if (h->peer_name.n && ((r = put_word(out, h->peer_name, false)) < 0 || (r = buf_putc(out, ' ')) < 0))
        return r;
    if ((r = buf_putz(out, v6 ? "[IPv6:" : "[")) < 0 || (r = put_word(out, h->peer_ip, false)) < 0)
        return r;
    return buf_putz(out, "])\r\n");
}

static int put_tls(struct buf *out, struct str tls)
{
    int r = tls.n ? buf_putz(out, "\r\n\t(") : 0;

    for (size_t i = 0; i < tls.n && i < 128 && r == 0; i++) {
        char c = tls.p[i];

        r = buf_putc(out, ascii_alpha(c) || ascii_digit(c) || (c && strchr("._- ", c)) ? c : '?');
    }
    return r < 0 || tls.n == 0 ? r : buf_putc(out, ')');
}

static int put_for(struct buf *out, const struct trace_hop *h)
{
    int r;

    if (!h->only_recipient || (h->only_recipient->utf8 && !h->smtputf8))
        return 0;
    if ((r = buf_putz(out, "\r\n\tfor <")) < 0 || (r = smtp_path_print(h->only_recipient, out)) < 0)
        return r;
    return buf_putc(out, '>');
}

static int put_received(struct buf *out, const struct trace_hop *h)
{
    int r;

    if ((r = buf_putz(out, "Received: ")) < 0 ||
        (!h->hidden && ((r = buf_putz(out, "from ")) < 0 || (r = put_word(out, h->helo, h->smtputf8)) < 0 ||
                        (r = put_peer(out, h)) < 0 || (r = buf_putc(out, '\t')) < 0)) ||
        (r = buf_putz(out, "by ")) < 0 || (r = put_word(out, h->by, false)) < 0 ||
        (r = buf_printf(out, " with %s",
                        h->lmtp ? lmtp_protocol(h)
                                : trace_protocol(h->esmtp, h->tls.n > 0, h->authenticated, h->smtputf8))) <
            0 ||
        (r = put_tls(out, h->tls)) < 0 || (r = buf_putz(out, "\r\n\tid ")) < 0 ||
        (r = put_word(out, h->id, false)) < 0 || (r = put_for(out, h)) < 0 ||
        (r = buf_putz(out, ";\r\n\t")) < 0 || (r = trace_date(out, h->when_ms)) < 0)
        return r;
    return buf_putz(out, "\r\n");
}

int trace_received(struct buf *out, const struct trace_hop *hop)
{
    size_t was = out->n;
    int r = put_received(out, hop);

    if (r < 0)
        out->n = was;
    return r;
}

int trace_return_path(struct buf *out, const struct smtp_path *sender)
{
    size_t was = out->n;
    int r;

    if ((r = buf_putz(out, "Return-Path: <")) < 0 || (r = smtp_path_print(sender, out)) < 0 ||
        (r = buf_putz(out, ">\r\n")) < 0)
        out->n = was;
    return r;
}

int trace_delivered_to(struct buf *out, struct str address)
{
    size_t was = out->n;
    int r;

    if (!smtp_utf8_clean(address)) /* a line end in it would start a field of the sender's choice */
        return E_SYNTAX;
    if ((r = buf_putz(out, "Delivered-To: ")) < 0 || (r = buf_puts(out, address)) < 0 ||
        (r = buf_putz(out, "\r\n")) < 0)
        out->n = was;
    return r;
}

static const struct str scan_names[TRACE_NAMES] = {
    [TRACE_RECEIVED] = { "received", 8 },
    [TRACE_MESSAGE_ID] = { "message-id", 10 },
    [TRACE_FROM] = { "from", 4 },
    [TRACE_SENDER] = { "sender", 6 },
    [TRACE_REPLY_TO] = { "reply-to", 8 },
    [TRACE_TO] = { "to", 2 },
    [TRACE_CC] = { "cc", 2 },
    [TRACE_BCC] = { "bcc", 3 },
    [TRACE_SUBJECT] = { "subject", 7 },
    [TRACE_DATE] = { "date", 4 },
    [TRACE_IN_REPLY_TO] = { "in-reply-to", 11 },
    [TRACE_REFERENCES] = { "references", 10 },
    [TRACE_MIME_VERSION] = { "mime-version", 12 },
    [TRACE_CONTENT_TYPE] = { "content-type", 12 },
    [TRACE_ENCODING] = { "content-transfer-encoding", 25 },
};

static void note_field(struct trace_scan *t, unsigned name)
{
    t->received += name == TRACE_RECEIVED;
    t->has_message_id = t->has_message_id || name == TRACE_MESSAGE_ID;
    t->twice |= t->seen & BIT(name);
    t->seen |= BIT(name);
}

static bool has_high(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

/* One byte of a header line that is not LF. A name ends at its colon; spaces before it are old, but legal
 * to read (RFC 5322 4.5.8). */
static void scan_byte(struct trace_scan *t, char c)
{
    unsigned was = t->alive;

    if (t->at == 0) {
        was = t->alive = BIT(TRACE_NAMES) - 1;
        t->fields += c != ' ' && c != '\t' && c != '\r';
    }
    t->at++;
    if (was == 0)
        return;
    for (unsigned i = 0; i < TRACE_NAMES; i++) {
        const struct str *name = &scan_names[i];

        if (!(was & BIT(i)))
            continue;
        if (t->at <= name->n && ascii_lower(c) == name->p[t->at - 1])
            continue;
        if (t->at > name->n && (c == ' ' || c == '\t')) {
            t->at = (unsigned)name->n; /* wait for the colon; no other name is a prefix of this one */
            continue;
        }
        t->alive &= ~BIT(i);
        if (t->at <= name->n || c != ':')
            continue;
        note_field(t, i);
    }
}

void trace_scan_feed(struct trace_scan *t, struct str in)
{
    for (size_t i = 0; i < in.n && !t->done; i++) {
        char c = in.p[i];

        t->bytes++;
        if (c == '\n') {
            t->done = t->at == 0 || (t->at == 1 && t->blank_so_far);
            t->at = 0;
            t->blank_so_far = false;
            continue;
        }
        t->blank_so_far = t->at == 0 && c == '\r';
        t->eight_bit = t->eight_bit || (unsigned char)c > 127;
        scan_byte(t, c);
        if (t->alive == 0) { /* the rest of the line tells nothing */
            struct str rest = str_skip(in, i + 1);
            ptrdiff_t lf = str_chr(rest, '\n');
            size_t skip = lf < 0 ? rest.n : (size_t)lf;

            t->blank_so_far = t->blank_so_far && skip == 0;
            t->eight_bit = t->eight_bit || has_high(str_slice(rest, 0, skip));
            t->bytes += skip;
            i += skip;
        }
    }
}
