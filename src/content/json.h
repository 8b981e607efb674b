/* src/content/json.h
 *
 * One message in, the same as JSON out (doc/webhooks.md): header fields decoded, addresses, text, HTML, attachments.
 * What does not fit into the limit is left out, and the JSON says so. */
#ifndef SRC_CONTENT_JSON_H
#define SRC_CONTENT_JSON_H
#include "lib/rpc/rpc.h"

#define JSON_LIMIT_MIN KIB(64)
#define JSON_LIMIT_MAX MIB(128)

/* Answers the request by itself; then done(ctx), once. limit: bytes of JSON. E_NOMEM: nothing began. */
MUST_CHECK int json_start(struct rpc_req *q, size_t limit, void (*done)(void *ctx), void *ctx);
#endif
