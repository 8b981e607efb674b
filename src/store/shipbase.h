/* src/store/shipbase.h
 *
 * Bases and what is kept: page copies of mailboxes in the target, packs sorted out by mailbox, and what goes by age.
 * Worker threads only; one call at a time of each. */
#ifndef SRC_STORE_SHIPBASE_H
#define SRC_STORE_SHIPBASE_H
#include "src/store/shipback.h"

/* A copy of the mailbox file, page by page, as it lies there. Whoever calls has emptied its -wal, if he could, and holds
 * checkpoints, or the file is closed: what of the -wal goes into the file meanwhile makes no difference, as all of that -wal is
 * replayed on it, but when the -wal begins anew the copy is worth nothing and is made again. 1: taken; 0: it began anew each
 * time, or the chain is gone: later. E_FULL, E_*. */
MUST_CHECK int ship_base_take(struct ship *s, struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN],
                              const bool *stop, uint64_t *bytes_out);

/* Shared packs that are in the target are sorted out into packs of one mailbox each, and go. What belongs to a mailbox
 * that ship_purged was told of goes with them. How many packs. E_CORRUPT: one of them is missing or was changed; those
 * before it were sorted out. */
MUST_CHECK int ship_repack(struct ship *s, struct target *t, const bool *stop);
/* Bases and packs that nobody needs to reach any moment since `since_ms` go. How many objects. */
MUST_CHECK int ship_retain(struct ship *s, struct target *t, int64_t since_ms, const bool *stop);
/* The mailbox is being removed: all that is its own in the target goes now, and what is in shared packs with the next
 * ship_repack, which this note survives. */
MUST_CHECK int ship_purge(struct ship *s, struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN],
                          target_told *told, void *ctx);
/* Our logs are known by a list in the data folder: this one is in it from now on. Before anything is sent. */
MUST_CHECK int ship_log_note(struct ship *s);
/* Uploads of shared packs that were cut off are called off; by whoever sends them, and not while he does. */
MUST_CHECK int ship_sweep(struct ship *s, struct target *t);
/* When ship_repack last came to its end; 0: never. */
int64_t ship_repacked_ms(struct ship *s);
#endif
