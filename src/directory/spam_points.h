/* src/directory/spam_points.h
 *
 * From which score on mail is called spam, goes to Junk, is refused: what a domain and its aliases set. */
#ifndef SRC_DIRECTORY_SPAM_POINTS_H
#define SRC_DIRECTORY_SPAM_POINTS_H
#include "src/directory/accounts.h"

enum { SPAM_POINTS_HEADER, SPAM_POINTS_JUNK, SPAM_POINTS_REJECT, SPAM_POINTS };
struct spam_points {
    uint32_t v[SPAM_POINTS]; /* hundredths; 0: not set */
};

/* What holds for an alias: its own, else its domain's. All 0 when neither set any. */
MUST_CHECK int spam_points_of_alias(struct db *db, uint64_t alias_id, struct spam_points *out);
MUST_CHECK int spam_points_of_domain(struct db *db, int64_t domain_id, struct spam_points *out);
/* Change those whose bit is in `which` (0: back to what holds without). One of the ids is 0. E_RANGE. */
MUST_CHECK int spam_points_set(struct db *db, int64_t domain_id, uint64_t alias_id, uint32_t which,
                               const struct spam_points *p);
#endif
