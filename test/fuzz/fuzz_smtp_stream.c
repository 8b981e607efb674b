/* test/fuzz/fuzz_smtp_stream.c
 *
 * Laws of command lines and chunks: how input is cut changes nothing; a line that was accepted holds no
 * CR, LF or NUL and is within its limit; bad lines and good ones together are all of the input; a chunk
 * takes as many bytes as were announced, no more and no fewer, whatever is wrong with them. */
#include "lib/base/errors.h"
#include "lib/smtp/bdat.h"
#include "lib/smtp/linereader.h"
#include "test/fuzz/fuzz.h"

#define LINE_MAX_BYTES 40u

/* What came of it, written down. */
static void read_lines(struct str in, size_t slice, struct buf *out)
{
    CLEANUP(linereader_release) struct linereader l = { .line.max = LINE_MAX_BYTES };
    struct str line;
    size_t at = 0, end, used;
    int r = 0;

    while (at < in.n && r != E_LIMIT) {
        for (end = size_min(at + slice, in.n); at < end && r != E_LIMIT; at += used) {
            r = linereader_feed(&l, str_slice(in, at, end), &used, &line);
            LAW(used > 0 && used <= end - at);
            LAW(r == 1 || r == 0 || r == E_BARE_LF || r == E_BARE_CR || r == E_NUL || r == E_LINE_TOO_LONG ||
                r == E_LIMIT);
            if (r == 0)
                LAW(at + used == end);
            if (r == 1) {
                LAW(line.n <= LINE_MAX_BYTES && str_chr(line, '\r') < 0 && str_chr(line, '\n') < 0);
                LAW(str_chr(line, '\0') < 0 && at + used >= 2 && in.p[at + used - 2] == '\r' &&
                    in.p[at + used - 1] == '\n');
                LAW(buf_printf(out, "line at %zu: %.*s\n", at + used, STR_ARG(line)) == 0);
            } else if (r != 0 && r != E_LIMIT) {
                LAW(in.p[at + used - 1] == '\n');
                LAW(buf_printf(out, "%s at %zu\n", error_name(r), at + used) == 0);
            }
        }
    }
    LAW(buf_printf(out, "end %d %d\n", r == E_LIMIT, linereader_partial(&l)) == 0);
}

static int read_chunk(struct str in, size_t slice, bool binary, struct buf *out)
{
    struct bdat b = { .binary = binary, .line_max = LINE_MAX_BYTES, .max_bytes = 4096 };
    size_t first = in.n / 2, at = 0, end, used;

    bdat_chunk(&b, first, false);
    while (at < in.n) {
        if (at == first)
            bdat_chunk(&b, in.n - first, true);
        end = size_min(at + slice, in.n);
        (void)!bdat_feed(&b, str_slice(in, at, end), out, &used);
        LAW(used == size_min(end - at, at < first ? first - at : in.n - at));
        at += used;
    }
    LAW(in.n < 2 || (bdat_chunk_done(&b) && b.bytes == in.n));
    return b.error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf whole = { .max = MIB(32) }, bytes = { .max = MIB(32) };
    struct str in = str_of(data, size);
    size_t cut = size ? 1 + data[0] % 7u : 1;
    int r;

    read_lines(in, size + 1, &whole);
    read_lines(in, cut, &bytes);
    LAW(str_eq(buf_str(&whole), buf_str(&bytes)));
    for (int binary = 0; binary < 2; binary++) {
        buf_clear(&whole);
        buf_clear(&bytes);
        r = read_chunk(in, size + 1, binary, &whole);
        LAW(read_chunk(in, cut, binary, &bytes) == r);
        LAW(r != 0 || (str_eq(buf_str(&whole), in) && str_eq(buf_str(&bytes), in)));
    }
    return 0;
}
