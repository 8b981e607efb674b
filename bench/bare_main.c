/* bench/bare_main.c: the bare side over the stock cipher, in a program of its own (same symbols as ours).
 *     store_stock FOLDER WRITERS SECONDS BYTES BOXES [indexed] */
#include "bench/bare.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    struct append_load load = { .workers = 16 };
    uint32_t *v[] = { &load.writers, &load.seconds, &load.bytes, &load.boxes };

    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        if (argc < 6 || !str_to_u32(str_from(argv[i + 2]), v[i])) {
            fprintf(stderr, "usage: store_stock FOLDER WRITERS SECONDS BYTES BOXES [indexed]\n");
            return 64;
        }
    load.folder = argv[1];
    bare_encrypted = true;
    bare_indexed = argc > 6;
    append_run(&bare_ops, &load);
    return 0;
}
