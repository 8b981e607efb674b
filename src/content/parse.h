/* src/content/parse.h
 *
 * One message being parsed: bytes in, search text out as they come, structure at the end. Knows a
 * request and lib/mime; the message is never held whole. */
#ifndef SRC_CONTENT_PARSE_H
#define SRC_CONTENT_PARSE_H
#include "lib/rpc/rpc.h"

/* Called when a parse has been answered, whatever came of it. */
typedef void parse_done_fn(void *ctx);

/* Answers q in the end. E_NOMEM (q is not answered then). */
MUST_CHECK int parse_start(struct rpc_req *q, parse_done_fn *done, void *ctx);
#endif
