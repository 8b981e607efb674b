#include "lib/db/migrate.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include <sqlite3.h>

#define ONE   "CREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT) STRICT; CREATE INDEX a_y ON a(y);"
#define TWO   "ALTER TABLE a ADD COLUMN z INTEGER; CREATE VIRTUAL TABLE f USING fts5(t, content='');"
#define THREE "INSERT INTO a(x) VALUES(1); CREATE TABLE nonsense("
static const struct migration list[] = {
    { "0001_one", ONE, "PRAGMA user_version=1" },
    { "0002_two", TWO, "PRAGMA user_version=2" },
    { "0003_three", THREE, "PRAGMA user_version=3" },
};
static const struct migration wide[] = {
    { "0001_wide",
      "CREATE TABLE b(x INTEGER PRIMARY KEY, z INTEGER NOT NULL) STRICT; CREATE INDEX a_y ON b(x);",
      "PRAGMA user_version=1" },
};
#define APP "PRAGMA application_id=77"
static const struct migration_set v1 = { "test", APP, 77, list, 1 }, v2 = { "test", APP, 77, list, 2 },
                                  w2 = { "wide", APP, 77, wide, 1 }, broken = { "test", APP, 77, list, 3 },
                                  other = { "other", "PRAGMA application_id=78", 78, list, 2 };

/* Each row begins with a new v1 or v2 database, changes it, and migrates again. */
static const struct row {
    const char *name;
    const struct migration_set *first, *then;
    const char *change;
    int r;
    const char *why;
} rows[] = {
    { "the same", &v2, &v2, NULL, 0, "" },
    { "upgrade", &v1, &v2, NULL, 0, "" },
    { "newer", &v2, &v1, NULL, E_VERSION,
      "written by a newer program: test version 2, this program knows 1" },
    { "another kind", &v2, &other, NULL, E_CORRUPT, "not a other database: application_id 77, version 2" },
    { "no version", &v2, &v2, "PRAGMA user_version=0", E_CORRUPT,
      "not a test database: application_id 77, version 0" },
    { "index gone", &v2, &v2, "DROP INDEX a_y", 0, "index a_y was missing and is made" },
    { "index differs", &v2, &v2, "DROP INDEX a_y; CREATE INDEX a_y ON a(x)", E_CORRUPT,
      "index a_y differs: it is \"CREATE INDEX a_y ON a(x)\", expected \"CREATE INDEX a_y ON a(y)\"" },
    { "table gone", &v2, &v2, "DROP TABLE a", 0,
      "table a was missing and is made; index a_y was missing and is made" },
    { "virtual table gone", &v2, &v2, "DROP TABLE f", 0, "table f was missing and is made" },
    { "column gone", &v2, &v2, "ALTER TABLE a DROP COLUMN z", 0,
      "column z of table a was missing and is added" },
    { "column in the middle gone", &v2, &v2, "DROP INDEX a_y; ALTER TABLE a DROP COLUMN y", E_CORRUPT,
      "column y of table a is missing, and columns are only added behind the others" },
    { "column of another type", &v2, &v2,
      "DROP TABLE a; CREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT, z BLOB) STRICT", E_CORRUPT,
      "column z of table a differs: it is \"z BLOB\", expected \"z INTEGER\"" },
    { "not strict", &v2, &v2, "DROP TABLE a; CREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT, z INTEGER)",
      E_CORRUPT,
      "table a differs: it is \"CREATE TABLE a(x INTEGER PRIMARY KEY,y TEXT,z INTEGER)\", expected "
      "\"CREATE TABLE a(x INTEGER PRIMARY KEY,y TEXT,z INTEGER)STRICT\"" },
    { "rule extra", &v2, &v2,
      "DROP TABLE a; CREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT, z INTEGER, CHECK (x > 0)) STRICT",
      E_CORRUPT,
      "table a differs: it is \"CREATE TABLE a(x INTEGER PRIMARY KEY,y TEXT,z INTEGER,CHECK(x>0))STRICT\", "
      "expected \"CREATE TABLE a(x INTEGER PRIMARY KEY,y TEXT,z INTEGER)STRICT\"" },
    { "column that nothing fills", &w2, &w2, "INSERT INTO b VALUES (1, 2); ALTER TABLE b DROP COLUMN z",
      E_BUG, "column z of table b is missing and cannot be added: SQL logic error" },
    { "the same in an empty table", &w2, &w2, "ALTER TABLE b DROP COLUMN z; DROP INDEX a_y", 0,
      "column z of table b was missing and is added; index a_y was missing and is made" },
    { "table extra", &v2, &v2, "CREATE TABLE b(x)", E_CORRUPT, "table b is not ours" },
    { "trigger extra", &v2, &v2, "CREATE TRIGGER w AFTER INSERT ON a BEGIN SELECT 1; END", E_CORRUPT,
      "trigger w is not ours" },
    { "column extra", &v1, &v1, "ALTER TABLE a ADD COLUMN w TEXT", E_CORRUPT,
      "column w of table a is not ours" },
    { "statistics", &v2, &v2, "INSERT INTO a(x) VALUES(1); ANALYZE", 0, "" },
    { "spaces and comments", &v1, &v1,
      "DROP TABLE a; CREATE TABLE a ( x INTEGER -- key\n PRIMARY KEY , y /* text */ TEXT ) STRICT; CREATE INDEX a_y ON a ( y )",
      0, "" },
};

