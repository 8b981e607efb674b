#include "lib/mime/preview.h"
#include "lib/mime/charset.h"

struct preview {
    struct buf *out;
    unsigned chars;
    bool gap; /* white space waits for what comes behind it */
    int r;
};

/* ---- letters ---------------------------------------------------------------------------------- */

static bool is_gap(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

/* Controls, soft hyphens, marks of direction, fillers: newsletters hide what follows behind rows of them. */
static bool is_unseen(uint32_t c, bool gap)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x34F || c == 0x200B || c == 0x200E ||
           c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (gap && (c == 0x200C || c == 0x200D)); /* joiners join what is there */
}

static uint32_t letter_of(const char *p, int n)
{
    static const unsigned char first[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t c = (unsigned char)p[0] & first[n];

    for (int i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 63);
    return c;
}

static void put_letter(struct preview *p, struct str letter, uint32_t c)
{
    if (is_gap(c)) {
        p->gap = p->chars > 0;
        return;
    }
    if (is_unseen(c, p->gap || !p->chars))
        return;
    if (p->gap && p->chars + 2 <= MIME_PREVIEW_CHARS_MAX && (p->r = buf_putc(p->out, ' ')) >= 0)
        p->chars++;
    else if (p->gap)
        p->chars = MIME_PREVIEW_CHARS_MAX; /* no room for a word */
    p->gap = false;
    if (p->chars < MIME_PREVIEW_CHARS_MAX && p->r >= 0) {
        p->r = buf_puts(p->out, letter);
        p->chars++;
    }
}

static void put_line(struct preview *p, struct str s)
{
    while (s.n && p->chars < MIME_PREVIEW_CHARS_MAX && p->r >= 0) {
        int n = mime_utf8_bytes((const unsigned char *)s.p, s.n);

        if (n > 0)
            put_letter(p, str_slice(s, 0, (size_t)n), letter_of(s.p, n));
        s = str_skip(s, n > 0 ? (size_t)n : n < 0 ? s.n : 1);
    }
    p->gap = p->chars > 0;
}

/* ---- lines ------------------------------------------------------------------------------------ */

static struct str next_line(struct str rest)
{
    struct str line = STR("");

    while (rest.n && !line.n) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
    }
    return line;
}

/* "-----", "=====", "* * *" */
static bool is_ruler(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && (s.p[i] != s.p[0] || !strchr("-=_*#~+.", s.p[i])))
            return false;
        else
            n += s.p[i] != ' ';
    return n >= 3;
}

static bool starts(struct str s, const char *z)
{
    return s.n >= strlen(z) && memcmp(s.p, z, strlen(z)) == 0;
}

/* "On Monday Ada wrote:" before what she wrote, in any language, on one line or two. */
static bool is_attribution(struct str line, struct str rest)
{
    struct str next = next_line(rest), after;

    if (line.p[line.n - 1] == ':')
        return next.n && next.p[0] == '>';
    if (!next.n || next.p[next.n - 1] != ':' || !starts(line, "On "))
        return false;
    after = next_line(str_skip(rest, (size_t)(next.p + next.n - rest.p)));
    return after.n && after.p[0] == '>';
}

static void make(struct preview *p, struct str rest, bool quotes)
{
    struct str line;

    while (rest.n && p->chars < MIME_PREVIEW_CHARS_MAX && p->r >= 0) {
        str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        if (str_eq_z(line, "--") || starts(line, "-----BEGIN PGP MESSAGE"))
            return;                                  /* a signature, or what nobody can read */
        if (starts(line, "-----BEGIN PGP SIGNED")) { /* its header goes to the empty line */
            while (rest.n && line.n) {
                str_cut(rest, '\n', &line, &rest);
                line = str_trim(line);
            }
            continue;
        }
        if (starts(line, "-----BEGIN PGP SIGNATURE"))
            return;
        if (!line.n || is_ruler(line) || (!quotes && (line.p[0] == '>' || is_attribution(line, rest))))
            continue;
        while (quotes && line.n && (line.p[0] == '>' || line.p[0] == ' '))
            line = str_skip(line, 1);
        put_line(p, line);
    }
}

int mime_preview_make(struct str text, struct buf *out)
{
    struct preview p = { .out = out };

    make(&p, text, false);
    if (!p.chars && p.r >= 0)
        make(&p, text, true);
    return p.r < 0 ? p.r : 0;
}
