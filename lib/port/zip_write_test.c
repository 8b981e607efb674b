/* What is written is read by others: libarchive always, 7-Zip where there is one. */
#include "lib/port/zip_write.h"
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATE     INT64_C(1793614272000)
#define PASSWORD "Größe und 7 words"
#define ENTRIES  12u

static char at[64], path[128];

/* ---- entries that can be told from each other: empty, small, larger than what is buffered, of noise and of text ---- */

static size_t size_of(size_t i)
{
    static const size_t sizes[] = { 0, 1, 15, 300, 4096, 70000, 700000 };

    return sizes[i % ARRAY_LEN(sizes)] + i;
}

static char byte_of(size_t i, size_t k)
{
    uint32_t x = (uint32_t)(k * 2654435761u + i * 40503u);

    return i % 2 ? (char)(x >> 13 ^ x >> 24) : "A line of a letter. "[k % 20];
}

static void fill(size_t i, char *to)
{
    for (size_t k = 0; k < size_of(i); k++)
        to[k] = byte_of(i, k);
}

static void name_of(size_t i, char out[64])
{
    snprintf(out, 64, "Ärger/%06zu.eml", i);
}

static void put_some(struct zip_writer *z, size_t i, size_t bytes, bool whole)
{
    char name[64], *data = malloc(size_of(i) + 1);

    CHECK(data);
    fill(i, data);
    name_of(i, name);
    CHECK(zip_entry_begin(z, str_from(name), size_of(i), DATE + (int64_t)i * 1000) == 0);
    for (size_t k = 0; k < bytes; k += 5000)
        CHECK(zip_entry_data(z, str_of(data + k, size_min(5000, bytes - k))) == 0);
    CHECK(!whole || zip_entry_end(z) == 0);
    free(data);
}

static void put(struct zip_writer *z, size_t i)
{
    put_some(z, i, size_of(i), true);
}

/* ---- reading ---- */

static struct archive *reader(const char *password)
{
    struct archive *a = archive_read_new();

    CHECK(a && archive_read_support_format_zip_seekable(a) == ARCHIVE_OK);
    CHECK(archive_read_add_passphrase(a, password) == ARCHIVE_OK);
    CHECK(archive_read_open_filename(a, path, KIB(64)) == ARCHIVE_OK);
    return a;
}

static void read_entry(struct archive *a, struct archive_entry *e, size_t i)
{
    size_t n = size_of(i);
    char name[64], *own = malloc(n + 1), *data = malloc(n + 1);

    CHECK(own && data);
    fill(i, own);
    name_of(i, name);
    CHECK(strcmp(archive_entry_pathname_utf8(e), name) == 0);
    CHECK(archive_entry_size(e) == (int64_t)n && archive_entry_mtime(e) == DATE / 1000 + (int64_t)i);
    CHECK(archive_entry_perm(e) == 0600 && archive_entry_is_data_encrypted(e));
    CHECK(archive_read_data(a, data, n + 1) == (la_ssize_t)n && memcmp(data, own, n) == 0);
    free(own);
    free(data);
}

static void read_all(size_t n)
{
    struct archive *a = reader(PASSWORD);
    struct archive_entry *e;

    for (size_t i = 0; i < n; i++) {
        CHECK(archive_read_next_header(a, &e) == ARCHIVE_OK);
        read_entry(a, e, i);
    }
    CHECK(archive_read_next_header(a, &e) == ARCHIVE_EOF);
    archive_read_free(a);
}

/* 7-Zip reads every byte, and compares the two headers of each entry. */
static void other_programs(void)
{
    static const char *const names[] = { "7zz", "7z" };
    char command[400];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(command, sizeof command, "command -v %s >/dev/null", names[i]);
        if (system(command) != 0)
            continue;
        snprintf(command, sizeof command, "LC_ALL=C.UTF-8 %s t -p'%s' '%s' >/dev/null 2>&1", names[i],
                 PASSWORD, path);
        CHECK(system(command) == 0);
        snprintf(command, sizeof command, "LC_ALL=C.UTF-8 %s t -pother '%s' >/dev/null 2>&1", names[i], path);
        CHECK(system(command) != 0);
        return;
    }
}

