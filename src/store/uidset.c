#include "src/store/uidset.h"
#include "lib/base/errors.h"

int uidset_push(struct uidset *s, uint32_t first, uint32_t last)
{
    if (s->n + 2 > s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        uint32_t *v;

        if (cap * sizeof *v > UIDSET_BYTES_MAX)
            return E_LIMIT;
        if (!(v = realloc(s->v, cap * sizeof *v)))
            return E_NOMEM;
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = first;
    s->v[s->n++] = last;
    return 0;
}

int uidset_add_range(struct uidset *s, uint32_t first, uint32_t last)
{
    if (first == 0 || last < first || (s->n && first <= s->v[s->n - 1]))
        return E_BUG;
    if (s->n && first == s->v[s->n - 1] + 1) {
        s->v[s->n - 1] = last;
        return 0;
    }
    return uidset_push(s, first, last);
}

int uidset_add(struct uidset *s, uint32_t uid)
{
    return uidset_add_range(s, uid, uid);
}

int uidset_check(const uint32_t *v, size_t n)
{
    if (n % 2)
        return E_SYNTAX;
    for (size_t i = 0; i < n; i += 2)
        if (v[i] == 0 || v[i + 1] < v[i] || (i && v[i] <= v[i - 1]))
            return E_SYNTAX;
    return 0;
}

bool uidset_has(const uint32_t *v, size_t n, uint32_t uid)
{
    size_t lo = 0, hi = n / 2;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (uid < v[2 * mid])
            hi = mid;
        else if (uid > v[2 * mid + 1])
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

int uidset_export(const struct uidset *s, struct arena *a, uint32_t **v_out, size_t *n_out)
{
    uint32_t *v = NULL;

    if (s->n) {
        if (!(v = ARENA_ARRAY(a, s->n, uint32_t)))
            return E_NOMEM;
        memcpy(v, s->v, s->n * sizeof *v);
    }
    *v_out = v;
    *n_out = s->n;
    return 0;
}

static int range_cmp(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return x[0] < y[0] ? -1 : x[0] > y[0];
}

void uidset_normalize(struct uidset *s)
{
    size_t n = 0;

    if (s->n)
        qsort(s->v, s->n / 2, 2 * sizeof *s->v, range_cmp);
    for (size_t i = 0; i < s->n; i += 2) {
        if (n && (s->v[i] <= s->v[n - 1] || s->v[i] == s->v[n - 1] + 1)) {
            if (s->v[i + 1] > s->v[n - 1])
                s->v[n - 1] = s->v[i + 1];
            continue;
        }
        s->v[n] = s->v[i];
        s->v[n + 1] = s->v[i + 1];
        n += 2;
    }
    s->n = n;
}

int uidset_intersect(const uint32_t *x, size_t nx, const uint32_t *y, size_t ny, struct uidset *out)
{
    size_t i = 0, k = 0;
    int r = 0;

    while (i + 1 < nx && k + 1 < ny && r >= 0) {
        uint32_t first = x[i] > y[k] ? x[i] : y[k];
        uint32_t last = x[i + 1] < y[k + 1] ? x[i + 1] : y[k + 1];

        if (first <= last)
            r = uidset_add_range(out, first, last);
        if (x[i + 1] < y[k + 1])
            i += 2;
        else
            k += 2;
    }
    return r;
}

uint64_t uidset_count(const uint32_t *v, size_t n)
{
    uint64_t count = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        count += (uint64_t)v[i + 1] - v[i] + 1;
    return count;
}

void uidset_release(struct uidset *s)
{
    free(s->v);
    *s = (struct uidset){ 0 };
}
