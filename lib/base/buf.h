/* lib/base/buf.h
 *
 * Bytes that grow, owned, up to a limit that is never optional: a buf with max 0 holds nothing.
 * Start with { .max = … } and end with buf_release. Errors: E_LIMIT (max reached), E_NOMEM; on
 * error the content is as before. */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H
#include "lib/base/str.h"
#include <stdarg.h>

struct buf {
    char *p; /* n bytes, not NUL-terminated; use buf_z for a C string */
    size_t n, cap, max;
};

MUST_CHECK int buf_append(struct buf *b, const void *p, size_t n);
MUST_CHECK int buf_puts(struct buf *b, struct str s);
MUST_CHECK int buf_putz(struct buf *b, const char *z);
MUST_CHECK int buf_putc(struct buf *b, char c);
MUST_CHECK int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_CHECK int buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Make room for n more bytes and return where they start; follow with b->n += used. NULL when
 * over max or out of memory. */
void *buf_reserve(struct buf *b, size_t n);
/* Drop the first n bytes (moves the rest). */
void buf_drop(struct buf *b, size_t n);
/* Empty it, keeping the memory. */
void buf_clear(struct buf *b);
/* NUL-terminate (not counted in n) and return the C string; NULL when over max or out of memory. */
const char *buf_z(struct buf *b);
/* Free; the bytes are wiped first, since a buf may have held a password or a letter. */
void buf_release(struct buf *b);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){ b->p, b->n };
}
#endif