static void exec(struct db *db, const char *sql)
{

    CHECK(sqlite3_exec(db_sqlite(db), sql, NULL, NULL, NULL) == 0);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(db_close) struct db *db = NULL;
        CLEANUP(buf_release) struct buf why = { .max = KIB(1) };
        const struct row *row = &rows[i];
        int64_t n = 0;
        int r;

        check_case = row->name;
        CHECK(db_open_memory(&db) == 0 && migrate_run(db, row->first, &why) == 0);
        if (row->change)
            exec(db, row->change);
        r = migrate_run(db, row->then, &why);
        CHECK(r == row->r);
        if (!str_eq_z(buf_str(&why), row->why))
            print_error("it says: %.*s\n", STR_ARG(buf_str(&why)));
        CHECK(str_eq_z(buf_str(&why), row->why));
        CHECK(r < 0 ||
              (db_get_i64(db, "SELECT count(*) FROM sqlite_schema WHERE name='a_y'", &n) == 0 && n == 1));
    }
    check_case = "";
}

static void test_broken(void **state)
{
    CLEANUP(db_close) struct db *db = NULL;
    CLEANUP(buf_release) struct buf why = { .max = KIB(1) };
    int64_t n = -1;

    (void)state;
    CHECK(db_open_memory(&db) == 0 && migrate_run(db, &v2, NULL) == 0);
    CHECK(migrate_run(db, &broken, &why) == E_BUG);
    CHECK(str_starts(buf_str(&why), STR("migration 0003_three of test fails: ")));
    CHECK(db_get_i64(db, "PRAGMA user_version", &n) == 0 && n == 2);
    CHECK(db_get_i64(db, "SELECT count(*) FROM a", &n) == 0 && n == 0);
}

static void test_normalize(void **state)
{
    static const struct {
        const char *in, *out;
    } texts[] = {
        { "a  b", "a b" },    { " a , b ", "a,b" }, { "'a  b'", "'a  b'" },
        { "a--x\nb", "a b" }, { "a/* */b", "a b" }, { "\"a--\" [b  c]", "\"a--\"[b  c]" },
        { "'open", "'open" }, { "/*", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(buf_release) struct buf out = { .max = 100 };

        check_case = texts[i].in;
        CHECK(migrate_normalize(str_from(texts[i].in), &out) == 0 && str_eq_z(buf_str(&out), texts[i].out));
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_normalize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
