/* lib/regex/fold.c: reads no more of an expression than it needs to. What it does not understand ends a
 * literal, so a candidate too many may come of it, and never one too few. */
#include "lib/regex/fold.h"
#include "lib/base/errors.h"
#include "lib/mime/charset.h"
#include "lib/mime/fold.h"

#define LITERAL_MIN 3u

static size_t letter_bytes(struct str s)
{
    int n = mime_utf8_bytes((const unsigned char *)s.p, s.n);

    return n > 0 ? (size_t)n : 1;
}

static size_t letters(struct str s)
{
    size_t n = 0;

    for (; s.n; s = str_skip(s, letter_bytes(s)))
        n++;
    return n;
}

static int put_folded(struct str letter, bool in_class, struct buf *out)
{
    CLEANUP(buf_release) struct buf f = { .max = 64 };
    int r = mime_fold_append(letter, &f);

    if (r < 0)
        return r;
    if (letters(buf_str(&f)) == 1)
        return buf_puts(out, buf_str(&f));
    if (in_class || f.n == 0)
        return buf_puts(out, letter);
    return (r = buf_putz(out, "(?:")) < 0 || (r = buf_puts(out, buf_str(&f))) < 0 ? r : buf_putc(out, ')');
}

int regex_fold(struct str p, struct buf *out)
{
    bool in_class = false;
    int r = 0;

    while (p.n && r >= 0) {
        size_t n = letter_bytes(p);

        if (p.p[0] == '\\' && p.n > 1)
            n = 1 + letter_bytes(str_skip(p, 1));
        else if (p.p[0] == '[')
            in_class = true;
        else if (p.p[0] == ']')
            in_class = false;
        if (p.p[0] == '\t' || p.p[0] == '\r' || p.p[0] == '\n')
            r = buf_putc(out, ' ');
        else
            r = (unsigned char)p.p[0] >= 0x80 ? put_folded(str_slice(p, 0, n), in_class, out)
                                              : buf_puts(out, str_slice(p, 0, n));
        p = str_skip(p, n);
    }
    return r;
}

/* ---- literals --------------------------------------------------------------------------------- */

struct literals {
    struct buf run;
    size_t last; /* bytes of the run's last letter */
    struct buf *out;
    int r;
};

static void run_end(struct literals *l)
{
    if (l->r >= 0 && letters(buf_str(&l->run)) >= LITERAL_MIN &&
        (l->r = buf_puts(l->out, buf_str(&l->run))) >= 0)
        l->r = buf_putc(l->out, '\n');
    buf_clear(&l->run);
    l->last = 0;
}

/* A letter as it is in the text; others end the run (a mark may be sorted elsewhere). */
static void run_add(struct literals *l, struct str letter)
{
    CLEANUP(buf_release) struct buf f = { .max = 64 };
    char lower = ascii_lower(letter.p[0]);
    struct str s = letter.n == 1 ? str_of(&lower, 1) : letter;

    if (l->r < 0)
        return;
    if ((l->r = mime_fold_append(s, &f)) < 0)
        return;
    if (!str_eq(buf_str(&f), s) || (s.p[0] == ' ' && l->run.n && l->run.p[l->run.n - 1] == ' ')) {
        run_end(l);
        return;
    }
    l->r = buf_puts(&l->run, s);
    l->last = s.n;
}

/* Behind the ']' or ')' that belongs to what p begins with; nothing left when there is none. */
static struct str skip_group(struct str p)
{
    int depth = 0;

    while (p.n) {
        size_t n = p.p[0] == '\\' && p.n > 1 ? 2 : 1;

        if (p.p[0] == '[') { /* "[]abc]" and "[^]abc]" hold a ']' */
            n += p.n > 1 && p.p[1] == '^';
            n += p.n > n && p.p[n] == ']';
            while (n < p.n && p.p[n] != ']')
                n += p.p[n] == '\\' ? 2 : p.p[n] == '[' && n + 1 < p.n && p.p[n + 1] == ':' ? 2 : 1;
            n++;
        } else if (p.p[0] == '(') {
            depth++;
        } else if (p.p[0] == ')') {
            depth--;
        }
        p = str_skip(p, n);
        if (depth <= 0)
            break;
    }
    return p;
}

static bool is_quantifier(char c)
{
    return c == '*' || c == '?' || c == '{';
}

/* "{2,3}" is a count, "{x" three letters. */
static size_t repeat_bytes(struct str p)
{
    size_t n = 1;

    while (n < p.n && (ascii_digit(p.p[n]) || p.p[n] == ','))
        n++;
    return n > 1 && n < p.n && p.p[n] == '}' ? n + 1 : 1;
}

/* What p begins with; returns what is behind. */
static struct str literal_step(struct literals *l, struct str p)
{
    size_t n = letter_bytes(p);
    char c = p.p[0];

    if (is_quantifier(c)) { /* the letter before may be missing */
        l->run.n -= size_min(l->last, l->run.n);
        run_end(l);
        return str_skip(p, c == '{' ? repeat_bytes(p) : 1);
    }
    if (c == '\\' && p.n > 1 && (unsigned char)p.p[1] < 0x80 && !ascii_alpha(p.p[1]) &&
        !ascii_digit(p.p[1])) {
        run_add(l, str_slice(p, 1, 2));
        return str_skip(p, 2);
    }
    if (c == '(' || c == '[') {
        run_end(l);
        return skip_group(p);
    }
    if (strchr("\\.^$+)]", c)) {
        run_end(l);
        return str_skip(p, c == '\\' ? 1 + letter_bytes(str_skip(p, 1)) : 1);
    }
    run_add(l, str_slice(p, 0, n));
    return str_skip(p, n);
}

/* An alternative at the top, or a syntax that turns it all about. */
static bool is_beyond_us(struct str p)
{
    while (p.n) {
        if (p.p[0] == '|')
            return true;
        if (p.p[0] == '\\' && p.n > 1 && strchr("QEpPxCo01234567", p.p[1]))
            return true;
        if (p.p[0] == '(' || p.p[0] == '[')
            p = skip_group(p);
        else
            p = str_skip(p, p.p[0] == '\\' && p.n > 1 ? 2 : 1);
    }
    return false;
}

int regex_literals(struct str p, struct buf *out)
{
    struct literals l = { .run = { .max = KIB(16) }, .out = out };

    if (!is_beyond_us(p)) {
        while (p.n && l.r >= 0)
            p = literal_step(&l, p);
        run_end(&l);
    }
    buf_release(&l.run);
    return l.r;
}
