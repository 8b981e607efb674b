/* lib/rpc/rpc.h
 *
 * Requests between roles: frames of proto/rpc.proto as binary WebSocket messages over a stream
 * socket that both ends were given by the supervisor (inside one machine the HTTP upgrade is left out:
 * the pair was made for nothing else). Requests have ids, operation ids and deadlines; bodies stream in
 * DATA frames of at most 64 KiB under a credit window, both ways; the server pushes events.
 *
 * One thread: the loop's. Bytes handed to callbacks are borrowed for the call. */
#ifndef LIB_RPC_RPC_H
#define LIB_RPC_RPC_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/event/loop.h"
#include "lib/rpc/pb.h"

#define RPC_VERSION       1u
#define RPC_DATA_MAX      KIB(64)  /* of one DATA frame */
#define RPC_WINDOW        KIB(256) /* credit a stream starts with, each way */
#define RPC_BODY_MAX      MIB(2)   /* of a request's or response's message */
#define RPC_OPERATION_LEN 16u
#define RPC_DETAIL_MAX    200u

/* Numbers are part of the contract (HELLO, permission tables). */
enum role_id {
    ROLE_NONE,
    ROLE_SUPERVISOR,
    ROLE_STORE,
    ROLE_CONTENT,
    ROLE_DIRECTORY,
    ROLE_IMAP,
    ROLE_MX,
    ROLE_CTL,
    ROLE_POP3,
    ROLE_SUBMISSION,
    ROLE_RESOLVER,
    ROLE_COURIER,
    ROLE_RELAY,
    ROLE_WEB,
    ROLE_JOBS,
    ROLE_MONITOR,
    ROLE_STORAGE,
    ROLE_FILTER,
    ROLE_COUNT
};
#define FROM(role) BIT(ROLE_##role)
const char *role_name(enum role_id r); /* "imap" */

/* Unpack a protobuf message from untrusted bytes into an arena: NULL when it is not well-formed or
 * the arena's max is passed. The result dies with the arena; do not free it. */
void *rpc_unpack(const ProtobufCMessageDescriptor *d, struct arena *a, struct str bytes);
#define RPC_UNPACK(a, bytes, prefix) rpc_unpack(&prefix##__descriptor, (a), (bytes))

/* ---- serving ---------------------------------------------------------------------------------- */

struct rpc_server; /* a role's service: its table and its peers */
struct rpc_peer;   /* one connection of a client role */
struct rpc_req;    /* one request being answered */

struct rpc_op {
    /* Starts the work. The request lives until rpc_reply; `body` is borrowed for this call only.
     * What it returns when negative is replied at once (0: the reply comes later, or came). */
    int (*run)(struct rpc_req *q, struct str body);
    uint32_t from; /* roles that may ask: checked before the body is looked at */
    uint32_t flags;
    /* Checked before run, when not NULL: e.g. the session belongs to this peer. E_DENIED drops the peer. */
    int (*guard)(struct rpc_req *q, struct str body);
};
#define RPC_UP   BIT(0) /* DATA comes with the request */
#define RPC_DOWN BIT(1) /* DATA goes back */

struct rpc_service {
    const char *name;
    const struct rpc_op *ops; /* indexed by op number */
    uint32_t nops;
    void (*peer_up)(void *ctx, struct rpc_peer *p);   /* may be NULL */
    void (*peer_gone)(void *ctx, struct rpc_peer *p); /* its requests were cancelled already; may be NULL */
};

struct rpc_server *rpc_server_new(struct loop *l, const struct rpc_service *s, void *ctx);
void rpc_server_free(struct rpc_server **s);
/* Serve a client on fd (taken over). The role is what the supervisor said, never what the client says. */
MUST_CHECK int rpc_server_add(struct rpc_server *s, int fd, enum role_id role, uint32_t instance);

enum role_id rpc_peer_role(const struct rpc_peer *p);
uint32_t rpc_peer_instance(const struct rpc_peer *p);
void *rpc_peer_data(const struct rpc_peer *p); /* the service's own, e.g. its sessions */
void rpc_peer_set_data(struct rpc_peer *p, void *data);
/* Push an event. E_LIMIT when the peer does not read (then it is dropped and must resync). */
MUST_CHECK int rpc_push(struct rpc_peer *p, uint32_t event, const ProtobufCMessage *body);
void rpc_peer_drop(struct rpc_peer *p, const char *why);

struct rpc_peer *rpc_req_peer(const struct rpc_req *q);
void *rpc_req_ctx(const struct rpc_req *q); /* the server's ctx */
uint32_t rpc_req_op(const struct rpc_req *q);
/* 16 bytes, or empty. */
struct str rpc_req_operation(const struct rpc_req *q);
/* Milliseconds left of the caller's patience, INT64_MAX when it set none. */
int64_t rpc_req_left_ms(const struct rpc_req *q);
struct arena *rpc_req_arena(struct rpc_req *q); /* dies with the request; max 4 MiB */
/* The caller cancelled or its connection is gone; called at most once, instead of nothing: the
 * request must still be replied (the reply goes nowhere). Set before run returns. */
