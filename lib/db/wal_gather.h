/* lib/db/wal_gather.h
 *
 * A VFS below the cipher's: what a commit appends to the -wal goes to the kernel in few large writes, where
 * SQLite makes two for every page. What was gathered is written before anybody could miss it: at a commit's
 * last frame, before the file is synced, read, measured or cut, when it does not follow on the bytes before,
 * and when the buffer is full. Everything but a -wal passes by. */
#ifndef LIB_DB_WAL_GATHER_H
#define LIB_DB_WAL_GATHER_H
#include "lib/base/base.h"

#define WAL_GATHER_VFS "multipleciphers-gather" /* with the cipher on top */

/* Once, after sqlite3_initialize. E_NOMEM, E_BUG. */
MUST_CHECK int wal_gather_register(void);
#endif
