/* lib/limit/keytable.h
 *
 * What is remembered of strangers, in memory that is bounded from the start: key -> (until, value). Keys are
 * hashed under a random key of this process and not kept, so nobody can choose keys that fall together, and
 * nothing in memory says whose they were. When a place is wanted the entry goes whose `until` is nearest, so a
 * flood of new keys pushes out its like before it reaches what is remembered for long. Two keys may be taken for one
 * (64 bits): a wrong answer once in 2^40 questions, which what stands here must be able to bear. */
#ifndef LIB_LIMIT_KEYTABLE_H
#define LIB_LIMIT_KEYTABLE_H
#include "lib/base/str.h"

struct keytable; /* opaque */
struct keytable_entry {
    uint64_t tag; /* of the key; 0: free */
    int64_t until, value;
};

/* Room for `entries`, rounded up to a power of two; 24 bytes each. NULL when memory runs out. */
struct keytable *keytable_new(size_t entries);
void keytable_free(struct keytable **t);
/* The entry of `key` in the space `name`, or NULL: never noted, forgotten, or `until` is not after `now`. Good
 * until the next put. Units of time are the caller's. */
struct keytable_entry *keytable_find(struct keytable *t, const char *name, struct str key, int64_t now);
/* Note it, over what was there. */
void keytable_put(struct keytable *t, const char *name, struct str key, int64_t now, int64_t until,
                  int64_t value);
#endif
