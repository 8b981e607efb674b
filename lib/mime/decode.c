#include "lib/mime/decode.h"

enum { QP_TEXT, QP_EQUALS, QP_HEX, QP_PADDING, QP_CR };
enum { UU_BEFORE, UU_DATA, UU_AFTER };

/* The digit's value and one; 0 for what is none. */
static const unsigned char base64_value[256] = {
    ['A'] = 1, 2,  3,  4,  5,          6,  7,  8,  9,  10, 11,         12, 13, 14, 15,         16,
    17,        18, 19, 20, 21,         22, 23, 24, 25, 26, ['a'] = 27, 28, 29, 30, 31,         32,
    33,        34, 35, 36, 37,         38, 39, 40, 41, 42, 43,         44, 45, 46, 47,         48,
    49,        50, 51, 52, ['0'] = 53, 54, 55, 56, 57, 58, 59,         60, 61, 62, ['+'] = 63, ['/'] = 64,
};

enum mime_encoding mime_encoding_of(struct str token)
{
    static const struct {
        const char *name;
        enum mime_encoding e;
    } names[] = {
        { "base64", MIME_BASE64 }, { "quoted-printable", MIME_QP }, { "x-uuencode", MIME_UU },
        { "x-uu", MIME_UU },       { "uuencode", MIME_UU },         { "x-uue", MIME_UU },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq_z(token, names[i].name))
            return names[i].e;
    return MIME_IDENTITY;
}

void mime_decoder_init(struct mime_decoder *d, enum mime_encoding e)
{
    *d = (struct mime_decoder){ .encoding = e };
}

/* Bytes of an unfinished group: two digits make one, three make two. */
static size_t base64_tail(struct mime_decoder *d, char *out)
{
    size_t n = d->nbits / 8;

    if (n >= 1)
        out[0] = (char)(d->bits >> (d->nbits - 8));
    if (n >= 2)
        out[1] = (char)(d->bits >> (d->nbits - 16));
    d->bits = d->nbits = 0;
    return n;
}

static int base64_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
    size_t room = in.n / 4 * 3 + 8 + in.n % 4;
    char *at = buf_reserve(out, room), *to = at;

    if (!at)
        return out->max - out->n < room ? E_LIMIT : E_NOMEM;
    for (size_t i = 0; i < in.n; i++) {
        uint32_t v = base64_value[(unsigned char)in.p[i]];

        if (v) {
            d->bits = d->bits << 6 | (v - 1);
            if ((d->nbits += 6) == 24) {
                *to++ = (char)(d->bits >> 16);
                *to++ = (char)(d->bits >> 8);
                *to++ = (char)d->bits;
                d->bits = d->nbits = 0;
            }
        } else if (in.p[i] == '=') { /* the end, or of one of several encodings put together */
            to += base64_tail(d, to);
        }
    }
    out->n += (size_t)(to - at);
    return 0;
}

