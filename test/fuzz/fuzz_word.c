/* test/fuzz/fuzz_word.c
 *
 * Laws of encoded words, charsets, decoders and folding: decoded text is valid UTF-8; how input is cut
 * changes nothing; folding twice changes nothing. The first byte chooses charset and encoding. */
#include "lib/mime/charset.h"
#include "lib/mime/decode.h"
#include "lib/mime/fold.h"
#include "lib/mime/html.h"
#include "lib/mime/word.h"
#include "test/fuzz/fuzz_mime.h"

static bool is_utf8(struct str s)
{
    for (int n = 0; s.n; s = str_skip(s, (size_t)n))
        if ((n = mime_utf8_bytes((const unsigned char *)s.p, s.n)) <= 0)
            return false;
    return true;
}

struct chain {
    struct mime_decoder decoder;
    struct mime_charset charset;
    struct mime_html html;
    struct mime_fold fold;
    struct buf decoded, utf8, text;
};

static void chain_step(struct chain *c, struct str in, bool last, struct buf *out)
{
    buf_clear(&c->decoded);
    buf_clear(&c->utf8);
    buf_clear(&c->text);
    LAW(mime_decoder_feed(&c->decoder, in, &c->decoded) == 0);
    LAW(!last || mime_decoder_finish(&c->decoder, &c->decoded) == 0);
    LAW(mime_charset_feed(&c->charset, buf_str(&c->decoded), &c->utf8) == 0);
    LAW(!last || mime_charset_finish(&c->charset, &c->utf8) == 0);
    LAW(mime_html_feed(&c->html, buf_str(&c->utf8), &c->text) == 0);
    LAW(!last || mime_html_finish(&c->html, &c->text) == 0);
    LAW(mime_fold_feed(&c->fold, buf_str(&c->text), out) == 0);
    LAW(!last || mime_fold_finish(&c->fold, out) == 0);
}

static void chain_run(struct str in, unsigned choice, bool cut, struct buf *out)
{
    static const char *const charsets[] = { "",       "utf-8", "iso-2022-jp", "gb18030",
                                            "utf-16", "utf-7", "koi8-r",      "shift_jis" };
    struct chain c = { .decoded.max = MIB(16), .utf8.max = MIB(16), .text.max = MIB(16) };

    mime_decoder_init(&c.decoder, (enum mime_encoding)(choice % 5));
    mime_charset_init(&c.charset, str_from(charsets[choice / 5 % 8]));
    for (size_t at = 0, n; at < in.n; at += n) {
        n = cut ? next_slice(in, at) : in.n;
        chain_step(&c, str_slice(in, at, at + n), false, out);
    }
    chain_step(&c, STR(""), true, out);
    mime_charset_release(&c.charset);
    buf_release(&c.decoded);
    buf_release(&c.utf8);
    buf_release(&c.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf one = { .max = MIB(64) }, two = { .max = MIB(64) };
    struct str in = str_of(data, size);

    if (!size || size > KIB(64))
        return 0;
    LAW(mime_word_decode(in, &one) == 0 && is_utf8(buf_str(&one)));
    LAW(mime_fold_append(buf_str(&one), &two) == 0 && is_utf8(buf_str(&two)));
    LAW(two.n <= one.n * MIME_FOLD_GROWTH);
    buf_clear(&one);
    LAW(mime_fold_append(buf_str(&two), &one) == 0);
    LAW(str_eq(buf_str(&one), buf_str(&two)));
    buf_clear(&one);
    buf_clear(&two);
    chain_run(str_skip(in, 1), data[0], false, &one);
    chain_run(str_skip(in, 1), data[0], true, &two);
    LAW(str_eq(buf_str(&one), buf_str(&two)) && is_utf8(buf_str(&one)));
    return 0;
}
