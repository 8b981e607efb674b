#include "src/store/searchset.h"
#include "lib/base/errors.h"

static int ended(int r, struct uidset *out)
{
    if (r < 0)
        uidset_release(out);
    return r;
}

int set_and(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    size_t i = 0, j = 0;
    int r = 0;

    *out = (struct uidset){ 0 };
    while (i < a->n && j < b->n && r == 0) {
        uint32_t lo = a->v[i] > b->v[j] ? a->v[i] : b->v[j];
        uint32_t hi = a->v[i + 1] < b->v[j + 1] ? a->v[i + 1] : b->v[j + 1];

        if (lo <= hi)
            r = uidset_add_range(out, lo, hi);
        if (a->v[i + 1] < b->v[j + 1])
            i += 2;
        else
            j += 2;
    }
    return ended(r, out);
}

/* The next range of the two in order of where it begins. */
static const uint32_t *next_of(const struct uidset *a, const struct uidset *b, size_t *i, size_t *j)
{
    const uint32_t *v;

    if (*i < a->n && (*j >= b->n || a->v[*i] <= b->v[*j])) {
        v = a->v + *i;
        *i += 2;
    } else {
        v = b->v + *j;
        *j += 2;
    }
    return v;
}

int set_or(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    size_t i = 0, j = 0;
    int r = 0;

    *out = (struct uidset){ 0 };
    while ((i < a->n || j < b->n) && r == 0) {
        const uint32_t *v = next_of(a, b, &i, &j);

        if (!out->n || v[0] > out->v[out->n - 1])
            r = uidset_add_range(out, v[0], v[1]);
        else if (v[1] > out->v[out->n - 1])
            out->v[out->n - 1] = v[1];
    }
    return ended(r, out);
}

int set_minus(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    size_t j = 0;
    int r = 0;

    *out = (struct uidset){ 0 };
    for (size_t i = 0; i < a->n && r == 0; i += 2) {
        uint64_t lo = a->v[i], hi = a->v[i + 1];

        while (j < b->n && b->v[j + 1] < lo)
            j += 2;
        for (size_t k = j; k < b->n && b->v[k] <= hi && lo <= hi && r == 0; k += 2) {
            if (b->v[k] > lo)
                r = uidset_add_range(out, (uint32_t)lo, b->v[k] - 1);
            lo = (uint64_t)b->v[k + 1] + 1;
        }
        if (lo <= hi && r == 0)
            r = uidset_add_range(out, (uint32_t)lo, (uint32_t)hi);
    }
    return ended(r, out);
}

int set_copy(const struct uidset *a, struct uidset *out)
{
    int r = 0;

    *out = (struct uidset){ 0 };
    for (size_t i = 0; i < a->n && r == 0; i += 2)
        r = uidset_add_range(out, a->v[i], a->v[i + 1]);
    return ended(r, out);
}

uint64_t set_count(const struct uidset *s)
{
    return uidset_count(s->v, s->n);
}

bool set_has(const struct uidset *s, uint32_t uid)
{
    return uidset_has(s->v, s->n, uid);
}

void set_move(struct uidset *to, struct uidset *from)
{
    if (to != from) {
        uidset_release(to);
        *to = *from;
        *from = (struct uidset){ 0 };
    }
}
