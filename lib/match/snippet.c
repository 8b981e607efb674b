#include "lib/match/snippet.h"
#include "lib/mime/charset.h"
#include "lib/mime/fold.h"
#include <string.h>

#define PIECE_MAX      KIB(64) /* of a text, looked at in one */
#define CHARS_DEFAULT  160u
#define LINES_DEFAULT  3u
#define FOUND_MAX      256u /* of one piece */
#define WORD_MAX_BYTES 24u  /* so far a cut moves to stand between words */

struct found {
    uint32_t from, to;
    unsigned question;
    double worth;
};

struct finds {
    struct found v[FOUND_MAX];
    size_t n;
};

void snippet_init(struct snippet *s, size_t chars_max, size_t lines_max)
{
    *s = (struct snippet){ .chars_max = size_min(chars_max ? chars_max : CHARS_DEFAULT, SNIPPET_CHARS_MAX),
                           .lines_max = size_min(lines_max ? lines_max : LINES_DEFAULT, SNIPPET_LINES_MAX) };
    s->field.max = KIB(1);
    s->raw.max = PIECE_MAX + KIB(512);
    s->clean.max = s->raw.max * 3;
    s->folded.max = MIB(8);
}

void snippet_ask(struct snippet *s, const struct snippet_question *q)
{
    struct snippet_question *to = &s->question[s->nquestions];

    if (s->nquestions == SNIPPET_QUESTIONS_MAX || q->text.n == 0)
        return;
    *to = *q;
    to->regex = NULL;
    if (q->kind == SNIPPET_FUZZY)
        fuzzy_init(&to->words, q->text);
    if (q->kind == SNIPPET_REGEX && !(to->regex = regex_new(q->text.p, q->text.n, NULL, 0)))
        return;
    s->nquestions++;
}

void snippet_release(struct snippet *s)
{
    struct buf *all[] = { &s->field, &s->raw, &s->clean, &s->folded };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_release(all[i]);
    for (size_t i = 0; i < ARRAY_LEN(s->line); i++) {
        buf_release(&s->line[i].field);
        buf_release(&s->line[i].text);
    }
    for (size_t i = 0; i < s->nquestions; i++)
        regex_free(&s->question[i].regex);
    free(s->map);
    s->map = NULL;
    s->nquestions = s->nlines = 0;
}

/* ---- the text, and what it folds to ----------------------------------------------------------- */

