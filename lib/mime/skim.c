#include "lib/mime/skim.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static size_t skim_slow(const char *p, size_t n, uint64_t *lines)
{
    const char *at = p, *end = p + n;

    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));

        if (!lf)
            break;
        ++*lines;
        at = lf + 1;
        if (at < end && *at == '-')
            return (size_t)(at - p);
    }
    return n;
}

#if defined(__SSE2__)
static inline __m128i load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* One bit per byte that equals `want`, for 64 bytes. */
static inline uint64_t mask64(const char *p, __m128i want)
{
    uint64_t m = 0;

    for (unsigned i = 0; i < 4; i++)
        m |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load(p + 16 * i), want)) << (16 * i);
    return m;
}

size_t mime_skim(const char *p, size_t n, uint64_t *lines)
{
    const __m128i lf = _mm_set1_epi8('\n'), dash = _mm_set1_epi8('-');
    size_t i = 0;

    for (; n - i > 64; i += 64) { /* more than 64: the dash mask looks one byte further */
        uint64_t lfs = mask64(p + i, lf), hits;

        if (!lfs)
            continue;
        hits = lfs & mask64(p + i + 1, dash);
        if (hits) {
            unsigned k = (unsigned)__builtin_ctzll(hits);

            lfs &= k == 63 ? UINT64_MAX : (UINT64_C(1) << (k + 1)) - 1;
            *lines += (unsigned)__builtin_popcountll(lfs);
            return i + k + 1;
        }
        *lines += (unsigned)__builtin_popcountll(lfs);
    }
    return i + skim_slow(p + i, n - i, lines);
}
#else
size_t mime_skim(const char *p, size_t n, uint64_t *lines)
{
    return skim_slow(p, n, lines);
}
#endif
