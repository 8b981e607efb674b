/* lib/db/page_copy.h
 *
 * A copy of a database that stays in use, page by page: what a snapshot sees, each page opened under its key, sealed anew with
 * a nonce of its own, and written where it belongs. No tree is walked, nothing is laid out anew: what SQLite's cache and its
 * pager cost is saved, and as pages do not depend on each other several threads do it at once.
 *
 * The newest version of a page stands in the -wal or in the file. Who holds a snapshot keeps checkpoints from writing to the
 * file anything that is newer, and the -wal from beginning anew, except where all of it is in the file already: then the file
 * holds still, and that a -wal began anew is noticed at the end. What is a commit in the -wal is found as SQLite finds it when
 * it recovers: by the salts and the running checksum. So the copy is of the snapshot's moment, or of a commit after it.
 *
 * Only for databases of db_open with pages of 4096 bytes. Nobody but this process may have the file open: closing ours gives
 * up the process's locks on it (POSIX). */
#ifndef LIB_DB_PAGE_COPY_H
#define LIB_DB_PAGE_COPY_H
#include "lib/db/db.h"

struct page_copy; /* opaque */

/* `db` holds a snapshot (txn_begin_read) until page_copy_end. `path` is made (E_EXISTS), readable by nobody else; `key` and
 * `stop` (may be NULL) are borrowed. E_STALE: better done by db_copy: an eighth of its pages is free, or its pages are not ours. */
MUST_CHECK int page_copy_begin(struct db *db, const uint8_t key[DB_KEY_BYTES], const char *path,
                               const bool *stop, struct page_copy **out);
/* Copies until all is copied; any number of threads at once. E_STALE: a page cannot be opened: db_copy knows whether it is
 * one that counts. E_FULL, E_IO, E_NOMEM, E_CANCELED. */
MUST_CHECK int page_copy_run(struct page_copy *c);
/* When all threads have left page_copy_run. E_BUSY: the -wal began anew meanwhile, try again; or what any of them returned, and then
 * the copy is removed. It is not synced. */
MUST_CHECK int page_copy_end(struct page_copy **c);

/* A database in one file (no -wal beside it) that nobody writes to: does each page open under `key` in its place? E_CORRUPT:
 * not all do. Whether they make trees it does not say (db_verify does). `stop` may be NULL. */
MUST_CHECK int page_copy_check(const char *path, const uint8_t key[DB_KEY_BYTES], const bool *stop);
#endif
