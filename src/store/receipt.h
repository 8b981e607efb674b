/* src/store/receipt.h
 *
 * What a purge removed and where, complete whenever it was cut off: all that is to go is written down before anything goes
 * (`purges/<hash>` in the data folder, named by a hash of the mailbox's id), so that the request that ends it can say what
 * those before it removed. Kept until the mailbox is forgotten and 30 days more (receipts_remove_old): the answer may have been lost. A
 * worker's; one purge of a mailbox at a time. */
#ifndef SRC_STORE_RECEIPT_H
#define SRC_STORE_RECEIPT_H
#include "src/store/files.h"

struct receipt; /* opaque */
struct receipt_line {
    struct receipt_line *next;
    const char *where, *name;
    uint64_t bytes;
    bool gone;    /* told so; else it was written down before, and is not there any more */
    bool earlier; /* by a purge before this one */
};

/* With what an earlier purge of this mailbox wrote down. */
MUST_CHECK int receipt_open(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                            struct receipt **out);
void receipt_free(struct receipt **r);
/* This is to go. */
void receipt_plan(struct receipt *r, const char *where, const char *name, uint64_t bytes);
/* All that was planned is written, durably. E_LIMIT, E_FULL, E_IO: then nothing may go. */
MUST_CHECK int receipt_settle(struct receipt *r);
/* This is gone: `name`, or a version of what was planned ("name version v1"). */
void receipt_told(struct receipt *r, const char *where, const char *name, uint64_t bytes);
/* What earlier purges removed, then all in the order in which it went, then what went by itself. n_out of them. */
const struct receipt_line *receipt_lines(struct receipt *r, size_t *n_out);
/* How many went. */
MUST_CHECK int receipts_remove_old(const struct files *f, int64_t now_ms);
#endif
