/* Law: what delta_make writes, delta_apply undoes exactly; and delta_apply never leaves its bounds, whatever
 * comes. The first byte says how much of the input is the text that the rest is like. */
#include "src/store/delta.h"
#include "test/fuzz/fuzz.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = str_of(data, size), like, in;
    char *made, *out;
    size_t n;

    if (size < 2 || size > KIB(64))
        return 0;
    like = str_slice(all, 1, 1 + (size - 1) * data[0] / 255);
    in = str_skip(all, 1 + like.n);
    made = malloc(in.n + 1);
    out = malloc(in.n + 1);
    LAW(made && out);
    n = delta_make(in, like, made, in.n);
    LAW(n <= in.n);
    LAW(n == 0 || (delta_apply(str_of(made, n), like, out, in.n) && memcmp(out, in.p, in.n) == 0));
    (void)!delta_apply(in, like, out, in.n);
    free(made);
    free(out);
    return 0;
}
