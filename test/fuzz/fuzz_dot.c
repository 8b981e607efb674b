/* test/fuzz/fuzz_dot.c
 *
 * Laws of DATA: how input is cut changes nothing; a message that was accepted holds no bare CR, bare
 * LF or NUL and no line over the limit; stuffed again it is what was sent; and no error hides the end:
 * it lies at the first CRLF.CRLF, whatever stands before. */
#include "lib/base/errors.h"
#include "lib/smtp/bdat.h"
#include "lib/smtp/dot.h"
#include "test/fuzz/fuzz.h"

/* How many bytes were used up to the end of data. */
static size_t feed(struct dot *d, struct str in, size_t slice, struct buf *out)
{
    size_t at = 0, used = 0;

    for (; at < in.n && d->state != DOT_END; at += used)
        (void)!dot_feed(d, str_slice(in, at, at + slice), out, &used);
    return at;
}

/* Where data ends by the letter of RFC 5321 4.1.1.4; 0 when it does not. */
static size_t true_end(struct str in)
{
    ptrdiff_t at = str_find(in, STR("\r\n.\r\n"));

    if (str_starts(in, STR(".\r\n")))
        return 3;
    return at < 0 ? 0 : (size_t)at + 5;
}

/* A line with one dot in front and more behind it: not what a sender should write. */
static bool has_lone_dot(struct str sent)
{
    struct str line;

    while (str_cut(sent, '\n', &line, &sent))
        if (line.n > 1 && line.p[0] == '.' && line.p[1] != '.' && sent.n)
            return true;
    return false;
}

static void check_message(struct str sent, struct str got)
{
    CLEANUP(buf_release) struct buf stuffed = { .max = MIB(64) }, copy = { .max = MIB(64) };
    struct bdat b = { 0 };
    struct str line, rest = got;
    size_t used;

    bdat_chunk(&b, got.n, true);
    LAW(bdat_feed(&b, got, &copy, &used) == 0); /* what DATA takes, BDAT takes */
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (str_starts(line, STR(".")))
            LAW(buf_putc(&stuffed, '.') == 0);
        LAW(buf_puts(&stuffed, line) == 0 && buf_putc(&stuffed, '\n') == 0);
    }
    LAW(buf_puts(&stuffed, STR(".\r\n")) == 0);
    /* a leading dot that was not stuffed is dropped (RFC 5321 4.5.2): such a message differs */
    LAW(str_eq(buf_str(&stuffed), sent) || has_lone_dot(sent));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf whole = { .max = MIB(32) }, bytes = { .max = MIB(32) };
    struct str in = str_of(data, size);
    struct dot d1 = { .line_max = 40, .max_bytes = 4096 }, d2 = d1;
    size_t n1 = feed(&d1, in, size ? size : 1, &whole), n2 = feed(&d2, in, 1, &bytes), end = true_end(in);

    LAW(n1 == n2 && d1.state == d2.state && d1.error == d2.error);
    LAW((d1.state == DOT_END) == (end > 0) && (!end || n1 == end));
    if (d1.error)
        return 0;
    LAW(str_eq(buf_str(&whole), buf_str(&bytes)) && d1.bytes == whole.n);
    if (d1.state == DOT_END)
        check_message(str_slice(in, 0, n1), buf_str(&whole));
    return 0;
}
