/* lib/imap/metadata_args.h
 *
 * The arguments of GETMETADATA and SETMETADATA (RFC 5464 4.2, 4.3, 5). Grammar only: knows no annotation that
 * exists. */
#ifndef LIB_IMAP_METADATA_ARGS_H
#define LIB_IMAP_METADATA_ARGS_H
#include "lib/imap/args.h"

#define METADATA_ENTRIES_AT_ONCE 200u
#define METADATA_ENTRY_MAX       255u

struct metadata_item {
    struct str entry, value; /* value.p NULL: NIL */
};
struct metadata_args {
    struct str mailbox; /* empty: the server */
    uint32_t depth;     /* 0, 1, 2: infinity */
    bool has_max;
    uint64_t max_bytes;
    const struct str *entries;         /* GETMETADATA */
    const struct metadata_item *items; /* SETMETADATA */
    size_t n;
};

/* Behind the name of the command, to its end. E_SYNTAX; E_RANGE: no name of a mailbox; E_LIMIT, E_NOMEM. */
MUST_CHECK int metadata_get_parse(struct args *a, struct metadata_args *out);
MUST_CHECK int metadata_set_parse(struct args *a, struct metadata_args *out);
/* entries = entry / "(" entry *(SP entry) ")"; bare: one may stand alone, and may be a prefix with one component. */
MUST_CHECK int metadata_entries_parse(struct args *a, bool bare, const struct str **out, size_t *n_out);
#endif
