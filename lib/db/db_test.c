#include "lib/db/db.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/letterlock-db-XXXXXX";
static char path[128], path2[128];
static const uint8_t key[DB_KEY_BYTES] = "0123456789abcdef0123456789abcde", key2[DB_KEY_BYTES] = { 1 };
static const struct db_options create = { .flags = DB_CREATE };

static const char SQL_TABLE[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, b BLOB, n INTEGER CHECK(n<100)) STRICT";
static const char SQL_CHILD[] = "CREATE TABLE c(t INTEGER NOT NULL REFERENCES t(id)) STRICT";
static const char SQL_ADD[] = "INSERT INTO t(id,u,b,n) VALUES(?1,?2,?3,?4)";
static const char SQL_ADD_CHILD[] = "INSERT INTO c(t) VALUES(?1)";
static const char SQL_GET[] = "SELECT u,b,n FROM t WHERE id=?1";
static const char SQL_COUNT[] = "SELECT count(*) FROM t";

static int remove_one(const char *p, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(p);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.sqlite", folder);
    snprintf(path2, sizeof path2, "%s/b file?key=x&.sqlite", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool there(const char *tail)
{
    char name[160];

    snprintf(name, sizeof name, "%s%s", path, tail);
    return access(name, F_OK) == 0;
}

static struct db *fresh(void)
{
    struct db *db = NULL;

    unlink(path);
    unlink(path2);
    CHECK(!there("-wal"));
    CHECK(db_open(path, key, &create, &db) == 0);
    CHECK(db_run(db, SQL_TABLE) == 0 && db_run(db, SQL_CHILD) == 0);
    return db;
}

static int add(struct db *db, int64_t id, const char *u, int64_t n)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL_ADD, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_str_or_null(st, 2, str_from(u));
    stmt_bind_blob(st, 3, STR("a\0b"));
    stmt_bind_i64(st, 4, n);
    return stmt_run(st);
}

static int64_t count(struct db *db)
{
    int64_t n = -1;

    CHECK(db_get_i64(db, SQL_COUNT, &n) == 0);
    return n;
}

static void test_settings(void **state)
{
    static const struct {
        const char *sql;
        int64_t is;
    } rows[] = {
        { "PRAGMA auto_vacuum", 2 },
        { "PRAGMA synchronous", 2 },
        { "PRAGMA foreign_keys", 1 },
        { "PRAGMA secure_delete", 1 },
        { "PRAGMA temp_store", 2 },
        { "PRAGMA trusted_schema", 0 },
        { "PRAGMA cell_size_check", 1 },
        { "PRAGMA busy_timeout", 5000 },
        { "PRAGMA cache_size", -512 },
        { "PRAGMA page_size", 4096 },
        { "SELECT (SELECT * FROM pragma_journal_mode)='wal'", 1 },
        { "PRAGMA journal_size_limit", 4194304 },
    };
    CLEANUP(db_close) struct db *db = fresh();
    struct stat st;
    char head[16] = "";
    int fd;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = -1;

        check_case = rows[i].sql;
        CHECK(db_get_i64(db, rows[i].sql, &v) == 0 && v == rows[i].is);
    }
    check_case = "";
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(there("-wal") && db_close(&db) == 0 && !there("-wal") && !there("-shm"));
    fd = open(path, O_RDONLY);
    CHECK(read(fd, head, 16) == 16 && memcmp(head, "SQLite format 3", 16) != 0);
    close(fd);
}