static uint32_t char_of(struct str s, size_t at, size_t *n_out)
{
    static const unsigned char first[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    const unsigned char *p = (const unsigned char *)s.p + at;
    int n = mime_utf8_bytes(p, s.n - at);
    uint32_t c;

    *n_out = n > 0 ? (size_t)n : 1;
    if (n <= 0)
        return 0xFFFD;
    c = p[0] & first[n];
    for (int i = 1; i < n; i++)
        c = c << 6 | (p[i] & 63);
    return c;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

/* Controls, and those that turn the direction of what stands around them: a line is shown among others. */
static bool is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0xFEFF || c == 0xAD;
}

static int clean(struct snippet *s)
{
    struct str in = buf_str(&s->raw);
    bool space = true;
    size_t n;
    int r = 0;

    buf_clear(&s->clean);
    for (size_t at = 0; at < in.n && r >= 0; at += n) {
        uint32_t c = char_of(in, at, &n);
        char utf8[4];

        if (is_space(c)) {
            r = space ? 0 : buf_putc(&s->clean, ' ');
            space = true;
        } else if (!is_hidden(c)) {
            r = buf_append(&s->clean, utf8, mime_utf8_put(c, utf8));
            space = false;
        }
    }
    while (s->clean.n && s->clean.p[s->clean.n - 1] == ' ')
        s->clean.n--;
    return r;
}

static int map_to(struct snippet *s, size_t from, uint32_t at)
{
    if (s->folded.n > s->map_cap) {
        size_t cap = size_max(s->folded.n * 2, KIB(4));
        uint32_t *map = realloc(s->map, cap * sizeof *map);

        if (!map)
            return E_NOMEM;
        s->map = map;
        s->map_cap = cap;
    }
    for (size_t i = from; i < s->folded.n; i++)
        s->map[i] = at;
    return 0;
}

static bool is_mark(uint32_t c)
{
    struct fuzzy_letters l;
    size_t at = 0, from, to, n;
    char both[5] = "a";

    if (c < 0x300)
        return false;
    n = 1 + mime_utf8_put(c, both + 1); /* what belongs to the letter before it */
    return fuzzy_next(str_of(both, n), &at, &from, &to, &l) && to == n && l.n == 1;
}

/* A letter with its marks is folded by itself, so that one byte of the fold stands for one place. */
static int fold(struct snippet *s)
{
    struct str in = buf_str(&s->clean);
    bool space = true;
    size_t n, end;
    int r = 0;

    buf_clear(&s->folded);
    for (size_t at = 0; at < in.n && r >= 0; at = end) {
        struct mime_fold f = { .space = space };
        size_t before = s->folded.n;

        char_of(in, at, &n);
        for (end = at + n; end < in.n && (unsigned char)in.p[end] >= 0xCC && is_mark(char_of(in, end, &n));)
            end += n;
        if ((r = mime_fold_feed(&f, str_slice(in, at, end), &s->folded)) < 0 ||
            (r = mime_fold_finish(&f, &s->folded)) < 0)
            return r;
        if (s->folded.n > before)
            space = s->folded.p[s->folded.n - 1] == ' ';
        r = map_to(s, before, (uint32_t)at);
    }
    return r;
}

/* ---- finding ---------------------------------------------------------------------------------- */

static size_t behind(const struct snippet *s, size_t to)
{
    uint32_t last = s->map[to - 1];

    while (to < s->folded.n && s->map[to] == last)
        to++;
    return to < s->folded.n ? s->map[to] : s->clean.n;
}

static void found(const struct snippet *s, struct finds *f, size_t from, size_t to, unsigned question,
                  double worth)
{
    if (f->n < FOUND_MAX && to > from && to <= s->folded.n)
        f->v[f->n++] = (struct found){ s->map[from], (uint32_t)behind(s, to), question, worth };
}

static void find_exact(const struct snippet *s, const struct snippet_question *q, unsigned i, struct finds *f)
{
    struct str rest = buf_str(&s->folded);
    ptrdiff_t at;

    while (f->n < FOUND_MAX && (at = str_find(rest, q->text)) >= 0) {
        size_t from = s->folded.n - rest.n + (size_t)at;

        found(s, f, from, from + q->text.n, i, 1);
        rest = str_skip(rest, (size_t)at + q->text.n);
    }
}

/* Words of one question count as questions of their own: a line with two of them is better. */
static void find_fuzzy(const struct snippet *s, const struct snippet_question *q, unsigned i, struct finds *f)
{
    size_t at = 0, from, to;
    struct fuzzy_letters l;

    while (f->n < FOUND_MAX && fuzzy_next(buf_str(&s->folded), &at, &from, &to, &l))
        for (unsigned w = 0; w < q->words.n; w++) {
            double like = fuzzy_like(&q->words.word[w], &l);

            if (like >= FUZZY_LIKE_MIN) {
                found(s, f, from, to, i + (w + 1) * SNIPPET_QUESTIONS_MAX, like);
                break;
            }
        }
}

static void find_regex(const struct snippet *s, const struct snippet_question *q, unsigned i, struct finds *f)
{
    size_t at = 0, from, to;

    while (f->n < FOUND_MAX && at < s->folded.n &&
           regex_find(q->regex, s->folded.p + at, s->folded.n - at, &from, &to)) {
        found(s, f, at + from, at + to, i, 1);
        at += to > from ? to : to + 1;
    }
}

static bool asks_for(const struct snippet_question *q, struct str field)
{
    bool head = field.n && !str_ieq_z(field, "filename");

    if (q->field.n == 0 || str_eq_z(q->field, "text"))
        return true;
    if (str_eq_z(q->field, "body"))
        return !head;
    return head && (str_eq_z(q->field, "header") || str_ieq(q->field, field));
}

/* ---- lines ------------------------------------------------------------------------------------ */

static double field_worth(struct str field)
{
    static const char *const machine[] = { "received",    "dkim-signature", "authentication-results",
                                           "message-id",  "references",     "in-reply-to",
                                           "return-path", "mime-version",   "content-type" };

    if (field.n == 0 || str_ieq_z(field, "subject") || str_ieq_z(field, "filename"))
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(machine); i++)
        if (str_ieq_z(field, machine[i]))
            return 0.05;
    return str_istarts(field, STR("x-")) || str_istarts(field, STR("arc-")) ? 0.1 : 0.7;
}

static int by_place(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to > y->to ? -1 : x->to < y->to; /* the longer one first: it hides the others */
}

/* How much [first, …] says that fits into `bytes`: each question once, and a little for every further find. */
static double window_worth(const struct finds *f, size_t first, size_t bytes, size_t *last_out)
{
    double worth = 0;

    for (size_t i = first; i < f->n && f->v[i].to - f->v[first].from <= bytes; i++) {
        bool again = false;

        for (size_t k = first; k < i && !again; k++)
            again = f->v[k].question == f->v[i].question;
        worth += again ? f->v[i].worth / 20 : f->v[i].worth;
        *last_out = i;
    }
    return worth;
}

static bool is_inside_char(struct str s, size_t at)
{
    return at < s.n && ((unsigned char)s.p[at] & 0xC0) == 0x80;
}

/* `n` characters back from `at`, or forth; then to where a word begins or ends, when that is near. */
static size_t back(struct str s, size_t at, size_t n)
{
    size_t limit;

    for (; n && at; n--)
        for (at--; at && is_inside_char(s, at);)
            at--;
    limit = at + WORD_MAX_BYTES;
    for (size_t i = at; i && i < limit && i < s.n; i++)
        if (s.p[i] == ' ')
            return i + 1;
    return at;
}

