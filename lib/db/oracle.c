/* lib/db/oracle.c: a program with the stock SQLite3MultipleCiphers and nothing of ours, for tests to
 * compare with: both libraries have the same symbols, so they cannot share a process.
 *     oracle FILE KEY_HEX PAGE_SIZE RESERVED SQL [crash]
 * opens FILE under the key as sqlite3_key takes it, sets page size and reserved bytes when not 0,
 * runs SQL, prints the first column of every row, and exits with the primary SQLite code; with "crash"
 * without closing, so that a WAL or a hot journal stays behind. */
#include "lib/base/hex.h"
#include "lib/base/str.h"
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#define KEY_MAX 512u

static int print_row(void *ctx, int n, char **values, char **names)
{
    (void)ctx;
    (void)names;
    printf("%s\n", n && values[0] ? values[0] : "NULL");
    return 0;
}

static int run(sqlite3 *db, const char *key_hex, uint32_t page_size, uint32_t reserved, const char *sql)
{
    char pragma[64];
    uint8_t key[KEY_MAX];
    size_t n = strlen(key_hex) / 2;
    int rc, bytes = (int)reserved;

    if (n > sizeof key || !hex_decode(str_from(key_hex), key, n))
        return SQLITE_MISUSE;
    snprintf(pragma, sizeof pragma, "PRAGMA page_size=%u", page_size);
    if ((rc = sqlite3_key(db, key, (int)n)) != SQLITE_OK ||
        (page_size && (rc = sqlite3_exec(db, pragma, NULL, NULL, NULL)) != SQLITE_OK) ||
        (reserved &&
         (rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes)) != SQLITE_OK))
        return rc;
    return sqlite3_exec(db, sql, print_row, NULL, NULL);
}

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    uint32_t page_size = 0, reserved = 0;
    int rc;

    if (argc < 6 || argc > 7 || !str_to_u32(str_from(argv[3]), &page_size) ||
        !str_to_u32(str_from(argv[4]), &reserved))
        return SQLITE_MISUSE;
    rc = sqlite3_open(argv[1], &db);
    if (rc == SQLITE_OK)
        rc = run(db, argv[2], page_size, reserved, argv[5]);
    if (rc != SQLITE_OK)
        fprintf(stderr, "oracle: %s\n", sqlite3_errmsg(db));
    fflush(stdout);
    if (argc == 7)
        _exit(rc & 0xff);
    sqlite3_close(db);
    return rc & 0xff;
}
