#include "lib/base/json.h"

/* Length of the character that s begins with, 0: none (RFC 3629 4). */
static size_t utf8_bytes(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;

    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

static int put_special(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"': return buf_putz(b, "\\\"");
    case '\\': return buf_putz(b, "\\\\");
    case '\n': return buf_putz(b, "\\n");
    case '\r': return buf_putz(b, "\\r");
    case '\t': return buf_putz(b, "\\t");
    default: return c < 0x80 ? buf_printf(b, "\\u%04x", c) : buf_putz(b, "\xEF\xBF\xBD");
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F;
}

int json_put_text(struct buf *b, struct str s)
{
    size_t from = 0, i = 0;
    int r = 0;

    while (i < s.n && r == 0) {
        size_t n = is_plain((unsigned char)s.p[i]) ? utf8_bytes(str_skip(s, i)) : 0;

        if (n > 0) {
            i += n;
            continue;
        }
        if ((r = buf_puts(b, str_slice(s, from, i))) == 0)
            r = put_special(b, (unsigned char)s.p[i]);
        from = ++i;
    }
    return r < 0 ? r : buf_puts(b, str_slice(s, from, i));
}

int json_put_string(struct buf *b, struct str s)
{
    int r;

    if (!s.p)
        return buf_putz(b, "null");
    if ((r = buf_putc(b, '"')) < 0 || (r = json_put_text(b, s)) < 0)
        return r;
    return buf_putc(b, '"');
}
