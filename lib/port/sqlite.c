/* lib/port/sqlite.c: an SQLite file under the person's own password, for any program that has SQLite3MultipleCiphers. Two
 * tables, whole messages, nothing of ours is needed to read it (doc/export.md). */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/db/db.h"
#include "lib/port/port.h"
#include <sqlite3.h>
#include <stdio.h>

#define BATCH_BYTES MIB(16)

static const char schema_about[] = "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)";
static const char schema_folder[] = "CREATE TABLE folder (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)";
static const char schema_message[] =
    "CREATE TABLE message (id INTEGER PRIMARY KEY, folder_id INTEGER NOT NULL REFERENCES folder (id), uid INTEGER NOT NULL, "
    "date TEXT NOT NULL, flags TEXT NOT NULL, keywords TEXT NOT NULL, bytes INTEGER NOT NULL, message BLOB NOT NULL, "
    "UNIQUE (folder_id, uid))";

struct sqlite_writer {
    struct port_writer base;
    struct db *db;
    struct txn txn;
    sqlite3_blob *blob;
    int64_t folder, row;
    uint64_t at, bytes, batch;
};

static struct sqlite_writer *writer_of(struct port_writer *w)
{
    return CONTAINER_OF(w, struct sqlite_writer, base);
}

static int batch_begin(struct sqlite_writer *w)
{
    w->batch = 0;
    return txn_begin(&w->txn, w->db);
}

static int batch_end(struct sqlite_writer *w)
{
    int r = w->txn.db ? txn_commit(&w->txn) : 0;

    txn_end(&w->txn);
    return r;
}

static int about_put(struct sqlite_writer *w, const char *name, const char *value)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(w->db, "INSERT INTO about VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, str_from(name));
    stmt_bind_str(st, 2, str_from(value));
    return stmt_run(st);
}

static int sqlite_folder(struct port_writer *base, struct str name)
{
    struct sqlite_writer *w = writer_of(base);
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(w->db, "INSERT INTO folder (name) VALUES (?1)", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((r = stmt_run(st)) == 0)
        w->folder = db_last_rowid(w->db);
    return r;
}

/* What came behind the last commit that was marked is there as well, or not: it goes. */
static int sqlite_resume(struct port_writer *base, struct str name, int64_t position, uint64_t number)
{
    struct sqlite_writer *w = writer_of(base);
    CLEANUP(stmt_release) struct stmt *st = NULL, *gone = NULL;
    int r = stmt_get(
        w->db, position ? "SELECT id FROM folder WHERE id = ?1" : "SELECT id FROM folder WHERE name = ?1",
        &st);

    if (r < 0)
        return r;
    if (position)
        stmt_bind_i64(st, 1, position);
    else
        stmt_bind_str(st, 1, name);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : number || position ? E_CORRUPT : sqlite_folder(base, name);
    w->folder = stmt_i64(st, 0);
    if ((r = stmt_get(w->db, "DELETE FROM message WHERE folder_id = ?1 AND uid > ?2", &gone)) < 0)
        return r;
    stmt_bind_i64(gone, 1, w->folder);
    stmt_bind_u64(gone, 2, number);
    return stmt_run(gone);
}

/* The folder's number is where it goes on: its name need not stand outside of the file. */
static int64_t sqlite_mark(struct port_writer *base)
{
    struct sqlite_writer *w = writer_of(base);
    int r = batch_end(w);

    return r < 0 || (r = batch_begin(w)) < 0 ? r : w->folder;
}

static int flags_text(const struct port_message *m, struct buf *flags, struct buf *keywords)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } rows[] = { { PORT_ANSWERED, "\\Answered" },
                 { PORT_FLAGGED, "\\Flagged" },
                 { PORT_DELETED, "\\Deleted" },
                 { PORT_SEEN, "\\Seen" },
                 { PORT_DRAFT, "\\Draft" } };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows) && r == 0; i++)
        if (m->flags & rows[i].flag)
            r = buf_printf(flags, "%s%s", flags->n ? " " : "", rows[i].name);
    for (size_t i = 0; i < m->nkeywords && r == 0; i++)
        r = buf_printf(keywords, "%s%.*s", keywords->n ? " " : "", STR_ARG(m->keywords[i]));
    return r;
}

