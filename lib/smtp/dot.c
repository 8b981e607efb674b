#include "lib/smtp/dot.h"
#include "lib/base/errors.h"

static void fail(struct dot *d, int e)
{
    if (!d->error)
        d->error = e;
}

/* Text of one line: bytes that are neither CR, LF nor NUL. */
static void put_text(struct dot *d, struct str s, struct buf *out)
{
    size_t line_room = (d->line_max ? d->line_max : SMTP_TEXT_LINE_MAX) - d->line_bytes;
    uint64_t room = (d->max_bytes ? d->max_bytes : UINT64_MAX) - d->bytes;
    int r;

    if (d->error)
        return;
    if (s.n > line_room || s.n > room) {
        fail(d, room < line_room ? E_TOO_BIG : E_LINE_TOO_LONG); /* whichever byte came first */
        return;
    }
    d->line_bytes += s.n;
    d->bytes += s.n;
    if ((r = buf_puts(out, s)) < 0)
        fail(d, r);
}

static void put_line_end(struct dot *d, struct buf *out)
{
    int r;

    if (d->error)
        return;
    d->line_bytes = 0;
    d->bytes += 2;
    if (d->max_bytes && d->bytes > d->max_bytes)
        fail(d, E_TOO_BIG); /* `error` is set: the room above is not computed from this any more */
    else if ((r = buf_append(out, "\r\n", 2)) < 0)
        fail(d, r);
}

/* Length of the run of plain text at the start of `s`. Once discarding, only CR matters: each byte is
 * then looked at once, however the LFs lie. */
static size_t plain_run(const struct dot *d, struct str s)
{
    ptrdiff_t at = str_chr(s, '\r');

    s.n = at < 0 ? s.n : (size_t)at;
    if (d->error)
        return s.n;
    at = str_chr(s, '\n');
    s.n = at < 0 ? s.n : (size_t)at;
    at = str_chr(s, '\0');
    return at < 0 ? s.n : (size_t)at;
}

/* One byte that plain_run did not cover. */
static void step(struct dot *d, char ch, struct buf *out)
{
    bool after_cr = d->state == DOT_CR || d->state == DOT_LEAD_CR;

    if (ch == '\n' && after_cr) {
        if (d->state == DOT_LEAD_CR) {
            d->state = DOT_END;
            return;
        }
        put_line_end(d, out);
        d->state = DOT_BOL;
        return;
    }
    if (after_cr)
        fail(d, E_BARE_CR); /* CR is followed by LF and nothing else */
    if (ch == '\n')
        fail(d, E_BARE_LF);
    if (ch == '\0')
        fail(d, E_NUL);
    if (ch == '\r')
        d->state = d->state == DOT_LEAD ? DOT_LEAD_CR : DOT_CR;
    else if (ch == '.' && d->state == DOT_BOL)
        d->state = DOT_LEAD; /* a stuffed dot or the end: the next byte tells */
    else {
        d->state = DOT_TEXT;
        put_text(d, str_of(&ch, 1), out);
    }
}

int dot_feed(struct dot *d, struct str in, struct buf *out, size_t *used_out)
{
    size_t i = 0, n;

    while (i < in.n && d->state != DOT_END) {
        struct str rest = str_skip(in, i);

        if (d->state == DOT_TEXT || (d->state == DOT_BOL && rest.p[0] != '.')) {
            n = plain_run(d, rest);
            put_text(d, str_slice(rest, 0, n), out);
            if (n)
                d->state = DOT_TEXT;
            i += n;
            if (i == in.n)
                break;
        }
        step(d, in.p[i++], out);
    }
    *used_out = i;
    return d->error;
}
