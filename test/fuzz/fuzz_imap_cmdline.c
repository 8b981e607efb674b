/* test/fuzz/fuzz_imap_cmdline.c
 *
 * Law of the command reader: how input is cut changes nothing. What events come, with what text, is the
 * same for the whole input, for single bytes and for pieces of seven. Limits hold at every moment. */
#include "lib/imap/cmdline.h"
#include "test/fuzz/fuzz.h"
#include <string.h>

static const struct cmdline_limits limits = { 200, 60, 400 };

static void note(struct cmdline *c, int r, struct buf *out)
{
    LAW(buf_printf(out, "%d %d ", r, c->must_close) == 0);
    if (r < 0) {
        LAW(buf_puts(out, cmdline_tag(c)) == 0);
        return;
    }
    LAW(buf_puts(out, buf_str(&c->text)) == 0);
    if (r == CMDLINE_COMMAND && str_ends(buf_str(&c->text), STR("IDLE")))
        cmdline_expect_line(c);
    else if (r == CMDLINE_COMMAND || r == CMDLINE_LINE)
        cmdline_next(c);
    else if (r == CMDLINE_STREAM && c->literal.n % 2)
        cmdline_stream_refuse(c, 100);
    else if (r == CMDLINE_STREAM)
        cmdline_stream_done(c);
}

static void run(struct str in, size_t slice, struct buf *out)
{
    CLEANUP(cmdline_release) struct cmdline c;

    cmdline_init(&c, &limits);
    while (in.n) {
        size_t used = 0;
        int r = cmdline_feed(&c, str_slice(in, 0, slice), &used);

        LAW(used <= size_min(slice, in.n) && (used > 0 || r < 0));
        LAW(c.text.n <= limits.total_max + 2 && c.text.cap <= limits.total_max + 2);
        LAW(r != E_BUG && r != E_NOMEM);
        if (r != CMDLINE_MORE)
            note(&c, r, out);
        in = str_skip(in, used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release)
    struct buf whole = { .max = MIB(64) }, bytes = { .max = MIB(64) }, sevens = { .max = MIB(64) };

    if (size > KIB(16))
        return 0;
    run(str_of(data, size), size, &whole);
    run(str_of(data, size), 1, &bytes);
    run(str_of(data, size), 7, &sevens);
    LAW(str_eq(buf_str(&whole), buf_str(&bytes)));
    LAW(str_eq(buf_str(&whole), buf_str(&sevens)));
    return 0;
}
