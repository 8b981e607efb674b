/* lib/smtp/dot.h
 *
 * DATA: undo dot-stuffing and find the end of the message (RFC 5321 4.5.2). Feed any slice: it may
 * end anywhere; what follows the end mark stays unread. Pure.
 *
 * Smuggling (CVE-2023-51764 and its kin): only <CRLF>.<CRLF> ends data; RFC 5321 4.1.1.4: "<LF>.<LF>"
 * MUST NOT. Of the forms <LF>.<LF>, <LF>.<CRLF>, <CR>.<CR>, <CR>.<CRLF>, <CRLF>.<LF>, <CRLF>.<CR>, none
 * ends data and each is an error, never repaired, so that no later hop can see two messages where we
 * saw one. After an error the rest is discarded up to the true end: the refusal then comes where the
 * sender expects its reply, and no byte of the message is ever taken for a command. */
#ifndef LIB_SMTP_DOT_H
#define LIB_SMTP_DOT_H
#include "lib/base/buf.h"

#define SMTP_TEXT_LINE_MAX 998u /* RFC 5321 4.5.3.1.6: 1000 with CRLF, the stuffed dot not counted */

/* BOL must stay 0: a message starts at the beginning of a line (its DATA line's CRLF). */
enum dot_state { DOT_BOL, DOT_TEXT, DOT_CR, DOT_LEAD, DOT_LEAD_CR, DOT_END };

struct dot {
    enum dot_state state;
    int error;          /* sticky, the first; set it yourself to discard the rest */
    uint64_t bytes;     /* of the message as delivered: dots undone, with CRLFs (RFC 1870 3) */
    uint64_t max_bytes; /* 0: no limit */
    size_t line_bytes;  /* of the line so far, without CRLF */
    size_t line_max;    /* 0: SMTP_TEXT_LINE_MAX */
};

/* Take bytes of `in` up to the end of data; *used_out (always set) says how many; the message is
 * appended to `out`, which needs room for in.n + 2 bytes more. Ended when d->state == DOT_END.
 * Returns d->error: 0, E_BARE_CR, E_BARE_LF, E_NUL, E_LINE_TOO_LONG, E_TOO_BIG, or buf's error; after an
 * error keep feeding until the end: nothing is appended any more. */
int dot_feed(struct dot *d, struct str in, struct buf *out, size_t *used_out);
#endif
