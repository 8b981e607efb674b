/* lib/event/deflate.h
 *
 * A compression layer for a connection: raw DEFLATE (RFC 1951) both ways, as RFC 4978 wants it. Knows streams,
 * no sockets. About 70 KB a connection: the window for what goes out is small, since few clients of a server are
 * quiet for want of bytes; what comes in may use all of its 32 KiB. */
#ifndef LIB_EVENT_DEFLATE_H
#define LIB_EVENT_DEFLATE_H
#include "lib/base/buf.h"

struct deflate_layer; /* opaque */

/* NULL: out of memory. */
struct deflate_layer *deflate_layer_new(void);
void deflate_layer_free(struct deflate_layer **d);
/* Compress `in` and append it to out, flushed, so that the peer can read all of it. E_LIMIT, E_NOMEM of out: then
 * the stream is broken, and the connection must end. */
MUST_CHECK int deflate_layer_out(struct deflate_layer *d, struct str in, struct buf *out);
/* Decompress from *in, which moves on, into room bytes at out. Returns bytes made, 0 when it needs more input,
 * E_SYNTAX when this is no DEFLATE stream, or one that has ended. */
MUST_CHECK ssize_t deflate_layer_in(struct deflate_layer *d, struct str *in, void *out, size_t room);
#endif
