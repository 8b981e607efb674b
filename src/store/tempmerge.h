/* src/store/tempmerge.h
 *
 * A temporary mailbox as it was once, while the same one still is in use: what was drained from it since comes back into it.
 * Synchronous; nobody may have either open. */
#ifndef SRC_STORE_TEMPMERGE_H
#define SRC_STORE_TEMPMERGE_H
#include "src/store/tempbox.h"

/* Records of the file `from` (in the data folder) that `generation` has not are added to it, in one transaction, and
 * `from` is removed. 1; 0: there is no such live one, and nothing was done. */
MUST_CHECK int tempbox_merge(const struct files *f, const uint8_t id[MAILBOX_ID_LEN],
                             const struct tempbox_keys *k, uint64_t generation, const char *from);
#endif
