/* lib/base/file.h
 *
 * Small whole files, durably. Every call that changes a disk goes through `file_ops`, so that a test
 * can fail the Nth one or record what was not yet synced. Paths are relative to a folder descriptor.
 * All functions block. */
#ifndef LIB_BASE_FILE_H
#define LIB_BASE_FILE_H
#include "lib/base/buf.h"
#include <sys/types.h>

struct file_ops {
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    ssize_t (*write)(int fd, const void *p, size_t n);
    int (*fsync)(int fd);
    int (*renameat)(int dir, const char *from, const char *to);
    int (*unlinkat)(int dir, const char *path);
    int (*mkdirat)(int dir, const char *path, mode_t mode);
};
/* The real ones until a test sets others; NULL sets the real ones back. */
void file_ops_set(const struct file_ops *ops);
const struct file_ops *file_ops(void);

/* Read all of a regular file, at most out->max bytes. E_NOTFOUND, E_TOO_BIG, E_IO, E_NOMEM. */
MUST_CHECK int file_read(int dir, const char *path, struct buf *out);
/* Replace `path` by `bytes`: temporary file in the same folder, write, fsync, rename, fsync of the
 * folder. After 0 the new content survives power loss; after an error the old content is there
 * (or, when only the last sync failed, either). Mode 0600. */
MUST_CHECK int file_replace(int dir, const char *path, struct str bytes);
/* Remove what a file_replace of that path left when it was killed before its rename. Not beside one that is under way. */
MUST_CHECK int file_replace_sweep(int dir, const char *path);
/* Remove, and sync the folder. E_NOTFOUND when it is not there. */
MUST_CHECK int file_remove(int dir, const char *path);
MUST_CHECK int file_rename(int dir, const char *from, const char *to);
/* mkdir 0700, fine when it is there already; syncs the parent when it made one. */
MUST_CHECK int file_mkdir(int dir, const char *path);
/* Sync the folder that holds `path` ("a/b" syncs "a"). */
MUST_CHECK int file_sync_folder_of(int dir, const char *path);
/* Exclusive OFD lock on the open file `fd`, held until it is closed (kill -9 releases it).
 * E_BUSY when someone else holds it. */
MUST_CHECK int file_lock(int fd);
void fd_close(int *fd); /* CLEANUP helper: closes when >= 0, sets -1 */
#endif
