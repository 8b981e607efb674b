/* Files of somebody who means harm: what is to be brought in is read to its end, in little memory, and nothing beside it. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/db/db.h"
#include "lib/port/eml_index.h"
#include "lib/port/port.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD "a password"

static char at[64], path[160];

static const char *in(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", at, name);
    return path;
}

static void put(const char *name, const char *text)
{
    int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(fd >= 0 && file_write(fd, str_from(text)) == 0 && close(fd) == 0);
}

struct read {
    size_t good, bad;
    uint64_t bytes;
    char folders[600], words[600];
    int ended; /* the error that ended it */
};

static struct read read_all(enum port_format f, const char *name)
{
    CLEANUP(buf_release) struct buf body = { .max = MIB(1) };
    struct port_reader *r = NULL;
    struct read out = { .good = 0 };
    struct port_message m;
    int64_t got = 0;
    int n;

    if ((out.ended = port_reader_open(f, in(name), STR(PASSWORD), STR_NONE, &r)) < 0)
        return out;
    while ((n = r->ops->next(r, &m)) != 0 && out.good + out.bad < 100000) {
        if (n < 0 && n != E_CORRUPT) {
            out.ended = n;
            break;
        }
        out.bad += n < 0;
        if (n < 0)
            continue;
        out.good++;
        snprintf(out.folders + strlen(out.folders), sizeof out.folders - strlen(out.folders), "%.*s|",
                 STR_ARG(m.folder));
        for (size_t i = 0; i < m.nkeywords; i++)
            snprintf(out.words + strlen(out.words), sizeof out.words - strlen(out.words), "%.*s|",
                     STR_ARG(m.keywords[i]));
        while ((got = r->ops->read(r, KIB(64), &body)) > 0) {
            out.bytes += (uint64_t)got;
            buf_clear(&body);
        }
        out.bad += got < 0;
    }
    CHECK(out.good + out.bad < 100000);
    port_reader_free(&r);
    return out;
}

/* ---- Maildir ---- */

/* A FIFO would be waited for; a link would be mail of whoever may read more than who made it. */
static void test_maildir(void **state UNUSED)
{
    struct read r;

    CHECK(mkdir(in("m"), 0700) == 0 && mkdir(in("m/cur"), 0700) == 0 && mkdir(in("m/new"), 0700) == 0);
    CHECK(mkdir(in("m/.Far"), 0700) == 0 && mkdir(in("m/.Near"), 0700) == 0 &&
          mkdir(in("m/.Near/cur"), 0700) == 0);
    CHECK(mkdir(in("secret"), 0700) == 0 && mkdir(in("secret/cur"), 0700) == 0);
    put("secret/one", "a secret\n");
    put("secret/cur/two", "a secret\n");
    put("m/cur/1.good:2,Sa", "A: b\n\ngood\n");
    put("m/.Near/cur/2.good:2,a", "A: b\n\ngood\n");
    CHECK(mkfifo(in("m/cur/1.fifo:2,S"), 0600) == 0);
    CHECK(mkfifo(in("m/.Near/dovecot-keywords"), 0600) == 0);
    CHECK(symlink("../../secret/one", in("m/cur/1.link:2,S")) == 0);
    CHECK(symlink("../secret/one", in("m/dovecot-keywords")) == 0);
    CHECK(symlink("../../secret", in("m/.Far/cur")) == 0);
    CHECK(symlink("../secret", in("m/.Linked")) == 0);
    CHECK(symlink("../../secret", in("m/.Near/new")) == 0);
    CHECK(mkdir(in("m/cur/1.folder:2,S"), 0700) == 0);
    r = read_all(PORT_MAILDIR, "m");
    CHECK(r.ended == 0);
    CHECK(r.good == 2 && r.bytes == 2 * strlen("A: b\r\n\r\ngood\r\n"));
    CHECK(r.bad >= 5 && !strstr(r.words, "secret"));
}

/* ---- mbox ---- */

