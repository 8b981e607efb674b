/* lib/dns/query.c: what is sent, and the first look at what comes back. */
#include "lib/base/errors.h"
#include "lib/dns/message.h"

enum { FLAG_RD = 0x01, FLAG_AD = 0x20, FLAG_QR = 0x80, FLAG_TC = 0x02 };
enum { TYPE_OPT = 41, OPTION_PADDING = 12, CLASS_IN = 1, OPT_HEAD = 11, OPTION_HEAD = 4 };

static int put16(struct buf *out, unsigned v)
{
    const uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

    return buf_append(out, b, 2);
}

static int put_name(const struct dns_query *q, struct buf *out)
{
    struct dns_name n = q->name;
    unsigned letter = 0;

    for (size_t at = 0; n.wire[at] > 0; at += 1u + n.wire[at])
        for (size_t i = 1; i <= n.wire[at]; i++)
            if (ascii_alpha((char)n.wire[at + i]) && (q->mixed >> (letter++ % 64) & 1))
                n.wire[at + i] = (uint8_t)ascii_upper((char)n.wire[at + i]);
    return buf_append(out, n.wire, n.n);
}

/* RFC 6891 6.1.2; RFC 7830: the padding is the last option and zeros. */
static int put_opt(const struct dns_query *q, struct buf *out)
{
    static const uint8_t zeros[DNS_PAD_BLOCK];
    size_t n = out->n + OPT_HEAD + OPTION_HEAD, pad = (DNS_PAD_BLOCK - n % DNS_PAD_BLOCK) % DNS_PAD_BLOCK;
    int r;

    if ((r = buf_putc(out, 0)) < 0 || (r = put16(out, TYPE_OPT)) < 0 || (r = put16(out, DNS_UDP_BYTES)) < 0 ||
        (r = put16(out, 0)) < 0 || (r = put16(out, 0)) < 0 ||
        (r = put16(out, q->pad ? (unsigned)pad + OPTION_HEAD : 0)) < 0)
        return r;
    if (q->pad && ((r = put16(out, OPTION_PADDING)) < 0 || (r = put16(out, (unsigned)pad)) < 0 ||
                   (r = buf_append(out, zeros, pad)) < 0))
        return r;
    return 0;
}

int dns_query_write(const struct dns_query *q, struct buf *out)
{
    const uint8_t rest[8] = { 0, 1, 0, 0, 0, 0, 0, 1 }; /* one question, one OPT */
    int r;

    if ((r = put16(out, q->id)) < 0 || (r = buf_putc(out, FLAG_RD)) < 0 || (r = buf_putc(out, FLAG_AD)) < 0 ||
        (r = buf_append(out, rest, sizeof rest)) < 0 || (r = put_name(q, out)) < 0 ||
        (r = put16(out, q->type)) < 0 || (r = put16(out, CLASS_IN)) < 0)
        return r;
    return put_opt(q, out);
}

/* Bytes of the question behind the head, name and all; 0: none that is whole. */
static size_t question_len(struct str m)
{
    size_t at = DNS_HEAD_LEN;

    while (at < m.n && m.p[at] != 0) {
        if ((uint8_t)m.p[at] > 63)
            return 0; /* nothing stands before it that it could point to */
        at += 1u + (uint8_t)m.p[at];
    }
    return at + 5 <= m.n ? at + 5 - DNS_HEAD_LEN : 0;
}

bool dns_message_answers(struct str query, struct str m, bool any_case)
{
    size_t n = question_len(query);
    struct str asked = str_slice(query, DNS_HEAD_LEN, DNS_HEAD_LEN + n),
               said = str_slice(m, DNS_HEAD_LEN, DNS_HEAD_LEN + n);

    if (n == 0 || m.n < DNS_HEAD_LEN || memcmp(query.p, m.p, 2) != 0 || !((uint8_t)m.p[2] & FLAG_QR) ||
        m.p[4] != 0 || m.p[5] != 1)
        return false;
    /* a length byte is below 64 and no letter, so that the case of letters is all that str_ieq forgives; a
     * type or class is no capital of another one that we use */
    return any_case ? str_ieq(asked, said) : str_eq(asked, said);
}

bool dns_message_truncated(struct str m)
{
    return m.n >= DNS_HEAD_LEN && ((uint8_t)m.p[2] & FLAG_TC);
}
