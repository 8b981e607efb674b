#include "src/store/delta.h"
#include "lib/base/hex.h"
#include <string.h>

#define COPY_MIN    12u /* a piece costs about 4 bytes to name */
#define LOOK_BYTES  KIB(2)
#define LOOK_SHARE  4u /* times the bytes of the other text are looked through in all */
#define WORD_BYTES  8u
#define VARINT_MAX  5u /* of 32 bits */
#define PIECE_HEAD  (3 * VARINT_MAX)
#define LENGTHS_MAX UINT32_MAX

/* ---- making it ---------------------------------------------------------------------------------- */

struct maker {
    struct str in, like;
    char *out;
    size_t n, cap;
    size_t own;    /* bytes of `in` that stand in no piece yet begin here */
    size_t source; /* of `like`: behind the last piece taken from there */
    size_t looked; /* bytes that may still be looked through */
};

static void varint_put(struct maker *m, uint32_t v)
{
    for (; v >= 128; v >>= 7)
        m->out[m->n++] = (char)(v | 128);
    m->out[m->n++] = (char)v;
}

/* The bytes of its own before `at`, then `length` of those of `like` from `from`; false: no room. */
static bool piece_put(struct maker *m, size_t at, size_t from, size_t length)
{
    size_t own = at - m->own;

    if (m->cap - m->n < own || m->cap - m->n - own < PIECE_HEAD)
        return false;
    varint_put(m, (uint32_t)own);
    memcpy(m->out + m->n, m->in.p + m->own, own);
    m->n += own;
    varint_put(m, (uint32_t)(from - m->source));
    varint_put(m, (uint32_t)length);
    m->own = at + length;
    m->source = from + length;
    return true;
}

static size_t common(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    uint64_t x, y;

    for (; i + sizeof x <= n; i += sizeof x) {
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x != y)
            return i +
                   (size_t)__builtin_ctzll(le64_get((const uint8_t *)&x) ^ le64_get((const uint8_t *)&y)) / 8;
    }
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

static bool same(const struct maker *m, size_t at, size_t from)
{
    return m->in.n - at >= COPY_MIN && m->like.n - from >= COPY_MIN &&
           memcmp(m->in.p + at, m->like.p + from, COPY_MIN) == 0;
}

/* Where `like` goes on as `in` does from `at`: a little further on, or nowhere. */
static bool look(struct maker *m, size_t at, size_t *from_out)
{
    size_t n = size_min(m->like.n - m->source, LOOK_BYTES);
    const char *begin = m->like.p + m->source, *found = memmem(begin, n, m->in.p + at, COPY_MIN);

    n = found ? (size_t)(found - begin) + COPY_MIN : n;
    m->looked -= size_min(n, m->looked);
    if (found)
        *from_out = m->source + (size_t)(found - begin);
    return found != NULL;
}

/* Behind the next space: words are what is taken out or put in. Long ones are so by pieces. */
static size_t next_word(const struct maker *m, size_t at)
{
    size_t n = size_min(m->in.n - at, WORD_BYTES);
    const char *space = memchr(m->in.p + at, ' ', n);

    return space ? (size_t)(space - m->in.p) + 1 : at + n;
}

size_t delta_make(struct str in, struct str like, char *out, size_t cap)
{
    struct maker m = {
        .in = in, .like = like, .out = out, .cap = cap, .looked = LOOK_SHARE * like.n + LOOK_BYTES
    };
    size_t at = 0;

    if (in.n > LENGTHS_MAX || like.n > LENGTHS_MAX)
        return 0;
    while (in.n - at >= COPY_MIN && like.n - m.source >= COPY_MIN) {
        size_t from = m.source, n;

        if (m.looked == 0 || at - m.own > cap)
            return 0;
        if (same(&m, at + 1, from + 1) && in.p[at] != like.p[from]) { /* a line end for a space */
            at++;
            from++;
        } else if (!same(&m, at, from) && !look(&m, at, &from)) {
            at = next_word(&m, at);
            continue;
        }
        n = common(in.p + at, like.p + from, size_min(in.n - at, like.n - from));
        if (!piece_put(&m, at, from, n))
            return 0;
        at += n;
    }
    return m.own == in.n || piece_put(&m, in.n, m.source, 0) ? m.n : 0;
}

/* ---- undoing it --------------------------------------------------------------------------------- */

static bool varint_take(struct str *s, size_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < s->n && i < VARINT_MAX; i++) {
        v |= (uint64_t)((uint8_t)s->p[i] & 127) << (7 * i);
        if ((uint8_t)s->p[i] & 128)
            continue;
        *s = str_skip(*s, i + 1);
        *out = (size_t)v;
        return true;
    }
    return false;
}

bool delta_apply(struct str delta, struct str like, char *out, size_t n)
{
    size_t own, skip, length;

    while (delta.n) {
        if (!varint_take(&delta, &own) || own > delta.n || own > n)
            return false;
        memcpy(out, delta.p, own);
        delta = str_skip(delta, own);
        if (!varint_take(&delta, &skip) || skip > like.n)
            return false;
        like = str_skip(like, skip);
        if (!varint_take(&delta, &length) || length > like.n || length > n - own)
            return false;
        memcpy(out + own, like.p, length);
        like = str_skip(like, length);
        out += own + length;
        n -= own + length;
    }
    return n == 0;
}