static void test_opening(void **state)
{
    static const struct db_options existing = { 0 }, readonly = { .flags = DB_READONLY };
    struct db_error err = { 0 };
    struct db_options told = { .error = &err };
    struct db *db = NULL;

    (void)state;
    unlink(path);
    CHECK(db_open(path, key, &existing, &db) == E_NOTFOUND && !there(""));
    CHECK(db_open("file:x?key=", key, &create, &db) == E_SYNTAX);
    db = fresh();
    CHECK(add(db, 1, "x", 1) == 0 && db_close(&db) == 0);
    CHECK(db_open(path, key2, &told, &db) == E_CORRUPT && !db && err.code == 26 && err.sql[0]);
    CHECK(db_open(path, key, &readonly, &db) == 0 && count(db) == 1);
    CHECK(add(db, 2, "y", 1) == E_DENIED && db_close(&db) == 0);
    CHECK(db_open(path, key, &existing, &db) == 0 && count(db) == 1);
    /* SQLite falls back to reading on a disk that is read-only: "try later", never "no". */
    CHECK(db_run(db, "PRAGMA query_only=ON") == 0);
    CHECK(add(db, 2, "y", 1) == E_IO && db_close(&db) == 0);
    /* A plaintext database is not taken for one of ours. */
    unlink(path);
    {
        CLEANUP(fd_close) int fd = open(path, O_CREAT | O_WRONLY, 0600);
        char page[4096] = "SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20";

        CHECK(write(fd, page, sizeof page) == sizeof page);
    }
    CHECK(db_open(path, key, &existing, &db) == E_CORRUPT);
    unlink(path);
}

static void test_statements(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    struct stmt *a = NULL, *b = NULL;
    char bytes[3];

    (void)state;
    CHECK(add(db, 1, "one", 1) == 0 && add(db, 2, NULL, 2) == 0 && db_last_rowid(db) == 2 &&
          db_changes(db) == 1);
    CHECK(stmt_get(db, SQL_GET, &a) == 0 && stmt_get(db, SQL_GET, &b) == 0 && a != b);
    stmt_bind_i64(a, 1, 1);
    stmt_bind_i64(b, 1, 2);
    CHECK(stmt_step(a) == 1 && stmt_step(b) == 1);
    CHECK(str_eq_z(stmt_str(a, 0), "one") && stmt_is_null(b, 0) && !stmt_str(b, 0).p);
    CHECK(stmt_bytes(a, 1, bytes, 3) && memcmp(bytes, "a\0b", 3) == 0 && !stmt_bytes(a, 1, bytes, 2));
    CHECK(stmt_i64(b, 2) == 2 && stmt_step(a) == 0);
    stmt_reset(a);
    stmt_bind_u64(a, 1, UINT64_MAX);
    CHECK(stmt_step(a) == E_RANGE);
    stmt_reset(a);
    stmt_bind_i64(a, 9, 1);
    CHECK(stmt_step(a) == E_BUG && db_error_detail(db)->sql == SQL_GET);
    stmt_release(&a);
    stmt_release(&b);
    CHECK(!a && stmt_get(db, "SELECT 1; SELECT 2", &a) == E_BUG && stmt_get(db, "SELEKT", &a) == E_BUG);
}

static void test_errors(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    CLEANUP(stmt_release) struct stmt *st = NULL;

    (void)state;
    CHECK(add(db, 1, "secret-text", 1) == 0);
    CHECK(add(db, 1, "z", 1) == E_EXISTS);
    CHECK(add(db, 2, "secret-text", 1) == E_EXISTS && !strstr(db_error_detail(db)->text, "secret"));
    CHECK(strstr(db_error_detail(db)->text, "t.u") && db_error_detail(db)->sql == SQL_ADD);
    CHECK(add(db, 3, "y", 100) == E_RANGE);
    CHECK(stmt_get(db, SQL_ADD_CHILD, &st) == 0);
    stmt_bind_i64(st, 1, 77);
    CHECK(stmt_run(st) == E_NOTFOUND);
    CHECK(db_get_i64(db, "SELECT 1 WHERE 0", &(int64_t){ 0 }) == E_NOTFOUND);
    CHECK(db_run(db, "SELECT * FROM nosuch") == E_BUG);
}

static void step_in(struct db *db, int64_t id, bool keep, bool commit)
{
    CLEANUP(txn_end) struct txn txn = { 0 };

    CHECK(txn_begin(&txn, db) == 0 && add(db, id, NULL, 1) == 0);
    {
        CLEANUP(savepoint_end) struct savepoint sp = { 0 };

        CHECK(savepoint_begin(&sp, db) == 0 && add(db, id + 1, NULL, 1) == 0);
        if (keep)
            CHECK(savepoint_keep(&sp) == 0);
    }
    if (commit)
        CHECK(txn_commit(&txn) == 0);
}

