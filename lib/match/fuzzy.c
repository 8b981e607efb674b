#include "lib/match/fuzzy.h"
#include "lib/mime/charset.h"
#include <string.h>
#include <utf8proc.h>

#define FREE_TYPOS_FROM 4u /* letters of a word that may be wrong in one */
#define TWO_TYPOS_FROM  8u
#define PREFIX_FROM     3u
#define PIECE_FROM      4u
#define OFTEN_HALF      1.2 /* BM25's k1: so often is half as good as ever so often */
#define PHRASE_BONUS    1.3

/* ---- letters ---------------------------------------------------------------------------------- */

enum kind { NONE, LETTER, MARK, BARE };

bool fuzzy_is_bare(uint32_t c)
{
    return (c >= 0x0E00 && c < 0x0F00) || (c >= 0x1000 && c < 0x10A0) || (c >= 0x1780 && c < 0x1800) ||
           (c >= 0x3040 && c < 0x3100) || (c >= 0x31F0 && c < 0x3200) || (c >= 0x3400 && c < 0xA000) ||
           (c >= 0xF900 && c < 0xFB00) || (c >= 0x20000 && c < 0x40000) || c == 0x3005;
}

/* Letters that no decomposition takes apart, and people leave the stroke out. */
static uint32_t plain_of(uint32_t c)
{
    switch (c) {
    case 0xF8: return 'o';
    case 0x142: return 'l';
    case 0x111:
    case 0xF0: return 'd';
    case 0x127: return 'h';
    case 0x167: return 't';
    case 0x131: return 'i';
    case 0xE6: return 'a';
    case 0x153: return 'o';
    default: return c;
    }
}

static inline bool is_ascii_letter(unsigned char c)
{
    return (unsigned char)(c - 'a') < 26 || (unsigned char)(c - '0') < 10;
}

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80)
        return is_ascii_letter((unsigned char)c) ? LETTER : NONE;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return fuzzy_is_bare(c) ? BARE : LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return MARK;
    default: return NONE;
    }
}

