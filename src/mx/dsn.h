/* src/mx/dsn.h
 *
 * NOTIFY=SUCCESS at the mx (RFC 3461 5.2.3, 5.2.7): who hears that his message arrived, and of which recipients. One mailbox:
 * "delivered". A webhook alone: "relayed". Several, of whatever kind: "expanded". One address elsewhere: the courier says
 * "relayed" when the next server has it; where it went is told to nobody. Notes what RCPT said and the header block; the
 * courier writes the report (src/courier/report.h), and knows one that is asked for again. */
#ifndef SRC_MX_DSN_H
#define SRC_MX_DSN_H
#include "src/common/smtp_session.h"

#define MX_DSN_ONCE 16u

struct mx_resolved;
struct mx_dsn;
/* A recipient is taken. *notify_out: what those get that it leads to elsewhere. E_NOMEM. */
MUST_CHECK int mx_dsn_take(struct smtp_session *s, const struct mx_resolved *r, uint32_t *notify_out);
bool mx_dsn_wanted(const struct smtp_session *s);
void mx_dsn_feed(struct smtp_session *s, struct str in);
void mx_dsn_forget(struct smtp_session *s);

/* Why nobody is answered who claims to have sent this: spam, or forged; NULL: none. */
const char *mx_dsn_unwanted(const struct smtp_session *s);
/* The message is taken, and its checks are done: when it is unwanted, or its sender was told too often, SUCCESS goes from
 * the session's recipients and from what is sent on. */
void mx_dsn_settle(struct smtp_session *s);

/* The request about a message that was delivered, in the arena; borrows from the session. 1; 0: nobody hears of it; E_NOMEM. */
struct Courier__ArrivalRequest;
MUST_CHECK int mx_dsn_request(struct smtp_session *s, struct arena *a, struct Courier__ArrivalRequest *out);

/* dsn_call.c: it goes to the courier, and outlives the session. done once, later, with its answer, unless it was left
 * alone. 1: under way; 0: nobody hears of it; E_NOMEM. */
struct rpc_link;
struct mx_dsn_call; /* opaque */
typedef void mx_dsn_fn(void *ctx, int status);
MUST_CHECK int mx_dsn_send(struct smtp_session *s, struct rpc_link *courier, int64_t deadline_ms,
                           mx_dsn_fn *done, void *ctx, struct mx_dsn_call **out);
void mx_dsn_leave(struct mx_dsn_call **c);
#endif