static void test_transactions(void **state)
{
    CLEANUP(db_close) struct db *db = fresh(), *other = NULL;
    struct txn read = { 0 }, write = { 0 };

    (void)state;
    step_in(db, 10, true, false);
    CHECK(count(db) == 0);
    step_in(db, 10, false, true);
    CHECK(count(db) == 1);
    step_in(db, 20, true, true);
    CHECK(count(db) == 3);
    CHECK(db_open(path, key, &create, &other) == 0 && txn_begin_read(&read, other) == 0);
    CHECK(add(db, 30, NULL, 1) == 0 && count(db) == 4 && count(other) == 3);
    txn_end(&read);
    CHECK(count(other) == 4);
    CHECK(txn_begin(&write, db) == 0 && db_run(other, "PRAGMA busy_timeout=1") == 0);
    CHECK(txn_begin(&read, other) == E_BUSY && !read.db);
    txn_end(&write);
}

/* What a transaction wrote ahead of its commit is read back by itself, overwritten and, committed, seen by others. */
static void test_large_transactions(void **state)
{
    static const struct db_options small = { .flags = DB_CREATE, .cache_kib = 64 };
    CLEANUP(buf_release) struct buf why = { .max = KIB(4) };
    struct db *db = NULL, *reader = NULL;
    struct db_options reading = { .flags = DB_READONLY };
    char name[48];
    int64_t n = 0;

    (void)state;
    db = fresh();
    CHECK(db_close(&db) == 0);
    CHECK(db_open(path, key, &small, &db) == 0);
    CHECK(db_open(path, key, &reading, &reader) == 0);
    for (int round = 0; round < 3; round++) {
        struct txn t = { 0 };

        CHECK(txn_begin(&t, db) == 0);
        for (int i = 0; i < 3000; i++) {
            snprintf(name, sizeof name, "%d-%030d", round, (i * 7919) % 3000);
            CHECK(add(db, round * 10000 + (i * 4801) % 3000, name, i % 100) == 0);
        }
        CHECK(db_get_i64(db, SQL_COUNT, &n) == 0 && n == (round == 2 ? 6000 : 3000));
        CHECK(db_get_i64(reader, SQL_COUNT, &n) == 0 && n == (round == 2 ? 3000 : 0));
        if (round == 1) {
            CHECK(txn_commit(&t) == 0);
            CHECK(db_get_i64(reader, SQL_COUNT, &n) == 0 && n == 3000);
        } else {
            txn_end(&t);
        }
    }
    CHECK(db_verify(reader, &why) == 0);
    CHECK(db_checkpoint(db, DB_PASSIVE, NULL) == 0);
    CHECK(db_verify(db, &why) == 0);
    CHECK(db_get_i64(db, SQL_COUNT, &n) == 0 && n == 3000);
    CHECK(db_close(&reader) == 0 && db_close(&db) == 0);
}

#define PAGE  4096
#define FRAME (24 + PAGE)

/* What is moved is sealed for its place already: it goes as it is. What was damaged on the way stays where it is. */
static void test_checkpoint_passes(void **state UNUSED)
{
    const struct db_options own = { .flags = DB_CREATE | DB_OWN_CHECKPOINTS };
    uint8_t frame[FRAME], page[PAGE];
    struct db *db = NULL, *other = NULL;
    char wal_path[160];
    int wal, file, same = 0, n = 0;

    CHECK(db_close(&(struct db *){ fresh() }) == 0 && db_open(path, key, &own, &db) == 0);
    CHECK(db_run(db, "INSERT INTO t (b) VALUES (randomblob(30000)), (randomblob(50000))") == 0);
    CHECK(db_checkpoint(db, DB_PASSIVE, NULL) == 0);
    snprintf(wal_path, sizeof wal_path, "%s-wal", path);
    wal = open(wal_path, O_RDWR | O_CLOEXEC);
    file = open(path, O_RDONLY | O_CLOEXEC);
    for (off_t at = 32; pread(wal, frame, FRAME, at) == FRAME; at += FRAME) {
        uint32_t no = (uint32_t)frame[2] << 8 | frame[3];

        CHECK(pread(file, page, PAGE, (off_t)(no - 1) * PAGE) == PAGE);
        n += no > 1;
        same += no > 1 && memcmp(page, frame + 24, PAGE) == 0;
    }
    CHECK(n > 20 && same == n);
    CHECK(db_open(path, key, &own, &other) == 0 && db_verify(other, NULL) == 0 && db_verify(db, NULL) == 0);
    CHECK(db_run(db, "INSERT INTO t (b) VALUES (randomblob(30000))") == 0 &&
          pread(wal, frame, FRAME, 32 + 3 * FRAME) == FRAME);
    frame[1000] ^= 1;
    CHECK(pwrite(wal, frame, FRAME, 32 + 3 * FRAME) == FRAME &&
          db_checkpoint(db, DB_PASSIVE, NULL) == E_CORRUPT);
    frame[1000] ^= 1;
    CHECK(pwrite(wal, frame, FRAME, 32 + 3 * FRAME) == FRAME &&
          db_close(&db) == 0); /* which goes on to know it */
    CHECK(db_checkpoint(other, DB_TRUNCATE, NULL) == 0 && db_verify(other, NULL) == 0);
    close(wal);
    close(file);
    CHECK(db_close(&other) == 0 && unlink(wal_path) == 0);
}

