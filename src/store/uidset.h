/* src/store/uidset.h
 *
 * UIDs as ascending, not touching ranges [first, last, first, last, …], the form in which they travel.
 * Grows by appending in order only. Arithmetic; no I/O. */
#ifndef SRC_STORE_UIDSET_H
#define SRC_STORE_UIDSET_H
#include "lib/base/arena.h"

#define UIDSET_BYTES_MAX MIB(64)

struct uidset {
    uint32_t *v;   /* 2 values a range */
    size_t n, cap; /* values, always even */
};

/* Add uid, which is above all that are there (E_BUG otherwise). E_NOMEM, E_LIMIT. */
MUST_CHECK int uidset_add(struct uidset *s, uint32_t uid);
/* The same for first..last. */
MUST_CHECK int uidset_add_range(struct uidset *s, uint32_t first, uint32_t last);
/* Ranges from the network: E_SYNTAX unless even in number, ascending, non-zero. */
MUST_CHECK int uidset_check(const uint32_t *v, size_t n);
bool uidset_has(const uint32_t *v, size_t n, uint32_t uid);
/* Values to an arena, for a response; n_out 0 and v_out NULL when empty. E_NOMEM. */
MUST_CHECK int uidset_export(const struct uidset *s, struct arena *a, uint32_t **v_out, size_t *n_out);
/* Any order, overlapping: sorts and joins in place. */
void uidset_normalize(struct uidset *s);
/* As uidset_add_range, in any order; uidset_normalize afterwards. */
MUST_CHECK int uidset_push(struct uidset *s, uint32_t first, uint32_t last);
/* `out` (empty) = what is in both. */
MUST_CHECK int uidset_intersect(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny,
                                struct uidset *out);
uint64_t uidset_count(const uint32_t *v, size_t n);
void uidset_release(struct uidset *s);
#endif