static void test_mbox(void **state UNUSED)
{
    static const uint64_t long_line = MIB(80);
    struct rusage before, after;
    struct read r;
    int fd;

    CHECK(mkdir(in("b"), 0700) == 0 && mkdir(in("b/sub"), 0700) == 0);
    CHECK(mkfifo(in("b/fifo.mbox"), 0600) == 0);
    put("other", "From x@y Mon Nov  2 10:11:12 2026\nA: b\n\nelsewhere\n");
    CHECK(symlink("../other", in("b/link.mbox")) == 0);
    CHECK(symlink("..", in("b/sub/up")) == 0); /* round and round */
    put("b/good.mbox", "From x@y Mon Nov  2 10:11:12 2026\nA: b\n\nhere\n");
    r = read_all(PORT_MBOX, "b");
    CHECK(r.ended == 0 && r.good == 1 && r.bytes == strlen("A: b\r\n\r\nhere\r\n"));
    /* one line, longer than memory would like */
    put("long.mbox", "From x@y Mon Nov  2 10:11:12 2026\nA: b\n\n");
    fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)long_line) == 0);
    CHECK(file_write(fd, STR("\n\nFrom x@y Mon Nov  2 10:11:12 2026\nC: d\n\nlast\n")) == 0 &&
          close(fd) == 0);
    CHECK(getrusage(RUSAGE_SELF, &before) == 0);
    r = read_all(PORT_MBOX, "long.mbox");
    CHECK(getrusage(RUSAGE_SELF, &after) == 0);
    CHECK(r.ended == 0 && r.good == 2 && r.bytes > long_line - 1000);
    CHECK(after.ru_maxrss - before.ru_maxrss < 16384); /* KiB */
}

/* ---- zip ---- */

static void zip_put(struct archive *a, const char *name, const char *text, size_t times)
{
    struct archive_entry *e = archive_entry_new();
    size_t n = strlen(text);

    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_mtime(e, 1793614272, 0);
    archive_entry_set_size(e, (la_int64_t)(n * times));
    CHECK(archive_write_header(a, e) == ARCHIVE_OK);
    for (size_t i = 0; i < times; i++)
        CHECK(archive_write_data(a, text, n) == (la_ssize_t)n);
    archive_entry_free(e);
}

static struct archive *zip_new(const char *name)
{
    struct archive *a = archive_write_new();

    CHECK(a && archive_write_set_format_zip(a) == ARCHIVE_OK);
    CHECK(archive_write_set_options(a, "zip:compression=deflate") == ARCHIVE_OK);
    CHECK(archive_write_open_filename(a, in(name)) == ARCHIVE_OK);
    return a;
}

static void zip_end(struct archive *a)
{
    CHECK(archive_write_close(a) == ARCHIVE_OK && archive_write_free(a) == ARCHIVE_OK);
}

/* Names say where a message goes in a mailbox, and no file is ever written under one. */
static void test_zip_names(void **state UNUSED)
{
    struct archive *a = zip_new("names.zip");
    struct read r;

    zip_put(a, "../../../../tmp/letterlock-slip.eml", "A: b\r\n\r\nx\r\n", 1);
    zip_put(a, "/etc/letterlock-slip.eml", "A: b\r\n\r\nx\r\n", 1);
    zip_put(a, "Work/\x1b]0;title\x07.eml", "A: b\r\n\r\nx\r\n", 1);
    zip_put(a, "index/1.jsonl",
            "{\"file\": \"x.eml\", \"folder\": \"../../up\", \"keywords\": [\"a\", 7, \"b\"]}\n[[[[\n\n", 1);
    zip_put(a, "x.eml", "A: b\r\n\r\nx\r\n", 1);
    zip_put(a, "run.sh", "rm", 1);
    zip_end(a);
    r = read_all(PORT_EML, "names.zip");
    CHECK(r.ended == 0 && r.good + r.bad == 4 && strstr(r.folders, "../../up|") &&
          strcmp(r.words, "a|b|") == 0);
    CHECK(access("/tmp/letterlock-slip.eml", F_OK) < 0 && access("/etc/letterlock-slip.eml", F_OK) < 0);
}

