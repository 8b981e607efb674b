/* src/directory/leases.h
 *
 * Limits of accounts, domains and aliases, and the leases that mailboxes hold of them. Blocks; one
 * thread at a time; every change is one transaction. Where bytes are counted is the store's business:
 * here stands who may hold how many.
 *
 * A lease is absolute: "this file uses U and may hold L". Setting it twice changes nothing, and L is
 * never below what the file itself says, so whatever is lost on the way (an answer, a report) leaves the
 * directory with too much on its books, never with too little. */
#ifndef SRC_DIRECTORY_LEASES_H
#define SRC_DIRECTORY_LEASES_H
#include "src/directory/accounts.h"

#define LEASE_STEP_BYTES MIB(16) /* handed out beyond what is asked; near a limit 1/8 of what is left */
#define LEASE_UNUSED_MAX 64u     /* mailboxes named to whoever is refused */
#define LEASE_PARTS_MAX  72u
#define ACCOUNT_NAME_MAX 64u

enum limit_kind { LIMIT_ACCOUNT, LIMIT_DOMAIN, LIMIT_ALIAS, LIMIT_KINDS };

struct lease_part {
    uint64_t generation, leased, used, messages;
};
struct lease_want {
    struct str mailbox_id;
    const struct lease_part *parts;
    size_t nparts;
    bool only;     /* others are forgotten */
    uint64_t need; /* of the first part, beyond used; 0: a report */
};
struct lease_scope {
    bool limited;
    uint64_t limit, taken; /* taken: leased to others, used here */
};
struct lease_grant {
    bool limited, never;
    uint64_t leased; /* of the first part */
    struct lease_scope scopes[LIMIT_KINDS];
    struct str unused[LEASE_UNUSED_MAX]; /* in the arena */
    size_t nunused;
};
/* E_NOTFOUND: no such mailbox; E_LIMIT, E_RANGE: nonsense. Refused (E_QUOTA is not used): the grant's
 * leased is below used + need. */
MUST_CHECK int lease_set(struct db *db, struct arena *a, const struct lease_want *w, struct lease_grant *out);

/* What RESOLVE says of an alias. */
struct lease_room {
    bool limited;
    uint64_t room, limit;
};
MUST_CHECK int lease_room(struct db *db, uint64_t alias_id, struct lease_room *out);

/* limited false: no limit. E_NOTFOUND. `name` is in the compared form: domain, account; or addr. */
MUST_CHECK int limit_set(struct db *db, enum limit_kind kind, struct str name, const struct address *addr,
                         bool limited, uint64_t limit);

struct account_row {
    struct str name;
    int64_t created_ms;
    uint64_t domains, aliases, messages;
    struct quota quota;
};
/* 1 to 64 of a-z A-Z 0-9 . _ - : E_SYNTAX; E_EXISTS. */
MUST_CHECK int account_add(struct db *db, struct str name, int64_t now_ms);
/* E_NOTFOUND; E_BUSY while it has members; E_DENIED: the default one. */
MUST_CHECK int account_remove(struct db *db, struct str name);
/* Names greater than `after`, ascending; or `only` that one. */
MUST_CHECK int account_list(struct db *db, struct arena *a, struct str after, struct str only, uint32_t limit,
                            struct account_row **out, size_t *n_out, bool *more_out);
/* The domain, or the address when addr is not NULL, belongs to the account. E_NOTFOUND. */
MUST_CHECK int account_give(struct db *db, struct str account, struct str domain, const struct address *addr);
#endif
