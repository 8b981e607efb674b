#include "lib/imap/answer.h"
#include "lib/imap/datetime.h"
#include "lib/imap/flags.h"
#include "lib/imap/mboxname.h"

/* ---- the stream ---- */

void imap_answers_release(struct imap_answers *a)
{
    buf_release(&a->line);
}

/* Status responses have free text, which may end as a literal begins; what is tagged is one. */
static bool may_have_literals(struct str line)
{
    static const char *const status[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };
    struct str word, rest;

    if (!str_starts(line, STR("* ")))
        return false;
    if (!str_cut(str_skip(line, 2), ' ', &word, &rest))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(status); i++)
        if (str_ieq_z(word, status[i]))
            return false;
    return true;
}

/* "{12}" at the end: 1, and *open_out where the bracket stands. */
static int literal_of(struct str line, size_t floor, uint64_t *n_out, size_t *open_out)
{
    size_t end = line.n, i;
    uint64_t n = 0;

    if (end < 3 || line.p[end - 1] != '}' || !may_have_literals(line))
        return 0;
    end--;
    if (line.p[end - 1] == '+') /* a server has no reason to; it is harmless */
        end--;
    for (i = end; i > 0 && ascii_digit(line.p[i - 1]); i--)
        ;
    if (i == end || i <= floor || line.p[i - 1] != '{')
        return 0;
    if (end - i > 18)
        return E_SYNTAX;
    for (size_t k = i; k < end; k++)
        n = n * 10 + (uint64_t)(line.p[k] - '0');
    *n_out = n;
    *open_out = i - 1;
    return 1;
}

static bool is_body(struct str line, size_t open)
{
    struct str before = str_slice(line, 0, open), word, rest;

    return str_starts(line, STR("* ")) && str_cut(str_skip(line, 2), ' ', &word, &rest) &&
           str_istarts(rest, STR("FETCH ")) && before.n > 7 &&
           str_ieq_z(str_slice(before, before.n - 7, before.n), "BODY[] ");
}

/* A line ended. */
static int line_end(struct imap_answers *a)
{
    uint64_t n = 0;
    size_t open = 0;
    int r;

    a->line.n--; /* LF */
    if (a->line.n && a->line.p[a->line.n - 1] == '\r')
        a->line.n--;
    if ((r = literal_of(buf_str(&a->line), a->floor, &n, &open)) < 0)
        return r;
    if (r == 0) {
        a->whole = true;
        return IMAP_ANSWERS_LINE;
    }
    if (is_body(buf_str(&a->line), open)) {
        if (a->had_body)
            return E_SYNTAX;
        a->had_body = a->body = true;
        a->body_bytes = a->literal = n;
        a->line.n = open;
        r = buf_putz(&a->line, "{0}\r\n");
        a->floor = a->line.n;
        return r < 0 ? r : IMAP_ANSWERS_BEGIN;
    }
    if (n > a->line.max - a->line.n)
        return E_LIMIT; /* before anything is allocated for it */
    a->literal = n;
    r = buf_putz(&a->line, "\r\n");
    a->floor = a->line.n + (size_t)n;
    return r < 0 ? r : IMAP_ANSWERS_MORE;
}

static void begin_again(struct imap_answers *a)
{
    buf_clear(&a->line);
    a->whole = a->had_body = false;
    a->body_bytes = 0;
    a->floor = 0;
}

int imap_answers_feed(struct imap_answers *a, struct str in, size_t *used_out, struct str *slice_out)
{
    size_t used = 0;
    int r = IMAP_ANSWERS_MORE;

    if (a->whole)
        begin_again(a);
    while (used < in.n && r == IMAP_ANSWERS_MORE) {
        struct str now = str_skip(in, used);
        const char *lf;

        if (a->literal) {
            now = str_slice(now, 0, a->literal < now.n ? (size_t)a->literal : now.n);
            a->literal -= now.n;
            used += now.n;
            if (a->body) {
                a->body = a->literal > 0;
                *slice_out = now;
                r = IMAP_ANSWERS_BODY;
            } else {
                r = buf_puts(&a->line, now);
            }
            continue;
        }
        a->body = false;
        lf = memchr(now.p, '\n', now.n);
        now.n = lf ? (size_t)(lf - now.p) + 1 : now.n;
        used += now.n;
        if ((r = buf_puts(&a->line, now)) == 0 && lf)
            r = line_end(a);
    }
    *used_out = used;
    return r;
}

