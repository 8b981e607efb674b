/* lib/imap/esearch_args.h
 *
 * Where ESEARCH searches (RFC 7377 4): "IN (mailboxes a subtree (b c)) ". What is searched for is lib/imap/search_keys.h. */
#ifndef LIB_IMAP_ESEARCH_ARGS_H
#define LIB_IMAP_ESEARCH_ARGS_H
#include "lib/imap/mbox_filter.h"

#define ESEARCH_SOURCES_MAX 100u

struct esearch_sources {
    bool selected;                    /* the selected mailbox: named, or nothing was named */
    const struct mbox_filter *others; /* without it */
    size_t n;
};

/* "IN (…) " when it is there, with the space behind it. Scope options, of which none is defined, are E_SYNTAX. E_LIMIT,
 * E_NOMEM. */
MUST_CHECK int esearch_sources_parse(struct args *a, struct esearch_sources *out);
/* Is a mailbox of that name one of the others? */
bool esearch_sources_match(const struct esearch_sources *s, struct str name, bool subscribed);
#endif
