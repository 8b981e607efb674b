/* lib/mailauth/canon.h
 *
 * Canonical forms of header fields and bodies (RFC 6376 3.4). A body comes in slices cut anywhere and goes
 * out through a function in pieces; nothing of it is kept but a kilobyte. */
#ifndef LIB_MAILAUTH_CANON_H
#define LIB_MAILAUTH_CANON_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

/* Append a whole field ("Name: value\r\n"); relaxed: lower-case name, unfolded, one space for many. Errors of buf. */
MUST_CHECK int canon_header(struct buf *out, struct str field, bool relaxed);
/* The same of a signature's own field: without the value of its tag b, and without the CRLF at the end. */
MUST_CHECK int canon_signature(struct buf *out, struct str field, bool relaxed);

struct canon_body {
    bool relaxed;
    void (*put)(void *ctx, const void *p, size_t n);
    void *ctx;
    uint64_t bytes; /* canonical bytes so far */
    /* private */
    uint64_t line_ends; /* seen, and held back: at the end of the body they do not count */
    bool space, cr, any;
    size_t n;
    char out[KIB(1)];
};

/* relaxed, put and ctx set, the rest zero. */
void canon_body_feed(struct canon_body *c, struct str in);
void canon_body_end(struct canon_body *c);
#endif
