/* src/store/delta.h
 *
 * Text as what it has in common with other text, in the same order: pieces of its own and pieces of `like`, by
 * turns (doc/formats.md 8, codec 5). Where mail says in plain words what its search text says, that is a few
 * bytes, found by comparing and nothing else. Knows no rows, no database and no zstd. */
#ifndef SRC_STORE_DELTA_H
#define SRC_STORE_DELTA_H
#include "lib/base/str.h"

/* At most `cap` bytes into out: how many, or 0 when they do not do, or when looking for what is common takes
 * longer than compressing would. Never blocks, never allocates. */
size_t delta_make(struct str in, struct str like, char *out, size_t cap);
/* Exactly n bytes into out; false: this is no delta of n bytes behind `like`. Any bytes may come. */
bool delta_apply(struct str delta, struct str like, char *out, size_t n);
#endif
