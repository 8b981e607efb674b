/* src/content/scan.h
 *
 * One message in, what speaks for and against spam in it out (lib/spam/scan.h). */
#ifndef SRC_CONTENT_SCAN_H
#define SRC_CONTENT_SCAN_H
#include "lib/mailauth/psl.h"
#include "lib/rpc/rpc.h"
#include "proto/content.pb-c.h"

/* Answers the request by itself; then done(ctx), once. `m` lives in the request's arena; psl is borrowed for the
 * life of the process and may be NULL. E_NOMEM, E_RANGE: nothing began. */
MUST_CHECK int scan_start(struct rpc_req *q, const Content__ScanRequest *m, const struct psl *psl,
                          void (*done)(void *ctx), void *ctx);
#endif
