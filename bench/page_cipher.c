/* bench/page_cipher.c
 *
 * What the page cipher costs on every path that pages take (reading, WAL, checkpoint, VACUUM INTO, rollback
 * journal), against bare OpenSSL on 4 KB buffers. SQLite runs as it does in the store, on a folder that should
 * be in memory; a cipher of this file stands between it and ours, and times both of every page: page_seal or
 * page_open on the page, and on a copy ChaCha20 and Poly1305 of as many bytes, each set up with a key and
 * nothing else. They take turns at going first, the medians are compared: a bench beside does not matter.
 *   page_cipher FOLDER [PAGE_BYTES]
 * Prints one JSON object. */
#include "lib/base/clock.h"
#include "lib/base/rand.h"
#include "lib/db/db.h"
#include "lib/db/page_cipher.h"
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 20000u
#define ROWS        2500 /* of 10 KB */
#define SALT        "sixteen bytes..."

enum { SEAL, OPEN, OPS };

static struct {
    uint32_t ours[SAMPLES_MAX], bare[SAMPLES_MAX];
    size_t n;
} seen[OPS];

static uint8_t key[PAGE_KEY_BYTES], scratch[65536], tag[16];
static EVP_CIPHER_CTX *chacha;
static EVP_MAC_CTX *poly;
static uint32_t page_bytes = 4096, clock_ns;
static bool first_row = true;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "page_cipher: %s\n", what);
        exit(1);
    }
}

/* ---- the two sides ------------------------------------------------------------------------------ */

static void bare_chacha(size_t n)
{
    int done;

    must(EVP_EncryptInit_ex2(chacha, NULL, key, (const uint8_t *)SALT, NULL) == 1 &&
             EVP_EncryptUpdate(chacha, scratch, &done, scratch, (int)n) == 1,
         "ChaCha20");
}

static void bare_poly(size_t n)
{
    size_t got;

    must(EVP_MAC_init(poly, key, 32, NULL) == 1 && EVP_MAC_update(poly, scratch, n) == 1 &&
             EVP_MAC_final(poly, tag, &got, 16) == 1,
         "Poly1305");
}

static uint32_t bare(int op, size_t len)
{
    uint64_t began = now_ns();

    if (op == OPEN)
        bare_poly(len - PAGE_TAG_BYTES);
    bare_chacha(len - PAGE_EXTRA_BYTES);
    if (op == SEAL)
        bare_poly(len - PAGE_TAG_BYTES);
    return (uint32_t)(now_ns() - began);
}

static uint32_t ours(int op, uint32_t page, uint8_t *data, size_t len, int *r)
{
    uint64_t began = now_ns();

    if (op == SEAL)
        page_seal(key, (const uint8_t *)SALT, page, data, len, NULL);
    else
        *r = page_open(key, page, data, len);
    return (uint32_t)(now_ns() - began);
}

static int both(int op, int page, uint8_t *data, int len)
{
    size_t i = seen[op].n, n = (size_t)len;
    int r = 0;

    memcpy(scratch, data, n);
    if (i >= SAMPLES_MAX) {
        ours(op, (uint32_t)page, data, n, &r);
        return r == 0 ? SQLITE_OK : SQLITE_CORRUPT;
    }
    if (i & 1)
        seen[op].bare[i] = bare(op, n);
    seen[op].ours[i] = ours(op, (uint32_t)page, data, n, &r);
    if (!(i & 1))
        seen[op].bare[i] = bare(op, n);
    seen[op].n++;
    return r == 0 ? SQLITE_OK : SQLITE_CORRUPT;
}

/* ---- the cipher that SQLite sees ---------------------------------------------------------------- */

static void *timed_new(sqlite3 *db)
{
    (void)db;
    return sqlite3_malloc(1);
}

static void timed_clone(void *to, void *from)
{
    (void)to, (void)from;
}

static int timed_zero(void *c)
{
    (void)c;
    return 0;
}

static int timed_reserved(void *c)
{
    (void)c;
    return PAGE_EXTRA_BYTES;
}

static unsigned char *timed_salt(void *c)
{
    static uint8_t salt[] = SALT;

    (void)c;
    return salt;
}

static void timed_key(void *c, char *password, int n, int rekey, unsigned char *salt)
{
    (void)c, (void)password, (void)n, (void)rekey, (void)salt;
}

static int timed_encrypt(void *c, int page, unsigned char *data, int len, int reserved)
{
    (void)c, (void)reserved;
    return both(SEAL, page, data, len);
}

static int timed_decrypt(void *c, int page, unsigned char *data, int len, int reserved, int check)
{
    (void)c, (void)reserved, (void)check;
    return both(OPEN, page, data, len);
}

static void register_timed(void)
{
    static const CipherDescriptor descriptor = { "timed",    timed_new,     sqlite3_free,   timed_clone,
                                                 timed_zero, timed_zero,    timed_reserved, timed_salt,
                                                 timed_key,  timed_encrypt, timed_decrypt };
    static const CipherParams params[] = { { "", 0, 0, 0, 0 } };

    must(sqlite3mc_register_cipher(&descriptor, params, 1) == SQLITE_OK, "register the cipher");
}

