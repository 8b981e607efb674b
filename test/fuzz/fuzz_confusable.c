/* test/fuzz/fuzz_confusable.c
 *
 * Laws of how a name looks: no longer than the name, no capital in it, and the same whatever case its ASCII letters have. */
#include "lib/spam/confusable.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release)
    struct buf one = { .max = MIB(1) }, two = { .max = MIB(1) }, lower = { .max = MIB(1) };
    struct str in = str_of(data, size);

    LAW(spam_skeleton(in, &one) == 0 && one.n <= in.n);
    for (size_t i = 0; i < one.n; i++)
        LAW(one.p[i] < 'A' || one.p[i] > 'Z');
    for (size_t i = 0; i < in.n; i++)
        LAW(buf_putc(&lower, in.p[i] >= 'A' && in.p[i] <= 'Z' ? (char)(in.p[i] + 32) : in.p[i]) == 0);
    LAW(spam_skeleton(buf_str(&lower), &two) == 0 && str_eq(buf_str(&one), buf_str(&two)));
    (void)spam_mixed_script(in);
    return 0;
}
