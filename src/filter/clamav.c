/* src/filter/clamav.c: clamd(8), INSTREAM: "<length><data>", the length four bytes in network order, a chunk of length
 * zero ends; commands that begin with z end with NUL, and so do their answers. */
#include "src/filter/scanner.h"

void scanner_plain(struct str s, char *out, size_t n)
{
    size_t at = 0;

    for (; at < s.n && at + 1 < n; at++)
        out[at] = s.p[at] >= ' ' && s.p[at] < 0x7f ? s.p[at] : '?';
    out[at] = '\0';
}

static int begin(const Filter__ScanRequest *q UNUSED, struct buf *out)
{
    return buf_append(out, "zINSTREAM", sizeof "zINSTREAM"); /* with its NUL */
}

static int piece(struct str bytes, struct buf *out)
{
    const unsigned char length[4] = { (unsigned char)(bytes.n >> 24), (unsigned char)(bytes.n >> 16),
                                      (unsigned char)(bytes.n >> 8), (unsigned char)bytes.n };
    int r = buf_append(out, length, sizeof length);

    return r < 0 ? r : buf_puts(out, bytes);
}

static int end(struct buf *out)
{
    return buf_append(out, "\0\0\0\0", 4);
}

/* "stream: OK", "stream: Eicar-Test-Signature FOUND", "INSTREAM size limit exceeded. ERROR" */
static int answer(struct str in, bool closed, struct scanner_said *out)
{
    ptrdiff_t nul = str_chr(in, '\0');
    struct str line = str_trim(nul < 0 ? in : str_slice(in, 0, (size_t)nul));

    if (nul > (ptrdiff_t)KIB(4) || (nul < 0 && in.n > KIB(4)))
        return E_SYNTAX;
    if (nul < 0 && !closed)
        return 0;
    if (str_find(line, STR("size limit exceeded")) >= 0)
        return E_LIMIT;
    if (!str_starts(line, STR("stream: ")))
        return E_SYNTAX;
    line = str_skip(line, 8);
    *out = (struct scanner_said){ .found = str_ends(line, STR(" FOUND")) };
    if (!out->found)
        return str_eq(line, STR("OK")) ? 1 : E_SYNTAX;
    scanner_plain(str_slice(line, 0, line.n - 6), out->name, sizeof out->name);
    return 1;
}

const struct scanner scanner_clamav = { "clamav", begin, piece, end, answer };
