#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include <stdio.h>

static int grow(struct buf *b, size_t more)
{
    size_t need, cap;
    char *p;

    if (__builtin_add_overflow(b->n, more, &need) || need > b->max)
        return E_LIMIT;
    if (need <= b->cap)
        return 0;
    cap = size_min(size_max(need, b->cap + b->cap / 2 + 64), b->max);
    p = malloc(cap);
    if (!p)
        return E_NOMEM;
    if (b->n)
        memcpy(p, b->p, b->n);
    if (b->p) {
        explicit_bzero(b->p, b->cap);
        free(b->p);
    }
    b->p = p;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
    int r = grow(b, n);

    if (r < 0)
        return r;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    return 0;
}

int buf_puts(struct buf *b, struct str s)
{
    return buf_append(b, s.p, s.n);
}

int buf_putz(struct buf *b, const char *z)
{
    return buf_append(b, z, strlen(z));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int n, r;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return E_BUG;
    /* one byte more for vsnprintf's NUL; it is not counted, so it may exceed max by one */
    b->max++;
    r = grow(b, (size_t)n + 1);
    b->max--;
    if (r < 0)
        return r;
    if (b->n + (size_t)n > b->max)
        return E_LIMIT;
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    b->n += (size_t)n;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

void *buf_reserve(struct buf *b, size_t n)
{
    return grow(b, n) < 0 ? NULL : b->p + b->n;
}

void buf_drop(struct buf *b, size_t n)
{
    n = size_min(n, b->n);
    if (n && b->n > n)
        memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

const char *buf_z(struct buf *b)
{
    int r;

    b->max++;
    r = grow(b, 1);
    b->max--;
    if (r < 0)
        return NULL;
    b->p[b->n] = '\0';
    return b->p;
}

void buf_release(struct buf *b)
{
    if (b->p) {
        explicit_bzero(b->p, b->cap);
        free(b->p);
    }
    b->p = NULL;
    b->n = b->cap = 0;
}
