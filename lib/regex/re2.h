/* lib/regex/re2.h
 *
 * Regular expressions of people we do not know, against their mail: time linear in the text and memory
 * bounded, whatever the expression (RE2). The one place where C++ is used; what it offers is C.
 *
 * Text and expression are as SEARCH folds them (lib/mime/fold.h): matching does not look at case, letters
 * are decomposed ("é" in an expression finds é), white space of any kind is one space. A text is lines: '^'
 * and '$' match at the begin and end of each, '.' and negated classes do not match a line's end. */
#ifndef LIB_REGEX_RE2_H
#define LIB_REGEX_RE2_H
#ifdef __cplusplus
#include <cstddef>
extern "C" {
#else
#include <stddef.h>
#endif

#define REGEX_PATTERN_MAX 1024
#define REGEX_MEMORY_MAX  (4 * 1024 * 1024) /* program and automata of one expression */

struct regex; /* opaque; used by one thread at a time or many */

/* NULL when it is no expression, or needs more than its memory: *why_out (may be NULL; static or up to
 * n bytes of `why`) says what is wrong in words for the person. */
struct regex *regex_new(const char *pattern, size_t n, char *why, size_t why_n);
/* 1: somewhere in the text; 0: not. */
int regex_has(const struct regex *r, const char *text, size_t n);
/* The same, and where: bytes [*from_out, *to_out). */
int regex_find(const struct regex *r, const char *text, size_t n, size_t *from_out, size_t *to_out);
void regex_free(struct regex **r); /* NULL accepted */

#ifdef __cplusplus
}
#endif
#endif
