/* src/store/drop.h
 *
 * What is deleted is overwritten, and that goes through the -wal: all of many large messages at once would not fit
 * it. So a removed message is gone with the commit that removes it, with everything that says it was there; the rows
 * that hold large bytes stand in `dropping` from that commit on, and go behind it, a slice in a transaction. A crash
 * in between forgets none. */
#ifndef SRC_STORE_DROP_H
#define SRC_STORE_DROP_H
#include "src/store/mailbox.h"

#define DROP_NOW_BYTES KIB(256) /* what is larger goes behind the commit */

/* Of a message as it was: at once, or behind? */
bool drop_is_large(struct mailbox *box, uint64_t bytes);
/* (w) The rows of this email, or part, which is not there any more. */
MUST_CHECK int drop_later(struct mailbox *box, bool part, int64_t id);
/* (w) A slice of what waits. 1: there is more; 0: nothing is left. */
MUST_CHECK int mailbox_drop_some(struct mailbox *box);
/* 1: something waits; 0. */
MUST_CHECK int mailbox_drop_waiting(struct mailbox *box);
#endif
