/* test/fuzz/fuzz_sevenbit.c
 *
 * Laws of the way to 7 bits: no byte above 127 is left; what had none is the same. */
#include "test/fuzz/fuzz.h"
#include "lib/mime/scan.h"
#include "lib/mime/sevenbit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_of(data, size);
    CLEANUP(buf_release) struct buf once = { .max = MIB(64) };
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    const struct mime_part *p, *q;
    bool high = false;

    for (size_t i = 0; i < in.n; i++)
        high |= (in.p[i] & 0x80) != 0;
    LAW(mime_to_7bit(&a, in, &once) == 0);
    for (size_t i = 0; i < once.n; i++)
        LAW(!(once.p[i] & 0x80));
    if (!high) {
        p = mime_scan_all(&a, in);
        for (q = p; q && q->kind == MIME_LEAF; q = mime_part_next(q))
            ;
        LAW(q || str_eq(in, buf_str(&once))); /* of composite parts the encoding's name goes */
    }
    return 0;
}
