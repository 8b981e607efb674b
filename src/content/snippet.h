/* src/content/snippet.h
 *
 * One message in, its lines around what was searched for out. */
#ifndef SRC_CONTENT_SNIPPET_H
#define SRC_CONTENT_SNIPPET_H
#include "lib/rpc/rpc.h"
#include "proto/content.pb-c.h"

/* Answers the request by itself; then done(ctx), once. `m` lives in the request's arena. E_NOMEM: nothing began. */
MUST_CHECK int snippet_start(struct rpc_req *q, const Content__SnippetRequest *m, void (*done)(void *ctx),
                             void *ctx);
#endif