static void test_checkpoint_and_shrink(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    uint32_t left = 9;
    struct stat st;
    char wal[160];

    (void)state;
    for (int i = 0; i < 200; i++)
        CHECK(add(db, i, NULL, 1) == 0);
    CHECK(db_checkpoint(db, DB_TRUNCATE, &left) == 0 && left == 0);
    snprintf(wal, sizeof wal, "%s-wal", path);
    CHECK(stat(wal, &st) == 0 && st.st_size == 0);
    CHECK(db_run(db, "UPDATE t SET b=zeroblob(5000)") == 0 && db_run(db, "DELETE FROM t") == 0);
    CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0 && stat(path, &st) == 0 && st.st_size > 500000);
    CHECK(db_shrink(db, 0) == 0 && db_checkpoint(db, DB_TRUNCATE, NULL) == 0);
    CHECK(stat(path, &st) == 0 && st.st_size < 50000);
    CHECK(db_verify(db, NULL) == 0);
}

static void test_copies(void **state)
{
    CLEANUP(db_close) struct db *db = fresh(), *copy = NULL;
    static const struct db_options existing = { 0 };

    (void)state;
    CHECK(add(db, 1, "here", 1) == 0);
    CHECK(db_copy(db, path2, key2) == 0 && db_copy(db, path2, key2) == E_EXISTS);
    CHECK(db_open(path2, key, &existing, &copy) == E_CORRUPT);
    CHECK(db_open(path2, key2, &existing, &copy) == 0 && count(copy) == 1 && db_close(&copy) == 0);
    unlink(path2);
    CHECK(db_export(db, path2, STR("raw:x")) == E_SYNTAX && db_export(db, path2, STR("")) == E_LIMIT);
    CHECK(db_export(db, path2, STR("a b&key=%41?#\xc3\xa4")) == 0);
    CHECK(db_open(path2, key2, &existing, &copy) == E_CORRUPT);
    {
        char cmd[512]; /* the stock library opens it with the very same passphrase */

        snprintf(cmd, sizeof cmd,
                 "'%s' '%s' 612062266b65793d2534313f23c3a4 0 0 'SELECT u FROM t' | grep -qx here", DB_ORACLE,
                 path2);
        CHECK(system(cmd) == 0);
    }
}

/* Opening, reading and closing leave every byte as it was. */
static void test_untouched(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    CLEANUP(buf_release) struct buf before = { .max = MIB(1) }, after = { .max = MIB(1) };

    (void)state;
    CHECK(add(db, 1, "x", 1) == 0 && db_close(&db) == 0 && file_read(AT_FDCWD, path, &before) == 0);
    CHECK(db_open(path, key, &create, &db) == 0 && count(db) == 1);
    CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0 && db_close(&db) == 0);
    CHECK(file_read(AT_FDCWD, path, &after) == 0 && str_eq(buf_str(&before), buf_str(&after)));
}

/* Out of memory at the 1st, 2nd, 3rd ... allocation of a transaction: E_NOMEM, all of it or nothing,
 * and the handle goes on. */
