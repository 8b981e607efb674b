/* src/store/shipmemory.h
 *
 * Indexes of shared packs that were read a moment ago. Who brings back every mailbox of a lost machine would read each of them
 * once a mailbox. A pack of a name never is another one, so its index may be remembered; which packs there are is
 * looked up each time, and segments are checked whenever they are read. Any worker thread. */
#ifndef SRC_STORE_SHIPMEMORY_H
#define SRC_STORE_SHIPMEMORY_H
#include "src/store/shipback.h"

#define SHIP_MEMORY_MAX MIB(128)    /* beyond, indexes are read as ever */
#define SHIP_MEMORY_MS  (60 * 1000) /* unused for so long, all of it goes */

/* As ship_index_read. */
MUST_CHECK int ship_memory_index(struct target *t, const uint8_t *key, const char *name,
                                 ship_entry_take *take, void *ctx, struct ship_pack *out);
void ship_memory_forget(void);
/* How many were not read since they were remembered: for tests. */
uint64_t ship_memory_hits(void);
#endif
