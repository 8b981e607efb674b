/* lib/base/str.h
 *
 * Borrowed bytes: pointer and length, no NUL, no ownership. ASCII comparisons only; what needs
 * Unicode lives in lib/mime. Nothing here allocates or fails. */
#ifndef LIB_BASE_STR_H
#define LIB_BASE_STR_H
#include "lib/base/base.h"
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(lit) ((struct str){ "" lit "", sizeof(lit) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_from(const char *z)
{
    return (struct str){ z, z ? strlen(z) : 0 };
}

static inline struct str str_of(const void *p, size_t n)
{
    return (struct str){ (const char *)p, n };
}

bool str_eq(struct str a, struct str b);
bool str_eq_z(struct str a, const char *z);
/* ASCII case-insensitive. */
bool str_ieq(struct str a, struct str b);
bool str_ieq_z(struct str a, const char *z);
bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_is_ascii(struct str s); /* no byte above 0x7f; the empty one is */
/* Position of the first `c` / `needle`, or -1. */
ptrdiff_t str_chr(struct str s, char c);
ptrdiff_t str_rchr(struct str s, char c);
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_ifind(struct str s, struct str needle);
/* memcmp order, then length. */
int str_cmp(struct str a, struct str b);
/* s without its first n bytes (all of them when n is larger). */
struct str str_skip(struct str s, size_t n);
/* [from, to) clipped to s. */
struct str str_slice(struct str s, size_t from, size_t to);
/* Without leading and trailing spaces, tabs, CR and LF. */
struct str str_trim(struct str s);
/* Split at the first `sep`: *head_out is what stands before it, *tail_out what follows. Returns
 * false (head = s, tail empty) when there is none. */
bool str_cut(struct str s, char sep, struct str *head_out, struct str *tail_out);
/* Decimal digits only, whole string, at least one. False on overflow or anything else. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_u32(struct str s, uint32_t *out);

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
#endif
