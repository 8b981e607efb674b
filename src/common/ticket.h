/* src/common/ticket.h
 *
 * A session belongs to the store and is a front's by its ticket. When the store begins anew, every session is
 * attached again before any request that waited goes out (doc/contract.md). Knows REATTACH; what a front does
 * with a session, and what its client is told, is the front's. Never blocks. */
#ifndef SRC_COMMON_TICKET_H
#define SRC_COMMON_TICKET_H
#include "lib/base/buf.h"
#include "lib/base/idmap.h"
#include "lib/rpc/rpc.h"
#include "proto/store.pb-c.h"

#define TICKET_SESSION_SIZE 16u
#define TICKET_MAX          KIB(4)

/* In the front's connection, zeroed; text.max is TICKET_MAX. */
struct ticket {
    char session[TICKET_SESSION_SIZE]; /* random */
    bool is_held;                      /* the session is ours, as long as the text is good */
    struct buf text;
};

struct ticket_book {
    struct idmap held; /* by the beginning of the session's id */
    size_t returning;  /* answers that the waiting requests wait for */
    int64_t patience_ms;
    /* One is attached again under a new id (status 0), or not: E_CLOSED when the store died again, else why.
     * t is NULL when its connection has gone meanwhile; `session` is the id then, the new one where there is
     * one. true: that was all; false: more must be asked first, ticket_returned() follows. */
    bool (*on_return)(struct ticket_book *b, struct ticket *t, struct str session, int status,
                      bool is_awaited, struct rpc_link *l);
};

/* The session and ticket of an ATTACH or REATTACH. 0, E_CORRUPT, E_NOMEM, E_LIMIT. */
MUST_CHECK int ticket_take(struct ticket_book *b, struct ticket *t, const Store__AttachResponse *m);
/* No longer ours; the id stays readable. Idempotent. */
void ticket_forget(struct ticket_book *b, struct ticket *t);
/* The holder of a session; NULL. */
struct ticket *ticket_find(const struct ticket_book *b, struct str session);
/* The mailbox has another data key and the old ticket opens nothing any more (SESSION_RENEWED). Without memory
 * for the new one the session ends when the store restarts. */
void ticket_renew(struct ticket_book *b, struct str body);
/* Ask for the session again; on_return tells. is_awaited: requests that wait go out after it. 0, E_NOMEM. */
MUST_CHECK int ticket_return(struct ticket_book *b, struct ticket *t, struct rpc_link *l, bool is_awaited);
/* An awaited return, with all that belongs to it, is over. */
void ticket_returned(struct ticket_book *b, struct rpc_link *l);
/* As the store names it; borrowed. */
static inline ProtobufCBinaryData ticket_session(struct ticket *t)
{
    return str_pb(str_of(t->session, sizeof t->session));
}
#endif