void rpc_req_on_cancel(struct rpc_req *q, void (*fn)(void *ctx), void *ctx);
bool rpc_req_cancelled(const struct rpc_req *q);
/* RPC_UP: called for every DATA (end set on the last, whose data may be empty). Credit is given back
 * with rpc_req_consumed, so a slow worker slows the sender. Set before run returns. */
void rpc_req_on_data(struct rpc_req *q, void (*fn)(void *ctx, struct str data, bool end), void *ctx);
void rpc_req_consumed(struct rpc_req *q, size_t n);
/* RPC_DOWN: send bytes (cut into frames as needed). What is beyond the credit window waits in memory,
 * so write only while rpc_req_room() > 0, and go on in on_room. */
MUST_CHECK int rpc_req_send(struct rpc_req *q, struct str data);
size_t rpc_req_room(const struct rpc_req *q);
void rpc_req_on_room(struct rpc_req *q, void (*fn)(void *ctx), void *ctx);
/* Answer and end. body may be NULL; detail may be NULL (operator's text). Frees q. */
void rpc_reply(struct rpc_req *q, int status, const ProtobufCMessage *body, const char *detail);
/* The same with a message that is packed already. */
void rpc_reply_packed(struct rpc_req *q, int status, struct str body);

/* ---- asking ----------------------------------------------------------------------------------- */

/* A link is a client role's way to a serving role. It outlives connections: when the server dies, the
 * supervisor hands both a new pair, the link says HELLO, tells its owner (on_up), and repeats requests
 * that were not answered, with the same operation id, until their deadline. */
struct rpc_link;
struct rpc_call; /* one request waiting for its answer */

struct rpc_link_ops {
    /* A (new) connection is there. Requests made from here with RPC_URGENT go out at once; all
     * others wait until rpc_link_ready. NULL: ready at once. */
    void (*on_up)(void *ctx, struct rpc_link *l);
    void (*on_down)(void *ctx, struct rpc_link *l);
    void (*on_event)(void *ctx, struct rpc_link *l, uint32_t event, struct str body);
    /* Nobody makes another connection: when the one there is ends, greeted or not, all that waits is told E_CLOSED. */
    bool once;
};

struct rpc_link *rpc_link_new(struct loop *l, enum role_id server, const struct rpc_link_ops *ops, void *ctx);
/* Every call that waits is told E_CLOSED now. Not from inside a callback of this link. */
void rpc_link_free(struct rpc_link **l);
void rpc_link_ready(struct rpc_link *l);
bool rpc_link_is_up(const struct rpc_link *l);
/* A new connection (fd taken over); replaces a former one. Called by the role's bootstrap. */
MUST_CHECK int rpc_link_connect(struct rpc_link *l, int fd);
size_t rpc_link_pending(const struct rpc_link *l); /* requests not answered: for choosing among several */

#define RPC_URGENT    BIT(0) /* goes out before rpc_link_ready (re-attach) */
#define RPC_NO_REPEAT BIT(1) /* when the connection is lost: fail with E_CLOSED at once (streams do anyway) */

struct rpc_ask {
    uint32_t op;
    const ProtobufCMessage *body; /* packed before rpc_ask returns */
    uint32_t flags;
    int64_t deadline_ms; /* from now, required; then done(E_TIMEOUT) */
    bool upload;         /* DATA follows: rpc_call_send, rpc_call_end; never repeated */
    bool download;       /* on_data gets DATA; never repeated once a byte came */
    bool changes;        /* carries a fresh operation id */
    void (*done)(void *ctx, int status, struct str body); /* exactly once, never from inside rpc_link_ask */
    void (*on_data)(void *ctx, struct str data);          /* then rpc_call_consumed gives credit back */
    void (*on_room)(void *ctx);                           /* room for upload again */
    void *ctx;
};

/* NULL only when memory runs out or the link is being freed (done is not called). The call belongs to the link and is gone when
 * done returns. */
struct rpc_call *rpc_link_ask(struct rpc_link *l, const struct rpc_ask *ask);
/* Beyond the window it waits in memory. E_LIMIT when too much would wait: nothing was taken. */
MUST_CHECK int rpc_call_send(struct rpc_call *c, struct str data);
size_t rpc_call_room(const struct rpc_call *c);
void rpc_call_end(struct rpc_call *c); /* upload complete */
/* From now on so long at most; a deadline that is nearer stays. For uploads: what is slow before their end
 * is whoever sends, behind it whoever answers. */
void rpc_call_hurry(struct rpc_call *c, int64_t ms);
void rpc_call_consumed(struct rpc_call *c, size_t n);
/* The answer is no longer wanted: done is not called. Inside the call's own done: does nothing. */
void rpc_call_cancel(struct rpc_call *c);
#endif
