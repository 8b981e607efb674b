#include "lib/imap/uidranges.h"
#include <assert.h>

void uidranges_release(struct uidranges *u)
{
    free(u->r);
    *u = (struct uidranges){ 0 };
}

void uidranges_clear(struct uidranges *u)
{
    u->n = 0;
}

static int grow(struct uidranges *u, size_t n)
{
    size_t cap = u->cap + u->cap / 4 + 8;
    void *p;

    if (n <= u->cap)
        return 0;
    if (n > UIDRANGES_MAX)
        return E_LIMIT;
    cap = size_max(cap, n);
    if (!(p = realloc(u->r, cap * sizeof *u->r)))
        return E_NOMEM;
    u->r = p;
    u->cap = cap;
    return 0;
}

static void recount(struct uidranges *u, size_t from)
{
    for (size_t i = from; i < u->n; i++)
        u->r[i].before = i ? u->r[i - 1].before + (u->r[i - 1].hi - u->r[i - 1].lo + 1) : 0;
}

/* First row whose hi >= uid; u->n when there is none. */
static size_t row_at(const struct uidranges *u, uint32_t uid)
{
    size_t lo = 0, hi = u->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (u->r[mid].hi < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Replace rows [at, end) by `with` (0 to 2 rows). */
static int splice(struct uidranges *u, size_t at, size_t end, const struct uidranges_row *with, size_t n)
{
    int r = grow(u, u->n - (end - at) + n);

    if (r < 0)
        return r;
    memmove(u->r + at + n, u->r + end, (u->n - end) * sizeof *u->r);
    if (n)
        memcpy(u->r + at, with, n * sizeof *with);
    u->n = u->n - (end - at) + n;
    recount(u, at);
    return 0;
}

int uidranges_add(struct uidranges *u, uint32_t lo, uint32_t hi)
{
    struct uidranges_row row = { .lo = lo, .hi = hi };
    size_t at, end;

    assert(lo > 0 && lo <= hi);
    if (u->n && lo > 1 && u->r[u->n - 1].hi == lo - 1) { /* the usual case: new mail */
        u->r[u->n - 1].hi = hi;
        return 0;
    }
    at = end = row_at(u, lo - 1); /* a row that ends just before lo is joined */
    while (end < u->n && (hi == UINT32_MAX || u->r[end].lo <= hi + 1)) {
        row.lo = row.lo < u->r[end].lo ? row.lo : u->r[end].lo;
        row.hi = row.hi > u->r[end].hi ? row.hi : u->r[end].hi;
        end++;
    }
    return splice(u, at, end, &row, 1);
}

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int uidranges_add_all(struct uidranges *u, const uint32_t *v, size_t n)
{
    uint32_t *copy = n ? malloc(n * sizeof *v) : NULL;
    int r = n && !copy ? E_NOMEM : 0;

    if (copy) {
        memcpy(copy, v, n * sizeof *v);
        qsort(copy, n, sizeof *v, by_uid);
    }
    for (size_t i = 0; i < n && r == 0; i++)
        r = uidranges_add(u, copy[i], copy[i]);
    free(copy);
    return r;
}

int uidranges_remove(struct uidranges *u, uint32_t lo, uint32_t hi)
{
    struct uidranges_row rest[2];
    size_t at = row_at(u, lo), end = at, n = 0;

    assert(lo <= hi);
    while (end < u->n && u->r[end].lo <= hi)
        end++;
    if (at == end)
        return 0;
    if (u->r[at].lo < lo)
        rest[n++] = (struct uidranges_row){ .lo = u->r[at].lo, .hi = lo - 1 };
    if (u->r[end - 1].hi > hi)
        rest[n++] = (struct uidranges_row){ .lo = hi + 1, .hi = u->r[end - 1].hi };
    return splice(u, at, end, rest, n);
}

/* Appends, in ascending order only. */
static int push(struct uidranges *u, uint32_t lo, uint32_t hi)
{
    struct uidranges_row *last = u->n ? &u->r[u->n - 1] : NULL;
    int r;

    if (last && last->hi == lo - 1) {
        last->hi = hi;
        return 0;
    }
    if ((r = grow(u, u->n + 1)) < 0)
        return r;
    u->r[u->n++] = (struct uidranges_row){ .lo = lo, .hi = hi };
    recount(u, u->n - 1);
    return 0;
}

int uidranges_copy(struct uidranges *to, const struct uidranges *from)
{
    int r = grow(to, from->n);

    if (r < 0)
        return r;
    if (from->n)
        memcpy(to->r, from->r, from->n * sizeof *from->r);
    to->n = from->n;
    return 0;
}

int uidranges_subtract(struct uidranges *u, const struct uidranges *gone)
{
    struct uidranges out = { 0 };
    size_t g = 0;
    int r = 0;

    for (size_t i = 0; i < u->n && r == 0; i++) {
        uint64_t lo = u->r[i].lo, hi = u->r[i].hi;

        while (g < gone->n && gone->r[g].hi < lo)
            g++;
        for (size_t k = g; k < gone->n && gone->r[k].lo <= hi && lo <= hi && r == 0; k++) {
            if (gone->r[k].lo > lo)
                r = push(&out, (uint32_t)lo, gone->r[k].lo - 1);
            lo = (uint64_t)gone->r[k].hi + 1;
        }
        if (lo <= hi && r == 0)
            r = push(&out, (uint32_t)lo, (uint32_t)hi);
    }
    if (r < 0) {
        uidranges_release(&out);
        return r;
    }
    uidranges_release(u);
    *u = out;
    return 0;
}

uint32_t uidranges_count(const struct uidranges *u)
{
    return u->n ? u->r[u->n - 1].before + (u->r[u->n - 1].hi - u->r[u->n - 1].lo + 1) : 0;
}

uint32_t uidranges_last(const struct uidranges *u)
{
    return u->n ? u->r[u->n - 1].hi : 0;
}

bool uidranges_has(const struct uidranges *u, uint32_t uid)
{
    size_t i = row_at(u, uid);

    return i < u->n && u->r[i].lo <= uid;
}

/* The row with the seq-th UID; seq is in it. */
static size_t row_of_seq(const struct uidranges *u, uint32_t seq)
{
    size_t lo = 0, hi = u->n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (u->r[mid].before < seq)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

uint32_t uidranges_uid(const struct uidranges *u, uint32_t seq)
{
    const struct uidranges_row *row;

    if (seq == 0 || seq > uidranges_count(u))
        return 0;
    row = &u->r[row_of_seq(u, seq)];
    return row->lo + (seq - row->before - 1);
}

uint32_t uidranges_rank(const struct uidranges *u, uint32_t uid)
{
    size_t i = row_at(u, uid);

    if (i == u->n)
        return uidranges_count(u);
    return u->r[i].before + (uid >= u->r[i].lo ? uid - u->r[i].lo + 1 : 0);
}

uint32_t uidranges_seq(const struct uidranges *u, uint32_t uid)
{
    return uidranges_has(u, uid) ? uidranges_rank(u, uid) : 0;
}

uint32_t uidranges_next(const struct uidranges *u, uint32_t uid)
{
    size_t i = uid == UINT32_MAX ? u->n : row_at(u, uid + 1);

    if (i == u->n)
        return 0;
    return u->r[i].lo > uid ? u->r[i].lo : uid + 1;
}

uint32_t uidranges_run(const struct uidranges *u, uint32_t uid)
{
    assert(uidranges_has(u, uid));
    return u->r[row_at(u, uid)].hi;
}

int uidranges_pick_uids(const struct uidranges *u, const struct seqset *uids, struct uidranges *out)
{
    int r = 0;

    for (size_t k = 0; k < seqset_ranges(uids) && r == 0; k++) {
        struct seq_range want = seqset_range(uids, k);

        for (size_t i = row_at(u, want.lo); i < u->n && u->r[i].lo <= want.hi && r == 0; i++)
            r = push(out, want.lo > u->r[i].lo ? want.lo : u->r[i].lo,
                     want.hi < u->r[i].hi ? want.hi : u->r[i].hi);
    }
    return r;
}

int uidranges_pick_seqs(const struct uidranges *u, const struct seqset *seqs, struct uidranges *out)
{
    int r = 0;

    if (seqset_max(seqs) > uidranges_count(u))
        return E_RANGE;
    for (size_t k = 0; k < seqset_ranges(seqs) && r == 0; k++) {
        struct seq_range want = seqset_range(seqs, k);
        uint32_t lo = uidranges_uid(u, want.lo), hi = uidranges_uid(u, want.hi);

        for (size_t i = row_at(u, lo); i < u->n && u->r[i].lo <= hi && r == 0; i++)
            r = push(out, lo > u->r[i].lo ? lo : u->r[i].lo, hi < u->r[i].hi ? hi : u->r[i].hi);
    }
    return r;
}

int uidranges_write(const struct uidranges *u, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < u->n && r >= 0; i++)
        r = seq_range_write((struct seq_range){ u->r[i].lo, u->r[i].hi }, i == 0, out);
    return r;
}
