/* src/common/dump.h
 *
 * A role's own database as bytes, for a backup of the service: a copy of one moment under the same key, made beside the
 * file, unlinked before its first byte goes out. The role goes on meanwhile. */
#ifndef SRC_COMMON_DUMP_H
#define SRC_COMMON_DUMP_H
#include "lib/rpc/rpc.h"

struct dump_source {
    const char *path; /* below the working folder; stays */
    const uint8_t *key;
    struct work_pool *pool; /* of this loop */
    void (*ended)(void);    /* the request is answered; may be NULL */
};
/* For the handler of a request whose bytes go back (RPC_DOWN). 0: it is answered later, and `ended` called. Else: nothing was
 * begun. */
MUST_CHECK int dump_begin(struct rpc_req *q, const struct dump_source *s);
#endif