static void test_no_memory(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    bool reached = true;
    int n = 1, r = 0;
    int64_t rows = 0;

    (void)state;
    for (; n < 2000 && reached; n++) {
        CLEANUP(txn_end) struct txn txn = { 0 };

        /* What is cached needs no memory: begin with a handle that has done nothing. */
        CHECK(db_close(&db) == 0 && db_open(path, key, &create, &db) == 0);
        db_test_fail_allocation(n);
        r = txn_begin(&txn, db);
        for (int i = 0; i < 2 && r == 0; i++)
            r = add(db, 2 * n + i, NULL, 1);
        if (r == 0)
            r = txn_commit(&txn);
        reached = db_test_fail_allocation(0);
        CHECK(r == 0 || r == E_NOMEM);
        txn_end(&txn);
        CHECK(count(db) == (rows += r == 0 ? 2 : 0));
    }
    CHECK(n > 10 && r == 0);
}

/* A sound file is never called damaged because memory ran out over it. */
static void test_verify_no_memory(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf said = { .max = KIB(4) };
    CLEANUP(db_close) struct db *db = fresh();
    bool reached = true;
    int n = 1, refused = 0;

    CHECK(db_run(db, "CREATE VIRTUAL TABLE words USING fts5(text)") == 0 &&
          db_run(db, "INSERT INTO words VALUES ('one two three')") == 0 && db_verify(db, NULL) == 0);
    for (; n < 2000 && reached; n++) {
        int r;

        CHECK(db_close(&db) == 0 && db_open(path, key, &create, &db) == 0);
        db_test_fail_allocation(n);
        buf_clear(&said);
        r = db_verify(db, &said);
        reached = db_test_fail_allocation(0);
        if (r == E_CORRUPT)
            print_error("%.*s\n", STR_ARG(buf_str(&said)));
        CHECK(r == 0 || r == E_NOMEM);
        refused += r < 0;
    }
    CHECK(!reached && refused > 20);
}

/* A copy is sealed, or there is none. */
static void test_copy_no_memory(void **state UNUSED)
{
    CLEANUP(db_close) struct db *db = fresh();
    bool reached = true;
    int n = 1, refused = 0;

    CHECK(add(db, 1, "words in the clear", 1) == 0);
    for (; n < 4000 && reached; n++) {
        CLEANUP(buf_release) struct buf bytes = { .max = MIB(4) };
        CLEANUP(db_close) struct db *copy = NULL;
        int r;

        CHECK(db_close(&db) == 0 && db_open(path, key, &create, &db) == 0);
        db_test_fail_allocation(n);
        r = db_copy(db, path2, key2);
        reached = db_test_fail_allocation(0);
        CHECK(r == 0 || r == E_NOMEM);
        refused += r < 0;
        if (r < 0) {
            CHECK(access(path2, F_OK) < 0);
            continue;
        }
        CHECK(file_read(AT_FDCWD, path2, &bytes) == 0 && str_find(buf_str(&bytes), STR("in the clear")) < 0);
        CHECK(db_open(path2, key2, &(struct db_options){ 0 }, &copy) == 0 && count(copy) == 1);
        CHECK(db_close(&copy) == 0 && unlink(path2) == 0);
    }
    CHECK(!reached && refused > 20);
}

static void *interrupt(void *db)
{
    for (int i = 0; i < 2000; i++) {
        db_interrupt(db);
        sched_yield();
    }
    return NULL;
}

static void test_interrupt(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    pthread_t t;
    int r;

    (void)state;
    CHECK(pthread_create(&t, NULL, interrupt, db) == 0);
    r = db_run(
        db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200000000) SELECT count(*) FROM n");
    CHECK(r == E_CANCELED);
    pthread_join(t, NULL);
    CHECK(count(db) == 0);
}

static int schema_used(struct db *db)
{
    int now = 0, peak = 0;

    CHECK(sqlite3_db_status(db_sqlite(db), SQLITE_DBSTATUS_SCHEMA_USED, &now, &peak, 0) == SQLITE_OK);
    return now;
}

static int cache_used(struct db *db)
{
    int now = 0, peak = 0;

    CHECK(sqlite3_db_status(db_sqlite(db), SQLITE_DBSTATUS_CACHE_USED, &now, &peak, 0) == SQLITE_OK);
    return now;
}

