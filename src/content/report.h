/* src/content/report.h: what a report about mail says (lib/mime/dsn.h), of a message as it came. */
#ifndef SRC_CONTENT_REPORT_H
#define SRC_CONTENT_REPORT_H
#include "lib/rpc/rpc.h"

/* Answers the request by itself; then done(ctx), once. E_NOMEM: nothing began. */
MUST_CHECK int report_read_start(struct rpc_req *q, void (*done)(void *ctx), void *ctx);
#endif
