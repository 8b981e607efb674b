/* A mailbox of the first version on its way to today's, while power goes and calls fail: whatever happens,
 * the next try opens it, and all is there. */
#include "lib/base/errors.h"
#include "test/fault/faultfs.h"
#include "test/fault/heap.h"
#include "test/fault/replays.h"
#include "test/upgrade/letters.h"
#include "test/upgrade/sample.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[512], disk[540];
static struct buf first = { .max = MIB(4) };

static void begin(void)
{
    faultfs_stop();
    faultfs_remove_tree(disk);
    CHECK(mkdir(disk, 0700) == 0 && chdir(disk) == 0);
    dump_load(LETTERS_PATH, buf_str(&first));
    faultfs_start(disk);
}

static int upgrade(void)
{
    struct mailbox_options o = { 0 };
    struct mailbox *box = NULL;
    int r = mailbox_open(LETTERS_PATH, sample_key, &o, NULL, &box), c = mailbox_close(&box);

    return r < 0 ? r : c;
}

static void found_at(const char *folder, size_t point, void *ctx)
{
    (void)point;
    (void)ctx;
    CHECK(chdir(folder) == 0);
    letters_check();
    CHECK(chdir(scratch) == 0);
}

static void test_power(void **state)
{
    size_t n;

    (void)state;
    begin();
    CHECK(upgrade() == 0);
    faultfs_ack(1);
    faultfs_stop();
    n = faultfs_replay(scratch, replays_each(4), found_at, NULL);
    print_message("%zu replays at %zu points\n", n, faultfs_points());
    replays_tell("migrate", n, replays_each(4));
    CHECK(n > 20);
}

static bool is_clean(int r)
{
    return r >= 0 || r == E_IO || r == E_FULL || r == E_NOMEM || r == E_BUSY;
}

static size_t next_of(size_t n)
{
    return getenv("FAULT_REPLAYS") || n < 8 ? n + 1 : n + n / 4;
}

/* A migration renames nothing and makes no folder: those rows fail nothing, and would tell if that changed. */
static void test_calls(void **state)
{
    static const struct {
        const char *name;
        unsigned calls;
        int err;
        bool for_good;
    } troubles[] = {
        { "write EIO", FAULT_WRITE, EIO, false },
        { "full disk", FAULT_WRITE | FAULT_TRUNCATE, ENOSPC, true },
        { "sync EIO", FAULT_SYNC, EIO, false },
        { "open EMFILE", FAULT_OPEN, EMFILE, false },
        { "rename EIO", FAULT_RENAME, EIO, false },
        { "unlink EIO", FAULT_UNLINK, EIO, false },
        { "truncate EIO", FAULT_TRUNCATE, EIO, false },
        { "mkdir ENOSPC", FAULT_MKDIR, ENOSPC, false },
    };
    size_t failures = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(troubles); i++) {
        size_t runs = 0;

        for (size_t n = 1, hit = 1; hit; n = next_of(n)) {
            begin();
            faultfs_fail(troubles[i].calls, n, troubles[i].err, troubles[i].for_good);
            CHECK(is_clean(upgrade()));
            hit = faultfs_failures();
            runs += hit > 0;
            faultfs_fail(0, 0, 0, false);
            letters_check();
        }
        failures += runs;
        runs_tell(troubles[i].name, "migrate", runs, "");
    }
    faultfs_stop();
    CHECK(failures > 20);
}

static void sqlite_fail(size_t n)
{
    db_test_fail_allocation((int)n);
}

static bool sqlite_failed(void)
{
    return db_test_fail_allocation(0);
}

static void starve(const char *kind, void (*begin_failing)(size_t), bool (*failed)(void))
{
    size_t failures = 0, runs = 0;
    bool reached = true;

    for (size_t n = 1; reached; n = next_of(n)) {
        int r;

        begin();
        faultfs_stop(); /* it needs memory too */
        begin_failing(n);
        r = upgrade();
        reached = failed();
        failures += r < 0;
        runs += reached;
        CHECK(is_clean(r));
        letters_check();
    }
    runs_tell(kind, "migrate", runs, "");
    CHECK(failures > 10);
}

static void test_allocations(void **state)
{
    (void)state;
    starve("SQLite's allocation", sqlite_fail, sqlite_failed);
    if (heap_can())
        starve("allocation", heap_fail, heap_failed);
    else
        print_message("SKIPPED: malloc does not fail under a sanitizer\n");
}

static int setup(void **state)
{
    (void)state;
    sample_begin();
    CHECK(getcwd(scratch, sizeof scratch) && dump_read(&samples[1], 1, &first));
    CHECK(strcmp(samples[1].name, "mailbox") == 0);
    snprintf(disk, sizeof disk, "%s/disk", scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    faultfs_stop();
    buf_release(&first);
    CHECK(chdir("/") == 0);
    sample_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
