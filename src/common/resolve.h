/* src/common/resolve.h
 *
 * How a role looks something up: a question to the resolver, over the link that its `asks` names
 * (FROM(RESOLVER), role_link(r, ROLE_RESOLVER)), and an answer on the loop, later. Never blocks. Where the
 * resolver is dead or says nothing the answer is DNS_TIMEOUT or DNS_SERVFAIL: "try later". */
#ifndef SRC_COMMON_RESOLVE_H
#define SRC_COMMON_RESOLVE_H
#include "lib/dns/dns.h"
#include "lib/rpc/rpc.h"

struct resolve; /* one question under way */
/* The answer, and all in it, is good for the call. */
typedef void resolve_fn(void *ctx, const struct dns_answer *a);

/* `done` is called exactly once, within wait_ms, never from inside this call. The question is copied. A type
 * without a row in dns_type is DNS_SERVFAIL. NULL when memory runs out: `done` is not called. */
struct resolve *resolve_ask(struct rpc_link *l, const struct dns_question *q, int64_t wait_ms,
                            resolve_fn *done, void *ctx);
/* `done` is not called. Not from inside it. Sets *r to NULL; NULL is accepted. */
void resolve_cancel(struct resolve **r);
/* For who has the response in hand (the command line). E_CORRUPT, E_NOMEM. */
MUST_CHECK int resolve_unpack(struct arena *a, struct str body, uint16_t type, struct dns_answer *out);
#endif
