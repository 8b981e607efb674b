/* test/fault/hooks.c: the C library's calls that change a disk, replaced for the whole program by
 * definitions of the same symbols (the linker takes the program's before the library's). Each asks
 * whether it shall fail, makes the real system call, and notes what changed. */
#include "test/fault/faultfs_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An asm label, since the headers redirect these names to each other (open to open64 and so on). */
#define HOOK(ret, name, ...)                     \
    ret hook_##name(__VA_ARGS__) __asm__(#name); \
    ret hook_##name(__VA_ARGS__)

static bool must_fail(unsigned call)
{
    bool hit;

    if (!(journal.fail_calls & call))
        return false;
    journal.calls++;
    hit = journal.fail_nth &&
          (journal.fail_for_good ? journal.calls >= journal.fail_nth : journal.calls == journal.fail_nth);
    journal.failures += hit;
    return hit;
}

static int failed(void)
{
    errno = journal.fail_errno;
    return -1;
}

static uint32_t node_of_fd(int fd)
{
    struct stat st;
    int saved = errno;
    uint32_t node = fstat(fd, &st) == 0 ? node_find(st.st_dev, st.st_ino) : NO_NODE;

    errno = saved;
    return node;
}

/* The folder that holds `path`, and the name in it. */
static uint32_t folder_of(int dir, const char *path, const char **name_out)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    struct stat st;
    int saved = errno;
    uint32_t node = NO_NODE;

    *name_out = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1,
             slash ? path : ".");
    if (fstatat(dir, folder, &st, 0) == 0)
        node = node_find(st.st_dev, st.st_ino);
    errno = saved;
    return node != NO_NODE && journal.nodes[node].folder ? node : NO_NODE;
}

static bool is_shm(const char *name)
{
    size_t n = strlen(name);

    return n > 4 && strcmp(name + n - 4, "-shm") == 0;
}

static void note_link(uint32_t folder, const char *name, const struct stat *st)
{
    uint32_t old = node_find(st->st_dev, st->st_ino), node;
    struct op *op;

    if (old != NO_NODE)
        journal.nodes[old].gone = true; /* the kernel gave its number again */
    node = node_new(st->st_dev, st->st_ino, S_ISDIR(st->st_mode));
    journal.nodes[node].shm = is_shm(name);
    op = op_add(OP_LINK);
    op->node = node;
    op->folder = op->folder2 = folder;
    op->name = must_dup(name);
    names_set(&journal.live, folder, name, node);
}

static int do_open(int dir, const char *path, int flags, mode_t mode)
{
    const char *name = "";
    uint32_t folder = NO_NODE, node;
    struct stat st;
    int fd, saved;

    if (!journal.on || !(flags & (O_CREAT | O_WRONLY | O_RDWR | O_TRUNC)))
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    journal_lock();
    folder = folder_of(dir, path, &name);
    if (folder != NO_NODE && must_fail(FAULT_OPEN)) {
        journal_unlock();
        return failed();
    }
    fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    saved = errno;
    if (fd >= 0 && folder != NO_NODE && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        node = names_find(&journal.live, folder, name);
        if (node == NO_NODE)
            note_link(folder, name, &st);
        else if (flags & O_TRUNC)
            op_add(OP_TRUNCATE)->node = node;
    }
    journal_unlock();
    errno = saved;
    return fd;
}

static mode_t mode_arg(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
}

#define OPEN_HOOK(name)                               \
    HOOK(int, name, const char *path, int flags, ...) \
    {                                                 \
        va_list ap;                                   \
        mode_t mode;                                  \
        va_start(ap, flags);                          \
        mode = mode_arg(flags, ap);                   \
        va_end(ap);                                   \
        return do_open(AT_FDCWD, path, flags, mode);  \
    }
#define OPENAT_HOOK(name)                                      \
    HOOK(int, name, int dir, const char *path, int flags, ...) \
    {                                                          \
        va_list ap;                                            \
        mode_t mode;                                           \
        va_start(ap, flags);                                   \
        mode = mode_arg(flags, ap);                            \
        va_end(ap);                                            \
        return do_open(dir, path, flags, mode);                \
    }
OPEN_HOOK(open)
OPEN_HOOK(open64)
OPENAT_HOOK(openat)
OPENAT_HOOK(openat64)

static ssize_t real_write(int fd, const void *p, size_t n, off_t at)
{
    return at < 0 ? syscall(SYS_write, fd, p, n) : syscall(SYS_pwrite64, fd, p, n, at);
}

/* at < 0: at the file's own position. */
static ssize_t do_write(int fd, const void *p, size_t n, off_t at)
{
    uint32_t node;
    off_t where = at;
    ssize_t w;
    struct op *op;

    if (!journal.on)
        return real_write(fd, p, n, at);
    journal_lock();
    node = node_of_fd(fd);
    if (node == NO_NODE || journal.nodes[node].folder || journal.nodes[node].shm) {
        journal_unlock();
        return real_write(fd, p, n, at);
    }
    if (must_fail(FAULT_WRITE)) {
        journal_unlock();
        return failed();
    }
    if (at < 0)
        where = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    w = real_write(fd, p, n, at);
    if (w > 0) {
        op = op_add(OP_WRITE);
        op->node = node;
        op->at = (uint64_t)where;
        op->n = (size_t)w;
        op->data = memcpy(must_alloc(NULL, (size_t)w), p, (size_t)w);
    }
    journal_unlock();
    return w;
}

HOOK(ssize_t, write, int fd, const void *p, size_t n)
{
    return do_write(fd, p, n, -1);
}

HOOK(ssize_t, pwrite, int fd, const void *p, size_t n, off_t at)
{
    return do_write(fd, p, n, at);
}

