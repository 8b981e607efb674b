/* lib/regex/rewrite.h
 *
 * Expressions that name a whole short text and its parts, such as local parts of addresses: "sales-(.*)". Where
 * lib/regex/re2.h looks for something in a folded mail, this one must match from the first byte to the last and
 * gives the parts in parentheses. Letters match in any case. Time is linear in the text; length, program and
 * memory of an expression are bounded when it is made. Nothing is folded or decomposed. */
#ifndef LIB_REGEX_REWRITE_H
#define LIB_REGEX_REWRITE_H
#ifdef __cplusplus
#include <cstddef>
extern "C" {
#else
#include <stddef.h>
#endif

#define REWRITE_PATTERN_MAX 256
#define REWRITE_PROGRAM_MAX 2000         /* instructions */
#define REWRITE_MEMORY_MAX  (512 * 1024) /* program and automata */
#define REWRITE_GROUPS_MAX  9

struct rewrite; /* opaque; used by one thread at a time or many */

/* NULL when it is no expression or beyond a limit: `why` (may be NULL) says in words what is wrong. */
struct rewrite *rewrite_new(const char *pattern, size_t n, char *why, size_t why_n);
void rewrite_free(struct rewrite **r); /* NULL accepted */
/* How many parts it has, 0 to REWRITE_GROUPS_MAX. */
int rewrite_groups(const struct rewrite *r);
/* 1 when all of the text matches, else 0. Part i (0: the whole) is [from_out[i], to_out[i]); one that took no part is
 * empty. */
int rewrite_match(const struct rewrite *r, const char *text, size_t n,
                  size_t from_out[REWRITE_GROUPS_MAX + 1], size_t to_out[REWRITE_GROUPS_MAX + 1]);

#ifdef __cplusplus
}
#endif
#endif
