/* src/directory/recipients.h
 *
 * What is set for domains and aliases beside their mailboxes: other names, tags, the catch-all, answers, targets, allow
 * and deny lists. Rows, no requests; each change is one transaction. */
#ifndef SRC_DIRECTORY_RECIPIENTS_H
#define SRC_DIRECTORY_RECIPIENTS_H
#include "src/directory/access.h"
#include "src/directory/accounts.h"

#define TARGETS_MAX    128u /* of one alias; directory.max_targets is below it */
#define URL_MAX        2048u
#define SEPARATORS_MAX 8u

enum target_kind { TARGET_MAILBOX, TARGET_ADDRESS, TARGET_WEBHOOK };
struct target {
    enum target_kind kind;
    struct str to;
};

/* A domain as mail to it is seen: of an alias domain, the one it is another name of. */
struct recipient_domain {
    int64_t id, catch_all; /* catch_all: an alias; 0: none */
    struct str name, separators;
    bool has_patterns, has_access;
};
/* E_NOTFOUND: not ours. */
MUST_CHECK int recipient_domain_find(struct db *db, struct arena *a, struct str name,
                                     struct recipient_domain *out);
/* The row of this very name. E_NOTFOUND. */
MUST_CHECK int recipient_domain_id(struct db *db, struct str name, int64_t *id_out);

/* Make `domain` another name of `of` (empty: of none). E_NOTFOUND; E_BUSY: it has aliases, patterns or other names of its
 * own; E_RANGE: `of` is itself another name, or the same. */
MUST_CHECK int domain_set_alias(struct db *db, struct str domain, struct str of);
/* NULL: nobody. E_NOTFOUND. */
MUST_CHECK int domain_set_catch_all(struct db *db, struct arena *a, struct str domain,
                                    const struct address *addr);
/* E_SYNTAX: letters, digits, '.', '@' and the like begin no tag. */
MUST_CHECK int domain_set_separators(struct db *db, struct str domain, struct str separators);
/* A name in storage.places; empty: where all others go. E_NOTFOUND, E_SYNTAX. */
MUST_CHECK int domain_set_backup_place(struct db *db, struct str domain, struct str place);

/* 0: takes mail; 250, 421, 550. E_RANGE, E_NOTFOUND. */
MUST_CHECK int alias_set_answer(struct db *db, struct arena *a, const struct address *addr, unsigned answer);
/* Of an alias, in the order in which they were added. */
MUST_CHECK int alias_target_list(struct db *db, struct arena *a, uint64_t alias_id, struct target **out,
                                 size_t *n_out);
/* The one form of a target: an address as shown, a URL. E_SYNTAX; E_DENIED: http and not allowed. */
MUST_CHECK int alias_target_clean(struct arena *a, const struct target *in, struct target *out);
/* A clean target. E_NOTFOUND (alias), E_EXISTS, E_LIMIT, E_RANGE: it would lead in circles or too far. */
MUST_CHECK int alias_target_add(struct db *db, struct arena *a, const struct address *addr,
                                const struct target *t, int64_t now_ms);
MUST_CHECK int alias_target_remove(struct db *db, struct arena *a, const struct address *addr,
                                   const struct target *t);

/* Whose list: a domain, or an alias of it when addr is not NULL. `who` as access_who makes it. */
MUST_CHECK int access_add(struct db *db, struct arena *a, struct str domain, const struct address *addr,
                          struct str who, bool allow, int64_t now_ms);
MUST_CHECK int access_remove(struct db *db, struct arena *a, struct str domain, const struct address *addr,
                             struct str who, bool allow);
/* Hand every row to `row`; what it returns when negative ends it. */
MUST_CHECK int access_rows(struct db *db, int64_t domain_id, uint64_t alias_id,
                           int (*row)(void *ctx, struct str who, bool allow), void *ctx);
#endif
