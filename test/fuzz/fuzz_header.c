/* test/fuzz/fuzz_header.c
 *
 * Laws of header fields: fields, put together, are the block again; what HEADER.FIELDS takes and what
 * HEADER.FIELDS.NOT takes are all of it. */
#include "lib/mime/header.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str block = str_of(data, size), rest = block;
    const struct str names[] = { STR("from"), STR("a"), STR("subject") };
    CLEANUP(buf_release) struct buf yes = { .max = MIB(4) }, no = { .max = MIB(4) };
    struct mime_field f;
    size_t bytes = 0, blank;

    while (mime_header_next(&rest, &f)) {
        LAW(f.raw.n > 0 && f.raw.p == block.p + bytes);
        LAW(f.name.p >= f.raw.p && f.name.n + f.value.n <= f.raw.n);
        bytes += f.raw.n;
    }
    LAW(bytes + rest.n == block.n);
    LAW(mime_header_filter(block, names, ARRAY_LEN(names), false, &yes) == 0);
    LAW(mime_header_filter(block, names, ARRAY_LEN(names), true, &no) == 0);
    blank = !rest.n ? 0 : rest.p[0] == '\n' ? 1 : 2;
    LAW(yes.n + no.n == bytes + 2 * blank);
    return 0;
}
