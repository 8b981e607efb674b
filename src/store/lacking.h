/* src/store/lacking.h
 *
 * Emails that an earlier version stored, and what they lack (sql/mailbox/0009_lacking.sql): sort keys and
 * preview. Content makes them from the message as if it came today; each email is one transaction, so what a
 * crash interrupts is done again. */
#ifndef SRC_STORE_LACKING_H
#define SRC_STORE_LACKING_H
#include "src/store/mailbox.h"

/* The next one, and the first max_bytes of its message, appended. 1; 0: none lacks anything. */
MUST_CHECK int lacking_next(struct mailbox *box, size_t max_bytes, int64_t *id_out, struct buf *message_out);
/* (w) What content said of it; NULL: it could not say anything, and will not. Nothing when it is done already, or
 * gone. */
MUST_CHECK int lacking_fill(struct mailbox *box, int64_t id, const struct email_in *e);
#endif
