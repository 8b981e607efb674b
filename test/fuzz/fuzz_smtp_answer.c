/* test/fuzz/fuzz_smtp_answer.c
 *
 * Laws of a server's replies: cut anywhere they wait, and come out the same whole; what comes out is printable; what
 * follows changes nothing. */
#include "lib/base/buf.h"
#include "lib/smtp/answer.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    struct smtp_answer a = { .code = 0 }, b = { .code = 0 };
    struct smtp_offer o;
    ptrdiff_t n = smtp_answer_read(in, &a);

    LAW(n <= (ptrdiff_t)size);
    if (n <= 0)
        return 0;
    LAW(a.code >= 200 && a.code < 600);
    LAW(smtp_answer_read(str_slice(in, 0, (size_t)n), &b) == n);
    LAW(a.code == b.code && strcmp(a.text, b.text) == 0 && strcmp(a.enhanced, b.enhanced) == 0);
    for (size_t i = 1; i <= 3 && i < (size_t)n; i++)
        LAW(smtp_answer_read(str_slice(in, 0, (size_t)n - i), &b) == 0);
    for (const char *p = a.text; *p; p++)
        LAW(*p >= 0x20 && *p < 0x7f);
    smtp_offer_read(a.lines, &o);
    return 0;
}
