/* test/fuzz/fuzz_scanners.c
 *
 * Laws of what ClamAV and rspamd may answer, whatever it is: what comes of it is bounded and printable; what the beginning of an
 * answer decides the rest does not change; the end of the connection leaves nothing open. */
#include "src/filter/scanner.h"
#include "test/fuzz/fuzz.h"
#include <string.h>

static void check_text(const char *z, size_t max)
{
    LAW(strlen(z) <= max);
    for (; *z; z++)
        LAW(*z >= ' ' && *z < 0x7f);
}

static void check(const struct scanner *s, struct str in)
{
    struct scanner_said whole = { .score = 0 }, part = { .score = 0 };
    int open = s->answer(in, false, &whole), half, closed;

    LAW(open == 0 || open == 1 || open == E_SYNTAX || open == E_LIMIT);
    if (open == 1) {
        check_text(whole.name, SCANNER_NAME_MAX);
        check_text(whole.action, SCANNER_ACTION_MAX);
        check_text(whole.symbols, SCANNER_SYMBOLS_MAX);
        LAW(whole.score >= -SCANNER_SCORE_MAX && whole.score <= SCANNER_SCORE_MAX);
    }
    half = s->answer(str_slice(in, 0, in.n / 2), false, &part);
    LAW(half == 0 || half == open);
    LAW(half != 1 ||
        (part.score == whole.score && part.found == whole.found && !strcmp(part.name, whole.name)));
    closed = s->answer(in, true, &part);
    LAW(closed != 0 && (open == 0 || closed == open));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in =
        str_of(data, size < KIB(4) ? size : KIB(4)); /* beyond, a beginning without an end is nonsense */

    check(&scanner_clamav, in);
    check(&scanner_rspamd, in);
    return 0;
}
