/* src/common/courier_send.h
 *
 * "courier_send": a text that the service wrote itself (a report, an automatic reply, an event) becomes one entry of the
 * courier's queue: staged, queued, durable. A courier that dies meanwhile is brought it again, a few times: the queue takes
 * the same delivery id, or the same `once`, only once. Knows the courier, not what is sent. Never blocks. */
#ifndef SRC_COMMON_COURIER_SEND_H
#define SRC_COMMON_COURIER_SEND_H
#include "lib/base/buf.h"
#include "lib/rpc/rpc.h"

#define COURIER_SEND_ID   32u
#define COURIER_SEND_ONCE 16u

struct courier_send {
    struct str to;              /* an address; of a webhook: its URL */
    struct str signer;          /* domain whose keys sign; may be empty */
    struct str alias;           /* of ours, on whose behalf; may be empty */
    bool webhook;               /* posted, not mailed: the text is the event's JSON, without its beginning */
    bool never_notify;          /* no report of its own fate (RFC 3461 4.1, NEVER) */
    bool smtputf8;              /* an address in it is not ASCII (RFC 6531) */
    const uint8_t *delivery_id; /* COURIER_SEND_ID bytes: the same delivery, the same id; NULL: one is made */
    const uint8_t *once; /* COURIER_SEND_ONCE bytes: nothing with the same ones for once_days; NULL: none */
    uint32_t once_days;
    int64_t ask_ms; /* how long each of the two questions may take */
};

/* 0: it is in the queue, or was before. Else the courier's answer. */
typedef void courier_send_fn(void *ctx, int status);

/* `text`, the envelope sender being null, moves here: it is released in any case. done is called once, later, unless this
 * fails: E_NOMEM. Strings and bytes of `q` are copied; the link must live as long as the role. */
MUST_CHECK int courier_send(struct rpc_link *courier, const struct courier_send *q, struct buf *text,
                            courier_send_fn *done, void *ctx);
#endif
