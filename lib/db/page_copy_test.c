#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/db/page_copy.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PAGE 4096

static uint8_t key[DB_KEY_BYTES];
static char folder[64], path[96], copy_path[96];

static struct db *opened(uint32_t flags)
{
    struct db_options o = { .flags = flags, .cache_kib = 64 };
    struct db *db = NULL;

    CHECK(db_open(path, key, &o, &db) == 0);
    return db;
}

static void rows_add(struct db *db, int64_t n, int64_t bytes)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;

    CHECK(stmt_get(db, "INSERT INTO t (b) SELECT randomblob(?2) FROM generate LIMIT ?1", &st) == 0);
    stmt_bind_i64(st, 1, n);
    stmt_bind_i64(st, 2, bytes);
    CHECK(stmt_run(st) == 0);
}

static struct db *made(int64_t rows)
{
    struct db *db;

    unlink(path);
    unlink(copy_path);
    db = opened(DB_CREATE | DB_OWN_CHECKPOINTS);
    CHECK(db_run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)") == 0);
    CHECK(db_run(db, "CREATE VIEW generate AS WITH RECURSIVE n (i) AS "
                     "(VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n") == 0);
    rows_add(db, rows, 3000);
    return db;
}

static int64_t count(struct db *db)
{
    int64_t n = -1;

    CHECK(db_get_i64(db, "SELECT count(*) FROM t", &n) == 0);
    return n;
}

static int64_t sum(struct db *db)
{
    int64_t n = -1;

    CHECK(db_get_i64(db, "SELECT sum(id * 7 + length(b) + unicode(hex(b))) FROM t", &n) == 0);
    return n;
}

/* Whole and in order, of so many rows; and it is one file. */
static void copy_holds(int64_t rows, int64_t rows_sum)
{
    struct db_options o = { .flags = DB_READONLY };
    struct db *db = NULL;
    char wal[128];

    CHECK(page_copy_check(copy_path, key, NULL) == 0);
    CHECK(db_open(copy_path, key, &o, &db) == 0 && db_verify(db, NULL) == 0);
    CHECK(count(db) == rows && sum(db) == rows_sum && db_close(&db) == 0);
    snprintf(wal, sizeof wal, "%s-wal", copy_path);
    CHECK(access(wal, F_OK) < 0);
}

static int copied(struct db *snapshot)
{
    struct page_copy *c = NULL;
    int r = page_copy_begin(snapshot, key, copy_path, NULL, &c), ran;

    if (r < 0)
        return r;
    ran = page_copy_run(c);
    r = page_copy_end(&c);
    CHECK(ran == 0 || r < 0);
    return r;
}

/* The newest of a page may be in the file, in the -wal, or there several times. */
static void test_copy(void **state UNUSED)
{
    struct db *db = made(300), *snapshot = opened(DB_OWN_CHECKPOINTS);
    struct txn t = { 0 }, w = { 0 };
    int64_t is;

    for (int i = 0; i < 3; i++) {
        CHECK(db_run(db, "UPDATE t SET b = randomblob(2500) WHERE id % 7 = 1") == 0);
        if (i == 0)
            CHECK(db_checkpoint(db, DB_PASSIVE, NULL) == 0);
    }
    rows_add(db, 200, 5000);
    is = sum(db);
    CHECK(txn_begin_read(&t, snapshot) == 0);
    /* What is not committed is not in it, though much of it stands in the -wal */
    CHECK(txn_begin(&w, db) == 0);
    rows_add(db, 300, 5000);
    CHECK(copied(snapshot) == 0 && copied(snapshot) == E_EXISTS);
    copy_holds(500, is);
    txn_end(&w);
    CHECK(unlink(copy_path) == 0);
    /* nor what was undone, when nothing has overwritten it */
    CHECK(copied(snapshot) == 0);
    copy_holds(500, is);
    CHECK(unlink(copy_path) == 0);
    /* What was committed after the snapshot may be, whole */
    rows_add(db, 100, 4000);
    is = sum(db);
    CHECK(db_checkpoint(db, DB_PASSIVE, NULL) <= 0); /* as far as the snapshot lets it */
    CHECK(copied(snapshot) == 0);
    copy_holds(600, is);
    txn_end(&t);
    CHECK(db_close(&snapshot) == 0 && db_close(&db) == 0);
}