static size_t forth(struct str s, size_t at, size_t n)
{
    size_t limit;

    for (; n && at < s.n; n--)
        for (at++; is_inside_char(s, at);)
            at++;
    limit = at > WORD_MAX_BYTES ? at - WORD_MAX_BYTES : 0;
    for (size_t i = at; i < s.n && i > limit; i--)
        if (s.p[i] == ' ')
            return i;
    return at;
}

static size_t chars_in(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += !is_inside_char(s, i);
    return n;
}

/* The line around finds [first, last]. */
static int line_make(const struct snippet *s, const struct finds *f, size_t first, size_t last,
                     struct snippet_line *out)
{
    struct str text = buf_str(&s->clean);
    size_t from = f->v[first].from, to = f->v[last].to, chars, room, end;
    int r;

    if ((chars = chars_in(str_slice(text, from, to))) > s->chars_max) /* one long match: its beginning */
        to = forth(text, from, s->chars_max), chars = s->chars_max;
    room = s->chars_max - chars;
    chars = size_min(chars_in(str_slice(text, to, to + room * 3)), room - room / 3); /* behind it */
    from = from ? size_min(back(text, from, room - chars), from) : 0;
    room -= size_min(chars_in(str_slice(text, from, f->v[first].from)), room);
    end = size_max(forth(text, to, room), to);
    out->field.max = out->text.max = KIB(4);
    buf_clear(&out->field);
    buf_clear(&out->text);
    out->nmatches = 0;
    if ((r = buf_puts(&out->field, buf_str(&s->field))) < 0 ||
        (r = buf_puts(&out->text, str_slice(text, from, end))) < 0)
        return r;
    while (out->text.n && out->text.p[out->text.n - 1] == ' ')
        out->text.n--;
    out->cut_before = from > 0 || s->more;
    out->cut_after = end < text.n;
    for (size_t i = first, at = from; i < f->n && out->nmatches < SNIPPET_MATCHES_MAX; i++) {
        size_t a = f->v[i].from, b = size_min(f->v[i].to, from + out->text.n);

        if (a < at || a >= b)
            continue;
        out->match[out->nmatches].from = (uint32_t)(a - from);
        out->match[out->nmatches++].to = (uint32_t)(b - from);
        at = b;
    }
    return 0;
}

/* The new line stands at line[nlines]: into its place; the worst goes when they are too many. */
static void line_place(struct snippet *s)
{
    size_t i = s->nlines;

    for (; i && s->line[i - 1].worth < s->line[i].worth; i--) {
        struct snippet_line swap = s->line[i];

        s->line[i] = s->line[i - 1];
        s->line[i - 1] = swap;
    }
    s->nlines = size_min(s->nlines + 1, s->lines_max);
}

static int piece_end(struct snippet *s)
{
    struct finds f = { .n = 0 };
    size_t first = 0, last = 0, end;
    double best = 0;
    int r;

    if ((r = clean(s)) < 0 || (r = fold(s)) < 0)
        return r;
    for (unsigned i = 0; i < s->nquestions; i++) {
        const struct snippet_question *q = &s->question[i];

        if (!asks_for(q, buf_str(&s->field)) || s->folded.n == 0)
            continue;
        (q->kind == SNIPPET_EXACT   ? find_exact
         : q->kind == SNIPPET_FUZZY ? find_fuzzy
                                    : find_regex)(s, q, i, &f);
    }
    qsort(f.v, f.n, sizeof f.v[0], by_place);
    for (size_t i = 0; i < f.n; i++) {
        double worth = window_worth(&f, i, s->chars_max, &end);

        if (worth > best || i == 0) {
            best = worth > best ? worth : best;
            first = i;
            last = worth > 0 ? end : i;
        }
    }
    if (f.n == 0)
        return 0;
    s->line[s->nlines].worth = (best > 0 ? best : f.v[first].worth) * field_worth(buf_str(&s->field));
    if ((r = line_make(s, &f, first, last, &s->line[s->nlines])) == 0)
        line_place(s);
    return r;
}

int snippet_feed(struct snippet *s, struct str field, struct str text, bool end)
{
    int r = 0;

    if (field.p) {
        buf_clear(&s->field);
        buf_clear(&s->raw);
        s->more = false;
        r = buf_puts(&s->field, str_slice(str_trim(field), 0, 128));
    }
    while (text.n && r >= 0) {
        size_t n = size_min(text.n, KIB(16));

        if ((r = buf_puts(&s->raw, str_slice(text, 0, n))) < 0)
            return r;
        text = str_skip(text, n);
        if (s->raw.n >= PIECE_MAX) {
            ptrdiff_t space = str_rchr(str_slice(buf_str(&s->raw), PIECE_MAX / 2, s->raw.n), ' ');
            size_t whole = space > 0 ? PIECE_MAX / 2 + (size_t)space : s->raw.n;
            size_t rest = s->raw.n - whole, all = s->raw.n;

            s->raw.n = whole;
            r = piece_end(s);
            s->raw.n = all;
            buf_drop(&s->raw, all - rest);
            s->more = true;
        }
    }
    if (end && r >= 0) {
        r = piece_end(s);
        buf_clear(&s->raw);
    }
    return r;
}
