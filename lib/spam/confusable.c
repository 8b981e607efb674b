#include "lib/spam/confusable.h"
#include "lib/mime/charset.h"

static int by_cp(const void *key, const void *row)
{
    uint32_t cp = *(const uint32_t *)key, other = ((const struct spam_confusable *)row)->cp;

    return cp < other ? -1 : cp > other;
}

/* The code point at s, whose length is n > 0. */
static uint32_t decode(struct str s, int n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    uint32_t cp = n == 1 ? p[0] : p[0] & (0x7Fu >> n);

    for (int i = 1; i < n; i++)
        cp = cp << 6 | (p[i] & 0x3Fu);
    return cp;
}

/* Latin-1 and Latin Extended-A without their accents; 0: not one of them. */
static char without_accent(uint32_t cp)
{
    static const char latin1[] = "aaaaaaaceeeeiiiidnooooo*ouuuuypsaaaaaaaceeeeiiiidnooooo/ouuuuypy";
    static const char extended[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllllllln"
                                   "nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

    if (cp >= 0xC0 && cp < 0x100)
        return latin1[cp - 0xC0];
    if (cp >= 0x100 && cp - 0x100 < sizeof(extended) - 1)
        return extended[cp - 0x100];
    return 0;
}

static int put_code_point(uint32_t cp, struct str raw, struct buf *out)
{
    const struct spam_confusable *c;
    char plain;

    if (cp < 0x80) {
        plain = ascii_lower((char)cp);
        return buf_putc(out, plain == '0' ? 'o' : plain == '1' || plain == '|' ? 'l' : plain);
    }
    if (cp >= 0x300 && cp < 0x370)
        return 0; /* accents that follow their letter */
    if ((plain = without_accent(cp)))
        return buf_putc(out, plain);
    if ((c = bsearch(&cp, spam_confusables, spam_confusables_count, sizeof *c, by_cp)))
        return buf_putz(out, c->ascii);
    return buf_puts(out, raw);
}

/* Pairs of letters that read as one. */
static void merge_pairs(struct buf *out, size_t from)
{
    size_t to = from;

    for (size_t i = from; i < out->n; i++, to++) {
        char a = out->p[i], b = i + 1 < out->n ? out->p[i + 1] : 0;
        char one = a == 'r' && b == 'n' ? 'm' : a == 'v' && b == 'v' ? 'w' : 0;

        out->p[to] = one ? one : a;
        i += one != 0;
    }
    out->n = to;
}

int spam_skeleton(struct str text, struct buf *out)
{
    size_t from = out->n;
    int r = 0;

    while (text.n && r == 0) {
        int n = mime_utf8_bytes((const unsigned char *)text.p, text.n);

        if (n <= 0) {
            r = buf_putc(out, text.p[0]);
            n = 1;
        } else {
            r = put_code_point(decode(text, n), str_slice(text, 0, (size_t)n), out);
        }
        text = str_skip(text, (size_t)n);
    }
    if (r < 0) {
        out->n = from;
        return r;
    }
    merge_pairs(out, from);
    return 0;
}

bool spam_mixed_script(struct str text)
{
    unsigned scripts = 0;

    while (text.n) {
        int n = mime_utf8_bytes((const unsigned char *)text.p, text.n);
        uint32_t cp;

        if (n <= 0)
            return false;
        cp = decode(text, n);
        if (n == 1 ? ascii_alpha(text.p[0]) : cp < 0x250)
            scripts |= 1;
        else if (cp >= 0x370 && cp < 0x400)
            scripts |= 2;
        else if (cp >= 0x400 && cp < 0x530)
            scripts |= 4;
        text = str_skip(text, (size_t)n);
    }
    return (scripts & (scripts - 1)) != 0;
}
