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
#include <openssl/evp.h>
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
static int oracle_as(struct str key, uint32_t page, uint32_t reserved, const char *sql, bool crash,
                     char out[64])
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
        execl(DB_ORACLE, DB_ORACLE, path, hex, pages, res, sql, crash ? "crash" : NULL, (char *)NULL);
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

static int oracle(struct str key, uint32_t page, uint32_t reserved, const char *sql, char out[64])
{
    return oracle_as(key, page, reserved, sql, false, out);
}

static int first_text(void *out, int n, char **v, char **names)
{
    (void)names;
    snprintf(out, 64, "%s", n && v[0] ? v[0] : "NULL");
    return 0;
}

static void copy_file(const char *tail)
{
    char from[160], to[160], bytes[4096];
    int in, out;
    ssize_t n;

    snprintf(from, sizeof from, "%s%s", path, tail);
    snprintf(to, sizeof to, "%s/crashed%s", folder, tail);
    unlink(to);
    if ((in = open(from, O_RDONLY | O_CLOEXEC)) < 0)
        return;
    CHECK((out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0);
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        CHECK(write(out, bytes, (size_t)n) == n);
    close(in);
    close(out);
}

/* The files as a process leaves them that dies now: moved to `path` after the handle is closed. */
static void crash_copy(void)
{
    copy_file("");
    copy_file("-wal");
    copy_file("-journal");
}

static void crash_take(void)
{
    static const char *const tails[] = { "", "-wal", "-journal" };

    fresh();
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        char from[160], to[160];

        snprintf(to, sizeof to, "%s%s", path, tails[i]);
        snprintf(from, sizeof from, "%s/crashed%s", folder, tails[i]);
        rename(from, to);
    }
}

/* The same with ours. */
static int ours_as(struct str key, uint32_t page, uint32_t reserved, const char *sql, bool crash,
                   char out[64])
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
    if (crash)
        crash_copy();
    sqlite3_close(s);
    if (crash)
        crash_take();
    return rc & 0xff;
}

static int ours(struct str key, uint32_t page, uint32_t reserved, const char *sql, char out[64])
{
    return ours_as(key, page, reserved, sql, false, out);
}

typedef int library_fn(struct str key, uint32_t page, uint32_t reserved, const char *sql, bool crash,
                       char out[64]);

static const struct {
    const char *name;
    library_fn *writes, *reads;
} ways[] = { { "ours, then stock", ours_as, oracle_as }, { "stock, then ours", oracle_as, ours_as } };

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

/* Whatever lies there after a crash, in every page size: a WAL with everything in it, a hot journal that
 * must be rolled back (the cache is small, so half of the change is in the file already), a copy by VACUUM
 * INTO. One library writes it, the other reads it.
 * Rolling back is not tried with 512-byte pages: SQLite3MultipleCiphers 2.3.5 takes a journal's second header,
 * which is as long as such a page, for one and encrypts it, so that the rest is not rolled back, whichever
 * cipher it is. Our files have 4096-byte pages and are in WAL mode, which has no such header. */
static const struct left_behind {
    const char *name, *write, *read, *is;
    bool rolls_back;
} left_behind[] = {
    { "WAL", "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; " FILL, SUM, SUM_IS },
    { "checkpointed WAL and more",
      "PRAGMA journal_mode=WAL; " FILL
      "; PRAGMA wal_checkpoint(TRUNCATE); UPDATE t SET b = b || '1' WHERE id < 9",
      "SELECT count(*)||':'||sum(length(b)) FROM t", "400:561408" },
    { "hot journal", FILL "; PRAGMA cache_size=5; BEGIN; UPDATE t SET b = printf('%0*d', id*7, 5)", SUM,
      SUM_IS, true },
    { "rolled back", FILL "; PRAGMA cache_size=5; BEGIN; UPDATE t SET b = printf('%0*d', id*7, 5); ROLLBACK",
      SUM, SUM_IS, true },
    { "journal kept", "PRAGMA journal_mode=PERSIST; " FILL "; UPDATE t SET b = printf('%0*d', id*7, 5)",
      "SELECT sum(b) FROM t", "2000" },
};

static void test_left_behind(void **state)
{
    static char name[96];
    char out[64];

    (void)state;
    for (uint32_t page = 512; page <= 65536; page *= 2)
        for (size_t i = 0; i < ARRAY_LEN(left_behind); i++)
            for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
                const struct left_behind *c = &left_behind[i];

                if (page == 512 && c->rolls_back)
                    continue;
                snprintf(name, sizeof name, "%s, %u, %s", c->name, page, ways[w].name);
                check_case = name;
                fresh();
                CHECK(ways[w].writes(forms[0].key, page, 0, c->write, true, out) == 0);
                CHECK(ways[w].reads(forms[0].key, 0, 0, c->read, false, out) == 0 && strcmp(out, c->is) == 0);
                CHECK(ways[w].writes(forms[0].key, 0, 0, "PRAGMA integrity_check", false, out) == 0 &&
                      strcmp(out, "ok") == 0);
            }
    check_case = "";
}