HOOK(ssize_t, pwrite64, int fd, const void *p, size_t n, off_t at)
{
    return do_write(fd, p, n, at);
}

static int do_truncate(int fd, off_t n)
{
    uint32_t node;
    int r;

    if (!journal.on)
        return (int)syscall(SYS_ftruncate, fd, n);
    journal_lock();
    node = node_of_fd(fd);
    if (node != NO_NODE && !journal.nodes[node].shm && must_fail(FAULT_TRUNCATE)) {
        journal_unlock();
        return failed();
    }
    r = (int)syscall(SYS_ftruncate, fd, n);
    if (r == 0 && node != NO_NODE) {
        struct op *op = op_add(OP_TRUNCATE);

        op->node = node;
        op->at = (uint64_t)n;
    }
    journal_unlock();
    return r;
}

HOOK(int, ftruncate, int fd, off_t n)
{
    return do_truncate(fd, n);
}

HOOK(int, ftruncate64, int fd, off_t n)
{
    return do_truncate(fd, n);
}

static void (*_Atomic on_sync)(void);

void faultfs_on_sync(void (*fn)(void))
{
    on_sync = fn;
}

/* The real disk need not be synced: the journal is the disk here. */
static int do_sync(int fd)
{
    void (*fn)(void) = on_sync;
    uint32_t node;
    struct op *op;

    if (fn)
        fn();
    if (!journal.on)
        return journal.replaying ? 0 : (int)syscall(SYS_fdatasync, fd);
    journal_lock();
    node = node_of_fd(fd);
    if (node != NO_NODE && must_fail(FAULT_SYNC)) {
        journal_unlock();
        return failed();
    }
    if (node != NO_NODE) {
        op = op_add(journal.nodes[node].folder ? OP_SYNC_FOLDER : OP_SYNC);
        op->node = op->folder = op->folder2 = node;
    }
    journal_unlock();
    return 0;
}

HOOK(int, fsync, int fd)
{
    return do_sync(fd);
}

HOOK(int, fdatasync, int fd)
{
    return do_sync(fd);
}

static int do_rename(int dir, const char *from, int dir2, const char *to, unsigned flags)
{
    const char *name, *name2;
    uint32_t folder, folder2, node;
    struct op *op;
    int r;

    if (!journal.on)
        return (int)syscall(SYS_renameat2, dir, from, dir2, to, flags);
    journal_lock();
    folder = folder_of(dir, from, &name);
    folder2 = folder_of(dir2, to, &name2);
    if (folder != NO_NODE && must_fail(FAULT_RENAME)) {
        journal_unlock();
        return failed();
    }
    node = folder == NO_NODE ? NO_NODE : names_find(&journal.live, folder, name);
    r = (int)syscall(SYS_renameat2, dir, from, dir2, to, flags);
    if (r == 0 && node != NO_NODE && folder2 != NO_NODE) {
        op = op_add(OP_RENAME);
        op->node = node;
        op->folder = folder;
        op->folder2 = folder2;
        op->name = must_dup(name);
        op->name2 = must_dup(name2);
        names_set(&journal.live, folder, name, NO_NODE);
        names_set(&journal.live, folder2, name2, node);
    }
    journal_unlock();
    return r;
}

HOOK(int, rename, const char *from, const char *to)
{
    return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}

HOOK(int, renameat, int dir, const char *from, int dir2, const char *to)
{
    return do_rename(dir, from, dir2, to, 0);
}

HOOK(int, renameat2, int dir, const char *from, int dir2, const char *to, unsigned flags)
{
    return do_rename(dir, from, dir2, to, flags);
}

static int do_unlink(int dir, const char *path, int flags)
{
    const char *name;
    uint32_t folder, node;
    struct op *op;
    int r;

    if (!journal.on)
        return (int)syscall(SYS_unlinkat, dir, path, flags);
    journal_lock();
    folder = folder_of(dir, path, &name);
    if (folder != NO_NODE && must_fail(FAULT_UNLINK)) {
        journal_unlock();
        return failed();
    }
    node = folder == NO_NODE ? NO_NODE : names_find(&journal.live, folder, name);
    r = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (r == 0 && node != NO_NODE) {
        op = op_add(OP_UNLINK);
        op->node = node;
        op->folder = op->folder2 = folder;
        op->name = must_dup(name);
        names_set(&journal.live, folder, name, NO_NODE);
    }
    journal_unlock();
    return r;
}

HOOK(int, unlink, const char *path)
{
    return do_unlink(AT_FDCWD, path, 0);
}

HOOK(int, unlinkat, int dir, const char *path, int flags)
{
    return do_unlink(dir, path, flags);
}

static int do_mkdir(int dir, const char *path, mode_t mode)
{
    const char *name;
    uint32_t folder;
    struct stat st;
    int r;

    if (!journal.on)
        return (int)syscall(SYS_mkdirat, dir, path, mode);
    journal_lock();
    folder = folder_of(dir, path, &name);
    if (folder != NO_NODE && must_fail(FAULT_MKDIR)) {
        journal_unlock();
        return failed();
    }
    r = (int)syscall(SYS_mkdirat, dir, path, mode);
    if (r == 0 && folder != NO_NODE && fstatat(dir, path, &st, 0) == 0)
        note_link(folder, name, &st);
    journal_unlock();
    return r;
}

HOOK(int, mkdir, const char *path, mode_t mode)
{
    return do_mkdir(AT_FDCWD, path, mode);
}

HOOK(int, mkdirat, int dir, const char *path, mode_t mode)
{
    return do_mkdir(dir, path, mode);
}
