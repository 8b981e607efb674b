/* src/directory/accounts.h
 *
 * Domains, aliases and key states in one database. Blocks; one thread at a time. Every change is one
 * transaction, durable when the call returns 0. It knows rows, no requests. */
#ifndef SRC_DIRECTORY_ACCOUNTS_H
#define SRC_DIRECTORY_ACCOUNTS_H
#include "lib/db/db.h"
#include "src/directory/address.h"

#define MAILBOX_ID_LEN 12u
#define KEY_STATES_MAX 4u /* prepared and not finished; more is a store that crashes in circles */
#define KEY_STATE_MIN  16u
#define KEY_STATE_MAX  256u
#define LIST_MAX       1000u

/* What one scope may hold and holds. */
struct quota {
    bool limited;
    uint64_t limit, used, leased;
    struct str account; /* its name; of domains and aliases */
};

struct account {
    uint64_t alias_id;
    struct str address, mailbox_id;        /* mailbox_id empty: none yet */
    struct str states[KEY_STATES_MAX + 1]; /* the committed one first */
    size_t nstates;
    int64_t created_ms;
    struct quota quota;
    unsigned answer;         /* 0: takes mail; else what RCPT is answered */
    bool to_mailbox;         /* its mailbox, once there is one, gets what comes */
    struct str backup_place; /* of its domain; empty: that of all others */
};
struct domain_row {
    struct str name;
    int64_t created_ms;
    uint64_t aliases;
    struct quota quota;
    struct str alias_of, catch_all, separators; /* the first two may be empty */
    uint64_t patterns;
    struct str backup_place;
};

/* Bring the schema to this program's version; `why` says what is wrong with the file. */
MUST_CHECK int accounts_migrate(struct db *db, struct buf *why);

/* postmaster@ of the first domain where it has a mailbox, else of the first that has it at all. E_NOTFOUND. */
MUST_CHECK int alias_postmaster(struct db *db, struct arena *a, struct account *out);

MUST_CHECK int accounts_count(struct db *db, uint64_t *domains_out, uint64_t *aliases_out);
/* E_EXISTS, E_SYNTAX. */
MUST_CHECK int domain_add(struct db *db, struct str domain, int64_t now_ms);
/* E_NOTFOUND; E_BUSY while it has aliases, or other domains are names of it. */
MUST_CHECK int domain_remove(struct db *db, struct str domain);
/* At most `limit` names greater than `after`, ascending; *more_out when there are others. */
MUST_CHECK int domain_list(struct db *db, struct arena *a, struct str after, uint32_t limit,
                           struct domain_row **out, size_t *n_out, bool *more_out);

/* E_EXISTS, E_NOTFOUND (domain), E_DENIED: the domain is another name of one. Then as alias_get. */
MUST_CHECK int alias_add(struct db *db, struct arena *a, const struct address *addr, int64_t now_ms,
                         struct account *out);
/* E_NOTFOUND. */
MUST_CHECK int alias_get(struct db *db, struct arena *a, const struct address *addr, struct account *out);
MUST_CHECK int alias_by_id(struct db *db, struct arena *a, uint64_t id, struct account *out);
/* *out is what it was. E_NOTFOUND. */
MUST_CHECK int alias_remove(struct db *db, struct arena *a, const struct address *addr, struct account *out);
/* Of one domain, or of all when it is empty; in the order of (domain, local part). */
MUST_CHECK int alias_list(struct db *db, struct arena *a, struct str domain, const struct address *after,
                          uint32_t limit, struct account **out, size_t *n_out, bool *more_out);
/* Is the domain ours? 0 or E_NOTFOUND. */
MUST_CHECK int domain_is_ours(struct db *db, struct str domain);

/* From now on `state` is right too. Fine when it is already. E_NOTFOUND: no such mailbox; E_LIMIT. */
MUST_CHECK int keystate_prepare(struct db *db, struct str mailbox_id, struct str state);
/* From now on it alone is right. E_NOTFOUND: it was not prepared. */
MUST_CHECK int keystate_commit(struct db *db, struct str mailbox_id, struct str state);
/* Give the alias a mailbox and its one state. `replaces` must be its present mailbox (empty: it has
 * none), else E_STALE; binding what is bound already is fine. E_NOTFOUND: no such alias. E_EXISTS: the
 * mailbox belongs to another alias. */
MUST_CHECK int mailbox_bind(struct db *db, uint64_t alias_id, struct str mailbox_id, struct str state,
                            struct str replaces);
#endif