/* Few bytes that unpack to many: of a letter they pass by in pieces, of an index they are counted. */
static void test_zip_bombs(void **state UNUSED)
{
    static char line[1000], text[64 * 1024];
    struct rusage before, after;
    struct archive *a = zip_new("bomb.zip");
    struct read r;

    memset(text, 'x', sizeof text - 1);
    zip_put(a, "large.eml", text, 1280); /* 80 MiB */
    zip_end(a);
    CHECK(getrusage(RUSAGE_SELF, &before) == 0);
    r = read_all(PORT_EML, "bomb.zip");
    CHECK(r.ended == 0 && r.good == 1 && r.bytes == 1280 * (sizeof text - 1));
    CHECK(getrusage(RUSAGE_SELF, &after) == 0 && after.ru_maxrss - before.ru_maxrss < 32768);
    a = zip_new("index.zip"); /* more lines than the zip has entries, in an index of 8 MiB */
    for (size_t i = 0; i < 200; i++) {
        size_t n = (size_t)snprintf(line, sizeof line, "{\"file\": \"%zu\"}\n", i);

        CHECK(n < sizeof line);
        snprintf(text + i * 20, 21, "%-19.*s\n", (int)n - 1, line);
    }
    text[200 * 20] = '\0';
    zip_put(a, "index/1.jsonl", text, 2000);
    zip_put(a, "x.eml", "A: b\r\n\r\nx\r\n", 1);
    zip_end(a);
    r = read_all(PORT_EML, "index.zip"); /* always the same names: they fit */
    CHECK(r.ended == 0 && r.good == 1);
    a = zip_new("indexes.zip");
    memset(text, ' ', sizeof text - 1);
    for (size_t i = 0; i < 4; i++) {
        snprintf(line, sizeof line, "index/%zu.jsonl", i);
        zip_put(a, line, text, 700); /* 45 MiB each */
    }
    zip_end(a);
    CHECK(read_all(PORT_EML, "indexes.zip").ended == E_LIMIT);
}

/* No more rows than the zip has room for, whatever is said. */
static void test_index(void **state UNUSED)
{
    struct eml_index *x = eml_index_new(7600);
    struct str words[PORT_KEYWORDS_MAX];
    struct port_message m = { .flags = 0 };
    char line[200];
    int r = 0;
    size_t n = 0;

    CHECK(x && !eml_index_find(x, "7.eml", words, &m));
    for (; r == 0 && n < 1000; n++) {
        snprintf(
            line, sizeof line,
            "{\"file\": \"%zu.eml\", \"folder\": \"F%zu\", \"uid\": %zu, \"flags\": [\"seen\"], \"keywords\": [\"k%zu\", "
            "\"all\"], \"date\": \"2026-11-02T10:11:12.345Z\"}\n",
            n, n % 3, n, n % 2);
        r = eml_index_add(x, str_from(line));
    }
    CHECK(r == E_LIMIT && n > 100 && n < 103);
    for (size_t i = 0; i + 2 < n; i++) {
        m = (struct port_message){ .flags = 0 };
        snprintf(line, sizeof line, "%zu.eml", i);
        CHECK(eml_index_find(x, line, words, &m));
        CHECK(m.number == i && m.flags == PORT_SEEN && m.has_date && m.date_ms == INT64_C(1793614272345) &&
              m.folder.n == 2 && m.folder.p[1] == (char)('0' + i % 3));
        CHECK(m.nkeywords == 2 && m.keywords[0].p[1] == (char)('0' + i % 2) &&
              str_eq_z(m.keywords[1], "all"));
    }
    eml_index_free(&x);
}

/* ---- SQLite ---- */

static void run(sqlite3 *s, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(s, sql, NULL, NULL, &why) != SQLITE_OK) {
        print_error("%s: %s\n", sql, why);
        CHECK(false);
    }
}

/* What another program made, under the password. */
static void sqlite_make(const char *name, const char *sql)
{
    sqlite3 *s = NULL;

    CHECK(sqlite3_open(in(name), &s) == SQLITE_OK);
    sqlite3mc_config(s, "cipher", sqlite3mc_cipher_index("chacha20"));
    CHECK(sqlite3_key(s, PASSWORD, (int)strlen(PASSWORD)) == SQLITE_OK);
    run(s, sql);
    CHECK(sqlite3_close(s) == SQLITE_OK);
}

#define FOLDER \
    "CREATE TABLE folder (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO folder VALUES (1, 'INBOX');"
#define MESSAGE \
    "CREATE TABLE message (id INTEGER PRIMARY KEY, folder_id, uid, date, flags, keywords, bytes, message);"
#define ONE \
    "INSERT INTO message VALUES (1, 1, 1, '2026-11-02T10:11:12.000Z', '', '', 9, CAST('A: b\r\n\r\nx' AS BLOB));"
#define ENDLESS "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x "

