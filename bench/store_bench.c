/* bench/store_bench.c
 *
 * The store's core by itself, no service around it. Each prints one JSON line.
 *   store_bench append  FOLDER WRITERS SECONDS BYTES BOXES          mailbox_append, then the index behind
 *   store_bench bare    FOLDER WRITERS SECONDS BYTES BOXES PLAIN INDEXED   SQLite's INSERT; 1 or 0 each
 *   store_bench read    FOLDER MESSAGES BYTES                       bodies, headers, and a bare SELECT
 *   store_bench size    FOLDER NAMES                              disk bytes of the files named in it
 *   store_bench memory  FOLDER BOXES                                RSS of open mailboxes
 *   store_bench open    FOLDER BOXES                                a file given back and opened again
 *   store_bench folders FOLDER BOXES                                a delivery among so many mailboxes
 *   store_bench profile FOLDER MESSAGES BYTES WHAT                  one thing again and again, for perf
 *   store_bench pages   FOLDER MESSAGES BYTES GROUP                 which b-trees a commit writes
 *   store_bench copy    FOLDER MESSAGES BYTES [STEP]              what the steps of a backup cost */
#include "bench/bare.h"
#include "bench/store_box.h"
#include <stdio.h>

static const struct {
    const char *name;
    int (*run)(char **argv, int argc);
} modes[] = {
    { "read", mode_read },   { "size", mode_size },       { "memory", mode_memory },
    { "open", mode_open },   { "folders", mode_folders }, { "profile", mode_profile },
    { "pages", mode_pages }, { "copy", mode_copy },
};

static int usage(void)
{
    fprintf(stderr,
            "usage: store_bench append|bare|read|size|memory|open|folders|profile|pages|copy FOLDER ...\n");
    return 64;
}

int main(int argc, char **argv)
{
    struct append_load load = { .workers = 16 };
    uint32_t plain = 0, indexed = 0;
    uint32_t *v[] = { &load.writers, &load.seconds, &load.bytes, &load.boxes, &plain, &indexed };
    bool append = argc == 7 && strcmp(argv[1], "append") == 0;

    for (size_t i = 0; i < ARRAY_LEN(modes) && argc > 3; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run(argv + 2, argc - 2);
    if (!append && (argc != 9 || strcmp(argv[1], "bare") != 0))
        return usage();
    for (int i = 3; i < argc; i++)
        if (!str_to_u32(str_from(argv[i]), v[i - 3]))
            return usage();
    load.folder = argv[2];
    must(db_init(), "SQLite");
    bare_encrypted = !plain;
    bare_indexed = indexed;
    append_run(append ? &store_box_ops : &bare_ops, &load);
    return 0;
}
