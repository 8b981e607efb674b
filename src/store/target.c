#include "src/store/target.h"
#include "lib/base/arena.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Whoever adds storage of another kind makes this a table of functions; until there is one it would only be read. */
struct target {
    int fd;
    char full[];
};

int target_folder_open(int base, const char *path, const char *full, struct target **out)
{
    int r = file_mkdir(base, path);
    struct target *t;

    if (r < 0)
        return r;
    if (!(t = calloc(1, sizeof *t + strlen(full) + 1)))
        return E_NOMEM;
    memcpy(t->full, full, strlen(full) + 1);
    t->fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->fd < 0) {
        r = error_from_errno(errno);
        free(t);
        return r;
    }
    *out = t;
    return 0;
}

void target_close(struct target **tp)
{
    struct target *t = *tp;

    *tp = NULL;
    if (!t)
        return;
    close(t->fd);
    free(t);
}

static int folder_make(struct target *t, const char *name)
{
    struct str folder, rest;
    char z[TARGET_NAME_MAX];

    if (!str_cut(str_from(name), '/', &folder, &rest) || folder.n >= sizeof z)
        return E_BUG;
    memcpy(z, folder.p, folder.n);
    z[folder.n] = '\0';
    return file_mkdir(t->fd, z);
}

static void part_of(const char *name, char out[TARGET_NAME_MAX + 8])
{
    snprintf(out, TARGET_NAME_MAX + 8, "%.*s.part", (int)TARGET_NAME_MAX, name);
}

void target_unstage(struct target *t, const char *name)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char part[TARGET_NAME_MAX + 8], path[TARGET_NAME_MAX + 24];

    part_of(name, part);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        snprintf(path, sizeof path, "%s%s", part, ends[i]);
        if (file_ops()->unlinkat(t->fd, path) < 0 && errno != ENOENT)
            return; /* the next try says so: O_EXCL */
    }
}

int target_stage(struct target *t, const char *name, char path_out[TARGET_PATH_MAX], uint64_t *room_out)
{
    char part[TARGET_NAME_MAX + 8];
    struct statvfs v;
    int r = folder_make(t, name);

    if (r < 0)
        return r;
    target_unstage(t, name);
    part_of(name, part);
    if (snprintf(path_out, TARGET_PATH_MAX, "%s/%s", t->full, part) >= (int)TARGET_PATH_MAX)
        return E_LIMIT;
    if (fstatvfs(t->fd, &v) < 0)
        return error_from_errno(errno);
    *room_out = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}

int target_put(struct target *t, const char *name)
{
    char part[TARGET_NAME_MAX + 8];

    part_of(name, part);
    return file_rename(t->fd, part, name);
}

int target_replace(struct target *t, const char *name, struct str bytes)
{
    int r = folder_make(t, name);

    return r < 0 ? r : file_replace(t->fd, name, bytes);
}

int64_t target_get(struct target *t, const char *name, uint64_t at, size_t max, struct buf *out)
{
    CLEANUP(fd_close) int fd = openat(t->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t got = 0;

    if (fd < 0)
        return error_from_errno(errno);
    while (got < max) {
        char *p = buf_reserve(out, max - got);
        ssize_t n = p ? pread(fd, p, max - got, (off_t)(at + got)) : -1;

        if (!p)
            return E_NOMEM;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_from_errno(errno);
        if (n == 0)
            break;
        out->n += (size_t)n;
        got += (size_t)n;
    }
    return (int64_t)got;
}

int target_delete(struct target *t, const char *name)
{
    return file_remove(t->fd, name);
}

int target_forget(struct target *t, const char *folder)
{
    if (unlinkat(t->fd, folder, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_from_errno(errno);
    return file_sync_folder_of(t->fd, folder);
}

struct found {
    struct found *next;
    uint64_t bytes;
    char name[];
};

/* All of a folder first: the visitor may delete. */
static int folder_read(DIR *d, struct arena *a, struct found **list)
{
    const struct dirent *e;

    while ((e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name) + 1;
        struct found *f;
        struct stat st;

        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (!(f = arena_alloc(a, sizeof *f + n)))
            return E_NOMEM;
        memcpy(f->name, e->d_name, n);
        f->bytes = (uint64_t)st.st_size;
        f->next = *list;
        *list = f;
    }
    return 0;
}

int target_list(struct target *t, const char *folder, target_visit *visit, void *ctx)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(64) };
    int fd = openat(t->fd, folder[0] ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct found *list = NULL;
    char name[TARGET_NAME_MAX];

    if (!d) {
        r = error_from_errno(errno);
        fd_close(&fd);
        return r == E_NOTFOUND ? 0 : r;
    }
    r = folder_read(d, &a, &list);
    closedir(d);
    for (; list && r >= 0; list = list->next) {
        int n = snprintf(name, sizeof name, "%s%s%s", folder, folder[0] ? "/" : "", list->name);

        if (n > 0 && n < (int)sizeof name)
            r = visit(ctx, name, list->bytes);
    }
    return r < 0 ? r : 0;
}
