/* src/mx/scan_call.h
 *
 * A session's way to the content role for spam.h: one SCAN beside the message that comes in. Slow means: it takes no
 * more bytes, or owes its answer, for longer than mx.spam_timeout. */
#ifndef SRC_MX_SCAN_CALL_H
#define SRC_MX_SCAN_CALL_H
#include "src/common/role.h"
#include "src/mx/spam.h"

struct mx_scan_call {
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
MUST_CHECK int mx_scan_call_init(struct mx_scan_call *c, struct role *role, struct smtp_session *s,
                                 int64_t timeout_ms, void (*go_on)(void *ctx), void *ctx);
void mx_scan_call_release(struct mx_scan_call *c);
/* Of the whole role: lists, and the classifier's file (mx_spam_open). E_RANGE: settings that make no sense. */
MUST_CHECK int mx_scan_open(struct mx_spam_all *all, const struct mx_conf *conf, int model);
/* Bytes that it takes now: SIZE_MAX when nothing is scanned. */
size_t mx_scan_call_room(struct mx_scan_call *c);
#endif
