#include "lib/mime/sevenbit.h"
#include "lib/mime/charset.h"
#include "lib/mime/header.h"
#include "lib/mime/scan.h"

#define QP_LINE     76u /* RFC 2045 6.7 (5), without the line end */
#define BASE64_LINE 57u /* bytes: 76 characters */

enum how { AS_IT_IS, MARKED, QUOTED, MENDED, BASE64 }; /* MENDED: quoted-printable already, and not quite */

static size_t high_bytes(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0x80) != 0;
    return n;
}

static bool is_utf8(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        int n = mime_utf8_bytes((const unsigned char *)s.p + i, s.n - i);

        if (n <= 0)
            return false;
        i += (size_t)n;
    }
    return true;
}

/* ---- bytes ---- */

static int put_marked(struct str s, struct buf *out)
{
    size_t from = 0;
    int r;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] & 0x80) {
            if ((r = buf_puts(out, str_slice(s, from, i))) < 0 || (r = buf_putc(out, '?')) < 0)
                return r;
            from = i + 1;
        }
    return buf_puts(out, str_skip(s, from));
}

static bool at_line_end(struct str s, size_t i)
{
    return i >= s.n || (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n');
}

/* One byte as it stands in quoted-printable: 1 or 3 characters. mended: '=' is an escape already. */
static size_t qp_byte(struct str s, size_t i, bool mended, char out[3])
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t c = (uint8_t)s.p[i];
    bool blank = c == ' ' || c == '\t';

    if ((c >= 33 && c <= 126 && (c != '=' || mended)) || (blank && (mended || !at_line_end(s, i + 1)))) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = '=';
    out[1] = hex[c >> 4];
    out[2] = hex[c & 15];
    return 3;
}

static int put_quoted(struct str s, bool mended, struct buf *out)
{
    size_t column = 0;
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i++) {
        char text[3];
        size_t n;

        if (at_line_end(s, i)) {
            r = buf_putz(out, "\r\n");
            i++;
            column = 0;
            continue;
        }
        n = qp_byte(s, i, mended, text);
        /* The last place of a line is a soft break's, unless the line ends here. An escape that is there is not cut. */
        if (column + n + !at_line_end(s, i + 1) > QP_LINE && (!mended || n == 3)) {
            if ((r = buf_putz(out, "=\r\n")) < 0)
                return r;
            column = 0;
        }
        r = buf_append(out, text, n);
        column += n;
    }
    return r;
}

static int put_base64(struct str s, struct buf *out)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i += 3) {
        uint8_t b[3] = { (uint8_t)s.p[i], i + 1 < s.n ? (uint8_t)s.p[i + 1] : 0,
                         i + 2 < s.n ? (uint8_t)s.p[i + 2] : 0 };
        char text[4] = { set[b[0] >> 2], set[(b[0] & 3) << 4 | b[1] >> 4], set[(b[1] & 15) << 2 | b[2] >> 6],
                         set[b[2] & 63] };

        if (i && i % BASE64_LINE == 0 && (r = buf_putz(out, "\r\n")) < 0)
            return r;
        if (i + 1 >= s.n)
            text[2] = '=';
        if (i + 2 >= s.n)
            text[3] = '=';
        r = buf_append(out, text, 4);
    }
    return r;
}

/* ---- parts ---- */

static bool coded_as(const struct mime_part *p, const char *name)
{
    return str_ieq(p->encoding, str_from(name));
}

static enum how how_of(const struct mime_part *p, struct str body)
{
    size_t high = high_bytes(body);

    if (high == 0)
        return AS_IT_IS;
    if (p->opaque || coded_as(p, "base64"))
        return MARKED;
    if (coded_as(p, "quoted-printable"))
        return MENDED;
    return mime_part_is(p, "text", NULL) && high < body.n / 6 ? QUOTED : BASE64;
}

static int put_body(enum how how, struct str body, struct buf *out)
{
    switch (how) {
    case AS_IT_IS: return buf_puts(out, body);
    case MARKED: return put_marked(body, out);
    case QUOTED: return put_quoted(body, false, out);
    case MENDED: return put_quoted(body, true, out);
    case BASE64: return put_base64(body, out);
    }
    return E_BUG;
}

/* What its header says instead: of a leaf that was encoded, and of a composite part, whose inside is 7 bits now. */
static int put_encoding(const struct mime_part *p, enum how how, struct str body, bool version,
                        struct buf *out)
{
    int r = 0;

    if (how != QUOTED && how != BASE64)
        return 0;
    if (!p->parent && !version)
        r = buf_putz(out, "MIME-Version: 1.0\r\n");
    if (r == 0 && !p->typed) /* RFC 1428: what nobody named */
        r = buf_printf(out, "Content-Type: text/plain; charset=%s\r\n",
                       is_utf8(body) ? "utf-8" : "unknown-8bit");
    if (r == 0)
        r = buf_printf(out, "Content-Transfer-Encoding: %s\r\n",
                       how == QUOTED ? "quoted-printable" : "base64");
    return r;
}

static int put_header(const struct mime_part *p, enum how how, struct str header, struct str body,
                      struct buf *out)
{
    bool composite = p->kind != MIME_LEAF && (coded_as(p, "8bit") || coded_as(p, "binary"));
    bool renamed = composite || how == QUOTED || how == BASE64, version = false;
    struct mime_field f;
    int r;

    while (mime_header_next(&header, &f)) {
        version |= str_ieq(f.name, STR("MIME-Version"));
        if (renamed && str_ieq(f.name, STR("Content-Transfer-Encoding")))
            continue;
        if ((r = put_marked(f.raw, out)) < 0)
            return r;
    }
    if ((r = put_encoding(p, how, body, version, out)) < 0)
        return r;
    return put_marked(header, out); /* the blank line */
}

int mime_to_7bit(struct arena *a, struct str message, struct buf *out)
{
    const struct mime_part *root = mime_scan_all(a, message);
    uint64_t at = 0;
    int r = root ? 0 : E_NOMEM;

    for (const struct mime_part *p = root; p && r == 0; p = mime_part_next(p)) {
        bool leaf = p->kind == MIME_LEAF;
        struct str header = str_slice(message, (size_t)p->header_start, (size_t)p->body_start);
        struct str body = leaf ? str_slice(message, (size_t)p->body_start, (size_t)p->body_end) : STR_NONE;
        enum how how = leaf ? how_of(p, body) : AS_IT_IS;

        /* What stands before it: delimiters, and what is between parts. */
        if ((r = put_marked(str_slice(message, (size_t)at, (size_t)p->header_start), out)) < 0 ||
            (r = put_header(p, how, header, body, out)) < 0 || (r = put_body(how, body, out)) < 0)
            return r;
        at = leaf ? p->body_end : p->body_start;
    }
    return r < 0 ? r : put_marked(str_skip(message, (size_t)at), out);
}
