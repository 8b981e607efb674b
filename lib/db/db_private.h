/* lib/db/db_private.h: shared by the files of this folder only. */
#ifndef LIB_DB_DB_PRIVATE_H
#define LIB_DB_DB_PRIVATE_H
#include "lib/db/db.h"
#include <sqlite3.h>

struct stmt {
    struct db *db;
    sqlite3_stmt *s;
    const char *sql;
    struct stmt *next; /* in db->stmts, the latest used first */
    bool busy;
    int bind_error; /* E_*, sticky until reset */
};

struct db {
    sqlite3 *s;
    struct stmt *stmts; /* every statement of the handle, in use or not */
    size_t n_stmts, stmts_max;
    uint32_t flags;
    bool file; /* has a file: not in memory */
    bool slim; /* it gave its lookaside memory back */
    uint32_t wal_frames;
    struct db_error error;
    char path[];
};

/* Note `code` of SQLite for `sql` (static) and return its E_*. */
int db_fail(struct db *db, int code, const char *sql);
/* The same for a failure that is not SQLite's. */
int db_fail_other(struct db *db, int e, const char *doing);
/* Run literal SQL that is not worth a cache entry (settings, migrations). */
MUST_CHECK int db_exec_literal(struct db *db, const char *sql);
/* Finalize every statement that is not in use. */
void stmts_drop(struct db *db);
void db_error_note(struct db_error *err, sqlite3 *s, int code, const char *sql);
/* May a passphrase be one that any tool takes for one? 0; E_LIMIT, E_NUL, E_SYNTAX. */
int db_passphrase_check(struct str passphrase);
#endif
