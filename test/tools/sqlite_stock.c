/* test/tools/sqlite_stock.c
 *
 * Any program that has SQLite3MultipleCiphers: opens a file with the password in the environment (PASSWORD), as the library's
 * own shell would, and prints the first column of every row.
 *   sqlite-stock FILE SQL */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *password = getenv("PASSWORD");
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    int rc;

    if (argc != 3 || !password)
        return 64;
    rc = sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_key(db, password, (int)strlen(password));
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, argv[2], -1, &st, NULL);
    while (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        fwrite(sqlite3_column_blob(st, 0), 1, (size_t)sqlite3_column_bytes(st, 0), stdout);
        putchar('\n');
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_finalize(st);
    if (rc != SQLITE_OK)
        fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return rc != SQLITE_OK;
}
