/* src/mx/courier_leg.h
 *
 * The courier's side of one message: its bytes go to the courier's stage as they go to the store's, and then one message
 * of the queue is made for each alias that something leaves from. All of them, or an error: a repeat counts once there
 * (delivery ids). One at a time for a session; callbacks never come from inside a call. */
#ifndef SRC_MX_COURIER_LEG_H
#define SRC_MX_COURIER_LEG_H
#include "lib/rpc/rpc.h"
#include "src/common/smtp_session.h"

struct courier_leg_ops {
    void (*staged)(void *ctx, int status, uint64_t bytes);
    void (*has_room)(void *ctx);
    void (*queued)(void *ctx, int status, uint32_t duplicates);
};
/* Zeroed, with these set. */
struct courier_leg {
    struct rpc_link *link;
    const struct courier_leg_ops *ops;
    void *ctx;
    int64_t commit_ms;
    /* its own */
    struct rpc_call *stage, *call;
    struct smtp_session *s;
    uint8_t id[16];
    bool staged;
    uint32_t duplicates;
};

MUST_CHECK int courier_leg_stage(struct courier_leg *l, uint64_t bytes_expected, int64_t deadline_ms);
size_t courier_leg_room(const struct courier_leg *l); /* SIZE_MAX: no stage is open */
MUST_CHECK int courier_leg_send(struct courier_leg *l, struct str bytes);
void courier_leg_end(struct courier_leg *l);
/* s->m's forwards, after `staged` came with 0. Then `queued`. */
MUST_CHECK int courier_leg_queue(struct courier_leg *l, struct smtp_session *s);
/* Nothing is wanted any more. */
void courier_leg_cancel(struct courier_leg *l);
#endif
