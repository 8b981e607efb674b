/* lib/port/sqlite_read.c: the SQLite file that sqlite.c writes, read again: folder by folder, in the order of UIDs. Who made
 * it is not known: nothing of its schema is believed but the names of two tables and their columns. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/db/db.h"
#include "lib/port/port.h"
#include <sqlite3.h>
#include <stdio.h>

#define SLICE_BYTES KIB(64)

struct sqlite_reader {
    struct port_reader base;
    struct db *db;
    struct stmt *rows; /* on the message under way: its words are borrowed from it */
    sqlite3_blob *blob;
    int at, bytes;
    bool ended;
    struct str *keywords;
};

static struct sqlite_reader *reader_of(struct port_reader *r)
{
    return CONTAINER_OF(r, struct sqlite_reader, base);
}

static uint32_t flags_of(struct str text)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = { { PORT_ANSWERED, "\\Answered" },
                  { PORT_FLAGGED, "\\Flagged" },
                  { PORT_DELETED, "\\Deleted" },
                  { PORT_SEEN, "\\Seen" },
                  { PORT_DRAFT, "\\Draft" } };
    uint32_t flags = 0;
    struct str word;

    while (text.n) {
        str_cut(text, ' ', &word, &text);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (str_ieq_z(word, names[i].name))
                flags |= names[i].flag;
    }
    return flags;
}

static size_t keywords_of(struct sqlite_reader *m, struct str text)
{
    struct str word;
    size_t n = 0;

    while (text.n && n < PORT_KEYWORDS_MAX) {
        str_cut(text, ' ', &word, &text);
        if (word.n)
            m->keywords[n++] = word;
    }
    return n;
}

static void blob_end(struct sqlite_reader *m)
{
    if (m->blob)
        sqlite3_blob_close(m->blob);
    m->blob = NULL;
    m->at = m->bytes = 0;
}

static int blob_begin(struct sqlite_reader *m, int64_t row)
{
    if (sqlite3_blob_open(db_sqlite(m->db), "main", "message", "message", row, 0, &m->blob) != SQLITE_OK) {
        blob_end(m);
        return E_CORRUPT; /* of this row: no text or blob */
    }
    m->bytes = sqlite3_blob_bytes(m->blob);
    return 0;
}

static int sqlite_next(struct port_reader *base, struct port_message *out)
{
    struct sqlite_reader *m = reader_of(base);
    int64_t row;
    struct str date;
    int n;

    blob_end(m);
    if (m->ended)
        return 0;
    if ((n = stmt_step(m->rows)) <= 0) {
        m->ended = true;
        return n == E_CORRUPT ? E_IO : n; /* of the file, not of a message: there is no next one */
    }
    row = stmt_i64(m->rows, 0);
    snprintf(base->what, sizeof base->what, "message %lld", (long long)row);
    date = stmt_str(m->rows, 3);
    *out = (struct port_message){ .folder = stmt_str(m->rows, 1),
                                  .number = (uint64_t)stmt_i64(m->rows, 2),
                                  .flags = flags_of(stmt_str(m->rows, 4)),
                                  .keywords = m->keywords };
    out->nkeywords = keywords_of(m, stmt_str(m->rows, 5));
    out->has_date = date.n && clock_from_iso(date.p, date.n, &out->date_ms);
    if (out->folder.n == 0 || out->folder.n > PORT_FOLDER_MAX)
        return E_CORRUPT;
    return (n = blob_begin(m, row)) < 0 ? n : 1;
}

static int64_t sqlite_read(struct port_reader *base, size_t max, struct buf *out)
{
    struct sqlite_reader *m = reader_of(base);
    int n = (int)size_min(size_min(max, SLICE_BYTES), (size_t)(m->bytes - m->at));
    char *p;

    if (n == 0)
        return 0;
    if (!(p = buf_reserve(out, (size_t)n)))
        return E_NOMEM;
    if (sqlite3_blob_read(m->blob, p, n, m->at) != SQLITE_OK)
        return E_CORRUPT;
    out->n += (size_t)n;
    m->at += n;
    base->bytes += (uint64_t)n;
    return n;
}

static void sqlite_reader_free(struct port_reader *base)
{
    struct sqlite_reader *m = reader_of(base);

    blob_end(m);
    stmt_release(&m->rows);
    db_close(&m->db);
    free(m->keywords);
    free(m);
}

/* Tables with columns that are stored: a view, a virtual table or a generated column would be a program of whoever made it. */
static const char is_plain[] =
    "SELECT (SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND "
    "lower(name) IN ('folder', 'message')) = 2 AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo('folder') WHERE hidden <> 0) "
    "AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo('message') WHERE hidden <> 0)";

/* The index of (folder_id, uid) has them in this order: nothing is sorted. What is longer than any of ours is not even read. */
static const char all_rows[] =
    "SELECT m.id, CASE WHEN octet_length(f.name) <= 1000 THEN f.name END, m.uid, "
    "CASE WHEN octet_length(m.date) <= 100 THEN m.date END, CASE WHEN octet_length(m.flags) <= 1000 THEN m.flags END, "
    "CASE WHEN octet_length(m.keywords) <= 262144 THEN m.keywords END "
    "FROM message m CROSS JOIN folder f ON f.id = m.folder_id ORDER BY m.folder_id, m.uid";

static int rows_begin(struct sqlite_reader *m)
{
    int64_t bytes = 0, plain = 0;
    int r = db_get_i64(m->db, is_plain, &plain);

    if (r == 0 && !plain)
        r = E_CORRUPT;
    if (r == 0)
        r = db_get_i64(m->db, "SELECT CAST(min(total(bytes), 9e18) AS INTEGER) FROM message", &bytes);
    if (r == 0)
        r = stmt_get(m->db, all_rows, &m->rows);
    m->base.bytes_all = bytes > 0 ? (uint64_t)bytes : 0;
    return r < 0 && r != E_NOMEM ? E_CORRUPT : r; /* another program's file */
}

int port_sqlite_reader(const char *path, struct str password, struct port_reader **out)
{
    static const struct port_reader_ops ops = { sqlite_next, sqlite_read, sqlite_reader_free };
    struct sqlite_reader *m = calloc(1, sizeof *m);
    int r;

    if (!m)
        return E_NOMEM;
    m->base.ops = &ops;
    if (!(m->keywords = calloc(PORT_KEYWORDS_MAX, sizeof *m->keywords)))
        r = E_NOMEM;
    else if ((r = db_read_portable(path, password, &m->db)) == E_CORRUPT || r == E_SYNTAX || r == E_LIMIT)
        r = E_AUTH; /* its first page says no more than that */
    else if (r == 0)
        r = rows_begin(m);
    if (r < 0) {
        sqlite_reader_free(&m->base);
        return r;
    }
    *out = &m->base;
    return 0;
}