/* ---- paths -------------------------------------------------------------------------------------- */

static sqlite3 *db;

static void run(const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
}

static void open_db(void)
{
    char sql[64];

    if (db)
        sqlite3_close(db);
    must(sqlite3_open("page_cipher.sqlite", &db) == SQLITE_OK && sqlite3_key(db, "raw", 3) == SQLITE_OK,
         "open");
    snprintf(sql, sizeof sql, "PRAGMA page_size=%u; PRAGMA cache_size=-512", page_bytes);
    run(sql);
    must(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK, "configure");
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static double median(uint32_t *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2] > clock_ns ? v[n / 2] - clock_ns : 1;
}

static void report(const char *path)
{
    static const char *const names[] = { [SEAL] = "seal", [OPEN] = "open" };

    for (int op = 0; op < OPS; op++) {
        size_t n = seen[op].n;

        if (n >= 1000) { /* the others are a header here and there */
            double a = median(seen[op].ours, n), b = median(seen[op].bare, n);

            printf(
                "%s\n {\"path\":\"%s\",\"op\":\"%s\",\"pages\":%zu,\"mb_s\":%.0f,\"bare_mb_s\":%.0f,\"ratio\":%.3f}",
                first_row ? "" : ",", path, names[op], n, page_bytes * 1e3 / a, page_bytes * 1e3 / b, b / a);
            first_row = false;
        }
        seen[op].n = 0;
    }
}

static void insert_rows(void)
{
    char text[512];

    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u) "
             "INSERT INTO t(b) SELECT randomblob(10240) FROM n",
             ROWS);
    run(text);
}

static void scan(const char *path)
{
    open_db();
    run("SELECT sum(unicode(substr(b, 10000))) FROM t");
    report(path);
}

static void clear_files(void)
{
    static const char *const names[] = { "", "-wal", "-shm", "-journal", ".copy" };
    char name[64];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(name, sizeof name, "page_cipher.sqlite%s", names[i]);
        unlink(name);
    }
}

static void bare_aead(void)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    static uint32_t took[2000];
    int n;

    must(c && EVP_EncryptInit_ex(c, EVP_chacha20_poly1305(), NULL, key, (const uint8_t *)SALT) == 1, "AEAD");
    for (size_t i = 0; i < ARRAY_LEN(took); i++) {
        uint64_t began = now_ns();

        must(EVP_EncryptInit_ex(c, NULL, NULL, key, (const uint8_t *)SALT) == 1 &&
                 EVP_EncryptUpdate(c, scratch, &n, scratch, (int)(page_bytes - PAGE_EXTRA_BYTES)) == 1 &&
                 EVP_EncryptFinal_ex(c, tag, &n) == 1 &&
                 EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1,
             "AEAD");
        took[i] = (uint32_t)(now_ns() - began);
    }
    printf("],\"aead_mb_s\":%.0f,\"page_bytes\":%u}\n", page_bytes * 1e3 / median(took, ARRAY_LEN(took)),
           page_bytes);
    EVP_CIPHER_CTX_free(c);
}

static void setup(void)
{
    static uint32_t took[1000];

    rand_bytes(key, sizeof key);
    must(db_init() == 0, "db_init");
    register_timed();
    chacha = EVP_CIPHER_CTX_new();
    poly = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "POLY1305", NULL));
    must(chacha && poly && EVP_EncryptInit_ex2(chacha, EVP_chacha20(), key, (const uint8_t *)SALT, NULL) == 1,
         "OpenSSL");
    for (size_t i = 0; i < ARRAY_LEN(took); i++) {
        uint64_t began = now_ns();

        took[i] = (uint32_t)(now_ns() - began);
    }
    qsort(took, ARRAY_LEN(took), sizeof took[0], by_value);
    clock_ns = took[ARRAY_LEN(took) / 2];
}

int main(int argc, char **argv)
{
    must((argc == 2 || (argc == 3 && str_to_u32(str_from(argv[2]), &page_bytes))) && chdir(argv[1]) == 0,
         "usage: page_cipher FOLDER [PAGE_BYTES]");
    setup();
    clear_files();
    printf("{\"rows\":[");
    open_db();
    run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)");
    insert_rows();
    report("WAL write");
    scan("page read from the WAL");
    open_db();
    run("PRAGMA wal_checkpoint(TRUNCATE)");
    report("checkpoint");
    scan("page read");
    open_db();
    run("VACUUM INTO 'page_cipher.sqlite.copy'");
    report("VACUUM INTO");
    run("PRAGMA journal_mode=DELETE");
    seen[SEAL].n = seen[OPEN].n = 0;
    run("UPDATE t SET b = randomblob(10240)");
    report("rollback journal and its pages");
    bare_aead();
    sqlite3_close(db);
    clear_files();
    EVP_CIPHER_CTX_free(chacha);
    EVP_MAC_CTX_free(poly);
    return 0;
}
