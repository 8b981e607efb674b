/* src/content/sevenbit.h: one message in, the same in 7 bits out (lib/mime/sevenbit.h). All of it is in memory. */
#ifndef SRC_CONTENT_SEVENBIT_H
#define SRC_CONTENT_SEVENBIT_H
#include "lib/rpc/rpc.h"

#define SEVENBIT_MAX MIB(32) /* of the message that comes; E_TOO_BIG */

/* Answers the request by itself; then done(ctx), once. E_NOMEM: nothing began. */
MUST_CHECK int sevenbit_start(struct rpc_req *q, void (*done)(void *ctx), void *ctx);
#endif
