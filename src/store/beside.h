/* src/store/beside.h
 *
 * Something done by a thread of a pool beside the one that asked, which waits for its end, or does it itself when the pool
 * had no time for it yet. So nobody ever waits for a thread that waits. */
#ifndef SRC_STORE_BESIDE_H
#define SRC_STORE_BESIDE_H
#include "lib/base/work.h"

struct beside; /* opaque */

/* NULL: nobody does it (no pool, no memory, a full queue). */
struct beside *beside_begin(struct work_pool *p, int (*run)(void *ctx), void *ctx);
/* It is done, here when nobody had begun it: what it returned. NULL accepted, and then it is run here. The pool's loop need not
 * run meanwhile, but must some time: it frees. */
int beside_end(struct beside **b, int (*run)(void *ctx), void *ctx);
#endif
