#include "lib/imap/seqset.h"

struct seqset {
    size_t n;
    struct seq_range r[];
};

static int by_lo(const void *a, const void *b)
{
    const struct seq_range *x = a, *y = b;

    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static void normalize(struct seqset *s)
{
    size_t n = 0;
    bool sorted = true;

    for (size_t i = 1; i < s->n && sorted; i++)
        sorted = s->r[i - 1].lo <= s->r[i].lo;
    if (!sorted)
        qsort(s->r, s->n, sizeof s->r[0], by_lo);
    for (size_t i = 0; i < s->n; i++) {
        struct seq_range *last = n ? &s->r[n - 1] : NULL;

        if (last && (last->hi == UINT32_MAX || s->r[i].lo <= last->hi + 1))
            last->hi = last->hi > s->r[i].hi ? last->hi : s->r[i].hi;
        else
            s->r[n++] = s->r[i];
    }
    s->n = n;
}

static struct seqset *set_alloc(struct arena *a, size_t n)
{
    return arena_alloc(a, sizeof(struct seqset) + n * sizeof(struct seq_range));
}

int seqset_make(struct arena *a, const struct seq_range *r, size_t n, const struct seqset **set_out)
{
    struct seqset *s = n > SIZE_MAX / sizeof *r - 16 ? NULL : set_alloc(a, n);

    if (!s)
        return E_NOMEM;
    if (n)
        memcpy(s->r, r, n * sizeof *r);
    s->n = n;
    normalize(s);
    *set_out = s;
    return 0;
}

/* seq-number = nz-number / "*"; 0 stands for '*' in an empty mailbox. */
static bool seq_number(struct str text, uint32_t last, uint32_t *out, bool *star)
{
    if (str_eq_z(text, "*")) {
        *out = last;
        *star = true;
        return true;
    }
    return str_to_u32(text, out) && *out > 0;
}

static int parse(struct arena *a, struct str text, uint32_t last, bool lenient, const struct seqset **set_out)
{
    size_t ranges = 1;
    bool more = true, empty_star = false;
    struct seqset *s;

    for (size_t i = 0; i < text.n; i++)
        ranges += text.p[i] == ',';
    if (ranges > SEQSET_RANGES_MAX)
        return E_LIMIT;
    if (!(s = set_alloc(a, ranges)))
        return E_NOMEM;
    while (more) {
        struct str item, lo, hi;
        struct seq_range r;
        bool star = false;

        more = str_cut(text, ',', &item, &text);
        if (!str_cut(item, ':', &lo, &hi))
            hi = lo;
        if (!seq_number(lo, last, &r.lo, &star) || !seq_number(hi, last, &r.hi, &star))
            return E_SYNTAX;
        if (star && last == 0) {
            empty_star = true;
            continue;
        }
        if (r.lo > r.hi) /* "4:2" is "2:4" (RFC 9051 9) */
            r = (struct seq_range){ r.hi, r.lo };
        s->r[s->n++] = r;
    }
    if (empty_star && !lenient)
        return E_RANGE;
    normalize(s);
    *set_out = s;
    return 0;
}

int seqset_parse(struct arena *a, struct str text, uint32_t last, const struct seqset **set_out)
{
    return parse(a, text, last, false, set_out);
}

int seqset_parse_lenient(struct arena *a, struct str text, uint32_t last, const struct seqset **set_out)
{
    return parse(a, text, last, true, set_out);
}

bool seqset_has(const struct seqset *s, uint32_t n)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->r[mid].hi < n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->r[lo].lo <= n;
}

uint64_t seqset_count(const struct seqset *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += (uint64_t)s->r[i].hi - s->r[i].lo + 1;
    return n;
}

uint32_t seqset_max(const struct seqset *s)
{
    return s->n ? s->r[s->n - 1].hi : 0;
}

size_t seqset_ranges(const struct seqset *s)
{
    return s->n;
}

struct seq_range seqset_range(const struct seqset *s, size_t i)
{
    return s->r[i];
}

int seq_range_write(struct seq_range r, bool first, struct buf *out)
{
    const char *comma = first ? "" : ",";

    return r.lo == r.hi ? buf_printf(out, "%s%u", comma, r.lo)
                        : buf_printf(out, "%s%u:%u", comma, r.lo, r.hi);
}

int seqset_write(const struct seqset *s, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < s->n && r >= 0; i++)
        r = seq_range_write(s->r[i], i == 0, out);
    return r;
}
