/* src/store/searchset.h
 *
 * Sets of UIDs and their algebra, for SEARCH: ranges as in uidset.h, so that "all but three" of a
 * million messages is four ranges. Arithmetic; no I/O. Results are new sets, which the caller
 * releases; on an error they are empty. */
#ifndef SRC_STORE_SEARCHSET_H
#define SRC_STORE_SEARCHSET_H
#include "src/store/uidset.h"

MUST_CHECK int set_and(const struct uidset *a, const struct uidset *b, struct uidset *out);
MUST_CHECK int set_or(const struct uidset *a, const struct uidset *b, struct uidset *out);
/* What is in a and not in b. */
MUST_CHECK int set_minus(const struct uidset *a, const struct uidset *b, struct uidset *out);
MUST_CHECK int set_copy(const struct uidset *a, struct uidset *out);
uint64_t set_count(const struct uidset *s);
bool set_has(const struct uidset *s, uint32_t uid);
/* *to = *from, which is empty then; what was in *to is released. */
void set_move(struct uidset *to, struct uidset *from);
#endif
