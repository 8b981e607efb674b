/* lib/smtp/answer.h
 *
 * What a server says to us: replies of one or several lines (RFC 5321 4.2), with enhanced codes (RFC 2034),
 * and what it offers (EHLO). A peer's words are foreign bytes: they come out in printable ASCII, cut. */
#ifndef LIB_SMTP_ANSWER_H
#define LIB_SMTP_ANSWER_H
#include "lib/base/str.h"

#define SMTP_ANSWER_MAX      KIB(32) /* of one reply, all lines: more is no reply */
#define SMTP_ANSWER_TEXT_MAX 500u
#define SMTP_ENHANCED_MAX    12u

struct smtp_answer {
    unsigned code;                       /* 200-599 */
    char enhanced[SMTP_ENHANCED_MAX];    /* "5.1.1"; "" when there was none, or one of another class */
    char text[SMTP_ANSWER_TEXT_MAX + 1]; /* lines put together with spaces, without codes */
    struct str lines;                    /* as received: for smtp_offer_read */
};

/* The first reply in `in`. Bytes it took; 0: not complete yet; E_SYNTAX, E_LIMIT. Lines end in CRLF, or in LF
 * alone, as some servers do. */
MUST_CHECK ptrdiff_t smtp_answer_read(struct str in, struct smtp_answer *out);

enum {
    SMTP_OFFER_PIPELINING = 1 << 0,
    SMTP_OFFER_8BITMIME = 1 << 1,
    SMTP_OFFER_SMTPUTF8 = 1 << 2,
    SMTP_OFFER_STARTTLS = 1 << 3,
    SMTP_OFFER_DSN = 1 << 4,
    SMTP_OFFER_SIZE = 1 << 5,
    SMTP_OFFER_CHUNKING = 1 << 6,
    SMTP_OFFER_REQUIRETLS = 1 << 7,
    SMTP_OFFER_DELIVERBY = 1 << 8,
    SMTP_OFFER_MT_PRIORITY = 1 << 9,
};
struct smtp_offer {
    uint32_t has;      /* SMTP_OFFER_* */
    uint64_t size_max; /* 0: not said */
};
/* From the lines of the answer to EHLO. */
void smtp_offer_read(struct str lines, struct smtp_offer *out);

/* xtext of RFC 3461 4: '+', '=' and what is not printable become "+XX". */
struct buf;
MUST_CHECK int smtp_xtext(struct buf *out, struct str s);
#endif
