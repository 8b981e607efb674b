#include "lib/mime/html.h"
#include "lib/mime/charset.h"

enum { TEXT, TAG_OPEN, TAG_NAME, TAG, DECLARATION, COMMENT, COMMENT_1, COMMENT_2, RAW, RAW_OPEN, ENTITY };

static const char *const dropped[] = { "script", "style", "template" };
/* Elements that stand inside a line; every other one breaks it. */
static const char *const in_line[] = {
    "a",   "abbr",     "acronym", "b",      "bdi",   "bdo",  "big",    "cite",   "code",  "data",
    "del", "dfn",      "em",      "font",   "i",     "img",  "ins",    "kbd",    "label", "mark",
    "q",   "s",        "samp",    "script", "small", "span", "strike", "strong", "style", "sub",
    "sup", "template", "time",    "tt",     "u",     "var",  "wbr",
};

static bool is_among(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

static int by_name(const void *key, const void *row)
{
    return strcmp(key, ((const struct mime_entity *)row)->name);
}

static uint32_t number(const char *z, unsigned base)
{
    uint32_t v = 0;

    if (!*z)
        return 0;
    for (; *z; z++) {
        char c = ascii_lower(*z);
        unsigned d = ascii_digit(c)         ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                            : 99;

        if (d >= base)
            return 0;
        v = v > 0x10FFFF ? v : v * base + d;
    }
    return v;
}

/* h->word is what stood between '&' and `end`, '\0' at the end of input. */
static int entity_end(struct mime_html *h, char end, struct buf *out)
{
    const struct mime_entity *e;
    uint32_t cp = 0;
    char u[4];
    int r;

    h->word[h->n] = '\0';
    if (h->word[0] == '#')
        cp = ascii_lower(h->word[1]) == 'x' ? number(h->word + 2, 16) : number(h->word + 1, 10);
    else if ((e = bsearch(h->word, mime_entities, mime_entities_count, sizeof *e, by_name)))
        cp = e->cp;
    if (cp >= 0x80 && cp < 0xA0) /* numbers of windows-1252, as browsers read them */
        return mime_charset_append(STR("windows-1252"), str_of((char[]){ (char)cp }, 1), out);
    if (cp)
        return buf_append(out, u, mime_utf8_put(cp, u));
    if ((r = buf_putc(out, '&')) < 0 || (r = buf_append(out, h->word, h->n)) < 0)
        return r;
    return end == ';' ? buf_putc(out, ';') : 0;
}

/* The name of a tag is complete. */
static int tag_named(struct mime_html *h, struct buf *out)
{
    h->word[h->n] = '\0';
    h->raw[0] = '\0';
    if (!h->closing && is_among(h->word, dropped, ARRAY_LEN(dropped)))
        memcpy(h->raw, h->word, size_min(h->n + 1, sizeof h->raw));
    return is_among(h->word, in_line, ARRAY_LEN(in_line)) ? 0 : buf_putc(out, '\n');
}

static void tag_end(struct mime_html *h)
{
    h->state = h->raw[0] ? RAW : TEXT;
    h->quote = (struct mime_html_quote){ 0 };
}

static void word_add(struct mime_html *h, char c)
{
    if (h->n < sizeof h->word - 1)
        h->word[h->n++] = c;
}

static void word_start(struct mime_html *h, int state)
{
    h->state = state;
    h->n = 0;
}

static int text_byte(struct mime_html *h, char c, struct buf *out)
{
    if (c == '<')
        h->state = TAG_OPEN;
    else if (c == '&')
        word_start(h, ENTITY);
    else
        return buf_putc(out, c);
    return 0;
}

static int tag_open_byte(struct mime_html *h, char c, struct buf *out)
{
    int r;

    h->closing = c == '/';
    word_start(h, TAG_NAME);
    if (c == '!' || c == '?') {
        h->state = DECLARATION;
    } else if (ascii_alpha(c)) {
        word_add(h, ascii_lower(c));
    } else if (c != '/') { /* "a < b" */
        h->state = TEXT;
        if ((r = buf_putc(out, '<')) < 0)
            return r;
        return text_byte(h, c, out);
    }
    return 0;
}

static int tag_byte(struct mime_html *h, char c, struct buf *out)
{
    int r = 0;

    if (h->state == TAG_NAME) {
        if (ascii_alpha(c) || ascii_digit(c) || c == ':' || c == '-') {
            word_add(h, ascii_lower(c));
            return 0;
        }
        r = tag_named(h, out);
        h->state = TAG;
    }
    if (mime_html_tag_ends(&h->quote, c))
        tag_end(h);
    return r;
}

/* <!…>, and <!--…-->: the word collects the first two bytes. */
static void declaration_byte(struct mime_html *h, char c)
{
    word_add(h, c);
    if (h->n == 2 && h->word[0] == '-' && c == '-')
        h->state = COMMENT_2; /* "<!-->" ends at once */
    else if (c == '>')
        h->state = TEXT;
}

static void comment_byte(struct mime_html *h, char c)
{
    if (c == '-')
        h->state = h->state == COMMENT ? COMMENT_1 : COMMENT_2;
    else
        h->state = h->state == COMMENT_2 && c == '>' ? TEXT : COMMENT;
}

/* Inside script or style: only its own end tag ends it. */
static void raw_byte(struct mime_html *h, char c)
{
    if (c == '<') {
        word_start(h, RAW_OPEN);
        return;
    }
    if (h->state != RAW_OPEN)
        return;
    if (h->n == 0 ? c != '/' : ascii_lower(c) != h->raw[h->n - 1]) {
        h->state = RAW;
        return;
    }
    h->n++;
    if (!h->raw[h->n - 1]) {
        h->raw[0] = '\0';
        h->state = TAG;
    }
}

static int entity_byte(struct mime_html *h, char c, struct buf *out)
{
    int r;

    if ((ascii_alpha(c) || ascii_digit(c) || (c == '#' && !h->n)) && h->n < 12) {
        word_add(h, c);
        return 0;
    }
    h->state = TEXT;
    if ((r = entity_end(h, c, out)) < 0 || c == ';')
        return r;
    return text_byte(h, c, out);
}

/* How much of s is text and nothing else. */
static size_t text_run(struct str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] != '<' && s.p[n] != '&')
        n++;
    return n;
}

int mime_html_feed(struct mime_html *h, struct str in, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < in.n && r >= 0; i++) {
        size_t run = h->state == TEXT ? text_run(str_skip(in, i)) : 0;
        char c;

        if (run && ((r = buf_append(out, in.p + i, run)) < 0 || (i += run) == in.n))
            break;
        c = in.p[i];

        switch (h->state) {
        case TEXT: r = text_byte(h, c, out); break;
        case TAG_OPEN: r = tag_open_byte(h, c, out); break;
        case TAG_NAME:
        case TAG: r = tag_byte(h, c, out); break;
        case DECLARATION: declaration_byte(h, c); break;
        case COMMENT:
        case COMMENT_1:
        case COMMENT_2: comment_byte(h, c); break;
        case RAW:
        case RAW_OPEN: raw_byte(h, c); break;
        default: r = entity_byte(h, c, out); break;
        }
    }
    return r;
}

int mime_html_finish(struct mime_html *h, struct buf *out)
{
    int r = 0;

    if (h->state == ENTITY)
        r = entity_end(h, '\0', out);
    else if (h->state == TAG_OPEN)
        r = buf_putc(out, '<');
    *h = (struct mime_html){ 0 };
    return r;
}
