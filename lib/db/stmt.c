/* lib/db/stmt.c: statements, their cache, transactions.
 *
 * The cache is a list with the latest used in front: a role has some dozens of texts and uses few of
 * them most of the time, and comparing addresses costs nothing beside a step. */
#include "lib/base/errors.h"
#include "lib/db/db_private.h"
#include "lib/db/page_cipher.h"
#include <assert.h>

/* As vendor/meson.build has it for a new connection. */
#define LOOKASIDE_BYTES 512
#define LOOKASIDE_SLOTS 32

static void stmt_to_front(struct db *db, struct stmt **at)
{
    struct stmt *st = *at;

    *at = st->next;
    st->next = db->stmts;
    db->stmts = st;
}

static void stmt_drop(struct db *db, struct stmt **at)
{
    struct stmt *st = *at;

    *at = st->next;
    db->n_stmts--;
    sqlite3_finalize(st->s);
    free(st);
}

void stmts_drop(struct db *db)
{
    struct stmt **at = &db->stmts;

    while (*at)
        if ((*at)->busy)
            at = &(*at)->next;
        else
            stmt_drop(db, at);
}

/* Finalize the one longest unused when there are more than the handle keeps. */
static void stmt_trim(struct db *db)
{
    struct stmt **oldest = NULL;

    if (db->n_stmts <= db->stmts_max)
        return;
    for (struct stmt **at = &db->stmts; *at; at = &(*at)->next)
        if (!(*at)->busy)
            oldest = at;
    if (oldest)
        stmt_drop(db, oldest);
}

static int stmt_prepare(struct db *db, const char *sql, struct stmt **st_out)
{
    struct stmt *st = calloc(1, sizeof *st);
    const char *tail = NULL;
    int rc;

    if (!st)
        return db_fail_other(db, E_NOMEM, sql);
    if (db->slim) /* without memory for it SQLite goes on without */
        db->slim = sqlite3_db_config(db->s, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_BYTES,
                                     LOOKASIDE_SLOTS) != SQLITE_OK;
    rc = sqlite3_prepare_v3(db->s, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->s, &tail);
    if (rc != SQLITE_OK || !st->s || *tail) { /* one statement each: the rest would never run */
        sqlite3_finalize(st->s);
        free(st);
        return rc != SQLITE_OK ? db_fail(db, rc, sql) : db_fail_other(db, E_BUG, sql);
    }
    st->db = db;
    st->sql = sql;
    st->next = db->stmts;
    db->stmts = st;
    db->n_stmts++;
    *st_out = st;
    return 0;
}

int stmt_get(struct db *db, const char *sql, struct stmt **st_out)
{
    struct stmt *st = NULL;
    int r;

    for (struct stmt **at = &db->stmts; *at; at = &(*at)->next) {
        if ((*at)->sql == sql && !(*at)->busy) {
            st = *at;
            stmt_to_front(db, at);
            break;
        }
    }
    if (!st && (r = stmt_prepare(db, sql, &st)) < 0)
        return r;
    st->busy = true;
    stmt_trim(db);
    *st_out = st;
    return 0;
}

void stmt_reset(struct stmt *st)
{
    sqlite3_reset(st->s); /* repeats the error of the last step, which was told then */
    sqlite3_clear_bindings(st->s);
    st->bind_error = 0;
}

void stmt_release(struct stmt **st)
{
    if (!*st)
        return;
    assert((*st)->busy);
    stmt_reset(*st);
    (*st)->busy = false;
    *st = NULL;
}

static void bound(struct stmt *st, int rc)
{
    if (rc != SQLITE_OK && st->bind_error == 0)
        st->bind_error = db_fail(st->db, rc, st->sql);
}

void stmt_bind_i64(struct stmt *st, int n, int64_t v)
{
    bound(st, sqlite3_bind_int64(st->s, n, v));
}

void stmt_bind_u64(struct stmt *st, int n, uint64_t v)
{
    if (v > INT64_MAX)
        st->bind_error = db_fail_other(st->db, E_RANGE, st->sql);
    else
        stmt_bind_i64(st, n, (int64_t)v);
}