/* ---- words and values ---- */

/* A scan of one response. */
struct scan {
    struct str s;
};

static bool at(const struct scan *c, char want)
{
    return c->s.n && c->s.p[0] == want;
}

static void skip_spaces(struct scan *c)
{
    while (at(c, ' '))
        c->s = str_skip(c->s, 1);
}

static bool take_char(struct scan *c, char want)
{
    bool is = at(c, want);

    if (is)
        c->s = str_skip(c->s, 1);
    return is;
}

/* Up to a space or a parenthesis; brackets hold both: BODY[HEADER.FIELDS (X)]. */
static struct str atom(struct scan *c)
{
    size_t n = 0;
    bool in = false;

    while (n < c->s.n && (in || (c->s.p[n] != ' ' && c->s.p[n] != '(' && c->s.p[n] != ')'))) {
        in = c->s.p[n] == '[' ? true : c->s.p[n] == ']' ? false : in;
        n++;
    }
    struct str word = str_slice(c->s, 0, n);

    c->s = str_skip(c->s, n);
    return word;
}

static int quoted(struct arena *a, struct scan *c, struct str *out)
{
    char *to = arena_alloc(a, c->s.n + 1);
    size_t n = 0, i = 1;

    if (!to)
        return E_NOMEM;
    for (; i < c->s.n && c->s.p[i] != '"'; i++) {
        if (c->s.p[i] == '\\' && i + 1 < c->s.n)
            i++;
        to[n++] = c->s.p[i];
    }
    if (i >= c->s.n)
        return E_SYNTAX;
    c->s = str_skip(c->s, i + 1);
    *out = str_of(to, n);
    return 0;
}

static int literal(struct scan *c, struct str *out)
{
    uint32_t n = 0;
    ptrdiff_t close = str_chr(c->s, '}');
    struct str digits;

    if (close < 2)
        return E_SYNTAX;
    digits = str_slice(c->s, 1, (size_t)close);
    if (digits.p[digits.n - 1] == '+')
        digits.n--;
    if (!str_to_u32(digits, &n) || !str_starts(str_skip(c->s, (size_t)close + 1), STR("\r\n")) ||
        n > c->s.n - (size_t)close - 3)
        return E_SYNTAX;
    *out = str_slice(c->s, (size_t)close + 3, (size_t)close + 3 + n);
    c->s = str_skip(c->s, (size_t)close + 3 + n);
    return 0;
}

/* astring, or NIL as STR_NONE. */
static int string(struct arena *a, struct scan *c, struct str *out)
{
    skip_spaces(c);
    if (at(c, '~'))
        c->s = str_skip(c->s, 1);
    if (at(c, '"'))
        return quoted(a, c, out);
    if (at(c, '{'))
        return literal(c, out);
    *out = atom(c);
    if (str_ieq_z(*out, "NIL"))
        *out = STR_NONE;
    else if (!out->n)
        return E_SYNTAX;
    return 0;
}

/* Any value, lists in lists too: counted, not descended. */
static int pass(struct arena *a, struct scan *c)
{
    size_t depth = 0;
    struct str s;
    int r;

    do {
        skip_spaces(c);
        if (take_char(c, '('))
            depth++;
        else if (depth && take_char(c, ')'))
            depth--;
        else if ((r = string(a, c, &s)) < 0)
            return r;
    } while (depth);
    return 0;
}

/* ---- a response ---- */

static enum imap_status status_of(struct str word)
{
    static const char *const names[] = {
        [IMAP_OK] = "OK", [IMAP_NO] = "NO", [IMAP_BAD] = "BAD", [IMAP_BYE] = "BYE", [IMAP_PREAUTH] = "PREAUTH"
    };

    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(word, names[i]))
            return (enum imap_status)i;
    return IMAP_NONE;
}

static struct str word_of(struct str *s)
{
    struct str word, rest;

