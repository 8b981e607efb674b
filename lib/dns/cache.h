/* lib/dns/cache.h
 *
 * Replies by name and type until their time is over: "yes" and "no" alike, never longer (nothing stale is
 * ever given). Bounded in bytes: who was not asked for longest goes first. Strangers choose the names, so the
 * hash has a random key. One thread. Time is lib/base/clock's. */
#ifndef LIB_DNS_CACHE_H
#define LIB_DNS_CACHE_H
#include "lib/dns/message.h"

struct dns_cache; /* opaque */

struct dns_cache_counts {
    uint64_t hits, misses, evicted;
    size_t entries, bytes;
};

/* NULL when memory runs out. Below 64 KiB it keeps nothing. */
struct dns_cache *dns_cache_new(size_t bytes_max);
void dns_cache_free(struct dns_cache **c);
/* Keeps it for keep_s seconds, in place of what was there. Without memory, or for one that is larger than a
 * quarter of all: nothing is kept. */
void dns_cache_put(struct dns_cache *c, const struct dns_name *name, uint16_t type, const struct dns_reply *r,
                   uint32_t keep_s);

struct dns_cached {
    struct dns_reply reply; /* lifetimes are what is left of them */
    bool hot;               /* asked for several times, and nearly over: worth asking again; said once */
};
/* False: not there. Lives until the next call on the cache; the list of records in the arena. */
bool dns_cache_get(struct dns_cache *c, const struct dns_name *name, uint16_t type, struct arena *a,
                   struct dns_cached *out);
void dns_cache_clear(struct dns_cache *c);
struct dns_cache_counts dns_cache_counts(const struct dns_cache *c);
#endif
