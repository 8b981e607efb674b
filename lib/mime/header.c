#include "lib/mime/header.h"

static size_t line_bytes(struct str s)
{
    const char *lf = s.n ? memchr(s.p, '\n', s.n) : NULL;

    return lf ? (size_t)(lf - s.p) + 1 : s.n;
}

static bool is_blank(struct str line)
{
    return str_eq(line, STR("\r\n")) || str_eq(line, STR("\n"));
}

static struct str without_eol(struct str s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

bool mime_header_next(struct str *block, struct mime_field *field_out)
{
    struct str rest = *block, raw, head, value;
    size_t n = line_bytes(rest);

    if (!rest.n || is_blank(str_slice(rest, 0, n)))
        return false;
    while (n < rest.n && (rest.p[n] == ' ' || rest.p[n] == '\t'))
        n += line_bytes(str_skip(rest, n));
    raw = str_slice(rest, 0, n);
    *block = str_skip(rest, n);
    if (!str_cut(raw, ':', &head, &value) || memchr(head.p, '\n', head.n)) {
        *field_out = (struct mime_field){ .raw = raw, .name = { raw.p, 0 }, .value = without_eol(raw) };
        return true;
    }
    while (head.n && (head.p[head.n - 1] == ' ' || head.p[head.n - 1] == '\t'))
        head.n--; /* RFC 5322 4.5: obs-fields may have space before the colon */
    *field_out = (struct mime_field){ .raw = raw, .name = head, .value = without_eol(value) };
    return true;
}

struct str mime_header_find(struct str block, struct str name)
{
    struct mime_field f;

    while (mime_header_next(&block, &f))
        if (str_ieq(f.name, name))
            return f.value;
    return STR_NONE;
}

struct str mime_unfold(struct arena *a, struct str value)
{
    struct str s = str_trim(value);
    char *p = arena_alloc(a, s.n);
    size_t n = 0;

    if (!p)
        return STR_NONE;
    for (size_t i = 0; i < s.n; i++) {
        bool eol = s.p[i] == '\n' || (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n');
        if (!eol)
            p[n++] = s.p[i];
    }
    return str_of(p, n);
}

static bool is_among(struct str name, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name.n && str_ieq(name, names[i]))
            return true;
    return false;
}

int mime_header_filter(struct str block, const struct str *names, size_t count, bool not, struct buf *out)
{
    struct mime_field f;
    int r;

    while (mime_header_next(&block, &f))
        if (is_among(f.name, names, count) != not &&(r = buf_puts(out, f.raw)) < 0)
            return r;
    /* RFC 9051 6.4.5: "the blank line is included in all header fetches, except in the case of a
     * message that has no body and no blank line" */
    return buf_puts(out, str_slice(block, 0, line_bytes(block)));
}
