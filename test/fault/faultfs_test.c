/* Does power loss lose what db and file promised, and would we notice? */
#include "test/fault/faultfs.h"
#include "test/fault/replays.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/db/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 12

static char folder[] = "/tmp/letterlock-fault-XXXXXX";
static char root[128], path[160];
static const uint8_t key[DB_KEY_BYTES] = { 42 };
static const struct db_options create = { .flags = DB_CREATE };
static const char SQL_TABLE[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT";
static const char SQL_ADD[] = "INSERT INTO t(id, b) VALUES(?1, zeroblob(?1 * 900))";
static const char SQL_SEEN[] = "SELECT ifnull(max(id),0)*(count(*)=ifnull(max(id),0)) FROM t";

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(root, sizeof root, "%s/disk", folder);
    snprintf(path, sizeof path, "%s/box.sqlite", root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    faultfs_stop();
    faultfs_remove_tree(folder);
    return 0;
}

static size_t replays(void)
{
    return replays_each(6);
}

static void fresh_disk(void)
{
    faultfs_stop();
    faultfs_remove_tree(root);
    CHECK(mkdir(root, 0700) == 0);
    faultfs_start(root);
}

static int add(struct db *db, int64_t id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL_ADD, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    return stmt_run(st);
}

/* Rows 1..ROWS, one commit and one ack each, a checkpoint in between. */
static void workload(const char *sync)
{
    CLEANUP(db_close) struct db *db = NULL;

    fresh_disk();
    CHECK(db_open(path, key, &create, &db) == 0 && db_run(db, SQL_TABLE) == 0);
    if (sync)
        CHECK(db_run(db, sync) == 0);
    faultfs_ack(0);
    for (int64_t i = 1; i <= ROWS; i++) {
        CHECK(add(db, i) == 0);
        faultfs_ack((uint64_t)i);
        if (i % 5 == 0)
            CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0);
    }
    CHECK(db_close(&db) == 0);
    faultfs_ack(ROWS);
    faultfs_stop();
}

struct seen {
    size_t lost, broken;
};

static void count_losses(const char *disk, size_t point, void *ctx)
{
    CLEANUP(db_close) struct db *db = NULL;
    char file[256];
    struct seen *seen = ctx;
    uint64_t acked = 0;
    size_t acks = faultfs_acked(point, &acked);
    int64_t rows = 0;
    int r;

    snprintf(file, sizeof file, "%s/box.sqlite", disk);
    r = db_open(file, key, &create, &db);
    if (r == 0 && acks)
        r = db_get_i64(db, SQL_SEEN, &rows);
    if (r == 0)
        r = db_verify(db, NULL);
    seen->broken += r < 0;
    seen->lost += r == 0 && acks && rows < (int64_t)acked;
    if (r == 0 && acks)
        CHECK(rows <= (int64_t)acked + 1);
}

static void test_full_loses_nothing(void **state)
{
    struct seen seen = { 0 };
    size_t n;

    (void)state;
    workload(NULL);
    n = faultfs_replay(folder, replays(), count_losses, &seen);
    print_message("%zu replays at %zu points: %zu lost, %zu broken\n", n, faultfs_points(), seen.lost,
                  seen.broken);
    replays_tell("bare SQLite", n, replays());
    CHECK(n >= 200 && seen.lost == 0 && seen.broken == 0);
}

static void test_teeth(void **state)
{
    struct seen seen = { 0 };

    (void)state;
    workload("PRAGMA synchronous=OFF");
    faultfs_replay(folder, 8, count_losses, &seen);
    CHECK(seen.lost + seen.broken > 0);
    seen = (struct seen){ 0 };
    workload("PRAGMA synchronous=NORMAL");
    faultfs_replay(folder, 8, count_losses, &seen);
    CHECK(seen.lost > 0 && seen.broken == 0); /* NORMAL loses commits, but never the database */
}

/* ---- small files ---- */

static const char *const TEXTS[] = { "none", "first", "second, longer than the first", "3rd" };

static void check_file(const char *disk, size_t point, void *ctx)
{
    CLEANUP(buf_release) struct buf b = { .max = 100 };
    CLEANUP(fd_close) int dir = open(disk, O_RDONLY | O_DIRECTORY);
    uint64_t acked = 0;
    size_t *lost = ctx;
    int r = file_read(dir, "keys", &b);

    faultfs_acked(point, &acked);
    if (r == E_NOTFOUND && acked == 0)
        return;
    *lost += !(r == 0 && (str_eq_z(buf_str(&b), TEXTS[acked]) ||
                          (acked + 1 < ARRAY_LEN(TEXTS) && str_eq_z(buf_str(&b), TEXTS[acked + 1]))));
}

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static void replace_all(void)
{
    CLEANUP(fd_close) int dir = -1;

    fresh_disk();
    dir = open(root, O_RDONLY | O_DIRECTORY);
    for (size_t i = 1; i < ARRAY_LEN(TEXTS); i++) {
        CHECK(file_replace(dir, "keys", str_from(TEXTS[i])) == 0);
        faultfs_ack(i);
    }
    faultfs_stop();
}

static void test_file_replace(void **state)
{
    struct file_ops lazy = *file_ops();
    size_t lost = 0;

    (void)state;
    replace_all();
    faultfs_replay(folder, 16, check_file, &lost);
    CHECK(lost == 0);
    lazy.fsync = no_sync;
    file_ops_set(&lazy);
    replace_all();
    file_ops_set(NULL);
    faultfs_replay(folder, 16, check_file, &lost);
    CHECK(lost > 0);
}

/* ---- failing calls ---- */

/* Fail the 1st, 2nd, 3rd ... call of a kind; what was acknowledged before must be there after. */
static void fail_each(unsigned calls, int err, bool for_good, int want)
{
    size_t n = 1, hits = 0;

    for (; n < 500; n++) {
        CLEANUP(db_close) struct db *db = NULL;
        int64_t rows = 0, done = 0;
        int r = 0;

        fresh_disk();
        CHECK(db_open(path, key, &create, &db) == 0 && db_run(db, SQL_TABLE) == 0);
        faultfs_fail(calls, n, err, for_good);
        for (int64_t i = 1; i <= ROWS && r == 0; i++) {
            r = add(db, i);
            done += r == 0;
            if (r == 0 && i % 5 == 0)
                r = db_checkpoint(db, DB_TRUNCATE, NULL);
        }
        CHECK(r == 0 || r == want);
        hits += r == want;
        faultfs_fail(0, 0, 0, false);
        CHECK(db_get_i64(db, SQL_SEEN, &rows) == 0 && rows >= done);
        CHECK(add(db, 1000) == 0); /* it goes on once the disk does */
        db_close(&db);
        faultfs_stop();
        if (r == 0)
            break;
    }
    CHECK(n > 3 && n < 500 && hits == n - 1);
}

static void test_failing(void **state)
{
    (void)state;
    fail_each(FAULT_WRITE, ENOSPC, false, E_FULL);
    fail_each(FAULT_WRITE, ENOSPC, true, E_FULL);
    fail_each(FAULT_WRITE, EIO, false, E_IO);
    fail_each(FAULT_SYNC, EIO, false, E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_loses_nothing),
        cmocka_unit_test(test_teeth),
        cmocka_unit_test(test_file_replace),
        cmocka_unit_test(test_failing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
