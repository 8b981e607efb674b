/* src/mx/side_call.h
 *
 * A message's bytes on their way to one more role beside the store: an upload that the message does not depend on. Slow
 * means: it takes no more bytes, or owes its answer, for longer than it has; then it is given up. */
#ifndef SRC_MX_SIDE_CALL_H
#define SRC_MX_SIDE_CALL_H
#include "src/common/role.h"

struct smtp_session;
/* status < 0: there is no answer. */
typedef void mx_side_answered(struct smtp_session *s, int status, struct str body);

/* The owner's are the first lines; `answered` comes once for each question that is not cancelled. */
struct mx_side_call {
    struct smtp_session *session;
    struct role *role;
    int64_t timeout_ms;
    mx_side_answered *answered;
    void (*go_on)(void *ctx); /* the session may take input again */
    void *ctx;
    struct rpc_call *call;
    struct timer timer; /* runs while no byte is taken */
    bool waits;
};

/* E_NOMEM. release: before the session's. */
MUST_CHECK int mx_side_call_init(struct mx_side_call *c);
void mx_side_call_release(struct mx_side_call *c);
/* E_UNAVAIL: that role is not there now. E_NOMEM. */
MUST_CHECK int mx_side_call_ask(struct mx_side_call *c, enum role_id to, uint32_t op,
                                const ProtobufCMessage *m);
MUST_CHECK int mx_side_call_send(struct mx_side_call *c, struct str bytes);
void mx_side_call_end(struct mx_side_call *c);
void mx_side_call_cancel(struct mx_side_call *c);
/* Bytes that it takes now: SIZE_MAX when nothing is asked. */
size_t mx_side_call_room(struct mx_side_call *c);
#endif
