/* lib/rpc/chan.h (private to lib/rpc)
 *
 * Frames over one connection: what servers and links share. */
#ifndef LIB_RPC_CHAN_H
#define LIB_RPC_CHAN_H
#include "lib/event/conn.h"
#include "lib/rpc/rpc.h"
#include "proto/rpc.pb-c.h"

struct chan;

struct chan_ops {
    /* One whole frame; borrowed. Negative ends the channel. */
    int (*on_frame)(void *ctx, const Rpc__Frame *f);
    void (*on_drain)(void *ctx);
    /* The channel is gone and frees itself after this. */
    void (*on_close)(void *ctx, int why);
};

/* Takes fd over; says HELLO at once. */
struct chan *chan_new(struct loop *l, int fd, const struct chan_ops *ops, void *ctx);
MUST_CHECK int chan_send(struct chan *c, const Rpc__Frame *f);
/* Bytes that the socket has not taken yet. */
size_t chan_pending(const struct chan *c);
/* on_close follows later, from the loop; no frame comes before it. */
void chan_end(struct chan *c, int why);
/* No callback from now on; the connection closes by itself. */
void chan_forget(struct chan *c);

/* The sending half of a stream: credit, and what waits for it. */
struct outflow {
    struct buf wait; /* bytes beyond the credit */
    size_t credit;
    bool end, end_sent;
};
/* Send or keep. E_LIMIT when more than RPC_WINDOW and one frame would wait: nothing was taken then. */
MUST_CHECK int outflow_send(struct outflow *o, struct chan *c, uint64_t id, struct str data);
/* Send what credit allows, and the end when it is due. */
MUST_CHECK int outflow_go_on(struct outflow *o, struct chan *c, uint64_t id);
size_t outflow_room(const struct outflow *o, const struct chan *c);

/* The receiving half: what we allowed and what came. */
struct inflow {
    size_t allowed, owed; /* bytes the sender may still send; consumed and not yet given back */
    bool ended;
};
/* E_LIMIT when the sender ignores its credit. */
MUST_CHECK int inflow_take(struct inflow *in, size_t n, bool end);
/* Give credit back when enough has gathered. */
MUST_CHECK int inflow_consumed(struct inflow *in, struct chan *c, uint64_t id, size_t n);
#endif
