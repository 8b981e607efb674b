/* lib/base/file.h
 *
 * Small whole files, durably, and bytes of any file, all of them. Every call that changes a disk goes through
 * `file_ops`, so that a test can fail the Nth one or record what was not yet synced. Paths are relative to a folder
 * descriptor. All functions block. */
#ifndef LIB_BASE_FILE_H
#define LIB_BASE_FILE_H
#include "lib/base/buf.h"
#include <sys/types.h>

struct file_ops {
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    ssize_t (*write)(int fd, const void *p, size_t n);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    ssize_t (*read)(int fd, void *p, size_t n);
    ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
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

/* The kernel may take, or give, less than it is asked for, and signals come in between: these go on until all is done.
 * Errors are error_from_errno's (E_FULL, E_IO, …), and errno says which. `fd` is not one of O_NONBLOCK. */
MUST_CHECK int file_write(int fd, struct str bytes);
/* On an error *rest is what has not been written: for who can go on in another way. */
MUST_CHECK int file_write_rest(int fd, struct str *rest);
/* At `at`, wherever the position is. */
MUST_CHECK int file_write_at(int fd, struct str bytes, uint64_t at);
/* How many of n bytes there were: less than n only where the file ends. */
MUST_CHECK int64_t file_read_next(int fd, void *to, size_t n);
MUST_CHECK int64_t file_read_at(int fd, void *to, size_t n, uint64_t at);
/* n bytes, or E_CORRUPT where the file ends before. */
MUST_CHECK int file_read_exact(int fd, void *to, size_t n, uint64_t at);
void fd_close(int *fd); /* CLEANUP helper: closes when >= 0, sets -1 */
#endif
