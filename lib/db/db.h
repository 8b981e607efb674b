/* lib/db/db.h
 *
 * The one way to open an encrypted SQLite database, and a small vocabulary to use it: statements
 * cached by their fixed text, transactions and savepoints that undo themselves, SQLite's errors as
 * E_* with the detail kept for the operator. Knows nothing of what is stored.
 *
 * Threads: a handle and its statements are used by one thread at a time (it may move between them);
 * only db_interrupt may be called from elsewhere. Everything here blocks on disk.
 * Forks: nothing here may run before a fork whose child opens databases.
 * SQL is fixed text: every `sql` argument is a static string, its address is its name in the cache. */
#ifndef LIB_DB_DB_H
#define LIB_DB_DB_H
#include "lib/base/buf.h"

#define DB_KEY_BYTES 32u

struct sqlite3;
struct db;   /* opaque: one connection */
struct stmt; /* opaque: one prepared statement in use */

enum {
    DB_CREATE = 1 << 0,      /* make the file (0600, folder synced) when it is not there */
    DB_READONLY = 1 << 1,    /* query only; the -wal and -shm beside it must be usable */
    DB_SYNC_NORMAL = 1 << 2, /* a commit may be lost by power loss: only for what can be rebuilt */
    DB_PASSING = 1 << 4,   /* for files that are removed once they are empty: no auto_vacuum in a new one, and
                                    what is deleted is overwritten only where that costs no write */
    DB_COUNT_WAL = 1 << 5, /* a commit never checkpoints: who commits looks at db_wal_frames */
    DB_OWN_CHECKPOINTS = 1 << 3, /* nothing is checkpointed but by db_checkpoint, not even at close */
};

/* What failed last, for the operator's line. Holds no values that were bound, so no letters, no
 * addresses and no keys: the statement is our own fixed text. */
struct db_error {
    int code;        /* extended SQLite code, 0 when the failure was not SQLite's */
    const char *sql; /* the failing statement's text, static; or what was being done */
    char text[160];  /* SQLite's words for the code; names of constraints and columns for our own bugs */
};

struct db_options {
    uint32_t flags;
    uint32_t cache_kib;     /* page cache limit of the handle; 0: 512. Rounded down to a power of 2 */
    uint32_t statements;    /* cached statements kept; 0: 64 */
    const char *vfs;        /* NULL: the default one */
    struct db_error *error; /* filled when db_open fails; may be NULL */
};

/* Once per process; db_open calls it. Memory that SQLite gives back is wiped, its statistics are off,
 * the page cipher is registered. 0 or E_*; the first answer is kept. */
MUST_CHECK int db_init(void);

/* Open the database `path` under the raw key. A new file is encrypted from its first page, has
 * auto_vacuum=INCREMENTAL and is in WAL mode; synchronous=FULL, so that what db commits is on disk.
 * E_NOTFOUND; E_CORRUPT: the key is not this file's, or the file is damaged or not encrypted;
 * E_BUSY, E_FULL, E_IO, E_NOMEM, E_DENIED. On failure *db_out is untouched. The key is copied into
 * the cipher only; wipe yours when you no longer need it. */
MUST_CHECK int db_open(const char *path, const uint8_t key[DB_KEY_BYTES], const struct db_options *opt,
                       struct db **db_out);
/* A new file (E_EXISTS) under a passphrase, as db_export makes one, to be filled: DELETE journal, no auto_vacuum, no
 * schema but the caller's. E_LIMIT, E_NUL, E_SYNTAX: the passphrase. */
MUST_CHECK int db_create_portable(const char *path, struct str passphrase, struct db **db_out);
/* One that was made so and not finished. E_NOTFOUND; E_CORRUPT: another passphrase. */
MUST_CHECK int db_open_portable(const char *path, struct str passphrase, struct db **db_out);
/* One that was finished, by whomever: nothing of it is changed. Errors as above. */
MUST_CHECK int db_read_portable(const char *path, struct str passphrase, struct db **db_out);
/* A database in memory, without encryption (there is no file): for tests and scratch. */
MUST_CHECK int db_open_memory(struct db **db_out);
/* Finish every statement, checkpoint and close; NULL accepted, sets NULL. The last handle of a file
 * leaves neither -wal nor -shm (unless DB_OWN_CHECKPOINTS or DB_READONLY). The handle is gone in any
 * case; E_* when the checkpoint failed, and then the -wal keeps what was committed. */
