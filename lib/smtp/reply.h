/* lib/smtp/reply.h
 *
 * Replies of a server: three digits, enhanced code (RFC 3463, RFC 2034), text, in one or several
 * lines (RFC 5321 4.2). Texts are ours: nothing that a client sent is ever echoed, so a reply can
 * carry neither control bytes nor UTF-8 to a client that did not ask for it. */
#ifndef LIB_SMTP_REPLY_H
#define LIB_SMTP_REPLY_H
#include "lib/base/buf.h"

#define SMTP_REPLY_LINE_MAX 512u /* RFC 5321 4.5.3.1.5, with CRLF */

struct smtp_reply {
    unsigned code;    /* 200-599 */
    const char *enh;  /* "2.1.0"; NULL on greeting, EHLO and 3xx replies, which carry none (RFC 2034 3) */
    const char *text; /* '\n' separates lines; never empty */
};

/* Append the reply. Every line repeats code and enhanced code (RFC 2034 4). Bytes outside printable
 * ASCII become '?', lines over the limit are cut: a reply cannot break the protocol. On error (buf's)
 * `out` is as before. */
MUST_CHECK int smtp_reply_write(struct buf *out, const struct smtp_reply *r);
/* The same with the text given apart, for texts built at run time. */
MUST_CHECK int smtp_reply_text(struct buf *out, unsigned code, const char *enh, struct str text);
#endif
