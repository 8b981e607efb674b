#include "src/store/grams.h"
#include <string.h>

#define STEP UINT64_C(0x9E3779B97F4A7C15)
#define MIX  UINT64_C(0xD6E8FEB86659FD93)
#define FULL_IN_8 \
    5u /* bits of eight that may be set: five letters of a needle's nine are five chances to exclude */
#define RING 8u /* a power of two above GRAMS_LETTERS */

_Static_assert(GRAMS_LETTERS == 5, "STEP_OUT");
#define STEP_OUT (STEP * STEP * STEP * STEP * STEP)

/* The letters of a run, hashed as a number whose digits they are: one comes in, the one of five before goes. */
struct run {
    uint64_t hash;
    uint32_t last[RING];
    uint32_t n;
};

static inline bool letter_take(struct run *r, uint32_t letter, uint32_t *out)
{
    uint32_t gone = r->n >= GRAMS_LETTERS ? r->last[(r->n - GRAMS_LETTERS) % RING] : 0;
    uint64_t h = r->hash = r->hash * STEP + letter - gone * STEP_OUT;

    r->last[r->n++ % RING] = letter;
    h = (h ^ h >> 32) * MIX;
    *out = (uint32_t)(h >> 32);
    return r->n >= GRAMS_LETTERS;
}

static inline bool is_behind(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* How many bytes of UTF-8 a character has that begins so; 1: it stands alone, whatever it is. */
static inline size_t bytes_said(unsigned char c)
{
    return c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
}

/* The character at p, as a number that no other has; bytes that belong to none are characters of their own. */
static inline size_t char_take(const unsigned char *p, size_t left, uint32_t *out)
{
    size_t n = size_min(bytes_said(*p), left), i = 1;
    uint32_t c = *p;

    for (; i < n && is_behind(p[i]); i++)
        c = c << 8 | p[i];
    *out = c;
    return i;
}

/* `each` of every five letters that follow each other. Inlined with it. */
static inline __attribute__((always_inline)) void grams_each(struct str text,
                                                             void (*each)(void *ctx, uint32_t gram),
                                                             void *ctx)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = text.n ? p + text.n : p;
    struct run run = { 0 };
    uint32_t letter, gram;

    while (p < end) {
        if (*p >= 0x80) {
            p += char_take(p, (size_t)(end - p), &letter);
        } else if ((letter = *p++) - 'a' >= 26u) {
            run.n = 0;
            run.hash = 0;
            continue;
        }
        if (letter_take(&run, letter, &gram))
            each(ctx, gram);
    }
}

static inline void bit_set(void *ctx, uint32_t gram)
{
    struct grams *g = ctx;

    g->bits[gram / 8 % GRAMS_BYTES_MAX] |= (uint8_t)(1u << gram % 8);
}

void grams_add(struct grams *g, struct str text)
{
    grams_each(text, bit_set, g);
}

static size_t bits_set(const uint8_t *p, size_t n)
{
    size_t set = 0;
    uint64_t w;

    for (size_t i = 0; i < n; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        set += (size_t)__builtin_popcountll(w);
    }
    return set;
}

size_t grams_pack(struct grams *g)
{
    uint8_t half[GRAMS_BYTES_MAX / 2];
    size_t n = GRAMS_BYTES_MAX;

    for (; n > GRAMS_BYTES_MIN; n /= 2) {
        for (size_t i = 0; i < n / 2; i++)
            half[i] = g->bits[i] | g->bits[n / 2 + i];
        if (bits_set(half, n / 2) > n / 2 * FULL_IN_8)
            break;
        memcpy(g->bits, half, n / 2);
    }
    return n;
}

/* Without what another text may have as part of a longer character: what belongs to one that began before the needle,
 * and one that is not whole at its end. */
static struct str whole(struct str s)
{
    while (s.n && is_behind((unsigned char)s.p[0]))
        s = str_skip(s, 1);
    for (size_t back = 1; back <= 4 && back <= s.n; back++) {
        unsigned char c = (unsigned char)s.p[s.n - back];

        if (!is_behind(c))
            return bytes_said(c) > back ? str_slice(s, 0, s.n - back) : s;
    }
    return s;
}

struct wanted {
    uint32_t *v;
    size_t n;
};

static inline void want(void *ctx, uint32_t gram)
{
    struct wanted *w = ctx;

    if (w->n < GRAMS_NEEDLE_MAX)
        w->v[w->n++] = gram;
}

size_t grams_of(struct str needle, uint32_t out[GRAMS_NEEDLE_MAX], size_t n)
{
    struct wanted w = { out, n };

    grams_each(whole(needle), want, &w);
    return w.n;
}

bool grams_may_have(struct str packed, const uint32_t *v, size_t n)
{
    if (packed.n < GRAMS_BYTES_MIN || packed.n > GRAMS_BYTES_MAX || (packed.n & (packed.n - 1)))
        return true;
    for (size_t i = 0; i < n; i++)
        if (!((uint8_t)packed.p[v[i] / 8 % packed.n] >> v[i] % 8 & 1))
            return false;
    return true;
}
