/* bench/store_copy.c: what the steps of a backup cost, one by one. */
#include "bench/store_box.h"
#include "lib/base/clock.h"
#include "lib/crypto/filehash.h"
#include "lib/db/page_copy.h"
#include "lib/base/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLICE KIB(256)
#define BATCH 50u

static struct {
    const char *path;
    char copy[512];
    int64_t bytes;
} of;

static uint32_t number(const char *text)
{
    uint32_t v = 0;

    if (!text || !str_to_u32(str_from(text), &v) || !v) {
        fprintf(stderr, "store_bench: a number is wanted\n");
        exit(64);
    }
    return v;
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct db *opened(const char *path, uint32_t flags)
{
    struct db_options o = { .flags = flags, .cache_kib = 2048, .statements = 8 };
    struct db *db = NULL;

    must(db_open(path, store_box_key(), &o, &db), path);
    return db;
}

static void step_rows(void)
{
    struct db *db = opened(of.path, 0);

    unlink(of.copy);
    must(db_copy(db, of.copy, store_box_key()), "VACUUM INTO");
    must(db_close(&db), "close");
}

static void step_pages(void)
{
    struct db *db = opened(of.path, 0);
    struct page_copy *c = NULL;
    struct txn t = { 0 };

    unlink(of.copy);
    must(txn_begin_read(&t, db), "snapshot");
    must(page_copy_begin(db, store_box_key(), of.copy, NULL, &c), "copy");
    must(page_copy_run(c), "copy");
    must(page_copy_end(&c), "copy");
    txn_end(&t);
    must(db_close(&db), "close");
}

static void step_verify(void)
{
    struct db *db = opened(of.copy, DB_READONLY);

    must(db_verify(db, NULL), "integrity_check");
    must(db_close(&db), "close");
}

static void step_tags(void)
{
    must(page_copy_check(of.copy, store_box_key(), NULL), "tags");
}

static void step_hash(void)
{
    CLEANUP(fd_close) int fd = open(of.copy, O_RDONLY | O_CLOEXEC);
    char *slice = malloc(SLICE);
    uint8_t hash[HASH_BYTES];
    struct filehash f;
    int64_t at = 0;
    ssize_t n;

    filehash_begin(&f, FILEHASH_SHA256);
    while (slice && (n = read(fd, slice, SLICE)) > 0) {
        filehash_add(&f, str_of(slice, (size_t)n));
        at += n;
    }
    of.bytes = at;
    filehash_end(&f, hash);
    free(slice);
}

static void fill(const char *folder, uint32_t count, uint32_t bytes)
{
    struct mailbox *box = store_box_open(folder, 0, MAILBOX_CREATE);

    for (uint32_t i = 0; i < count;) {
        must(mailbox_begin(box), "begin");
        for (uint32_t k = 0; k < BATCH && i < count; k++, i++) {
            struct letter l = { .sent_ms = 0 };

            letter_make(&l, i, bytes);
            letter_parse(&l);
            must(store_box_append(box, &l, i + 1), "append");
            letter_release(&l);
        }
        must(mailbox_commit(box), "commit");
        mailbox_changes_take(box, NULL, 0);
    }
    must(mailbox_close(&box), "close");
}

/* FOLDER MESSAGES BYTES [STEP]: a mailbox of so many, none like another; it is made when it is not there. */
int mode_copy(char **argv, int argc)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } steps[] = { { "rows", step_rows },
                  { "pages", step_pages },
                  { "verify", step_verify },
                  { "tags", step_tags },
                  { "hash", step_hash } };
    char path[512];

    snprintf(path, sizeof path, "%s/box-0.sqlite", argv[0]);
    snprintf(of.copy, sizeof of.copy, "%s/copy.sqlite", argv[0]);
    of.path = path;
    if (access(path, F_OK) < 0)
        fill(argv[0], number(argv[1]), number(argc > 2 ? argv[2] : NULL));
    step_pages();
    step_hash();
    printf("{\"bytes\":%lld", (long long)of.bytes);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        double began = cpu_s();

        if (argc > 3 && strcmp(argv[3], steps[i].name) != 0)
            continue;
        steps[i].run();
        printf(",\"%s_s_per_gb\":%.2f", steps[i].name, (cpu_s() - began) * 1e9 / (double)of.bytes);
    }
    printf("}\n");
    return 0;
}