/* A copy by one library, opened by the other. */
static void test_vacuum_into(void **state)
{
    static char name[96];
    char sql[400], other[160], out[64];

    (void)state;
    snprintf(other, sizeof other, "%s/crashed", folder);
    for (uint32_t page = 512; page <= 65536; page *= 2)
        for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
            snprintf(name, sizeof name, "%u, %s", page, ways[w].name);
            check_case = name;
            fresh();
            unlink(other);
            snprintf(sql, sizeof sql, "%s; DELETE FROM t WHERE id %% 2; VACUUM INTO '%s'", FILL, other);
            CHECK(ways[w].writes(forms[0].key, page, 0, sql, false, out) == 0);
            crash_take();
            CHECK(ways[w].reads(forms[0].key, 0, 0, "SELECT count(*)||':'||sum(b) FROM t", false, out) == 0 &&
                  strcmp(out, "200:40200") == 0);
        }
    check_case = "";
}

/* RFC 8439 2.3.2; then against OpenSSL, around the counter's end. */
static void test_block(void **state)
{
    static const char rfc[] = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
                              "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
    uint8_t key[32], nonce[12] = { 0, 0, 0, 9, 0, 0, 0, 0x4a }, block[PAGE_BLOCK_BYTES], iv[16];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    char hex[2 * PAGE_BLOCK_BYTES + 1];

    (void)state;
    for (uint8_t i = 0; i < 32; i++)
        key[i] = i;
    page_chacha_block(key, nonce, 1, block);
    hex_encode(block, sizeof block, hex);
    CHECK(strcmp(hex, rfc) == 0);
    for (uint32_t i = 0; i < 2000; i++) {
        uint8_t want[PAGE_BLOCK_BYTES] = { 0 };
        uint32_t counter = i < 1000 ? UINT32_MAX - i : i;
        int n;

        rand_bytes(key, sizeof key);
        rand_bytes(nonce, sizeof nonce);
        le32_put(iv, counter);
        memcpy(iv + 4, nonce, 12);
        CHECK(EVP_EncryptInit_ex(c, EVP_chacha20(), NULL, key, iv) == 1 &&
              EVP_EncryptUpdate(c, want, &n, want, sizeof want) == 1);
        page_chacha_block(key, nonce, counter, block);
        CHECK(memcmp(block, want, sizeof want) == 0);
    }
    EVP_CIPHER_CTX_free(c);
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
static void wrap_pages(size_t page_bytes, uint32_t blocks_apart)
{
    static uint8_t page[65536];
    uint8_t nonce[16], key[32], salt[16];
    struct stat st;

    memcpy(key, K32, 32);
    CHECK(stat(path, &st) == 0);
    for (uint32_t no = 1; no <= (size_t)st.st_size / page_bytes; no++) {
        get(0, salt, sizeof salt);
        get((off_t)((no - 1) * page_bytes), page, page_bytes);
        CHECK(page_open(key, no, page, page_bytes) == 0);
        rand_bytes(nonce, sizeof nonce);
        le32_put(nonce + 12, (UINT32_MAX - (no - 1) * blocks_apart) ^ no); /* counter of the one-time key */
        page_seal(key, salt, no, page, page_bytes, nonce);
        patch((off_t)((no - 1) * page_bytes), page, page_bytes);
    }
}

static void test_counter_wrap(void **state)
{
    static const struct {
        const char *name;
        uint32_t page_bytes, blocks_apart;
    } cases[] = { { "512", 512, 1 }, { "4096", 4096, 1 }, { "65536", 65536, 111 } };
    char out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].name;
        fresh();
        CHECK(oracle(forms[0].key, cases[i].page_bytes, 0, FILL, out) == 0);
        wrap_pages(cases[i].page_bytes, cases[i].blocks_apart);
        CHECK(oracle(forms[0].key, 0, 0, SUM, out) == 0 && strcmp(out, SUM_IS) == 0);
        CHECK(ours(forms[0].key, 0, 0, SUM, out) == SQLITE_OK && strcmp(out, SUM_IS) == 0);
    }
    check_case = "";
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
        cmocka_unit_test(test_left_behind),  cmocka_unit_test(test_counter_wrap),
        cmocka_unit_test(test_vacuum_into),  cmocka_unit_test(test_block),
        cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_flipped_in_file),
        cmocka_unit_test(test_fork),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
