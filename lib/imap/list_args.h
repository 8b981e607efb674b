/* lib/imap/list_args.h
 *
 * The arguments of LIST, plain and extended (RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154). Grammar only:
 * knows no mailbox that exists. */
#ifndef LIB_IMAP_LIST_ARGS_H
#define LIB_IMAP_LIST_ARGS_H
#include "lib/imap/args.h"

#define LIST_PATTERNS_MAX 64u

enum list_select {
    LIST_SUBSCRIBED = BIT(0),
    LIST_SPECIAL_USE = BIT(1), /* RFC 6154 2 */
    LIST_REMOTE = BIT(2),      /* nothing here is remote */
    LIST_RECURSIVEMATCH = BIT(3),
};
enum list_return {
    LIST_RETURN_SUBSCRIBED = BIT(0),
    LIST_RETURN_CHILDREN = BIT(1),
    LIST_RETURN_SPECIAL_USE = BIT(2),
    LIST_RETURN_STATUS = BIT(3),   /* RFC 5819 2 */
    LIST_RETURN_METADATA = BIT(4), /* RFC 9590 3 */
};

struct list_args {
    const struct str *patterns; /* the reference is a prefix of each (RFC 9051 6.3.9.1 leaves it to us) */
    size_t npatterns;
    uint32_t select, returns;  /* bits */
    uint32_t status;           /* bits of enum status_item */
    const struct str *entries; /* METADATA */
    size_t nentries;
    bool extended;  /* the client knows what RFC 5258 adds to the response */
    bool separator; /* LIST "" "": only the separator is asked for (RFC 9051 6.3.9) */
};

/* From the space behind LIST to the end of the command; strings in the arena. E_SYNTAX, also for options that
 * are not known (RFC 5258 3) and for RECURSIVEMATCH without anything to match; E_RANGE: a pattern that no name
 * can match; E_LIMIT, E_NOMEM. */
MUST_CHECK int list_args_parse(struct args *a, struct list_args *out);
#endif
