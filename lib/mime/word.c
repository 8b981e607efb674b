#include "lib/mime/word.h"
#include "lib/mime/charset.h"
#include "lib/mime/decode.h"

#define WORD_BYTES  45u /* of an encoded word: 75 characters (RFC 2047 2) */
#define CHARSET_MAX 60u

struct word {
    struct str charset, text;
    char encoding; /* 'b' or 'q' */
    size_t bytes;
};

static bool word_parse(struct str s, struct word *w)
{
    size_t i = 2;
    const char *end;
    struct str rest;

    if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
        return false;
    while (i < s.n && i < CHARSET_MAX && s.p[i] != '?' && (unsigned char)s.p[i] > ' ')
        i++;
    if (i == 2 || i + 3 >= s.n || s.p[i] != '?' || s.p[i + 2] != '?')
        return false;
    w->charset = str_slice(s, 2, i);
    str_cut(w->charset, '*', &w->charset, &rest); /* =?utf-8*en?…: RFC 2231 5 */
    w->encoding = ascii_lower(s.p[i + 1]);
    if (w->encoding != 'b' && w->encoding != 'q')
        return false;
    i += 3;
    end = memchr(s.p + i, '?', s.n - i);
    if (!end || (size_t)(end - s.p) + 1 >= s.n || end[1] != '=' ||
        memchr(s.p + i, '\n', (size_t)(end - s.p) - i))
        return false;
    w->text = str_slice(s, i, (size_t)(end - s.p));
    w->bytes = (size_t)(end - s.p) + 2;
    return true;
}

size_t mime_word_bytes(struct str s)
{
    struct word w;

    return word_parse(s, &w) ? w.bytes : 0;
}

/* The decoded bytes of one word, in its charset still. */
static int word_bytes_append(const struct word *w, struct buf *out)
{
    struct mime_decoder d;
    int r;

    mime_decoder_init(&d, w->encoding == 'b' ? MIME_BASE64 : MIME_Q);
    if ((r = mime_decoder_feed(&d, w->text, out)) < 0)
        return r;
    return mime_decoder_finish(&d, out);
}

static int flush(struct str charset, struct buf *pending, struct buf *out)
{
    int r = pending->n ? mime_charset_append(charset, buf_str(pending), out) : 0;

    buf_clear(pending);
    return r;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Text between words, folds opened. */
static int plain_append(struct str s, struct buf *text, struct buf *out)
{
    int r = 0;

    buf_clear(text);
    for (size_t i = 0; i < s.n && r >= 0; i++)
        if (s.p[i] != '\r' && s.p[i] != '\n')
            r = buf_putc(text, s.p[i]);
    return r < 0 ? r : mime_charset_append(STR_NONE, buf_str(text), out);
}

int mime_word_decode(struct str value, struct buf *out)
{
    CLEANUP(buf_release) struct buf pending = { .max = value.n + 16 };
    CLEANUP(buf_release) struct buf text = { .max = value.n + 16 };
    struct str s = str_trim(value), charset = STR_NONE;
    size_t i = 0, from = 0; /* plain text not yet written begins at from */
    bool after_word = false, only_space = true;
    int r;

    while (i < s.n) {
        struct word w;

        if (s.p[i] != '=' || !word_parse(str_skip(s, i), &w)) {
            only_space = only_space && is_space(s.p[i]);
            i++;
            continue;
        }
        /* RFC 2047 6.2: white space between encoded words is not text */
        if (!(after_word && only_space)) {
            if ((r = flush(charset, &pending, out)) < 0 ||
                (r = plain_append(str_slice(s, from, i), &text, out)) < 0)
                return r;
        } else if (!str_ieq(w.charset, charset) && (r = flush(charset, &pending, out)) < 0) {
            return r;
        }
        charset = w.charset;
        if ((r = word_bytes_append(&w, &pending)) < 0)
            return r;
        i += w.bytes;
        from = i;
        after_word = only_space = true;
    }
    if ((r = flush(charset, &pending, out)) < 0)
        return r;
    return plain_append(str_skip(s, from), &text, out);
}

/* ---- writing ---- */

int mime_base64_put(struct str s, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i += 3) {
        uint32_t v = 0;
        size_t n = s.n - i < 3 ? s.n - i : 3;
        char four[4];

        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (uint8_t)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            four[k] = k <= n ? digits[v >> (18 - 6 * k) & 63] : '=';
        r = buf_append(out, four, sizeof four);
    }
    return r;
}

/* Encoded words, cut between characters (RFC 2047 5). */
int mime_word_encode(struct str s, struct buf *out)
{
    int r = 0;

    while (s.n && r == 0) {
        size_t n = s.n < WORD_BYTES ? s.n : WORD_BYTES;

        while (n < s.n && n > 1 && ((uint8_t)s.p[n] & 0xC0) == 0x80)
            n--;
        if ((r = buf_putz(out, "=?utf-8?B?")) < 0 || (r = mime_base64_put(str_slice(s, 0, n), out)) < 0 ||
            (r = buf_putz(out, s.n > n ? "?=\r\n " : "?=")) < 0)
            return r;
        s = str_skip(s, n);
    }
    return r;
}