/* Bytes of the character at p, which is *out; what is no UTF-8 is a byte of nothing. */
static size_t char_at(struct str s, size_t at, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    static const unsigned char first[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    int n;

    if (p[0] < 0x80) {
        *out = p[0];
        return 1;
    }
    if ((n = mime_utf8_bytes(p, s.n - at)) <= 0) {
        *out = 0xFFFD;
        return 1;
    }
    *out = p[0] & first[n];
    for (int i = 1; i < n; i++)
        *out = *out << 6 | (p[i] & 63);
    return (size_t)n;
}

static void letter_add(struct fuzzy_letters *l, uint32_t c)
{
    if (l->n == FUZZY_LETTERS_MAX)
        return;
    c = c < 0x80 ? c : plain_of(c);
    l->at[l->n++] = c;
    l->seen |= UINT64_C(1) << (c & 63);
}

/* Two letters of a run of a script without spaces; the next word begins with the second. */
static void next_bare(struct str text, size_t *at, size_t *to, struct fuzzy_letters *out)
{
    size_t p = *to, second = 0, n;
    enum kind k;
    uint32_t c;

    while (p < text.n && out->n < 2) {
        n = char_at(text, p, &c);
        k = kind_of(c);
        if (k != BARE && k != MARK)
            break;
        if (k == BARE) {
            letter_add(out, c);
            second = p;
        }
        p += n;
    }
    for (k = MARK; p < text.n; p += n) { /* the second one's marks */
        n = char_at(text, p, &c);
        if ((k = kind_of(c)) != MARK)
            break;
    }
    *to = p;
    *at = out->n == 2 && p < text.n && k == BARE ? second : p;
}

/* The most of all mail: letters of ASCII, to the first byte that is none. */
static size_t next_ascii(struct str text, size_t p, struct fuzzy_letters *out)
{
    for (; p < text.n && is_ascii_letter((unsigned char)text.p[p]); p++)
        if (out->n < FUZZY_LETTERS_MAX) {
            uint32_t c = (unsigned char)text.p[p];

            out->at[out->n++] = c;
            out->seen |= UINT64_C(1) << (c & 63);
        }
    return p;
}

static size_t skip_ascii(struct str text, size_t p)
{
    while (p < text.n && (unsigned char)text.p[p] < 0x80 && !is_ascii_letter((unsigned char)text.p[p]))
        p++;
    return p;
}

bool fuzzy_next(struct str text, size_t *at, size_t *from_out, size_t *to_out, struct fuzzy_letters *out)
{
    size_t p = *at, n = 0;
    enum kind k = NONE;
    uint32_t c = 0;

    out->n = 0;
    out->seen = 0;
    out->bare = false;
    for (p = skip_ascii(text, p); p < text.n; p = skip_ascii(text, p + n)) {
        n = char_at(text, p, &c);
        if ((k = kind_of(c)) == LETTER || k == BARE)
            break;
    }
    if (p >= text.n) {
        *at = text.n;
        return false;
    }
    *from_out = *to_out = p;
    out->bare = k == BARE;
    if (out->bare) {
        letter_add(out, c);
        *to_out = p + n;
        next_bare(text, at, to_out, out);
        return true;
    }
    for (p = next_ascii(text, p, out); p < text.n && (unsigned char)text.p[p] >= 0x80;
         p = next_ascii(text, p + n, out)) {
        n = char_at(text, p, &c);
        if ((k = kind_of(c)) == LETTER)
            letter_add(out, c);
        else if (k != MARK)
            break;
    }
    *at = *to_out = p;
    return true;
}

/* ---- words ------------------------------------------------------------------------------------ */

static bool is_number(const struct fuzzy_letters *l)
{
    unsigned digits = 0;

    for (unsigned i = 0; i < l->n; i++)
        digits += l->at[i] >= '0' && l->at[i] <= '9';
    return digits * 2 > l->n; /* another number is another thing */
}

static bool is_same(const struct fuzzy_letters *a, const struct fuzzy_letters *b)
{
    return a->n == b->n && memcmp(a->at, b->at, a->n * sizeof a->at[0]) == 0;
}

void fuzzy_init(struct fuzzy *f, struct str folded)
{
    size_t at = 0, from, to;
    unsigned main_words = 0;

    *f = (struct fuzzy){ .text = folded };
    while (f->n < FUZZY_WORDS_MAX) {
        struct fuzzy_word *w = &f->word[f->n];
        unsigned i = 0;

        if (!fuzzy_next(folded, &at, &from, &to, &w->letters))
            break;
        while (i < f->n && !is_same(&f->word[i].letters, &w->letters))
            i++;
        if (i < f->n)
            continue;
        w->text = str_slice(folded, from, to);
        w->weight = 1;
        w->aside = !w->letters.bare && w->letters.n < 3;
        if (!w->letters.bare && w->letters.n >= FREE_TYPOS_FROM && !is_number(&w->letters))
            w->typos = w->letters.n >= TWO_TYPOS_FROM ? 2 : 1;
        main_words += !w->aside;
        f->n++;
    }
    for (unsigned i = 0; i < f->n && !main_words; i++)
        f->word[i].aside = false;
    main_words = main_words ? main_words : f->n;
    f->quorum = main_words - main_words / 3;
}

/* Letters to change, add, leave out or swap with the next: at most `max`, else max + 1. Two rows and the
 * one before (optimal string alignment), no more of each than `max` to either side. */
static unsigned distance(const struct fuzzy_letters *a, const struct fuzzy_letters *b, unsigned max)
{
    unsigned char rows[3][FUZZY_LETTERS_MAX + 1];
    unsigned char *two = rows[0], *one = rows[1], *now = rows[2], *swap;

    for (unsigned j = 0; j <= b->n; j++)
        one[j] = (unsigned char)j;
    for (unsigned i = 1; i <= a->n; i++) {
        unsigned least = now[0] = (unsigned char)i;

        for (unsigned j = 1; j <= b->n; j++) {
            unsigned d = one[j - 1] + (a->at[i - 1] != b->at[j - 1] ? 1u : 0u);

            d = one[j] + 1u < d ? one[j] + 1u : d;
            d = now[j - 1] + 1u < d ? now[j - 1] + 1u : d;
            if (i > 1 && j > 1 && a->at[i - 1] == b->at[j - 2] && a->at[i - 2] == b->at[j - 1] &&
                two[j - 2] + 1u < d)
                d = two[j - 2] + 1u;
            now[j] = (unsigned char)d;
            least = d < least ? d : least;
        }
        if (least > max)
            return max + 1;
        swap = two;
        two = one;
        one = now;
        now = swap;
    }
    return one[b->n];
}

static bool has_piece(const struct fuzzy_letters *in, const struct fuzzy_letters *piece)
{
    for (unsigned i = 1; i + piece->n <= in->n; i++)
        if (in->at[i] == piece->at[0] && memcmp(in->at + i, piece->at, piece->n * sizeof piece->at[0]) == 0)
            return true;
    return false;
}

/* One letter of a script without spaces is there or not. */
static double like_bare(const struct fuzzy_letters *q, const struct fuzzy_letters *l)
{
    if (q->n == 1)
        return l->at[0] == q->at[0] || (l->n == 2 && l->at[1] == q->at[0]);
    return is_same(q, l);
}

static inline bool has_at_most(uint64_t bits, unsigned n)
{
    for (; bits && n; n--)
        bits &= bits - 1;
    return !bits;
}

double fuzzy_like(const struct fuzzy_word *w, const struct fuzzy_letters *l)
{
    const struct fuzzy_letters *q = &w->letters;
    bool missing = (q->seen & ~l->seen) != 0;
    unsigned d, more;

    if (!has_at_most(q->seen & ~l->seen, w->typos) || q->bare != l->bare)
        return 0;
    if (q->bare)
        return like_bare(q, l);
    if (is_same(q, l))
        return 1;
    more = l->n > q->n ? l->n - q->n : 0;
    if (more && !missing && q->n >= PREFIX_FROM && memcmp(q->at, l->at, q->n * sizeof q->at[0]) == 0)
        return more > 6 ? 0.7 : 0.92 - 0.03 * more;
    if (w->typos && more <= w->typos && q->n <= l->n + w->typos &&
        has_at_most(l->seen & ~q->seen, w->typos) && (d = distance(q, l, w->typos)) <= w->typos)
        return (d == 1 ? 0.8 : 0.6) - (q->at[0] != l->at[0] ? 0.08 : 0);
    return more && !missing && q->n >= PIECE_FROM && has_piece(l, q) ? 0.6 : 0;
}

void fuzzy_look(const struct fuzzy *f, struct str text, double worth, struct fuzzy_tally *t)
{
    struct fuzzy_letters l;
    size_t at = 0, from, to;

    while (fuzzy_next(text, &at, &from, &to, &l))
        for (unsigned i = 0; i < f->n; i++) {
            double like = fuzzy_like(&f->word[i], &l);

            if (like < FUZZY_LIKE_MIN)
                continue;
            t->often[i] += worth * like * like;
            t->like[i] = like > t->like[i] ? like : t->like[i];
        }
    if (f->n > 1 && !t->phrase && f->text.n <= text.n)
        t->phrase = memmem(text.p, text.n, f->text.p, f->text.n) != NULL;
}

double fuzzy_score(const struct fuzzy *f, const struct fuzzy_tally *t)
{
    unsigned there = 0;
    double sum = 0;

    for (unsigned i = 0; i < f->n; i++) {
        there += t->like[i] > 0 && !f->word[i].aside;
        sum += f->word[i].weight * t->like[i] * t->often[i] / (t->often[i] + OFTEN_HALF);
    }
    if (there < f->quorum || f->n == 0)
        return 0;
    return t->phrase ? sum * PHRASE_BONUS : sum;
}
