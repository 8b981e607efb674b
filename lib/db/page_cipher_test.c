/* Our cipher and the stock one read each other's files, whatever the page size and the form of the
 * key; a changed bit is noticed; forked processes never share a nonce. */
#include "lib/db/page_cipher.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/base/test.h"
#include "lib/db/db.h"
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/letterlock-cipher-XXXXXX";
static char path[128];

#define FILL                                                                    \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, b TEXT);"                           \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400)" \
    " INSERT INTO t SELECT i, printf('%0*d', i*7, i) FROM n"
#define SUM    "SELECT count(*)||':'||sum(length(b))||':'||sum(b) FROM t"
#define SUM_IS "400:561400:80200"

static int remove_one(const char *p, const struct stat *st, int type, struct FTW *f)
{
    (void)st, (void)type, (void)f;
    return remove(p);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/t.sqlite", folder);
    return db_init();
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void fresh(void)
{
    static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
    char name[160];

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        unlink(name);
    }
}

/* Run the stock library's program; its exit code, first line in out. */
static int oracle(struct str key, uint32_t page, uint32_t reserved, const char *sql, char out[64])
{
    char hex[1100], pages[16], res[16];
    int fds[2], status = 0;
    ssize_t n;
    pid_t pid;

    CHECK(key.n * 2 < sizeof hex && pipe2(fds, O_CLOEXEC) == 0);
    hex_encode(key.p, key.n, hex);
    snprintf(pages, sizeof pages, "%u", page);
    snprintf(res, sizeof res, "%u", reserved);
    if ((pid = fork()) == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(fds[1], 1);
        dup2(null, 2);
        execl(DB_ORACLE, DB_ORACLE, path, hex, pages, res, sql, (char *)NULL);
        _exit(99);
    }
    close(fds[1]);
    n = read(fds[0], out, 63);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    close(fds[0]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int first_text(void *out, int n, char **v, char **names)
{
    (void)names;
    snprintf(out, 64, "%s", n && v[0] ? v[0] : "NULL");
    return 0;
}

/* The same with ours. */
static int ours(struct str key, uint32_t page, uint32_t reserved, const char *sql, char out[64])
{
    char pragma[64];
    sqlite3 *s = NULL;
    int bytes = (int)reserved, rc = sqlite3_open(path, &s);

    out[0] = '\0';
    snprintf(pragma, sizeof pragma, "PRAGMA page_size=%u", page);
    if (rc == SQLITE_OK)
        rc = sqlite3_key(s, key.p, (int)key.n);
    if (rc == SQLITE_OK && page)
        rc = sqlite3_exec(s, pragma, NULL, NULL, NULL);
    if (rc == SQLITE_OK && reserved)
        rc = sqlite3_file_control(s, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s, sql, first_text, out, NULL);
    sqlite3_close(s);
    return rc & 0xff;
}

#define K8  "01234567"
#define K32 K8 K8 K8 K8
#define K16 "fedcba9876543210"
static const struct form {
    const char *name;
    struct str key, also;
} forms[] = {
    { "raw binary",
      { "raw:" K32, 36 },
      { "x'"
        "3031323334353637"
        "3031323334353637"
        "3031323334353637"
        "3031323334353637"
        "'",
        67 } },
    { "raw hex",
      { "raw:3031323334353637303132333435363730313233343536373031323334353637", 68 },
      { "raw:" K32, 36 } },
    { "raw and salt", { "raw:" K32 K16, 52 }, { "raw:" K32, 36 } },
    { "raw and salt, hex",
      { "raw:"
        "3031323334353637303132333435363730313233343536373031323334353637"
        "66656463626139383736353433323130",
        100 },
      { "raw:" K32 K16, 52 } },
    { "passphrase", { "correct horse", 13 }, { "correct horse", 13 } },
    { "raw of a wrong length is a passphrase", { "raw:" K16, 20 }, { "raw:" K16, 20 } },
};

static void test_forms(void **state)
{
    char out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        check_case = forms[i].name;
        fresh();
        CHECK(ours(forms[i].key, 0, 0, FILL, out) == SQLITE_OK);
        CHECK(oracle(forms[i].also, 0, 0, SUM, out) == 0 && strcmp(out, SUM_IS) == 0);
        CHECK(oracle(STR("another"), 0, 0, SUM, out) == SQLITE_NOTADB);
        fresh();
        CHECK(oracle(forms[i].key, 0, 0, FILL, out) == 0);
        CHECK(ours(forms[i].also, 0, 0, SUM, out) == SQLITE_OK && strcmp(out, SUM_IS) == 0);
        CHECK(ours(STR("another"), 0, 0, SUM, out) == SQLITE_NOTADB);
    }
    check_case = "";
}

static void test_page_sizes(void **state)
{
    static char name[32];
    char out[64];

    (void)state;
    for (uint32_t page = 512; page <= 65536; page *= 2) {
        for (uint32_t reserved = 0; reserved <= (page > 512 ? 48 : 0);
             reserved += 48) { /* SQLite wants 480 usable */
            snprintf(name, sizeof name, "%u/%u", page, reserved);
            check_case = name;
            fresh();
            CHECK(ours(forms[0].key, page, reserved, FILL, out) == SQLITE_OK);
            CHECK(oracle(forms[0].key, 0, 0, SUM, out) == 0 && strcmp(out, SUM_IS) == 0);
            fresh();
            CHECK(oracle(forms[0].key, page, reserved, FILL, out) == 0);
            CHECK(ours(forms[0].key, 0, 0, SUM, out) == SQLITE_OK && strcmp(out, SUM_IS) == 0);
        }
    }
    check_case = "";
}

/* A WAL that one library left behind is read by the other. */
static void test_wal(void **state)
{
    static const char in_wal[] = "PRAGMA journal_mode=WAL; " FILL;
    char out[64], copy[160];
    sqlite3 *s = NULL;
    int keep = 1;

    (void)state;
    fresh();
    CHECK(sqlite3_open(path, &s) == SQLITE_OK &&
          sqlite3_key(s, forms[0].key.p, (int)forms[0].key.n) == SQLITE_OK);
    CHECK(sqlite3_db_config(s, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep, NULL) == SQLITE_OK);
    CHECK(sqlite3_exec(s, in_wal, NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_close(s) == SQLITE_OK);
    snprintf(copy, sizeof copy, "%s-wal", path);
    CHECK(access(copy, F_OK) == 0);
    CHECK(oracle(forms[0].key, 0, 0, SUM, out) == 0 && strcmp(out, SUM_IS) == 0);
    fresh();
    CHECK(oracle(forms[0].key, 0, 0, in_wal, out) == 0);
    CHECK(oracle(forms[0].key, 0, 0, "PRAGMA wal_autocheckpoint=0; UPDATE t SET b=b||1 WHERE id=1", out) ==
          0);
    CHECK(ours(forms[0].key, 0, 0, "SELECT length(b) FROM t WHERE id=1", out) == SQLITE_OK &&
          strcmp(out, "8") == 0);
}

static void patch(off_t at, const void *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

static void get(off_t at, void *bytes, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0 && pread(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

/* sqleet's 32-bit counter wraps inside the page and OpenSSL's carries: seal pages under nonces for
 * which that happens in the first, second, ... block, and let the stock library read them. */
static void test_counter_wrap(void **state)
{
    uint8_t page[4096], nonce[16], key[32];
    char out[64];

    (void)state;
    memcpy(key, K32, 32);
    fresh();
    CHECK(oracle(forms[0].key, 4096, 0, FILL, out) == 0);
    for (uint32_t no = 1; no <= 66; no++) {
        uint8_t salt[16];

        get(0, salt, sizeof salt);
        get((off_t)(no - 1) * 4096, page, sizeof page);
        CHECK(page_open(key, no, page, sizeof page) == 0);
        rand_bytes(nonce, sizeof nonce);
        le32_put(nonce + 12, (UINT32_MAX - (no - 1)) ^ no); /* counter of the one-time key */
        page_seal(key, salt, no, page, sizeof page, nonce);
        patch((off_t)(no - 1) * 4096, page, sizeof page);
    }
    CHECK(oracle(forms[0].key, 0, 0, SUM, out) == 0 && strcmp(out, SUM_IS) == 0);
    CHECK(ours(forms[0].key, 0, 0, SUM, out) == SQLITE_OK && strcmp(out, SUM_IS) == 0);
}

static void test_flipped_bits(void **state)
{
    static const struct {
        const char *name;
        size_t at;
    } places[] = {
        { "first byte", 0 }, { "salt or text", 15 },   { "clear header", 20 }, { "text", 24 },
        { "middle", 2048 },  { "last of text", 4063 }, { "nonce", 4064 },      { "counter", 4079 },
        { "tag", 4080 },     { "end of tag", 4095 },
    };
    uint8_t page[4096], key[32], salt[16] = { 7 };

    (void)state;
    memcpy(key, K32, 32);
    for (uint32_t no = 1; no <= 2; no++) {
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
            check_case = places[i].name;
            rand_bytes(page, sizeof page);
            page_seal(key, salt, no, page, sizeof page, NULL);
            page[places[i].at] ^= 0x10;
            CHECK(page_open(key, no, page, sizeof page) == E_CORRUPT);
            page[places[i].at] ^= 0x10;
            CHECK(page_open(key, no + 2, page, sizeof page) == E_CORRUPT);
            CHECK(page_open(key, no, page, sizeof page) == 0);
        }
    }
    check_case = "";
}

static void test_flipped_in_file(void **state)
{
    char out[64];
    uint8_t b;

    (void)state;
    fresh();
    CHECK(ours(forms[0].key, 4096, 0, FILL, out) == SQLITE_OK);
    for (off_t at = 0; at < 4096 * 3; at += 811) {
        get(at, &b, 1);
        b ^= 1;
        patch(at, &b, 1);
        CHECK(ours(forms[0].key, 0, 0, SUM, out) == (at < 4096 ? SQLITE_NOTADB : SQLITE_CORRUPT));
        b ^= 1;
        patch(at, &b, 1);
    }
    CHECK(ours(forms[0].key, 0, 0, SUM, out) == SQLITE_OK);
}

#define NONCES 600 /* more than a pool holds */

static void child_nonces(int fd)
{
    uint8_t all[NONCES][16];

    for (size_t i = 0; i < NONCES; i++)
        page_nonce(all[i], 16);
    if (write(fd, all, sizeof all) != (ssize_t)sizeof all)
        _exit(1);
    _exit(0);
}

static int cmp16(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static void test_fork(void **state)
{
    static uint8_t all[3][NONCES][16];
    int fds[2], status;

    (void)state;
    page_nonce(all[2][0], 16); /* the pool is warm when we fork */
    for (int i = 0; i < 2; i++) {
        pid_t pid;
        size_t got = 0;

        CHECK(pipe2(fds, O_CLOEXEC) == 0);
        if ((pid = fork()) == 0)
            child_nonces(fds[1]);
        close(fds[1]);
        for (ssize_t n;
             got < sizeof all[i] && (n = read(fds[0], (char *)all[i] + got, sizeof all[i] - got)) > 0;)
            got += (size_t)n;
        close(fds[0]);
        CHECK(got == sizeof all[i] && waitpid(pid, &status, 0) == pid && status == 0);
    }
    for (size_t i = 1; i < NONCES; i++)
        page_nonce(all[2][i], 16);
    qsort(all, 3 * (size_t)NONCES, 16, cmp16);
    for (size_t i = 1; i < 3 * NONCES; i++)
        CHECK(memcmp((uint8_t *)all + i * 16, (uint8_t *)all + (i - 1) * 16, 16) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),        cmocka_unit_test(test_page_sizes),
        cmocka_unit_test(test_wal),          cmocka_unit_test(test_counter_wrap),
        cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_flipped_in_file),
        cmocka_unit_test(test_fork),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
