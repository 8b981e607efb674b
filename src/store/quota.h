/* src/store/quota.h
 *
 * What counts against limits, counted where it is: each file's folders say what they hold, each row changed in the
 * transaction that changes what is in it, and their sums are what the mailbox uses, exact after any crash. The meta
 * row says how much it may hold (its lease, by the directory's word).
 *
 * Counted is what a client sees: every message in every folder with all its bytes, a copy like any other
 * message. What waits in a temporary mailbox counts there; on its way in its share of the lease goes
 * along, and is never refused: it was accepted.
 *
 * Knows no directory: src/store/lease.c asks for more and gives back. Functions marked (w) want a
 * transaction. */
#ifndef SRC_STORE_QUOTA_H
#define SRC_STORE_QUOTA_H
#include "src/store/mailbox.h"
#include "src/store/tempbox.h"

#define MAILBOX_MESSAGES_MAX 50000000u /* in all folders of a mailbox: MESSAGE of RFC 9208 */

struct quota_count {
    uint64_t used, leased, messages, folders;
    bool limited;  /* else leased says nothing */
    uint32_t step; /* per cent of a limit that was warned of */
};
MUST_CHECK int mailbox_quota_get(struct mailbox *box, struct quota_count *out);
/* (w) leased, limited, step. */
MUST_CHECK int mailbox_quota_set(struct mailbox *box, const struct quota_count *q);
/* (w) Mail that waited comes in: so many bytes of its file's lease are this file's from now on. */
MUST_CHECK int mailbox_quota_move_in(struct mailbox *box, uint64_t bytes);
/* May so much be added? 0; E_QUOTA: not under this lease (then mailbox_quota_short says what is wanted).
 * limited: is known to be, whatever the file says. */
MUST_CHECK int mailbox_quota_admit(struct mailbox *box, uint64_t bytes, uint64_t messages, bool limited);
/* The directory said so when somebody logged in: limited from here on, whatever the file says, until
 * mailbox_quota_set knows better. */
void mailbox_quota_hint(struct mailbox *box);
/* What the last E_QUOTA of this handle wanted beyond what is used; 0: no lease would help. */
uint64_t mailbox_quota_short(const struct mailbox *box);
/* Bytes of the messages of a folder that have \Deleted. */
MUST_CHECK int mailbox_quota_deleted(struct mailbox *box, uint64_t folder_id, uint64_t *out);

MUST_CHECK int tempbox_quota_get(struct tempbox *t, struct quota_count *out);
/* (w) leased, step. */
MUST_CHECK int tempbox_quota_set(struct tempbox *t, const struct quota_count *q);
#endif
