/* src/directory/patterns.h
 *
 * Aliases by expression: all of a local part against a pattern, and the address that it makes with what matched in
 * parentheses (\1 … \9). Tried in the order of their positions; the first that matches and gives an address wins. */
#ifndef SRC_DIRECTORY_PATTERNS_H
#define SRC_DIRECTORY_PATTERNS_H
#include "lib/db/db.h"
#include "lib/smtp/path.h"
#include "src/directory/address.h"

#define PATTERN_TARGET_MAX   512u
#define PATTERN_POSITION_MAX 1000000u

struct pattern {
    uint32_t position;
    struct str pattern, target;
};

/* Is this a pair that can work? E_SYNTAX, and then `why` says what is wrong. */
MUST_CHECK int pattern_check(struct str pattern, struct str target, struct buf *why);
/* 1 and the address it makes; 0: does not match, or makes none. E_NOMEM. */
MUST_CHECK int pattern_apply(struct arena *a, struct str pattern, struct str target, struct str local,
                             struct address *out);

/* position 0: behind the last one. E_NOTFOUND (domain), E_EXISTS (position), E_LIMIT; checked before. */
MUST_CHECK int pattern_add(struct db *db, struct str domain, const struct pattern *p, int64_t now_ms,
                           uint32_t *position_out);
MUST_CHECK int pattern_remove(struct db *db, struct str domain, uint32_t position);
MUST_CHECK int pattern_list(struct db *db, struct arena *a, struct str domain, struct pattern **out,
                            size_t *n_out);
/* The first of the domain that takes this local part. E_NOTFOUND. */
MUST_CHECK int pattern_find(struct db *db, struct arena *a, int64_t domain_id, struct str local,
                            struct address *out);
#endif