    if (!str_cut(*s, ' ', &word, &rest)) {
        word = *s;
        rest = STR_NONE;
    }
    *s = rest;
    return word;
}

int imap_answer_parse(struct str line, struct imap_answer *out)
{
    struct imap_answer r = { .tag = word_of(&line) };
    struct str word;
    ptrdiff_t close;

    if (!r.tag.n)
        return E_SYNTAX;
    if (str_eq_z(r.tag, "+")) {
        r.text = line;
        *out = r;
        return 0;
    }
    word = word_of(&line);
    if (str_eq_z(r.tag, "*") && str_to_u32(word, &r.number))
        word = word_of(&line);
    if (!word.n)
        return E_SYNTAX;
    if (!(r.status = status_of(word))) {
        r.name = word;
        r.rest = line;
    } else if (str_starts(line, STR("[")) && (close = str_chr(line, ']')) > 0) {
        r.code = str_slice(line, 1, (size_t)close);
        r.text = str_trim(str_skip(line, (size_t)close + 1));
    } else {
        r.text = line;
    }
    if (!str_eq_z(r.tag, "*") && !r.status)
        return E_SYNTAX;
    *out = r;
    return 0;
}

bool imap_code_number(struct str code, const char *word, uint32_t *out)
{
    return str_ieq_z(word_of(&code), word) && str_to_u32(word_of(&code), out);
}

bool imap_words_have(struct str words, const char *word)
{
    while (words.n)
        if (str_ieq_z(word_of(&words), word))
            return true;
    return false;
}

/* ---- FETCH ---- */

static int flags_take(struct arena *a, struct scan *c, struct imap_fetched *out)
{
    struct str *keywords = arena_array(a, IMAP_KEYWORDS_ALL, sizeof *keywords);

    if (!keywords)
        return E_NOMEM;
    skip_spaces(c);
    if (!take_char(c, '('))
        return E_SYNTAX;
    out->flags = 0;
    out->keywords = keywords;
    out->nkeywords = 0;
    for (;;) {
        struct str f;

        skip_spaces(c);
        if (take_char(c, ')'))
            return 0;
        f = atom(c);
        if (!f.n)
            return E_SYNTAX;
        if (f.p[0] == '\\')
            out->flags |= imap_flag_bit(f) & IMAP_FLAGS_SETTABLE;
        else if (imap_keyword_valid(f) && out->nkeywords < IMAP_KEYWORDS_ALL)
            keywords[out->nkeywords++] = f;
    }
}

static int number_take(struct arena *a, struct scan *c, uint32_t *out)
{
    struct str s;
    int r = string(a, c, &s);

    return r < 0 ? r : str_to_u32(s, out) ? 0 : E_SYNTAX;
}

static int item_take(struct arena *a, struct scan *c, struct str name, struct imap_fetched *f)
{
    struct str s;
    uint32_t n = 0;
    int r;

    if (str_ieq_z(name, "UID"))
        return number_take(a, c, &f->uid);
    if (str_ieq_z(name, "FLAGS")) {
        f->has_flags = true;
        return flags_take(a, c, f);
    }
    if (str_ieq_z(name, "RFC822.SIZE")) {
        r = number_take(a, c, &n);
        f->has_size = r == 0;
        f->size = n;
        return r;
    }
    if (str_ieq_z(name, "INTERNALDATE")) {
        if ((r = string(a, c, &s)) < 0)
            return r;
        f->has_date = datetime_parse(s, &f->date_ms); /* one that cannot be is none */
        return 0;
    }
    if (str_ieq_z(name, "BODY[]")) {
        skip_spaces(c);
        f->has_body = at(c, '{') || at(c, '"'); /* a short one may be quoted */
        f->nil_body = !f->has_body;
    }
    return pass(a, c);
}

int imap_fetched_parse(struct arena *a, struct str rest, bool cut, struct imap_fetched *out)
{
    struct imap_fetched f = { .uid = 0 };
    struct scan c = { rest };
    int r;

    skip_spaces(&c);
    if (!take_char(&c, '('))
        return E_SYNTAX;
    for (;;) {
        struct str name;

        skip_spaces(&c);
        if (take_char(&c, ')') || (cut && !c.s.n))
            break;
        name = atom(&c);
        if (!name.n)
            return E_SYNTAX;
        if ((r = item_take(a, &c, name, &f)) < 0)
            return r;
    }
    *out = f;
    return 0;
}