static int row_insert(struct sqlite_writer *w, const struct port_message *m)
{
    static const char sql[] = "INSERT INTO message (folder_id, uid, date, flags, keywords, bytes, message) "
                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, zeroblob(?6))";
    CLEANUP(buf_release) struct buf flags = { .max = KIB(1) }, keywords = { .max = MIB(1) };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char date[CLOCK_ISO_LEN + 1];
    int r = flags_text(m, &flags, &keywords);

    if (r < 0 || (r = stmt_get(w->db, sql, &st)) < 0)
        return r;
    clock_iso(m->date_ms, date);
    stmt_bind_i64(st, 1, w->folder);
    stmt_bind_u64(st, 2, m->number);
    stmt_bind_str(st, 3, str_of(date, CLOCK_ISO_LEN));
    stmt_bind_str(st, 4, flags.n ? buf_str(&flags) : STR(""));
    stmt_bind_str(st, 5, keywords.n ? buf_str(&keywords) : STR(""));
    stmt_bind_u64(st, 6, m->bytes);
    return stmt_run(st);
}

static int sqlite_begin(struct port_writer *base, const struct port_message *m)
{
    struct sqlite_writer *w = writer_of(base);
    int r = row_insert(w, m);

    if (r < 0)
        return r;
    w->row = db_last_rowid(w->db);
    w->at = 0;
    w->bytes = m->bytes;
    return m->bytes == 0 ? 0
                         : db_error_from_sqlite(sqlite3_blob_open(db_sqlite(w->db), "main", "message",
                                                                  "message", w->row, 1, &w->blob));
}

/* In place: a message is never in memory whole. */
static int sqlite_data(struct port_writer *base, struct str bytes)
{
    struct sqlite_writer *w = writer_of(base);

    if (bytes.n > w->bytes - w->at || bytes.n > INT32_MAX)
        return E_CORRUPT;
    if (bytes.n == 0)
        return 0;
    w->at += bytes.n;
    return db_error_from_sqlite(sqlite3_blob_write(w->blob, bytes.p, (int)bytes.n, (int)(w->at - bytes.n)));
}

static int blob_end(struct sqlite_writer *w)
{
    int rc = w->blob ? sqlite3_blob_close(w->blob) : SQLITE_OK;

    w->blob = NULL;
    return db_error_from_sqlite(rc);
}

static int sqlite_end(struct port_writer *base)
{
    struct sqlite_writer *w = writer_of(base);
    int r = blob_end(w);

    if (r < 0 || w->at != w->bytes)
        return r < 0 ? r : E_CORRUPT;
    w->batch += w->bytes + KIB(1);
    return w->batch < BATCH_BYTES ? 0 : (r = batch_end(w)) < 0 ? r : batch_begin(w);
}

static int sqlite_cancel(struct port_writer *base)
{
    struct sqlite_writer *w = writer_of(base);
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = blob_end(w);

    if (r < 0 || (r = stmt_get(w->db, "DELETE FROM message WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, w->row);
    return stmt_run(st);
}

static int sqlite_finish(struct port_writer *base)
{
    struct sqlite_writer *w = writer_of(base);
    int r = batch_end(w);

    return r < 0 ? r : db_close(&w->db);
}

static void sqlite_free(struct port_writer *base)
{
    struct sqlite_writer *w = writer_of(base);

    if (w->blob)
        sqlite3_blob_close(w->blob);
    txn_end(&w->txn);
    db_close(&w->db);
    free(w);
}

static int tables_make(struct sqlite_writer *w)
{
    char now[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(clock_wall_ms(), now);
    if ((r = batch_begin(w)) < 0 || (r = db_run(w->db, schema_about)) < 0 ||
        (r = db_run(w->db, schema_folder)) < 0 || (r = db_run(w->db, schema_message)) < 0 ||
        (r = about_put(w, "program", "letterlock")) < 0 || (r = about_put(w, "version", "1")) < 0)
        return r;
    if ((r = about_put(w, "written", now)) < 0 || (r = batch_end(w)) < 0)
        return r;
    return batch_begin(w); /* what resumes finds the tables */
}

/* One that was begun: maybe before it had a table. */
static int begun(struct sqlite_writer *w, const char *path, struct str password)
{
    int64_t tables = 0;
    int r = db_open_portable(path, password, &w->db);

    if (r == E_NOTFOUND)
        r = db_create_portable(path, password, &w->db);
    if (r < 0 ||
        (r = db_get_i64(w->db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", &tables)) < 0)
        return r;
    return tables ? batch_begin(w) : tables_make(w);
}

int port_sqlite_writer(const char *path, struct str password, bool again, struct port_writer **out)
{
    static const struct port_writer_ops ops = { sqlite_folder, sqlite_begin,  sqlite_data,
                                                sqlite_end,    sqlite_cancel, sqlite_finish,
                                                sqlite_free,   sqlite_mark,   sqlite_resume };
    struct sqlite_writer *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return E_NOMEM;
    w->base.ops = &ops;
    if (again)
        r = begun(w, path, password);
    else if ((r = db_create_portable(path, password, &w->db)) == 0)
        r = tables_make(w);
    if (r < 0) {
        sqlite_free(&w->base);
        return r;
    }
    *out = &w->base;
    return 0;
}