/* All of the -wal is in the file: it may begin anew while we hold the snapshot. */
static void test_begins_anew(void **state UNUSED)
{
    struct db *db = made(100), *snapshot = opened(DB_OWN_CHECKPOINTS);
    struct page_copy *c = NULL;
    struct txn t = { 0 };
    int64_t is;

    CHECK(db_checkpoint(db, DB_PASSIVE, NULL) == 0 && txn_begin_read(&t, snapshot) == 0);
    is = sum(snapshot);
    CHECK(copied(snapshot) == 0);
    copy_holds(100, is);
    CHECK(unlink(copy_path) == 0 && page_copy_begin(snapshot, key, copy_path, NULL, &c) == 0);
    CHECK(db_run(db, "UPDATE t SET b = randomblob(2000)") == 0);
    CHECK(page_copy_run(c) <= 0 && page_copy_end(&c) == E_BUSY && access(copy_path, F_OK) < 0);
    is = sum(db);
    CHECK(copied(snapshot) == 0); /* again: with all of the new one */
    copy_holds(100, is);
    txn_end(&t);
    CHECK(db_close(&snapshot) == 0 && db_close(&db) == 0);
}

static void damage(const char *where, long page)
{
    CLEANUP(fd_close) int fd = open(where, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;

    CHECK(fd >= 0 && pread(fd, &byte, 1, page * PAGE + 700) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, page * PAGE + 700) == 1);
}

static void test_refuses(void **state UNUSED)
{
    struct db *db = made(200);
    struct txn t = { 0 };
    bool stop = true;
    struct page_copy *c = NULL;
    uint8_t other[DB_KEY_BYTES] = { 1 };

    CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0 && txn_begin_read(&t, db) == 0);
    CHECK(page_copy_begin(db, key, copy_path, &stop, &c) == 0);
    CHECK(page_copy_run(c) == E_CANCELED && page_copy_end(&c) == E_CANCELED && access(copy_path, F_OK) < 0);
    CHECK(page_copy_begin(db, other, copy_path, NULL, &c) == 0);
    CHECK(page_copy_run(c) == E_STALE && page_copy_end(&c) == E_STALE);
    damage(path, 20);
    CHECK(copied(db) == E_STALE && access(copy_path, F_OK) < 0);
    damage(path, 20);
    CHECK(copied(db) == 0);
    CHECK(page_copy_check(copy_path, key, NULL) == 0 &&
          page_copy_check(copy_path, other, NULL) == E_CORRUPT &&
          page_copy_check(copy_path, key, &stop) == E_CANCELED);
    damage(copy_path, 120);
    CHECK(page_copy_check(copy_path, key, NULL) == E_CORRUPT);
    damage(copy_path, 120);
    CHECK(page_copy_check(copy_path, key, NULL) == 0 && truncate(copy_path, 50 * PAGE + 1) == 0 &&
          page_copy_check(copy_path, key, NULL) == E_CORRUPT && unlink(copy_path) == 0);
    txn_end(&t);
    CHECK(db_run(db, "DELETE FROM t WHERE id > 100") == 0 && txn_begin_read(&t, db) == 0);
    CHECK(copied(db) == E_STALE && access(copy_path, F_OK) < 0); /* half of it is free */
    txn_end(&t);
    CHECK(db_close(&db) == 0);
}

/* Nobody who has both can tell what has not changed: every page is sealed anew. */
static void test_unlike(void **state UNUSED)
{
    struct db *db = made(100);
    struct txn t = { 0 };
    uint8_t a[PAGE], b[PAGE];
    int of, to;

    CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0 && txn_begin_read(&t, db) == 0 && copied(db) == 0);
    of = open(path, O_RDONLY | O_CLOEXEC);
    to = open(copy_path, O_RDONLY | O_CLOEXEC);
    for (int page = 0; read(of, a, PAGE) == PAGE; page++) {
        int same = 0;

        CHECK(read(to, b, PAGE) == PAGE);
        for (int i = 24; i < PAGE; i++)
            same += a[i] == b[i];
        CHECK(same < 60 && memcmp(a + PAGE - 32, b + PAGE - 32, 16) != 0 && (page || memcmp(a, b, 16) != 0));
    }
    close(of);
    close(to);
    txn_end(&t);
    CHECK(db_close(&db) == 0);
}

static int setup(void **state UNUSED)
{
    snprintf(folder, sizeof folder, "/tmp/page-copy-XXXXXX");
    rand_bytes(key, sizeof key);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/db", folder);
    snprintf(copy_path, sizeof copy_path, "%s/copy", folder);
    return 0;
}

static int teardown(void **state UNUSED)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_begins_anew),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_unlike),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
