/* lib/limit/limit.h
 *
 * How much of something a key (a network, a domain) may have in a time: token buckets. A rule allows `count` at once,
 * and what was taken comes back evenly over `per_ms`. All state is one bounded table in memory (keytable.h); a full
 * bucket costs nothing, so only who is busy takes a place.
 *
 * This is all that roles know of limits. Whatever shares them between machines later stands behind these three
 * functions: it answers from the table at once and exchanges what was taken behind the callers' backs, so nobody ever
 * waits for a network here, and a store that is down makes limits local again and stops no mail. */
#ifndef LIB_LIMIT_LIMIT_H
#define LIB_LIMIT_LIMIT_H
#include "lib/base/str.h"

struct limits; /* opaque; for one thread */
struct limit_rule {
    const char *name; /* keys of different names are different keys */
    uint64_t count;   /* 0: no limit */
    int64_t per_ms;
};

/* Memory for so many busy keys; 24 bytes each. NULL when it runs out. */
struct limits *limits_new(size_t keys);
void limits_free(struct limits **l);
/* Take `n` for `key`. 0; E_LIMIT: nothing was taken, and *wait_ms_out (may be NULL) is when it would go. */
MUST_CHECK int limit_take(struct limits *l, const struct limit_rule *r, struct str key, uint64_t n,
                          int64_t *wait_ms_out);
#endif
