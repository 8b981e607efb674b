#include "lib/mailauth/canon.h"

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- header fields ---- */

/* Value of a relaxed field: CRLF taken out, white space runs to one space, none at the ends. */
static int put_relaxed(struct buf *out, struct str value)
{
    bool space = false;
    int r = 0;

    value = str_trim(value);
    for (size_t i = 0; i < value.n && r == 0; i++) {
        char c = value.p[i];

        if (c == '\r' && i + 1 < value.n && value.p[i + 1] == '\n') {
            i++;
            continue;
        }
        if (is_wsp(c)) {
            space = true;
            continue;
        }
        if (space)
            r = buf_putc(out, ' ');
        space = false;
        if (r == 0)
            r = buf_putc(out, c);
    }
    return r;
}

static int relaxed_header(struct buf *out, struct str field)
{
    struct str name, value;
    int r = 0;

    str_cut(field, ':', &name, &value);
    name = str_trim(name);
    for (size_t i = 0; i < name.n && r == 0; i++)
        r = buf_putc(out, ascii_lower(name.p[i]));
    if (r < 0 || (r = buf_putc(out, ':')) < 0)
        return r;
    return put_relaxed(out, value);
}

int canon_header(struct buf *out, struct str field, bool relaxed)
{
    int r;

    if (!relaxed)
        return buf_puts(out, field);
    r = relaxed_header(out, field);
    return r < 0 ? r : buf_putz(out, "\r\n");
}

/* Where the value of tag b is in a field: [*from_out, *to_out). False: there is none. */
static bool find_b(struct str field, size_t *from_out, size_t *to_out)
{
    ptrdiff_t colon = str_chr(field, ':');
    size_t at = (size_t)(colon + 1);

    while (at < field.n) {
        ptrdiff_t semi = str_chr(str_skip(field, at), ';');
        size_t end = semi < 0 ? field.n : at + (size_t)semi;
        struct str tag = str_slice(field, at, end), name, value;

        if (str_cut(tag, '=', &name, &value) && str_eq_z(str_trim(name), "b")) {
            *from_out = end - value.n;
            *to_out = end;
            return true;
        }
        at = end + 1;
    }
    return false;
}

int canon_signature(struct buf *out, struct str field, bool relaxed)
{
    CLEANUP(buf_release) struct buf text = { .max = field.n };
    size_t from, to;
    int r;

    while (field.n && (field.p[field.n - 1] == '\n' || field.p[field.n - 1] == '\r'))
        field.n--;
    if (!find_b(field, &from, &to))
        from = to = field.n;
    if ((r = buf_puts(&text, str_slice(field, 0, from))) < 0 ||
        (r = buf_puts(&text, str_skip(field, to))) < 0)
        return r;
    return relaxed ? relaxed_header(out, buf_str(&text)) : buf_puts(out, buf_str(&text));
}

/* ---- bodies ---- */

static void flush(struct canon_body *c)
{
    if (c->n)
        c->put(c->ctx, c->out, c->n);
    c->bytes += c->n;
    c->n = 0;
}

static void put(struct canon_body *c, const char *p, size_t n)
{
    if (n > sizeof c->out - c->n)
        flush(c);
    if (n > sizeof c->out) {
        c->put(c->ctx, p, n);
        c->bytes += n;
        return;
    }
    memcpy(c->out + c->n, p, n);
    c->n += n;
}

/* Before a byte that counts: what was held back counts too. */
static void settle(struct canon_body *c)
{
    for (; c->line_ends; c->line_ends--)
        put(c, "\r\n", 2);
    if (c->space)
        put(c, " ", 1);
    c->space = false;
    c->any = true;
}

static void line_end(struct canon_body *c)
{
    c->space = false;
    c->cr = false;
    c->line_ends++;
}

static bool ordinary(const struct canon_body *c, char ch)
{
    return ch != '\r' && !(c->relaxed && is_wsp(ch));
}

void canon_body_feed(struct canon_body *c, struct str in)
{
    for (size_t i = 0; i < in.n;) {
        size_t start = i;

        if (c->cr) {
            if (in.p[i] == '\n') {
                line_end(c);
                i++;
                continue;
            }
            settle(c); /* a bare CR is a byte like others */
            put(c, "\r", 1);
            c->cr = false;
        }
        while (i < in.n && ordinary(c, in.p[i]))
            i++;
        if (i > start) {
            settle(c);
            put(c, in.p + start, i - start);
        }
        if (i == in.n)
            break;
        if (in.p[i] == '\r')
            c->cr = true;
        else
            c->space = true;
        i++;
    }
}

/* RFC 6376 3.4.3: "if there is no body or no trailing CRLF … a CRLF is added"; 3.4.4: an empty body stays empty. */
void canon_body_end(struct canon_body *c)
{
    if (c->cr) {
        settle(c);
        put(c, "\r", 1);
        c->cr = false;
    }
    if (c->any || !c->relaxed)
        put(c, "\r\n", 2);
    flush(c);
}
