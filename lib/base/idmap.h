/* lib/base/idmap.h
 *
 * A map from 64-bit ids to pointers: open addressing, grows, forgets nothing. Ids are ours (counters),
 * never chosen by a peer, so the hash needs no key. Id 0 is not used. */
#ifndef LIB_BASE_IDMAP_H
#define LIB_BASE_IDMAP_H
#include "lib/base/base.h"

struct idmap_slot {
    uint64_t id; /* 0: free */
    void *value;
};
struct idmap {
    struct idmap_slot *slots;
    size_t n, cap; /* cap is a power of two, or 0 */
};

void *idmap_get(const struct idmap *m, uint64_t id);
/* Adds or replaces. 0 or E_NOMEM. */
MUST_CHECK int idmap_put(struct idmap *m, uint64_t id, void *value);
/* Takes it out and returns it; NULL when it is not there. */
void *idmap_take(struct idmap *m, uint64_t id);
/* Any entry, for emptying: NULL when empty. */
void *idmap_any(const struct idmap *m, uint64_t *id_out);
/* All ids in an array for free(), *n_out of them; NULL when empty or out of memory. For walking while
 * callbacks change the map: look each id up again. */
uint64_t *idmap_ids(const struct idmap *m, size_t *n_out);
void idmap_release(struct idmap *m);
#endif
