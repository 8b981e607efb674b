/* lib/db/db_file.c: what concerns the file as a whole: checkpoints, copies, shrinking, verifying. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/db/db_private.h"
#include "lib/db/page_cipher.h"
#include "lib/db/wal_gather.h"
#include <fcntl.h>
#include <errno.h>
#include <sys/stat.h>

#define PASSPHRASE_MAX 1024u
#define URI_MAX        KIB(16)

int db_checkpoint(struct db *db, enum db_checkpoint how, uint32_t *left_out)
{
    static const int modes[] = {
        [DB_PASSIVE] = SQLITE_CHECKPOINT_PASSIVE,
        [DB_FULL] = SQLITE_CHECKPOINT_FULL,
        [DB_RESTART] = SQLITE_CHECKPOINT_RESTART,
        [DB_TRUNCATE] = SQLITE_CHECKPOINT_TRUNCATE,
    };
    int in_wal = 0, moved = 0, rc;

    page_cipher_pass(
        true); /* every handle has read its schema when it was opened, so SQLite has its -wal at hand */
    rc = sqlite3_wal_checkpoint_v2(db->s, "main", modes[how], &in_wal, &moved);
    page_cipher_pass(false);
    if (left_out)
        *left_out = in_wal > moved ? (uint32_t)(in_wal - moved) : 0;
    return rc == SQLITE_OK ? 0 : db_fail(db, rc, "checkpoint");
}

int db_shrink(struct db *db, uint32_t pages)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "PRAGMA incremental_vacuum", &st)) < 0)
        return r;
    /* One step of this statement frees one page. */
    for (uint32_t i = 0; (pages == 0 || i < pages) && (r = stmt_step(st)) > 0; i++)
        ;
    return r < 0 ? r : 0;
}

static int uri_escape(struct buf *out, struct str s)
{
    int r = 0;

    for (size_t i = 0; i < s.n && r == 0; i++) {
        char hex[3];
        uint8_t c = (uint8_t)s.p[i];

        if (ascii_alpha((char)c) || ascii_digit((char)c) || c == '/' || c == '.' || c == '-' || c == '_') {
            r = buf_putc(out, (char)c);
        } else {
            hex_encode(&c, 1, hex);
            if ((r = buf_putc(out, '%')) == 0)
                r = buf_append(out, hex, 2);
        }
    }
    return r;
}

static int sync_file(const char *path)
{
    CLEANUP(fd_close) int fd = file_ops()->openat(AT_FDCWD, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);

    if (fd < 0 || file_ops()->fsync(fd) < 0)
        return error_from_errno(errno);
    return file_sync_folder_of(AT_FDCWD, path);
}

/* VACUUM INTO takes the name of the new file as a URI, and in it, as a bound value, the key. Like
 * every copy that SQLite makes of it, ours is wiped when freed. */
static int copy_under(struct db *db, const char *path, struct str key_text)
{
    CLEANUP(buf_release) struct buf uri = { .max = URI_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r, fd, failure;

    /* Made here, for its mode and because O_EXCL decides who may: SQLite takes an empty file. */
    fd = file_ops()->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return db_fail_other(db, error_from_errno(errno), "create the copy");
    fd_close(&fd);
    if ((r = buf_putz(&uri, "file:")) == 0 && (r = uri_escape(&uri, str_from(path))) == 0 &&
        (r = buf_putz(&uri, "?" WAL_GATHER_COPY "=1&cipher=chacha20&key=")) == 0 &&
        (r = uri_escape(&uri, key_text)) == 0 && (r = stmt_get(db, "VACUUM INTO ?1", &st)) == 0) {
        stmt_bind_str(st, 1, buf_str(&uri));
        (void)wal_gather_copy_failure();
        r = stmt_run(st);
        if ((failure = wal_gather_copy_failure()) != SQLITE_OK)
            r = db_error_from_sqlite(failure);
    }
    stmt_release(&st);
    if (r == 0)
        r = sync_file(path);
    if (r < 0)
        file_ops()->unlinkat(AT_FDCWD, path);
    return r;
}

int db_copy(struct db *db, const char *path, const uint8_t key[DB_KEY_BYTES])
{
    char text[4 + 2 * DB_KEY_BYTES + 1] = "raw:";
    int r;

    hex_encode(key, DB_KEY_BYTES, text + 4);
    r = copy_under(db, path, str_from(text));
    explicit_bzero(text, sizeof text);
    return r;
}

int db_passphrase_check(struct str passphrase)
{
    if (passphrase.n == 0 || passphrase.n > PASSPHRASE_MAX)
        return E_LIMIT;
    if (memchr(passphrase.p, '\0', passphrase.n))
        return E_NUL;
    return str_starts(passphrase, STR("raw:")) || str_istarts(passphrase, STR("x'")) ? E_SYNTAX : 0;
}

int db_export(struct db *db, const char *path, struct str passphrase)
{
    int r = db_passphrase_check(passphrase);

    return r < 0 ? r : copy_under(db, path, passphrase);
}

/* What keeps SQLite from looking, and says nothing of the file. */
static int passing_error(int code)
{
    int r = db_error_from_sqlite(code);

    return r == E_NOMEM || r == E_CANCELED || r == E_BUSY ? r : 0;
}

int db_verify_line(struct str line)
{
    const struct str page = STR("unable to get the page. error code="),
                     index = STR("unable to validate the inverted index");
    static const int causes[] = { SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_ABORT, SQLITE_BUSY, SQLITE_LOCKED };
    struct str whole = line;
    int r = 0;

    for (ptrdiff_t at; r == 0 && (at = str_find(line, page)) >= 0;) {
        int code = 0;

        for (line = str_slice(line, (size_t)at + page.n, line.n);
             line.n && ascii_digit(line.p[0]) && code < 100000; line = str_slice(line, 1, line.n))
            code = 10 * code + (line.p[0] - '0');
        r = passing_error(code);
    }
    for (size_t i = 0; i < ARRAY_LEN(causes) && r == 0; i++)
        if (str_find(whole, index) >= 0 && str_ends(whole, str_from(sqlite3_errstr(causes[i]))))
            r = passing_error(causes[i]);
    return r;
}

int db_verify(struct db *db, struct buf *report)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "PRAGMA integrity_check(20)", &st)) < 0)
        return r;
    while ((r = stmt_step(st)) > 0) {
        struct str line = stmt_str(st, 0);

        if (str_eq(line, STR("ok")))
            return 0;
        if ((r = db_verify_line(line)) < 0)
            return r;
        if (report && (buf_puts(report, line) < 0 || buf_putc(report, '\n') < 0))
            return E_CORRUPT;
    }
    return r < 0 ? r : E_CORRUPT;
}

void db_shed(struct db *db)
{
    stmts_drop(db);
    sqlite3_db_release_memory(db->s);
    db->slim = sqlite3_db_config(db->s, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0) == SQLITE_OK;
}

void db_rest(struct db *db)
{
    db_shed(db);
    /* SQLite's word for forgetting it; nothing is written, and without memory for it nothing is forgotten. */
    (void)sqlite3_exec(db->s, "PRAGMA writable_schema=RESET", NULL, NULL, NULL);
    sqlite3_db_release_memory(db->s);
}
