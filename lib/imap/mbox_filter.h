/* lib/imap/mbox_filter.h
 *
 * Which mailboxes NOTIFY (RFC 5465 6) and ESEARCH (RFC 7377 2.2) mean: "personal", "subtree (a b)". Grammar and
 * comparison only: knows no mailbox that exists. */
#ifndef LIB_IMAP_MBOX_FILTER_H
#define LIB_IMAP_MBOX_FILTER_H
#include "lib/imap/args.h"

#define MBOX_FILTER_NAMES_MAX 1000u

enum mbox_filter_kind {
    MBOX_SELECTED,
    MBOX_SELECTED_DELAYED, /* RFC 5465 6.1.2 */
    MBOX_INBOXES,
    MBOX_PERSONAL,
    MBOX_SUBSCRIBED,
    MBOX_SUBTREE,
    MBOX_SUBTREE_ONE, /* RFC 7377 2.2: the mailbox and its children, no deeper */
    MBOX_MAILBOXES,
};

struct mbox_filter {
    enum mbox_filter_kind kind;
    const struct str *names; /* of the last three; those that no mailbox can have are left out */
    size_t n;
};

/* Of those whose bit (BIT(kind)) is in `kinds`. Names are in the arena. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int mbox_filter_parse(struct args *a, uint32_t kinds, struct mbox_filter *out);
/* Is a mailbox of that name meant? What is selected is for the caller to know: never here. INBOXES is INBOX, where
 * deliveries go. */
bool mbox_filter_match(const struct mbox_filter *f, struct str name, bool subscribed);
#endif
