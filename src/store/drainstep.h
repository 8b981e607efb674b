/* src/store/drainstep.h
 *
 * A temporary mailbox on its way into the mailbox: the steps and their order, which is what makes every
 * message come in exactly once whenever the power goes. Knows no lane and no parser: drain.c calls it
 * from the lane, power-loss replays call it directly.
 *
 *   drain_begin    what came in before a crash is deleted
 *   drain_next     ... read, unsealed, parsed by the caller ...
 *   drain_write    into the mailbox, with "up to here", in one transaction
 *   drain_delete   out of the temporary mailbox, only now
 *   drain_finish   the emptied file goes, then the note about it */
#ifndef SRC_STORE_DRAINSTEP_H
#define SRC_STORE_DRAINSTEP_H
#include "src/store/tempbox.h"

struct drain_file {
    uint64_t generation, cursor; /* the last record seen */
    uint64_t kept;               /* how many stay: they could not be opened or stored */
};

struct drain_item {
    struct temp_record rec;
    struct email_in email; /* borrowed */
    struct arrival arrival;
    int status; /* of drain_write: 0, it is in (now or already); negative: it stays */
};

/* Nothing under way in either. Fills *f. */
MUST_CHECK int drain_begin(struct mailbox *box, struct tempbox *t, struct drain_file *f);
/* 1 and the next record; 0: none is left. */
MUST_CHECK int drain_next(struct tempbox *t, struct drain_file *f, struct temp_record *out);
/* All that can be stored, in one transaction that is synced when this gives 0. An item that is refused
 * has its status and counts as kept; E_IO, E_FULL, E_NOMEM, E_CORRUPT: nothing happened. */
MUST_CHECK int drain_write(struct mailbox *box, struct drain_file *f, struct drain_item *v, size_t n);
/* Those with status 0. */
MUST_CHECK int drain_delete(struct tempbox *t, const struct drain_item *v, size_t n);
/* After drain_next gave 0. *t is closed; the file stays when something was kept. */
MUST_CHECK int drain_finish(struct mailbox *box, struct tempbox **t, const struct drain_file *f);
#endif
