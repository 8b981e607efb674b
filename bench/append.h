/* bench/append.h
 *
 * Writers that append letters to boxes, each waiting for its answer before the next: prepared by workers, then
 * over lanes and with group commit as the store's lanes do it (src/store/grouping.h). Knows no database: the ops do, ours or a bare table. */
#ifndef BENCH_APPEND_H
#define BENCH_APPEND_H
#include "bench/letters.h"

struct append_ops {
    void *(*open)(const char *folder, uint32_t box); /* exits when it cannot */
    int (*begin)(void *box);
    /* Work that needs no box, by any thread; both may be NULL. */
    void *(*prepare)(const struct letter *l);
    void (*release)(void *ready);
    /* One append, alone undone when it fails; ready: of this letter, or NULL. */
    int (*step)(void *box, const struct letter *l, uint64_t number, void *ready);
    int (*commit)(void *box);
    int (*behind)(
        void *box); /* work that may follow the answer; 1 when there may be more, 0 done; may be NULL */
    /* Frames in the box's -wal, and moving them into its file, by any thread beside the commits: as
     * src/store/checkpoint.c does it. NULL: commits do it. */
    uint32_t (*frames)(void *box);
    void (*move)(void *box);
    void (*close)(void *box);
};

struct append_load {
    const char *folder;
    uint32_t writers, seconds, bytes, boxes, workers;
};

/* Runs and prints one JSON line: acknowledged appends/s, and the same with the time that the work behind
 * took; processor time for each. */
void append_run(const struct append_ops *ops, const struct append_load *load);
#endif
