/* src/mx/filter_call.h
 *
 * A session's way to the filter role for filter.h: one SCAN beside the message that comes in. The filter says by itself when
 * a scanner is slow; this gives up when the filter does not. */
#ifndef SRC_MX_FILTER_CALL_H
#define SRC_MX_FILTER_CALL_H
#include "src/common/role.h"
#include "src/mx/filter.h"

struct mx_filter_call {
    struct smtp_session *session;
    struct role *role;
    int64_t timeout_ms;
    void (*go_on)(void *ctx); /* the session may take input again */
    void *ctx;
    struct rpc_call *call;
    struct timer timer; /* runs while no byte is taken */
    bool waits;
};

/* E_NOMEM. release: before the session's. */
MUST_CHECK int mx_filter_call_init(struct mx_filter_call *c, struct role *role, struct smtp_session *s,
                                   int64_t timeout_ms, void (*go_on)(void *ctx), void *ctx);
void mx_filter_call_release(struct mx_filter_call *c);
/* NULL: no scanner is configured. */
const struct mx_filter_io *mx_filter_call_io(const struct mx_conf *conf);
/* Bytes that it takes now: SIZE_MAX when nothing is asked. */
size_t mx_filter_call_room(struct mx_filter_call *c);
#endif
