#include "bench/bare.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY "raw:0123456789abcdef0123456789abcdef"

bool bare_encrypted, bare_indexed;

struct bare {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *insert, *index;
};

static void check(struct bare *b, int rc, const char *what)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(b->db));
        exit(1);
    }
}

static sqlite3_stmt *prepare(struct bare *b, const char *sql)
{
    sqlite3_stmt *st = NULL;

    check(b, sqlite3_prepare_v3(b->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL), sql);
    return st;
}

static void run(struct bare *b, sqlite3_stmt *st, const char *what)
{
    check(b, sqlite3_step(st), what);
    check(b, sqlite3_reset(st), what);
}

static void *bare_open(const char *folder, uint32_t box)
{
    static const char set_up[] = "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                                 "PRAGMA cache_size=-1024; CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)";
    static const char index[] = "CREATE VIRTUAL TABLE f USING fts5(text, content='', contentless_delete=1, "
                                "detail=none, tokenize='trigram case_sensitive 1'); "
                                "INSERT INTO f(f, rank) VALUES ('pgsz', 4000)";
    struct bare *b = calloc(1, sizeof *b);
    char path[512];

    snprintf(path, sizeof path, "%s/bare-%u.sqlite", folder, box);
    if (!b)
        exit(1);
    check(b, sqlite3_open(path, &b->db), path);
    if (bare_encrypted)
        check(b, sqlite3_key(b->db, KEY, sizeof KEY - 1), "key");
    check(b, sqlite3_exec(b->db, set_up, NULL, NULL, NULL), "set up");
    if (bare_indexed)
        check(b, sqlite3_exec(b->db, index, NULL, NULL, NULL), "set up the index");
    b->begin = prepare(b, "BEGIN IMMEDIATE");
    b->commit = prepare(b, "COMMIT");
    b->insert = prepare(b, "INSERT INTO t(b) VALUES (?1)");
    if (bare_indexed)
        b->index = prepare(b, "INSERT INTO f(rowid, text) VALUES (?1, ?2)");
    return b;
}

static int bare_begin(void *box)
{
    struct bare *b = box;

    run(b, b->begin, "begin");
    return 0;
}

static int bare_step(void *box, const struct letter *l, uint64_t number, void *ready)
{
    struct bare *b = box;

    (void)number;
    (void)ready;
    sqlite3_bind_blob64(b->insert, 1, l->bytes.p, l->bytes.n, SQLITE_STATIC);
    run(b, b->insert, "insert");
    if (b->index) {
        sqlite3_bind_int64(b->index, 1, sqlite3_last_insert_rowid(b->db));
        sqlite3_bind_text64(b->index, 2, l->text.p, l->text.n, SQLITE_STATIC, SQLITE_UTF8);
        run(b, b->index, "index");
    }
    return 0;
}

static int bare_commit(void *box)
{
    struct bare *b = box;

    run(b, b->commit, "commit");
    return 0;
}

static void bare_close(void *box)
{
    struct bare *b = box;

    sqlite3_finalize(b->begin);
    sqlite3_finalize(b->commit);
    sqlite3_finalize(b->insert);
    sqlite3_finalize(b->index);
    sqlite3_close(b->db);
    free(b);
}

const struct append_ops bare_ops = {
    .open = bare_open, .begin = bare_begin, .step = bare_step, .commit = bare_commit, .close = bare_close
};