int db_close(struct db **db);
/* Never NULL; of the last call that failed on this handle. */
const struct db_error *db_error_detail(const struct db *db);
/* How long a lock of another handle is waited for; DB_BUSY_MS when opened. */
#define DB_BUSY_MS 5000
void db_busy_ms(struct db *db, int ms);
/* Bytes of its page cache. */
size_t db_cache_bytes(struct db *db);
/* Any thread: running statements of the handle end with E_CANCELED. */
void db_interrupt(struct db *db);
/* For registering functions and the like; never to run SQL past this module. */
struct sqlite3 *db_sqlite(struct db *db);
const char *db_path(const struct db *db);

/* ---- statements ----
 *     static const char SQL_FIND[] = "SELECT uid FROM message WHERE folder = ?1 AND seq > ?2";
 *     CLEANUP(stmt_release) struct stmt *st = NULL;
 *     if ((r = stmt_get(db, SQL_FIND, &st)) < 0)
 *         return r;
 *     stmt_bind_i64(st, 1, folder);
 *     stmt_bind_i64(st, 2, seq);
 *     while ((r = stmt_step(st)) > 0)
 *         uid = stmt_i64(st, 0);
 *     return r;                                       0 or E_* */
/* Take the statement from the cache or prepare it. One text may be in use several times at once. */
MUST_CHECK int stmt_get(struct db *db, const char *sql, struct stmt **st_out);
/* Give it back: reset, bindings cleared. NULL accepted, sets NULL. */
void stmt_release(struct stmt **st);
/* Bind parameter n (from 1). The bytes are borrowed until stmt_reset or stmt_release. A bind that
 * fails is remembered, and stmt_step returns its error instead of running. */
void stmt_bind_i64(struct stmt *st, int n, int64_t v);
void stmt_bind_u64(struct stmt *st, int n, uint64_t v); /* above INT64_MAX: E_RANGE at the step */
void stmt_bind_str(struct stmt *st, int n, struct str s);
void stmt_bind_blob(struct stmt *st, int n, struct str s);
void stmt_bind_str_or_null(struct stmt *st, int n, struct str s); /* NULL when s.p is NULL */
void stmt_bind_null(struct stmt *st, int n);
/* 1: there is a row; 0: done; E_*. E_EXISTS: a UNIQUE or PRIMARY KEY constraint; E_NOTFOUND: a
 * foreign key; E_RANGE: a CHECK or NOT NULL. */
MUST_CHECK int stmt_step(struct stmt *st);
/* Step a statement that returns no rows (or whose rows do not matter) to its end: 0 or E_*. */
MUST_CHECK int stmt_run(struct stmt *st);
/* To run it again with other bindings. */
void stmt_reset(struct stmt *st);
/* Columns of the row, from 0. Text and blobs are borrowed until the next step, reset or release. */
int64_t stmt_i64(struct stmt *st, int col);
uint64_t stmt_u64(struct stmt *st, int col);
struct str stmt_str(struct stmt *st, int col); /* text or blob; STR_NONE for NULL */
bool stmt_is_null(struct stmt *st, int col);
/* Copy a blob of exactly n bytes; false when it is of another length. */
bool stmt_bytes(struct stmt *st, int col, void *out, size_t n);

/* Get, step to the end, release: for statements without parameters. */
MUST_CHECK int db_run(struct db *db, const char *sql);
/* The first column of the only row; E_NOTFOUND when there is none. */
MUST_CHECK int db_get_i64(struct db *db, const char *sql, int64_t *v_out);
int64_t db_last_rowid(struct db *db);
int64_t db_changes(struct db *db);
/* Rows that were ever changed by this handle, undone ones too. */
int64_t db_total_changes(struct db *db); /* rows changed by the last statement */