static void file_named(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", at, name);
}

/* ---- tests ---- */

static void test_round(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct zip_limits limits;
    } rows[] = { { "plain", { UINT32_MAX, UINT16_MAX } },
                 { "large entries", { 60000, UINT16_MAX } },
                 { "far entries", { 100, 3 } },
                 { "many entries", { UINT32_MAX, ENTRIES } } };

    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        struct zip_writer *z = NULL;

        check_case = rows[k].name;
        file_named(rows[k].name);
        CHECK(zip_writer_open(path, STR(PASSWORD), -1, &z) == 0);
        zip_writer_limits(z, &rows[k].limits);
        for (size_t i = 0; i < ENTRIES; i++)
            put(z, i);
        CHECK(zip_writer_entries(z) == ENTRIES && zip_writer_finish(z) == 0);
        zip_writer_free(&z);
        read_all(ENTRIES);
        other_programs();
        CHECK(zip_writer_open(path, STR(PASSWORD), -1, &z) == E_EXISTS);
    }
    check_case = "";
}

static void test_cancel(void **state UNUSED)
{
    struct zip_writer *z = NULL;

    file_named("cancelled");
    CHECK(zip_writer_open(path, STR(PASSWORD), -1, &z) == 0);
    for (size_t i = 0; i < ENTRIES; i++) {
        put_some(z, (i + 5) % ENTRIES, size_of((i + 5) % ENTRIES) / 2, false);
        CHECK(zip_entry_cancel(z) == 0);
        put(z, i);
    }
    CHECK(zip_writer_finish(z) == 0);
    zip_writer_free(&z);
    read_all(ENTRIES);
    other_programs();
}

static void test_wrong(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf longer = { .max = ZIP_NAME_MAX + 1 };
    struct zip_writer *z = NULL;

    file_named("wrong");
    CHECK(zip_writer_open(path, STR(""), -1, &z) == E_AUTH);
    CHECK(zip_writer_open(path, STR(PASSWORD), -1, &z) == 0);
    CHECK(zip_entry_begin(z, STR("a"), 3, DATE) == 0 && zip_entry_data(z, STR("four")) == E_CORRUPT);
    CHECK(zip_entry_data(z, STR("2.")) == 0 && zip_entry_end(z) == E_CORRUPT && zip_entry_cancel(z) == 0);
    memset(buf_reserve(&longer, ZIP_NAME_MAX + 1), 'x', ZIP_NAME_MAX + 1);
    longer.n = ZIP_NAME_MAX + 1;
    CHECK(zip_entry_begin(z, buf_str(&longer), 3, DATE) == E_LIMIT);
    zip_writer_free(&z);
}

static void tail_add(struct str s)
{
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    CHECK(fd >= 0 && write(fd, s.p, s.n) == (ssize_t)s.n);
}

static off_t length(void)
{
    struct stat st;

    CHECK(stat(path, &st) == 0);
    return st.st_size;
}

/* `marked` entries are safe; what came behind them is there in part, or as a directory that was being written. */
static int64_t broken_off(size_t marked, size_t more, bool finishing)
{
    struct zip_writer *z = NULL;
    int64_t mark;

    CHECK(zip_writer_open(path, STR(PASSWORD), 0, &z) == 0); /* it need not be there yet */
    for (size_t i = 0; i < marked; i++)
        put(z, i);
    CHECK((mark = zip_writer_mark(z)) >= 0);
    for (size_t i = marked; i < more; i++)
        put(z, i);
    if (finishing)
        CHECK(zip_writer_finish(z) == 0);
    else if (more < ENTRIES)
        put_some(z, more, size_of(more) / 2, false);
    zip_writer_free(&z);
    return mark;
}