static void test_shed(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    int before;
    int64_t n = 0;

    (void)state;
    CHECK(db_run(db, "CREATE TABLE shed(b BLOB)") == 0 &&
          db_run(db, "INSERT INTO shed VALUES (randomblob(200000))") == 0);
    before = cache_used(db);
    db_shed(db);
    CHECK(before > 100000 && cache_used(db) < before / 4);
    CHECK(db_get_i64(db, "SELECT length(b) FROM shed", &n) == 0 && n == 200000);
}

/* ---- a disk that cannot read: what it says is not damage ---- */

static int reads_until_failure = -1; /* -1: none fails */

static ssize_t failing_pread(int fd, void *p, size_t n, off_t at)
{
    if (n >= 512 && reads_until_failure >= 0 && reads_until_failure-- == 0) {
        reads_until_failure = 0; /* and all that follow */
        errno = EIO;
        return -1;
    }
    return pread(fd, p, n, at);
}

static void reads_fail(int after)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    const char *name = vfs->xGetSystemCall(vfs, "pread64") ? "pread64" : "pread";

    reads_until_failure = after;
    CHECK(vfs->xSetSystemCall(vfs, name, after < 0 ? NULL : (sqlite3_syscall_ptr)failing_pread) == SQLITE_OK);
}

/* Pages of the file and of the -wal, the first of them and later ones; afterwards all is well again. */
static void test_failing_reads(void **state UNUSED)
{
    struct db_options small = { .flags = DB_CREATE, .cache_kib = 64 };
    struct db *db = fresh();
    int64_t n = 0;
    int failed = 0;

    for (int i = 0; i < 300; i++)
        CHECK(add(db, i, NULL, 1) == 0);
    CHECK(db_close(&db) == 0);
    for (int in_wal = 0; in_wal < 2; in_wal++)
        for (int after = 0; after < 12; after++) {
            struct db *writer = NULL;
            int r;

            CHECK(db_open(path, key, &small, &writer) == 0);
            if (in_wal)
                CHECK(db_run(writer, "UPDATE t SET b = randomblob(3000)") == 0);
            reads_fail(after);
            if ((r = db_open(path, key, &small, &db)) == 0)
                r = db_get_i64(db, "SELECT sum(length(b)) FROM t", &n);
            failed += r < 0;
            CHECK(r == 0 || r == E_IO);
            reads_fail(-1);
            if (db)
                CHECK(db_get_i64(db, "SELECT count(*) FROM t", &n) == 0 && n == 300);
            CHECK(db_close(&db) == 0 && db_close(&writer) == 0);
        }
    CHECK(failed >= 12);
    CHECK(db_open(path, key, &small, &db) == 0 && db_verify(db, NULL) == 0 && db_close(&db) == 0);
}

/* The schema goes, settings stay, and whoever asks next finds both. */
static void test_rest(void **state)
{
    CLEANUP(db_close) struct db *db = fresh();
    int64_t n = 0, sync = 0, again = 0, cache = 0;
    int before;

    (void)state;
    CHECK(db_run(db, "CREATE TABLE rest(b BLOB CHECK (length(b) > 0))") == 0 &&
          db_run(db, "INSERT INTO rest VALUES (randomblob(20000))") == 0);
    CHECK(db_get_i64(db, "PRAGMA synchronous", &sync) == 0 &&
          db_get_i64(db, "PRAGMA cache_size", &cache) == 0);
    before = schema_used(db);
    db_rest(db);
    CHECK(before > 500 && schema_used(db) < before / 2);
    CHECK(db_get_i64(db, "SELECT length(b) FROM rest", &n) == 0 && n == 20000);
    CHECK(db_run(db, "INSERT INTO rest VALUES (x'')") == E_RANGE);
    CHECK(schema_used(db) > before / 2);
    CHECK(db_get_i64(db, "PRAGMA synchronous", &again) == 0 && again == sync);
    CHECK(db_get_i64(db, "PRAGMA cache_size", &again) == 0 && again == cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_checkpoint_and_shrink),
        cmocka_unit_test(test_checkpoint_passes),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_verify_no_memory),
        cmocka_unit_test(test_copy_no_memory),
        cmocka_unit_test(test_untouched),
        cmocka_unit_test(test_shed),
        cmocka_unit_test(test_large_transactions),
        cmocka_unit_test(test_failing_reads),
        cmocka_unit_test(test_rest),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