void stmt_bind_str(struct stmt *st, int n, struct str s)
{
    bound(st, sqlite3_bind_text64(st->s, n, s.p ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_bind_blob(struct stmt *st, int n, struct str s)
{
    bound(st, sqlite3_bind_blob64(st->s, n, s.p ? s.p : "", s.n, SQLITE_STATIC));
}

void stmt_bind_str_or_null(struct stmt *st, int n, struct str s)
{
    if (s.p)
        stmt_bind_str(st, n, s);
    else
        stmt_bind_null(st, n);
}

void stmt_bind_null(struct stmt *st, int n)
{
    bound(st, sqlite3_bind_null(st->s, n));
}

int stmt_step(struct stmt *st)
{
    int rc, r;

    if (st->bind_error < 0)
        return st->bind_error;
    /* The cipher must not run out of memory halfway: see page_cipher_thread_ready. */
    if ((r = page_cipher_thread_ready()) < 0)
        return db_fail_other(st->db, r, st->sql);
    rc = sqlite3_step(st->s);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : db_fail(st->db, rc, st->sql);
}

int stmt_run(struct stmt *st)
{
    int r;

    while ((r = stmt_step(st)) > 0)
        ;
    return r;
}

int64_t stmt_i64(struct stmt *st, int col)
{
    return sqlite3_column_int64(st->s, col);
}

uint64_t stmt_u64(struct stmt *st, int col)
{
    return (uint64_t)sqlite3_column_int64(st->s, col);
}

struct str stmt_str(struct stmt *st, int col)
{
    const char *p;
    size_t n;

    if (sqlite3_column_type(st->s, col) == SQLITE_NULL)
        return STR_NONE;
    p = sqlite3_column_blob(st->s, col); /* of a text: its bytes, without the copy that adds a NUL */
    n = (size_t)sqlite3_column_bytes(st->s, col);
    return p ? str_of(p, n) : STR("");
}

bool stmt_is_null(struct stmt *st, int col)
{
    return sqlite3_column_type(st->s, col) == SQLITE_NULL;
}

bool stmt_bytes(struct stmt *st, int col, void *out, size_t n)
{
    struct str s = stmt_str(st, col);

    if (s.n != n || !s.p)
        return false;
    memcpy(out, s.p, n);
    return true;
}

int db_run(struct db *db, const char *sql)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    return r < 0 ? r : stmt_run(st);
}

int db_get_i64(struct db *db, const char *sql, int64_t *v_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, sql, &st)) < 0 || (r = stmt_step(st)) < 0)
        return r;
    if (r == 0)
        return E_NOTFOUND;
    *v_out = stmt_i64(st, 0);
    return 0;
}

int64_t db_last_rowid(struct db *db)
{
    return sqlite3_last_insert_rowid(db->s);
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->s);
}

int64_t db_total_changes(struct db *db)
{
    return sqlite3_total_changes64(db->s);
}

/* ---- transactions ---- */

static const char SQL_BEGIN[] = "BEGIN IMMEDIATE";
static const char SQL_BEGIN_READ[] = "BEGIN DEFERRED";
static const char SQL_FIRST_READ[] = "SELECT count(*) FROM sqlite_schema WHERE 0";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_ROLLBACK[] = "ROLLBACK";
static const char SQL_SAVEPOINT[] = "SAVEPOINT inner_step";
static const char SQL_KEEP[] = "RELEASE inner_step";
static const char SQL_UNDO[] = "ROLLBACK TO inner_step";

int txn_begin(struct txn *t, struct db *db)
{
    int r;

    assert(!t->db);
    if ((r = db_run(db, SQL_BEGIN)) < 0)
        return r;
    t->db = db;
    return 0;
}

int txn_begin_read(struct txn *t, struct db *db)
{
    int r;

    assert(!t->db);
    if ((r = db_run(db, SQL_BEGIN_READ)) < 0)
        return r;
    t->db = db;
    if ((r = db_run(db, SQL_FIRST_READ)) < 0)
        txn_end(t);
    return r;
}

int txn_commit(struct txn *t)
{
    int r;

    assert(t->db);
    if ((r = db_run(t->db, SQL_COMMIT)) < 0)
        return r;
    t->db = NULL;
    return 0;
}

void txn_end(struct txn *t)
{
    struct db *db = t->db;
    struct db_error kept;

    if (!db)
        return;
    t->db = NULL;
    if (sqlite3_get_autocommit(db->s))
        return;       /* SQLite rolled back by itself: disk full, I/O error, out of memory */
    kept = db->error; /* why we are here is worth more than how the undoing went */
    /* A rollback fails only where the file cannot be read any more; what was not committed stays
     * uncommitted in the WAL all the same. */
    if (db_run(db, SQL_ROLLBACK) < 0 && !sqlite3_get_autocommit(db->s))
        sqlite3_exec(db->s, SQL_ROLLBACK, NULL, NULL, NULL);
    db->error = kept;
}

int savepoint_begin(struct savepoint *s, struct db *db)
{
    int r;

    assert(!s->db);
    if ((r = db_run(db, SQL_SAVEPOINT)) < 0)
        return r;
    s->db = db;
    return 0;
}

int savepoint_keep(struct savepoint *s)
{
    int r;

    assert(s->db);
    if ((r = db_run(s->db, SQL_KEEP)) < 0)
        return r;
    s->db = NULL;
    return 0;
}

void savepoint_end(struct savepoint *s)
{
    struct db *db = s->db;
    struct db_error kept;

    if (!db)
        return;
    s->db = NULL;
    if (sqlite3_get_autocommit(db->s))
        return; /* the whole transaction is gone already */
    kept = db->error;
    if (db_run(db, SQL_UNDO) < 0 || db_run(db, SQL_KEEP) < 0)
        sqlite3_exec(db->s, SQL_ROLLBACK, NULL, NULL, NULL); /* half an undo must not be committed */
    db->error = kept;
}