/* ---- LIST ---- */

static enum imap_use use_of(struct str attribute)
{
    static const char *const names[] = {
        [IMAP_USE_ALL] = "\\All",       [IMAP_USE_ARCHIVE] = "\\Archive",
        [IMAP_USE_DRAFTS] = "\\Drafts", [IMAP_USE_FLAGGED] = "\\Flagged",
        [IMAP_USE_JUNK] = "\\Junk",     [IMAP_USE_SENT] = "\\Sent",
        [IMAP_USE_TRASH] = "\\Trash",   [IMAP_USE_IMPORTANT] = "\\Important",
    };

    for (size_t i = 1; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(attribute, names[i]))
            return (enum imap_use)i;
    return IMAP_USE_NONE;
}

int imap_listed_parse(struct arena *a, struct str rest, struct imap_listed *out)
{
    struct imap_listed l = { .noselect = false };
    struct scan c = { rest };
    struct str s;
    int r;

    skip_spaces(&c);
    if (!take_char(&c, '('))
        return E_SYNTAX;
    for (skip_spaces(&c); !take_char(&c, ')'); skip_spaces(&c)) {
        s = atom(&c);
        if (!s.n)
            return E_SYNTAX;
        l.noselect |= str_ieq_z(s, "\\Noselect") || str_ieq_z(s, "\\NonExistent");
        l.use = l.use ? l.use : use_of(s);
    }
    if ((r = string(a, &c, &s)) < 0)
        return r;
    if (s.n > 1)
        return E_SYNTAX;
    l.delimiter = s.n ? s.p[0] : '\0';
    if ((r = string(a, &c, &l.wire)) < 0)
        return r;
    if (!l.wire.n || l.wire.n > 4 * MBOXNAME_MAX)
        return E_SYNTAX;
    *out = l;
    return 0;
}

int imap_namespace_parse(struct arena *a, struct str rest, struct str *prefix_out)
{
    struct scan c = { rest };
    int r;

    skip_spaces(&c);
    *prefix_out = STR("");
    if (!take_char(&c, '('))
        return 0; /* NIL: no personal folders below anything */
    skip_spaces(&c);
    if (!take_char(&c, '('))
        return E_SYNTAX;
    r = string(a, &c, prefix_out);
    return r < 0 ? r : 0;
}

/* Levels change their separator; what would be one of ours inside a level becomes "-". */
int imap_name_ours(struct arena *a, const struct imap_listed *l, struct str prefix, bool utf8,
                   struct str *out)
{
    CLEANUP(buf_release) struct buf text = { .max = 4 * MBOXNAME_MAX };
    struct str wire = l->wire;

    if (prefix.n && wire.n > prefix.n && str_starts(wire, prefix))
        wire = str_skip(wire, prefix.n);
    if (mutf7_decode(wire, &text) < 0) {
        buf_clear(&text);
        if (!utf8 || buf_puts(&text, wire) < 0)
            return E_RANGE;
    }
    for (size_t i = 0; i < text.n; i++) {
        char *ch = &text.p[i];

        if (l->delimiter && *ch == l->delimiter)
            *ch = MBOXNAME_SEP;
        else if (*ch == MBOXNAME_SEP || *ch == '*' || *ch == '%')
            *ch = '-';
    }
    *out = mboxname_is_inbox(buf_str(&text)) ? STR("INBOX") : arena_dup(a, buf_str(&text));
    return !out->p ? E_NOMEM : mboxname_valid(*out) ? 0 : E_RANGE;
}

int imap_quote(struct str s, struct buf *out)
{
    int r = buf_putc(out, '"');

    for (size_t i = 0; i < s.n && r == 0; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return E_SYNTAX;
        if (s.p[i] == '"' || s.p[i] == '\\')
            r = buf_putc(out, '\\');
        if (r == 0)
            r = buf_putc(out, s.p[i]);
    }
    return r < 0 ? r : buf_putc(out, '"');
}
