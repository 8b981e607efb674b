#include "lib/db/rekey.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <fcntl.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u
#define BESIDE         "-rekey"

static int path_join(char out[PATH_BYTES_MAX], const char *path, const char *end)
{
    return snprintf(out, PATH_BYTES_MAX, "%s%s", path, end) < (int)PATH_BYTES_MAX ? 0 : E_LIMIT;
}

int db_check_file(const char *path, const uint8_t key[DB_KEY_BYTES])
{
    struct db *db = NULL;
    int r, c;

    if ((r = db_open(path, key, &(struct db_options){ 0 }, &db)) < 0)
        return r;
    if ((r = db_verify(db, NULL)) == 0)
        r = db_checkpoint(db, DB_TRUNCATE, NULL);
    c = db_close(&db);
    return r < 0 ? r : c;
}

/* What an earlier try left; a -wal of it would be taken for the new file's. */
static int beside_clear(const char *beside)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char name[PATH_BYTES_MAX];
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(ends) && r == 0; i++)
        if ((r = path_join(name, beside, ends[i])) == 0 && (r = file_remove(AT_FDCWD, name)) == E_NOTFOUND)
            r = 0;
    return r;
}

/* The copy, and the old file closed: all of it in one place, with no -wal behind it. */
static int beside_make(const char *path, const char *beside, const uint8_t old_key[DB_KEY_BYTES],
                       const uint8_t new_key[DB_KEY_BYTES])
{
    struct db *db = NULL;
    char wal[PATH_BYTES_MAX];
    int r, c;

    if ((r = path_join(wal, path, "-wal")) < 0 ||
        (r = db_open(path, old_key, &(struct db_options){ 0 }, &db)) < 0)
        return r;
    if ((r = db_copy(db, beside, new_key)) == 0)
        r = db_check_file(beside, new_key);
    c = db_close(&db);
    if (r < 0 || c < 0)
        return r < 0 ? r : c;
    return faccessat(AT_FDCWD, wal, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? E_BUSY : 0;
}

int db_rekey(const char *path, const uint8_t old_key[DB_KEY_BYTES], const uint8_t new_key[DB_KEY_BYTES])
{
    char beside[PATH_BYTES_MAX];
    int r;

    if ((r = path_join(beside, path, BESIDE)) < 0 || (r = beside_clear(beside)) < 0)
        return r;
    /* The old key first: under a wrong one nobody should touch a -wal, and only a file that still has the
     * old key can have one. */
    r = beside_make(path, beside, old_key, new_key);
    if (r == E_CORRUPT)
        return db_check_file(path, new_key);
    /* The old -wal is gone, and must be so after power loss too before the name changes hands. */
    if (r < 0 || (r = file_sync_folder_of(AT_FDCWD, path)) < 0 ||
        (r = file_rename(AT_FDCWD, beside, path)) < 0)
        return r;
    return 1;
}
