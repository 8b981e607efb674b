/* lib/pop3/stuff.h
 *
 * A message as a multi-line response (RFC 1939 3): lines that begin with the termination octet get another
 * one, and CRLF "." CRLF ends it. Feed any slice. TOP's limit counts lines of the body.
 *
 * Lines end in CRLF and in nothing else: what stands behind a bare LF is no line, so a strict client gets back
 * every byte as it was stored. */
#ifndef LIB_POP3_STUFF_H
#define LIB_POP3_STUFF_H
#include "lib/base/buf.h"

#define STUFF_ALL UINT64_MAX

struct stuff {
    uint64_t body_lines; /* still wanted */
    size_t line_n;       /* bytes of the line that has not ended yet */
    bool in_body, cr;    /* cr: the last byte was one */
    bool full;           /* all that is wanted was written */
};

/* body_lines: STUFF_ALL, or as many of the body as TOP asked for. */
void stuff_init(struct stuff *s, uint64_t body_lines);
/* Append `in`, stuffed, to out. Once s->full, does nothing. E_LIMIT, E_NOMEM: of out; at most twice as many
 * bytes are written as are given. */
MUST_CHECK int stuff_feed(struct stuff *s, struct str in, struct buf *out);
/* The end: a line end when the message had none, then the termination. */
MUST_CHECK int stuff_end(struct stuff *s, struct buf *out);
#endif
