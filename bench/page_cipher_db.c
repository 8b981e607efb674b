/* bench/page_cipher_db.c: one encrypted database, with our page cipher or (built as _stock, with the
 * stock library and nothing of ours) with theirs: durable appends, reading back, VACUUM INTO.
 *     page_cipher_db FOLDER */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#ifndef STOCK
#include "lib/db/db.h"
#endif

#define APPENDS 2000
#define BULK    10000
#define KEY     "raw:0123456789abcdef0123456789abcdef"

static sqlite3 *db;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        exit(1);
    }
}

static void open_at(const char *path)
{
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_key(db, KEY, sizeof KEY - 1) != SQLITE_OK)
        exit(1);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-1024");
}

static void row(const char *what, double count, const char *unit, double began)
{
    printf("%-34s %8.0f %s/s\n", what, count / (now() - began), unit);
}

int main(int argc, char **argv)
{
    char path[512], copy[520];
    double t;

    if (argc != 2)
        return 2;
#ifndef STOCK
    if (db_init() < 0)
        return 1;
#endif
    snprintf(path, sizeof path, "%s/bench.sqlite", argv[1]);
    snprintf(copy, sizeof copy, "%s.copy", path);
    unlink(path);
    unlink(copy);
    open_at(path);
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)");
    t = now();
    for (int i = 0; i < APPENDS; i++)
        run("INSERT INTO t(b) VALUES(randomblob(10240))");
    row("durable 10 KB appends", APPENDS, "", t);
    t = now();
    run("BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<10000"
        ") INSERT INTO t(b) SELECT randomblob(10240) FROM n; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    row("bulk insert and checkpoint", BULK * 10240 / 1e6, "MB", t);
    sqlite3_close(db);
    open_at(path);
    t = now();
    run("SELECT sum(unicode(substr(b, 10000))) FROM t");
    row("reading all bodies", (BULK + APPENDS) * 10240 / 1e6, "MB", t);
    t = now();
    if (chdir(argv[1]) != 0)
        return 1;
    run("VACUUM INTO 'bench.sqlite.copy'");
    row("VACUUM INTO", (BULK + APPENDS) * 10240 / 1e6, "MB", t);
    sqlite3_close(db);
    unlink(path);
    unlink(copy);
    return 0;
}
