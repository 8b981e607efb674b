#include "lib/mime/fold.h"
#include "lib/mime/charset.h"
#include <utf8proc.h>

#define DECOMPOSED_MAX 32 /* U+FDFA, the longest, has 18 */

static int put_cp(int32_t cp, struct buf *out)
{
    char u[4];

    return buf_append(out, u, mime_utf8_put((uint32_t)cp, u));
}

static int marks_flush(struct mime_fold *f, struct buf *out)
{
    int r = 0;

    for (uint32_t i = 0; i < f->nmarks && r >= 0; i++)
        r = put_cp(f->marks[i], out);
    f->nmarks = 0;
    return r;
}

static int put_space(struct mime_fold *f, struct buf *out)
{
    int r = marks_flush(f, out);

    if (r < 0 || f->space)
        return r;
    f->space = true;
    return buf_putc(out, ' ');
}

/* A combining mark: into its place by class, after its equals (Unicode 3.11, canonical ordering). */
static int mark_add(struct mime_fold *f, int32_t cp, utf8proc_propval_t class, struct buf *out)
{
    uint32_t i = f->nmarks;
    int r;

    if (f->nmarks == MIME_FOLD_MARKS_MAX) {
        if ((r = marks_flush(f, out)) < 0)
            return r;
        i = 0;
    }
    for (; i && utf8proc_get_property(f->marks[i - 1])->combining_class > class; i--)
        f->marks[i] = f->marks[i - 1];
    f->marks[i] = cp;
    f->nmarks++;
    return 0;
}

static bool is_space(int32_t cp)
{
    utf8proc_category_t c = utf8proc_category(cp);

    return c == UTF8PROC_CATEGORY_ZS || c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP ||
           (cp >= 9 && cp <= 13) || cp == 0x85;
}

static bool is_control(int32_t c)
{
    return (c >= 0 && c < 9) || (c > 13 && c < 0x20) || c == 0x7f;
}

/* Most characters beyond ASCII are what they are; Hangul is composed by rule, not by table. */
static bool is_unchanged(int32_t cp)
{
    const utf8proc_property_t *p = utf8proc_get_property(cp);

    return p->decomp_seqindex == UINT16_MAX && p->casefold_seqindex == UINT16_MAX && !p->ignorable &&
           !p->combining_class && !(cp >= 0xAC00 && cp < 0xD7A4) && p->category != UTF8PROC_CATEGORY_ZS &&
           p->category != UTF8PROC_CATEGORY_ZL && p->category != UTF8PROC_CATEGORY_ZP && cp > 0x9F;
}

static int fold_cp(struct mime_fold *f, int32_t cp, struct buf *out)
{
    int32_t parts[DECOMPOSED_MAX];
    int last_class = UTF8PROC_BOUNDCLASS_START, r = 0;
    utf8proc_ssize_t n;

    if (is_unchanged(cp)) {
        f->space = false;
        return (r = marks_flush(f, out)) < 0 ? r : put_cp(cp, out);
    }
    n = utf8proc_decompose_char(cp, parts, DECOMPOSED_MAX,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE,
                                &last_class);

    if (n < 0 || n > DECOMPOSED_MAX) {
        parts[0] = cp;
        n = 1;
    }
    for (utf8proc_ssize_t i = 0; i < n && r >= 0; i++) {
        utf8proc_propval_t class = utf8proc_get_property(parts[i])->combining_class;

        if (is_control(parts[i])) {
            continue;
        } else if (is_space(parts[i])) {
            r = put_space(f, out);
        } else if (class) {
            f->space = false;
            r = mark_add(f, parts[i], class, out);
        } else {
            f->space = false;
            if ((r = marks_flush(f, out)) >= 0)
                r = put_cp(parts[i], out);
        }
    }
    return r;
}

/* ASCII, the most of all mail, without tables. Returns bytes taken, or an error. */
static ptrdiff_t ascii_run(struct mime_fold *f, struct str in, struct buf *out)
{
    size_t i = 0;
    char *at, *to;
    int r;

    while (i < in.n && is_control(in.p[i])) /* what is dropped does not part a letter from its marks */
        i++;
    if (i == in.n || (unsigned char)in.p[i] >= 0x80)
        return (ptrdiff_t)i;
    if ((r = marks_flush(f, out)) < 0)
        return r;
    at = to = buf_reserve(out, in.n);
    if (!at)
        return out->max - out->n < in.n ? E_LIMIT : E_NOMEM;
    for (; i < in.n && (unsigned char)in.p[i] < 0x80; i++) {
        char c = in.p[i];
        bool space = c == ' ' || (c >= 9 && c <= 13);

        if (is_control(c))
            continue;
        if (!space)
            *to++ = ascii_lower(c);
        else if (!f->space)
            *to++ = ' ';
        f->space = space;
    }
    out->n += (size_t)(to - at);
    return (ptrdiff_t)i;
}

static int32_t decode(const unsigned char *p, int n)
{
    static const unsigned char first[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    int32_t cp = p[0] & first[n];

    for (int i = 1; i < n; i++)
        cp = cp << 6 | (p[i] & 63);
    return cp;
}

/* One character at p; returns the bytes it took, 0 when it is unfinished, or an error. */
static int fold_char(struct mime_fold *f, const unsigned char *p, size_t n, struct buf *out)
{
    int len = mime_utf8_bytes(p, n), r;

    if (len < 0)
        return 0;
    r = fold_cp(f, len ? decode(p, len) : 0xFFFD, out);
    return r < 0 ? r : len ? len : 1;
}

int mime_fold_feed(struct mime_fold *f, struct str in, struct buf *out)
{
    while (in.n) {
        ptrdiff_t used;

        if (f->npend) { /* give the unfinished character one more byte */
            f->pend[f->npend++] = (unsigned char)in.p[0];
            in = str_skip(in, 1);
            while (f->npend && (used = fold_char(f, f->pend, f->npend, out)) != 0) {
                if (used < 0)
                    return (int)used;
                f->npend -= (uint32_t)used;
                memmove(f->pend, f->pend + used, f->npend);
            }
            continue;
        }
        if ((unsigned char)in.p[0] < 0x80)
            used = ascii_run(f, in, out);
        else
            used = fold_char(f, (const unsigned char *)in.p, in.n, out);
        if (used < 0)
            return (int)used;
        if (!used) {
            memcpy(f->pend, in.p, in.n); /* at most three bytes are unfinished */
            f->npend = (uint32_t)in.n;
            return 0;
        }
        in = str_skip(in, (size_t)used);
    }
    return 0;
}

int mime_fold_finish(struct mime_fold *f, struct buf *out)
{
    int r = 0;

    for (; f->npend && r >= 0; f->npend--)
        r = fold_cp(f, 0xFFFD, out);
    if (r >= 0)
        r = marks_flush(f, out);
    *f = (struct mime_fold){ 0 };
    return r;
}

int mime_fold_append(struct str in, struct buf *out)
{
    struct mime_fold f = { 0 };
    int r = mime_fold_feed(&f, in, out);

    return r < 0 ? r : mime_fold_finish(&f, out);
}