static int hex_digit(char c)
{
    if (ascii_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int spaces_flush(struct mime_decoder *d, struct buf *out)
{
    int r = buf_append(out, d->hold, d->n);

    d->n = 0;
    return r;
}

static int qp_text(struct mime_decoder *d, char c, struct buf *out)
{
    int r;

    if (d->encoding == MIME_Q)
        return buf_putc(out, c == '_' ? ' ' : c);
    if (c == ' ' || c == '\t') {
        if (d->n == sizeof d->hold && (r = spaces_flush(d, out)) < 0)
            return r;
        d->hold[d->n++] = c;
        return 0;
    }
    /* RFC 2045 6.7 (3): "any trailing white space on a Quoted-Printable encoded line must be deleted";
     * a CR waits with it for its LF */
    if (c == '\r') {
        if (d->n == sizeof d->hold && (r = spaces_flush(d, out)) < 0)
            return r;
        d->hold[d->n++] = c;
        return 0;
    }
    if (c == '\n') {
        bool crlf = d->n && d->hold[d->n - 1] == '\r';

        d->n = 0;
        return buf_append(out, crlf ? "\r\n" : "\n", crlf ? 2 : 1);
    }
    if ((r = spaces_flush(d, out)) < 0)
        return r;
    return buf_putc(out, c);
}

/* What began with '=' was none of ours: give it back as text. */
static int qp_give_back(struct mime_decoder *d, struct buf *out)
{
    int r = spaces_flush(d, out), state = d->state;

    d->state = QP_TEXT;
    if (r < 0 || (r = buf_putc(out, '=')) < 0)
        return r;
    if (state == QP_HEX)
        return buf_putc(out, d->hex);
    if (state == QP_PADDING)
        return buf_putc(out, ' ');
    return state == QP_CR ? buf_putc(out, '\r') : 0;
}

static int qp_byte(struct mime_decoder *d, char c, struct buf *out)
{
    int r;

    if (d->state == QP_TEXT && c != '=')
        return qp_text(d, c, out);
    if (d->state == QP_TEXT) {
        d->state = QP_EQUALS;
        return 0;
    }
    if (d->state == QP_HEX && hex_digit(c) >= 0) {
        d->state = QP_TEXT;
        if ((r = spaces_flush(d, out)) < 0)
            return r;
        return buf_putc(out, (char)(hex_digit(d->hex) * 16 + hex_digit(c)));
    }
    if (d->state == QP_EQUALS && hex_digit(c) >= 0) {
        d->state = QP_HEX;
        d->hex = c;
        return 0;
    }
    if (c == '\n' && d->state != QP_HEX) { /* soft line break */
        d->state = QP_TEXT;
        return spaces_flush(d, out);
    }
    if (c == '\r' && (d->state == QP_EQUALS || d->state == QP_PADDING)) {
        d->state = QP_CR;
        return 0;
    }
    if ((c == ' ' || c == '\t') && (d->state == QP_EQUALS || d->state == QP_PADDING)) {
        d->state = QP_PADDING;
        return 0;
    }
    if ((r = qp_give_back(d, out)) < 0)
        return r;
    return qp_byte(d, c, out);
}

static size_t qp_run(struct str s)
{
    size_t n = 0;

    while (n < s.n && (unsigned char)s.p[n] > ' ' && s.p[n] != '=')
        n++;
    return n;
}

static int qp_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < in.n && r >= 0; i++) {
        size_t run = d->encoding == MIME_QP && d->state == QP_TEXT ? qp_run(str_skip(in, i)) : 0;

        if (run && ((r = spaces_flush(d, out)) < 0 || (r = buf_append(out, in.p + i, run)) < 0 ||
                    (i += run) == in.n))
            break;
        r = qp_byte(d, in.p[i], out);
    }
    return r;
}

static int uu_line(struct mime_decoder *d, struct buf *out)
{
    struct str line = str_trim(str_of(d->hold, d->n));
    size_t want;
    int r = 0;

    if (d->state == UU_BEFORE) {
        if (str_starts(line, STR("begin ")))
            d->state = UU_DATA;
        return 0;
    }
    if (d->state == UU_AFTER || !line.n)
        return 0;
    if (str_eq_z(line, "end")) {
        d->state = UU_AFTER;
        return 0;
    }
    want = (size_t)((line.p[0] - 32) & 63);
    for (size_t i = 1; want && i < line.n && r >= 0; i += 4) {
        uint32_t v = 0;
        char three[3];

        for (size_t k = 0; k < 4; k++)
            v = v << 6 | (i + k < line.n ? (uint32_t)((line.p[i + k] - 32) & 63) : 0);
        three[0] = (char)(v >> 16);
        three[1] = (char)(v >> 8);
        three[2] = (char)v;
        r = buf_append(out, three, size_min(want, 3));
        want -= size_min(want, 3);
    }
    return r;
}

static int uu_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        if (d->n < sizeof d->hold)
            d->hold[d->n++] = in.p[i];
        if (in.p[i] == '\n') {
            int r = uu_line(d, out);

            d->n = 0;
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int mime_decoder_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
    switch (d->encoding) {
    case MIME_IDENTITY: return buf_puts(out, in);
    case MIME_BASE64: return base64_feed(d, in, out);
    case MIME_QP:
    case MIME_Q: return qp_feed(d, in, out);
    case MIME_UU: return uu_feed(d, in, out);
    }
    return E_BUG;
}

int mime_decoder_finish(struct mime_decoder *d, struct buf *out)
{
    char tail[2];
    int r = 0;

    if (d->encoding == MIME_BASE64)
        return buf_append(out, tail, base64_tail(d, tail));
    if (d->encoding == MIME_UU) {
        r = uu_line(d, out);
    } else if (d->encoding == MIME_QP || d->encoding == MIME_Q) {
        if (d->state == QP_EQUALS || d->state == QP_PADDING || d->state == QP_CR)
            d->state = QP_TEXT; /* a soft break at the end */
        else if (d->state == QP_HEX)
            r = qp_give_back(d, out);
        while (d->n && d->hold[d->n - 1] != '\r')
            d->n--; /* trailing white space of the last line */
        if (r >= 0)
            r = spaces_flush(d, out);
    }
    d->n = 0;
    return r;
}