static void test_resume(void **state UNUSED)
{
    static const struct str tails[] = { { "", 0 }, { "PK\3\4 and no more", 15 }, { "\0\0\0\0", 4 } };
    char name[64];

    for (size_t marked = 0; marked <= ENTRIES; marked++) {
        struct zip_writer *z = NULL;
        int64_t mark;
        off_t was;

        snprintf(name, sizeof name, "resumed %zu", marked);
        file_named(check_case = name);
        mark = broken_off(marked, size_min(marked + marked % 4, ENTRIES), marked % 5 == 4);
        tail_add(tails[marked % 3]);
        was = length();
        CHECK(marked == 0 || zip_writer_open(path, STR("another one"), mark, &z) == E_AUTH);
        CHECK(marked == 0 || zip_writer_open(path, STR(PASSWORD), mark - 1, &z) == E_CORRUPT);
        CHECK(zip_writer_open(path, STR(PASSWORD), was + 1, &z) == E_CORRUPT && length() == was);
        CHECK(zip_writer_open(path, STR(PASSWORD), mark, &z) == 0);
        CHECK(zip_writer_entries(z) == marked && length() == mark);
        for (size_t i = marked; i < ENTRIES; i++)
            put(z, i);
        CHECK(zip_writer_finish(z) == 0);
        zip_writer_free(&z);
        read_all(ENTRIES);
        if (marked % 4 == 1)
            other_programs();
    }
    check_case = "";
}

/* A byte is another one: of the last entry's tag, of its bytes; of the first entry's header. */
static void test_changed(void **state UNUSED)
{
    static const struct {
        int64_t back;
        int is;
    } rows[] = { { 1, E_AUTH }, { 11, E_AUTH }, { 0, E_CORRUPT } };
    struct zip_writer *z = NULL;
    int64_t mark;

    file_named("changed");
    mark = broken_off(4, 4, false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC);
        off_t where = rows[i].back ? mark - rows[i].back : 0;
        char c;

        CHECK(pread(fd, &c, 1, where) == 1);
        c ^= 1;
        CHECK(pwrite(fd, &c, 1, where) == 1);
        CHECK(zip_writer_open(path, STR(PASSWORD), mark, &z) == rows[i].is);
        c ^= 1;
        CHECK(pwrite(fd, &c, 1, where) == 1);
    }
    CHECK(zip_writer_open(path, STR(PASSWORD), mark, &z) == 0);
    zip_writer_free(&z);
}

/* The real limits: 4 GiB of what does not get smaller, and entries behind it. Two minutes of one core. */
static void test_large(void **state UNUSED)
{
    struct zip_writer *z = NULL;
    char *block;
    int64_t mark = 0;

    if (!getenv("LETTERLOCK_LARGE"))
        skip();
    block = malloc(MIB(1));
    file_named("large");
    CHECK(block && zip_writer_open(path, STR(PASSWORD), -1, &z) == 0);
    rand_bytes(block, MIB(1));
    CHECK(zip_entry_begin(z, STR("large"), GIB(4) + MIB(100), DATE) == 0);
    for (size_t i = 0; i < 4196; i++)
        CHECK(zip_entry_data(z, str_of(block, MIB(1))) == 0);
    CHECK(zip_entry_end(z) == 0 && (mark = zip_writer_mark(z)) > 0);
    put(z, 1);
    zip_writer_free(&z);
    CHECK(zip_writer_open(path, STR(PASSWORD), mark, &z) == 0);
    put(z, 3);
    CHECK(zip_writer_finish(z) == 0);
    zip_writer_free(&z);
    other_programs();
    free(block);
    CHECK(unlink(path) == 0);
}

static int setup(void **state UNUSED)
{
    snprintf(at, sizeof at, "/tmp/zip-test-XXXXXX");
    return mkdtemp(at) && uselocale(newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0)) ? 0 : -1;
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
        cmocka_unit_test(test_round),  cmocka_unit_test(test_cancel),  cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_resume), cmocka_unit_test(test_changed), cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