static void test_sqlite(void **state UNUSED)
{
    static const struct {
        const char *name, *sql;
        int ended;
        size_t good, bad;
    } rows[] = {
        { "plain", FOLDER MESSAGE ONE, 0, 1, 0 },
        { "a view that never ends",
          FOLDER
          "CREATE VIEW message AS " ENDLESS
          "AS id, 1 AS folder_id, x AS uid, '' AS date, '' AS flags, '' AS keywords, x AS bytes, '' AS message FROM c",
          E_CORRUPT, 0, 0 },
        { "folders that never end", MESSAGE ONE "CREATE VIEW folder AS " ENDLESS "AS id, 'x' AS name FROM c",
          E_CORRUPT, 0, 0 },
        { "a column that is a program",
          FOLDER
          "CREATE TABLE message (id INTEGER PRIMARY KEY, folder_id, uid, date, flags, bytes, message, keywords AS "
          "(hex(zeroblob(400000000))))",
          E_CORRUPT, 0, 0 },
        { "a trigger",
          FOLDER MESSAGE ONE "CREATE TRIGGER t AFTER INSERT ON message BEGIN DELETE FROM folder; END", 0, 1,
          0 },
        { "words without end", FOLDER MESSAGE ONE "UPDATE message SET keywords = hex(zeroblob(20000000))", 0,
          1, 0 },
        { "a name without end", FOLDER MESSAGE ONE "UPDATE folder SET name = hex(zeroblob(20000000))", 0, 0,
          1 },
        { "sizes beyond counting",
          FOLDER MESSAGE ONE
          "UPDATE message SET bytes = 9223372036854775807; "
          "INSERT INTO message SELECT 2, 1, 2, date, flags, keywords, bytes, message FROM message",
          0, 2, 0 },
        { "no body", FOLDER MESSAGE ONE "UPDATE message SET message = NULL", 0, 0, 1 },
        { "a number for a body", FOLDER MESSAGE ONE "UPDATE message SET message = 7", 0, 0, 1 },
        { "nothing", "CREATE TABLE x (y)", E_CORRUPT, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rusage before, after;
        struct read r;
        char name[32];

        check_case = rows[i].name;
        snprintf(name, sizeof name, "%zu.sqlite", i);
        sqlite_make(name, rows[i].sql);
        CHECK(getrusage(RUSAGE_SELF, &before) == 0);
        r = read_all(PORT_SQLITE, name);
        CHECK(getrusage(RUSAGE_SELF, &after) == 0 && after.ru_maxrss - before.ru_maxrss < 32768);
        CHECK(r.ended == rows[i].ended && r.good == rows[i].good && r.bad == rows[i].bad);
    }
    check_case = "";
}

/* Whatever the pages say of lengths and places: it ends. */
static uint32_t next(uint32_t *x) /* xorshift: the same in every run */
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    return *x ^= *x << 5;
}

static void test_sqlite_damaged(void **state UNUSED)
{
    uint32_t x = 7;

    for (int i = 0; i < 60; i += 3) {
        sqlite3 *s = NULL;
        struct stat st;
        char name[32];
        int fd;

        snprintf(name, sizeof name, "d%d.sqlite", i);
        CHECK(sqlite3_open(in(name), &s) == SQLITE_OK);
        run(s, FOLDER MESSAGE ONE
            "INSERT INTO message SELECT x, 1, x, date, flags, keywords, 9000, randomblob(9000) FROM message, "
            "(WITH RECURSIVE c (x) AS (SELECT 2 UNION ALL SELECT x + 1 FROM c WHERE x < 40) SELECT x FROM c)");
        CHECK(sqlite3_close(s) == SQLITE_OK);
        fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && fstat(fd, &st) == 0);
        for (int k = 0; k < 1 + i; k++) {
            off_t page = 1 + (off_t)(next(&x) % (uint32_t)(st.st_size / 4096 - 1)),
                  off = (off_t)(next(&x) % (k % 2 ? 4096u : 64u));
            char byte = (char)(next(&x) & 1 ? 0xff : (int)(next(&x) & 0xff));

            CHECK(pwrite(fd, &byte, 1, page * 4096 + off) == 1);
        }
        close(fd);
        CHECK(sqlite3_open(path, &s) == SQLITE_OK);
        sqlite3mc_config(s, "cipher", sqlite3mc_cipher_index("chacha20"));
        if (sqlite3_rekey(s, PASSWORD, (int)strlen(PASSWORD)) == SQLITE_OK) {
            sqlite3_close(s);
            (void)read_all(PORT_SQLITE, name);
        } else {
            sqlite3_close(s);
        }
    }
}

static int setup(void **state UNUSED)
{
    CHECK(db_init() == 0);
    snprintf(at, sizeof at, "/tmp/hostile-test-XXXXXX");
    return mkdtemp(at) ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", at);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maildir),        cmocka_unit_test(test_mbox),  cmocka_unit_test(test_zip_names),
        cmocka_unit_test(test_zip_bombs),      cmocka_unit_test(test_index), cmocka_unit_test(test_sqlite),
        cmocka_unit_test(test_sqlite_damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
