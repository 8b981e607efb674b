/* lib/db/wal_gather.h
 *
 * A VFS below the cipher's: what a commit appends to the -wal goes to the kernel in few large writes, where
 * SQLite makes two for every page. What was gathered is written before anybody could miss it: at a commit's
 * last frame, before the file is synced, read, measured or cut, when it does not follow on the bytes before,
 * and when the buffer is full. Everything but a -wal passes by, and a file that is opened by a URI with "gather=1": a new one
 * that VACUUM INTO writes from front to end. Of that nothing is missed either: SQLite tells of its commit
 * (SQLITE_FCNTL_SYNC) with synchronous off as well, and what is gathered until then goes, or the commit fails. */
#ifndef LIB_DB_WAL_GATHER_H
#define LIB_DB_WAL_GATHER_H
#include "lib/base/base.h"

#define WAL_GATHER_VFS "multipleciphers-gather" /* with the cipher on top */
#define WAL_TOLD_VFS \
    "multipleciphers-told" /* for who writes nothing, or without a sync: reads that fail are told all the same */
#define WAL_GATHER_COPY "gather" /* the parameter */

/* What a write of such a copy failed with on this thread since the last call; SQLITE_OK: none did. Where SQLite hears of it
 * when it reads, the cipher above calls it damage: whoever copies asks here what it was. */
int wal_gather_copy_failure(void);

/* The cipher above goes on when a read fails and calls what it then finds damage. So it asks here, before it deciphers a
 * page, what that page's read failed with on this thread, and gives that instead; SQLITE_OK: it did not. */
int wal_gather_read_failure(void);

/* Who wants to know what becomes of a -wal: its commits, and that it begins anew. Called by whichever thread
 * SQLite runs in; none may use SQLite. */
struct wal_watcher {
    /* One was opened, by its full path. NULL: nobody cares for this one. */
    void *(*open)(const char *path);
    void (*close)(void *wal); /* as often as open gave it */
    /* A commit is synced; its frames end at this byte. */
    void (*committed)(void *wal, int64_t end);
    /* Once this returns nothing stands in it beyond byte `at`: it is cut, or written over from the beginning (0). */
    void (*cutting)(void *wal, int64_t at);
    /* The file itself goes; everybody has closed it. */
    void (*removing)(const char *path);
};
/* Of what is opened from here on, by handles that sync their commits; static, NULL: nobody. */
void wal_watch(const struct wal_watcher *w);

/* Once, after sqlite3_initialize. E_NOMEM, E_BUG. */
MUST_CHECK int wal_gather_register(void);
#endif
