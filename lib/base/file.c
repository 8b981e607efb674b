#include "lib/base/file.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 512u

static int real_openat(int dir, const char *path, int flags, mode_t mode)
{
    return openat(dir, path, flags, mode);
}

static int real_renameat(int dir, const char *from, const char *to)
{
    return renameat(dir, from, dir, to);
}

static int real_unlinkat(int dir, const char *path)
{
    return unlinkat(dir, path, 0);
}

static const struct file_ops real_ops = {
    .openat = real_openat,
    .write = write,
    .pwrite = pwrite,
    .read = read,
    .pread = pread,
    .fsync = fsync,
    .renameat = real_renameat,
    .unlinkat = real_unlinkat,
    .mkdirat = mkdirat,
};
static const struct file_ops *ops = &real_ops;

void file_ops_set(const struct file_ops *o)
{
    ops = o ? o : &real_ops;
}

const struct file_ops *file_ops(void)
{
    return ops;
}

void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

#define HERE (-1) /* at the file's position */

static int write_from(int fd, struct str *s, off_t at)
{
    while (s->n) {
        ssize_t n = at == HERE ? ops->write(fd, s->p, s->n) : ops->pwrite(fd, s->p, s->n, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? error_from_errno(errno) : E_IO;
        *s = str_skip(*s, (size_t)n);
        at += at == HERE ? 0 : n;
    }
    return 0;
}

static int64_t read_from(int fd, char *to, size_t n, off_t at)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = at == HERE ? ops->read(fd, to + have, n - have)
                                 : ops->pread(fd, to + have, n - have, at + (off_t)have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_from_errno(errno);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (int64_t)have;
}

int file_write(int fd, struct str bytes)
{
    return write_from(fd, &bytes, HERE);
}

int file_write_rest(int fd, struct str *rest)
{
    return write_from(fd, rest, HERE);
}

int file_write_at(int fd, struct str bytes, uint64_t at)
{
    return at > INT64_MAX ? E_RANGE : write_from(fd, &bytes, (off_t)at);
}

int64_t file_read_next(int fd, void *to, size_t n)
{
    return read_from(fd, to, n, HERE);
}

int64_t file_read_at(int fd, void *to, size_t n, uint64_t at)
{
    return at > INT64_MAX ? E_RANGE : read_from(fd, to, n, (off_t)at);
}

int file_read_exact(int fd, void *to, size_t n, uint64_t at)
{
    int64_t got = file_read_at(fd, to, n, at);

    return got < 0 ? (int)got : (size_t)got < n ? E_CORRUPT : 0;
}

int file_read(int dir, const char *path, struct buf *out)
{
    /* O_NONBLOCK: a FIFO is refused, and not waited for */
    CLEANUP(fd_close) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0)
        return error_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return E_CORRUPT;
    if ((uint64_t)st.st_size > out->max - out->n)
        return E_TOO_BIG;
    for (;;) {
        char chunk[4096];
        int64_t got = file_read_next(fd, chunk, sizeof chunk);

        if (got <= 0)
            return (int)got;
        r = buf_append(out, chunk, (size_t)got);
        explicit_bzero(chunk, sizeof chunk);
        if (r < 0)
            return r == E_LIMIT ? E_TOO_BIG : r;
    }
}

int file_sync_folder_of(int dir, const char *path)
{
    char folder[PATH_BYTES_MAX] = ".";
    const char *slash = strrchr(path, '/');
    CLEANUP(fd_close) int fd = -1;

    if (slash) {
        if ((size_t)(slash - path) >= sizeof folder)
            return E_LIMIT;
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = '\0';
    }
    fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ops->fsync(fd) < 0)
        return error_from_errno(errno);
    return 0;
}

int file_rename(int dir, const char *from, const char *to)
{
    if (ops->renameat(dir, from, to) < 0)
        return error_from_errno(errno);
    return file_sync_folder_of(dir, to);
}

int file_replace(int dir, const char *path, struct str bytes)
{
    char temp[PATH_BYTES_MAX], tag[17];
    uint64_t nonce = rand_u64();
    CLEANUP(fd_close) int fd = -1;
    int r = 0;

    hex_encode(&nonce, sizeof nonce, tag);
    if (snprintf(temp, sizeof temp, "%s.%s.tmp", path, tag) >= (int)sizeof temp)
        return E_LIMIT;
    fd = ops->openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_from_errno(errno);
    r = file_write(fd, bytes);
    if (r == 0 && ops->fsync(fd) < 0)
        r = error_from_errno(errno);
    if (r == 0 && ops->renameat(dir, temp, path) < 0)
        r = error_from_errno(errno);
    if (r < 0) {
        ops->unlinkat(dir, temp);
        return r;
    }
    return file_sync_folder_of(dir, path);
}

static bool is_left(const char *name, const char *of)
{
    size_t n = strlen(of);

    return strncmp(name, of, n) == 0 && name[n] == '.' && strspn(name + n + 1, "0123456789abcdef") == 16 &&
           strcmp(name + n + 17, ".tmp") == 0;
}

int file_replace_sweep(int dir, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char folder[PATH_BYTES_MAX];
    int n = slash ? snprintf(folder, sizeof folder, "%.*s", (int)(name - path), path)
                  : snprintf(folder, sizeof folder, ".");
    int fd = n < (int)sizeof folder ? openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, r = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;

    if (!d) {
        r = n < (int)sizeof folder ? error_from_errno(errno) : E_LIMIT;
        fd_close(&fd);
        return r;
    }
    while (r == 0 && (e = readdir(d)) != NULL)
        if (is_left(e->d_name, name) && ops->unlinkat(dirfd(d), e->d_name) < 0)
            r = error_from_errno(errno);
    closedir(d);
    return r;
}

int file_remove(int dir, const char *path)
{
    if (ops->unlinkat(dir, path) < 0)
        return error_from_errno(errno);
    return file_sync_folder_of(dir, path);
}

int file_mkdir(int dir, const char *path)
{
    if (ops->mkdirat(dir, path, 0700) == 0)
        return file_sync_folder_of(dir, path);
    return errno == EEXIST ? 0 : error_from_errno(errno);
}

int file_lock(int fd)
{
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
        return 0;
    return errno == EACCES || errno == EAGAIN ? E_BUSY : error_from_errno(errno);
}
