/* test/upgrade/dump.c: databases as text that people can read, and back. */
#include "test/upgrade/sample.h"
#include "lib/base/hex.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

static void put(struct buf *out, const char *z)
{
    CHECK(buf_putz(out, z) == 0);
}

static void put_value(struct buf *out, sqlite3_stmt *st, int col)
{
    const char *p = sqlite3_column_blob(st, col);
    int n = sqlite3_column_bytes(st, col);

    switch (sqlite3_column_type(st, col)) {
    case SQLITE_NULL: put(out, "NULL"); return;
    case SQLITE_INTEGER: CHECK(buf_printf(out, "%lld", sqlite3_column_int64(st, col)) == 0); return;
    case SQLITE_TEXT:
        put(out, "'");
        for (int i = 0; i < n; i++)
            CHECK((p[i] != '\'' || buf_putc(out, '\'') == 0) && buf_putc(out, p[i]) == 0);
        put(out, "'");
        return;
    case SQLITE_BLOB:
        put(out, "x'");
        for (int i = 0; i < n; i++) {
            char hex[3];

            hex_encode(p + i, 1, hex);
            put(out, hex);
        }
        put(out, "'");
        return;
    default: CHECK(false); /* no REAL in our tables */
    }
}

static sqlite3_stmt *prepare(struct db *db, const char *sql)
{
    sqlite3_stmt *st = NULL;

    CHECK(sqlite3_prepare_v2(db_sqlite(db), sql, -1, &st, NULL) == SQLITE_OK);
    return st;
}

static void put_rows(struct db *db, const char *table, struct buf *out)
{
    CLEANUP(buf_release) struct buf sql = { .max = KIB(1) };
    sqlite3_stmt *st;

    CHECK(buf_printf(&sql, "SELECT * FROM \"%s\"", table) == 0);
    st = prepare(db, buf_z(&sql));
    while (sqlite3_step(st) == SQLITE_ROW) {
        CHECK(buf_printf(out, "INSERT INTO \"%s\" VALUES (", table) == 0);
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            put(out, i ? ", " : "");
            put_value(out, st, i);
        }
        put(out, ");\n");
    }
    sqlite3_finalize(st);
}

static void put_pragma(struct db *db, const char *name, struct buf *out)
{
    CLEANUP(buf_release) struct buf sql = { .max = KIB(1) };
    sqlite3_stmt *st;

    CHECK(buf_printf(&sql, "PRAGMA %s", name) == 0);
    st = prepare(db, buf_z(&sql));
    CHECK(sqlite3_step(st) == SQLITE_ROW);
    CHECK(buf_printf(out, "PRAGMA %s=%lld;\n", name, sqlite3_column_int64(st, 0)) == 0);
    sqlite3_finalize(st);
}

/* What makes the tables of a virtual table: its own CREATE; they are filled afterwards. */
static bool made_by_another(sqlite3_stmt *st)
{
    const char *type = (const char *)sqlite3_column_text(st, 2);

    return sqlite3_column_type(st, 1) == SQLITE_NULL || (type && strcmp(type, "shadow") == 0) ||
           strncmp((const char *)sqlite3_column_text(st, 0), "sqlite_", 7) == 0;
}

void dump_write(struct db *db, struct buf *out)
{
    static const char tables[] =
        "SELECT s.name, s.sql, t.type FROM sqlite_schema s JOIN pragma_table_list t ON t.name = s.name "
        "WHERE s.type = 'table' AND t.schema = 'main' ORDER BY t.type = 'shadow', s.name LIKE 'sqlite!_%' ESCAPE '!', s.rowid";
    static const char rest[] =
        "SELECT name, sql, NULL FROM sqlite_schema WHERE type <> 'table' AND sql IS NOT NULL ORDER BY name";
    sqlite3_stmt *st;

    put_pragma(db, "application_id", out);
    put_pragma(db, "user_version", out);
    st = prepare(db, tables);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 0);

        const char *type = (const char *)sqlite3_column_text(st, 2);

        if (made_by_another(st))
            CHECK(buf_printf(out, "DELETE FROM \"%s\";\n", name) == 0);
        else
            CHECK(buf_printf(out, "%s;\n", (const char *)sqlite3_column_text(st, 1)) == 0);
        if (strcmp(type, "virtual") != 0)
            put_rows(db, name, out);
    }
    sqlite3_finalize(st);
    st = prepare(db, rest);
    while (sqlite3_step(st) == SQLITE_ROW)
        CHECK(buf_printf(out, "%s;\n", (const char *)sqlite3_column_text(st, 1)) == 0);
    sqlite3_finalize(st);
}

void dump_load(const char *path, struct str sql)
{
    CLEANUP(buf_release) struct buf all = { .max = MIB(64) };
    struct db_options o = { .flags = DB_CREATE };
    struct db *db = NULL;
    char *error = NULL;

    CHECK(db_open(path, sample_key, &o, &db) == 0);
    /* Rows come before what they refer to, and shadow tables are filled by hand. */
    CHECK(sqlite3_db_config(db_sqlite(db), SQLITE_DBCONFIG_DEFENSIVE, 0, NULL) == SQLITE_OK);
    CHECK(sqlite3_db_config(db_sqlite(db), SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL) == SQLITE_OK);
    CHECK(buf_putz(&all, "BEGIN;\n") == 0 && buf_puts(&all, sql) == 0 && buf_putz(&all, "COMMIT;\n") == 0);
    if (sqlite3_exec(db_sqlite(db), buf_z(&all), NULL, NULL, &error) != SQLITE_OK)
        print_error("%s: %s\n", path, error);
    CHECK(!error && db_close(&db) == 0);
}

void dump_path(const struct sample *s, size_t version, char *out, size_t n)
{
    snprintf(out, n, "%s/test/data/schema/%s-%zu.sql", SOURCE_ROOT, s->name, version);
}

bool dump_read(const struct sample *s, size_t version, struct buf *out)
{
    char path[1024];
    ssize_t n = 1;
    int fd;

    dump_path(s, version, path, sizeof path);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return false;
    while (n > 0) {
        char *p = buf_reserve(out, KIB(64));

        CHECK(p && (n = read(fd, p, KIB(64))) >= 0);
        out->n += (size_t)n;
    }
    close(fd);
    return true;
}
