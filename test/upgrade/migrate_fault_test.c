/* A mailbox of the first version on its way to today's, while power goes and calls fail: whatever happens,
 * the next try opens it, and all is there. */
#include "lib/base/errors.h"
#include "test/fault/faultfs.h"
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
    const char *more = getenv("FAULT_REPLAYS");
    size_t n;

    (void)state;
    begin();
    CHECK(upgrade() == 0);
    faultfs_ack(1);
    faultfs_stop();
    n = faultfs_replay(scratch, more ? 40 : 4, found_at, NULL);
    print_message("%zu replays at %zu points\n", n, faultfs_points());
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

static void test_calls(void **state)
{
    static const struct {
        unsigned calls;
        int err;
        bool for_good;
    } troubles[] = {
        { FAULT_WRITE, EIO, false },    { FAULT_WRITE | FAULT_TRUNCATE, ENOSPC, true },
        { FAULT_SYNC, EIO, false },     { FAULT_OPEN, EMFILE, false },
        { FAULT_TRUNCATE, EIO, false }, { FAULT_UNLINK, EIO, false },
    };
    size_t failures = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(troubles); i++)
        for (size_t n = 1, hit = 1; hit; n = next_of(n)) {
            begin();
            faultfs_fail(troubles[i].calls, n, troubles[i].err, troubles[i].for_good);
            CHECK(is_clean(upgrade()));
            hit = faultfs_failures();
            failures += hit > 0;
            faultfs_fail(0, 0, 0, false);
            letters_check();
        }
    faultfs_stop();
    print_message("%zu calls failed\n", failures);
    CHECK(failures > 20);
}

static void test_allocations(void **state)
{
    bool reached = true;
    size_t failures = 0;

    (void)state;
    for (int n = 1; reached; n = (int)next_of((size_t)n)) {
        int r;

        begin();
        db_test_fail_allocation(n);
        r = upgrade();
        reached = db_test_fail_allocation(0);
        failures += r < 0;
        CHECK(is_clean(r));
        letters_check();
    }
    faultfs_stop();
    print_message("%zu allocations failed\n", failures);
    CHECK(failures > 10);
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
