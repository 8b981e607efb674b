/* lib/imap/notify_args.h
 *
 * The arguments of NOTIFY (RFC 5465 8). Grammar, and what may stand together; knows no mailbox that exists. */
#ifndef LIB_IMAP_NOTIFY_ARGS_H
#define LIB_IMAP_NOTIFY_ARGS_H
#include "lib/imap/mbox_filter.h"

#define NOTIFY_GROUPS_MAX 100u

enum notify_event {
    NOTIFY_NEW = BIT(0),
    NOTIFY_EXPUNGE = BIT(1), /* never without NEW */
    NOTIFY_FLAGS = BIT(2),   /* never without NEW and EXPUNGE */
    NOTIFY_NAME = BIT(3),
    NOTIFY_SUBSCRIPTION = BIT(4),
    NOTIFY_METADATA = BIT(5),
    NOTIFY_SERVER_METADATA = BIT(6),
};
#define NOTIFY_MESSAGES (NOTIFY_NEW | NOTIFY_EXPUNGE | NOTIFY_FLAGS)
/* The events that are supported, as BADEVENT lists them. */
#define NOTIFY_EVENT_NAMES                                                 \
    "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange " \
    "MailboxMetadataChange ServerMetadataChange"

struct notify_group {
    struct mbox_filter where;
    uint32_t events;
};
struct notify_args {
    bool status;                       /* tell the STATUS of all that are watched first */
    bool delayed;                      /* SELECTED-DELAYED */
    uint32_t selected;                 /* events of the selected mailbox */
    struct str fetch;                  /* "(UID FLAGS)": what is told of new messages there; empty: nothing */
    const struct notify_group *groups; /* of the others; NONE, and what has no events, is left out */
    size_t n;
};

/* Behind the name of the command, to its end; everything in the arena but `fetch`, a slice of the command. "NONE" gives
 * no groups. E_SYNTAX; E_UNSUPPORTED: an event that is not known; E_LIMIT, E_NOMEM. */
MUST_CHECK int notify_args_parse(struct args *a, struct notify_args *out);
#endif