/* Pages that this handle has written so far, modulo 2^32: also those that a transaction wrote before its end since they
 * did not fit the cache. */
uint32_t db_pages_written(struct db *db);
/* Inside a transaction: write what is changed in the cache now, so that it is counted. */
MUST_CHECK int db_cache_flush(struct db *db);

/* ---- transactions ----
 *     CLEANUP(txn_end) struct txn txn = {0};          rolls back unless committed */
struct txn {
    struct db *db; /* NULL when there is nothing to undo */
};
/* BEGIN IMMEDIATE: the write lock is taken now, so a later step cannot fail with E_BUSY. */
MUST_CHECK int txn_begin(struct txn *t, struct db *db);
/* A snapshot: everything read until txn_end is of one moment. Fixed here, not at the first read. */
MUST_CHECK int txn_begin_read(struct txn *t, struct db *db);
/* 0: committed, and synced unless DB_SYNC_NORMAL. On E_* the transaction is still there to be ended;
 * after E_IO or E_FULL it may be found committed by whoever opens the file after a crash. */
MUST_CHECK int txn_commit(struct txn *t);
void txn_end(struct txn *t);

/* Inside a transaction, nestable: undoes the steps since savepoint_begin unless kept. */
struct savepoint {
    struct db *db;
};
MUST_CHECK int savepoint_begin(struct savepoint *s, struct db *db);
MUST_CHECK int savepoint_keep(struct savepoint *s);
void savepoint_end(struct savepoint *s);

/* ---- the file ---- */
/* DB_COUNT_WAL: frames (of a page and 24 bytes) in the WAL after the last commit. */
uint32_t db_wal_frames(const struct db *db);
enum db_checkpoint { DB_PASSIVE, DB_FULL, DB_RESTART, DB_TRUNCATE };
/* Move committed pages from the WAL into the database, and sync it. Not inside a transaction.
 * *left_out (may be NULL): frames still to be moved, 0 when all were. E_BUSY: readers or a writer
 * kept it from finishing; what could be done was done. */
MUST_CHECK int db_checkpoint(struct db *db, enum db_checkpoint how, uint32_t *left_out);
/* Give up to `pages` free pages back to the file system (auto_vacuum=INCREMENTAL); 0: all. */
MUST_CHECK int db_shrink(struct db *db, uint32_t pages);
/* Write a compact copy to the new file `path` (E_EXISTS when it is there), synced with its folder,
 * under `key`. It is in DELETE journal mode. A failed copy is removed. */
MUST_CHECK int db_copy(struct db *db, const char *path, const uint8_t key[DB_KEY_BYTES]);
/* The same under a passphrase (1 to 1024 bytes without NUL), which any SQLite3MultipleCiphers tool
 * opens with cipher chacha20. E_SYNTAX for what such tools would take for a raw key ("raw:", "x'"). */
MUST_CHECK int db_export(struct db *db, const char *path, struct str passphrase);
/* Read and verify every page and index. 0; E_CORRUPT, and then `report` (may be NULL) says what. */
MUST_CHECK int db_verify(struct db *db, struct buf *report);
/* A row of PRAGMA integrity_check that is not "ok". 0: it names damage; E_NOMEM, E_CANCELED, E_BUSY: SQLite says as a
 * row that it could not look, where one expects an error of the statement. */
MUST_CHECK int db_verify_line(struct str line);
/* Give page cache (some 200 KB to the handle's limit, wiped) and statements back: for a handle that will idle.
 * Who uses it next pays for reading, deciphering and preparing what it wants once more. */
void db_shed(struct db *db);
/* And what SQLite knows of the schema, more than half of what is left: for a handle that will idle long. Who uses it next
 * has it read again, as at an open. No statement may be in use. */
void db_rest(struct db *db);
/* E_* for an SQLite code, extended or not; 0 for SQLITE_OK, ROW and DONE. */
int db_error_from_sqlite(int code);
/* Tests: SQLite's nth allocation from now fails (once); 0: none does. True when the one asked for
 * before has failed since (or none was). */
bool db_test_fail_allocation(int nth);
#endif
