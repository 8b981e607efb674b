/* src/store/target_folder.c: a folder as a target. */
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

#define SLICE_BYTES KIB(256)

struct folder {
    struct target target;
    int fd;
    char full[];
};

static struct folder *folder_of(struct target *t)
{
    return CONTAINER_OF(t, struct folder, target);
}

static int folder_make(struct folder *t, const char *name)
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

static void unstage(struct folder *t, const char *name)
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

int target_folder_staged(struct target *t, const char *name, int *fd_out)
{
    char part[TARGET_NAME_MAX + 8];
    int fd;

    part_of(name, part);
    fd = openat(folder_of(t)->fd, part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_from_errno(errno);
    *fd_out = fd;
    return 0;
}

static void folder_unstage(struct target *base, const char *name)
{
    unstage(folder_of(base), name);
}

static int folder_stage(struct target *base, const char *name, char path_out[TARGET_PATH_MAX],
                        uint64_t *room_out)
{
    struct folder *t = folder_of(base);
    char part[TARGET_NAME_MAX + 8];
    struct statvfs v;
    int r = folder_make(t, name);

    if (r < 0)
        return r;
    unstage(t, name);
    part_of(name, part);
    if (snprintf(path_out, TARGET_PATH_MAX, "%s/%s", t->full, part) >= (int)TARGET_PATH_MAX)
        return E_LIMIT;
    if (fstatvfs(t->fd, &v) < 0)
        return error_from_errno(errno);
    *room_out = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}

static int folder_put(struct target *base, const char *name, const bool *stop)
{
    char part[TARGET_NAME_MAX + 8];

    if (target_stopped(stop))
        return E_CANCELED;
    part_of(name, part);
    return file_rename(folder_of(base)->fd, part, name);
}

/* E_CORRUPT: the file is shorter. */
static int copy(int from, int to, uint64_t bytes, const bool *stop)
{
    char *slice = malloc(SLICE_BYTES);
    uint64_t at = 0;
    int r = slice ? 0 : E_NOMEM;

    while (r == 0 && at < bytes) {
        size_t n = size_min(SLICE_BYTES, bytes - at);

        if ((r = file_read_exact(from, slice, n, at)) == 0)
            r = target_stopped(stop) ? E_CANCELED : file_write(to, str_of(slice, n));
        at += n;
    }
    free(slice);
    return r == 0 && file_ops()->fsync(to) < 0 ? error_from_errno(errno) : r;
}

static int folder_put_file(struct target *base, const char *name, int fd, uint64_t bytes, const bool *stop)
{
    struct folder *t = folder_of(base);
    char part[TARGET_NAME_MAX + 8];
    int to, r = folder_make(t, name);

    if (r < 0)
        return r;
    unstage(t, name);
    part_of(name, part);
    to = file_ops()->openat(t->fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (to < 0)
        return error_from_errno(errno);
    r = copy(fd, to, bytes, stop);
    close(to);
    if (r < 0 || (r = file_rename(t->fd, part, name)) < 0)
        unstage(t, name);
    return r;
}

static int folder_replace(struct target *base, const char *name, struct str bytes)
{
    struct folder *t = folder_of(base);
    int r = folder_make(t, name);

    return r < 0 ? r : file_replace(t->fd, name, bytes);
}

static int64_t folder_read_object(struct target *base, const char *name, uint64_t at, uint64_t max,
                                  target_take *take, void *ctx)
{
    CLEANUP(fd_close) int fd = openat(folder_of(base)->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *slice;
    uint64_t got = 0;
    int r = 0;

    if (fd < 0)
        return error_from_errno(errno);
    if (!(slice = malloc(SLICE_BYTES)))
        return E_NOMEM;
    while (r == 0 && got < max) {
        int64_t n = file_read_at(fd, slice, size_min(SLICE_BYTES, max - got), at + got);

        if (n <= 0) {
            r = (int)n;
            break;
        }
        got += (uint64_t)n;
        r = take(ctx, str_of(slice, (size_t)n));
    }
    free(slice);
    return r < 0 ? r : (int64_t)got;
}

static int folder_delete(struct target *base, const char *name)
{
    return file_remove(folder_of(base)->fd, name);
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

static int folder_list(struct target *base, const char *folder, target_visit *visit, void *ctx)
{
    const struct folder *t = folder_of(base);
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

struct purge {
    struct target *target;
    target_told *told;
    void *ctx;
    int gone;
};

static int purge_visit(void *ctx, const char *name, uint64_t bytes)
{
    struct purge *p = ctx;
    int r = folder_delete(p->target, name);

    p->gone += r == 0;
    if (r == 0 && p->told)
        p->told(p->ctx, name, bytes);
    return r == E_NOTFOUND ? 0 : r;
}

static int folder_purge(struct target *base, const char *folder, target_told *told, void *ctx)
{
    struct purge p = { base, told, ctx, 0 };
    int fd = folder_of(base)->fd, r = folder_list(base, folder, purge_visit, &p);

    if (r < 0)
        return r;
    if (unlinkat(fd, folder, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_from_errno(errno);
    return (r = file_sync_folder_of(fd, folder)) < 0 ? r : p.gone;
}

static void folder_close(struct target *base)
{
    struct folder *t = folder_of(base);

    close(t->fd);
    free(t);
}

static const struct target_ops folder_ops = {
    .close = folder_close,
    .stage = folder_stage,
    .put = folder_put,
    .unstage = folder_unstage,
    .put_file = folder_put_file,
    .replace = folder_replace,
    .read = folder_read_object,
    .delete = folder_delete,
    .list = folder_list,
    .purge = folder_purge,
};

int target_folder_open(int base, const char *path, const char *full, struct target **out)
{
    int r = file_mkdir(base, path);
    struct folder *t;

    if (r < 0)
        return r;
    if (!(t = calloc(1, sizeof *t + strlen(full) + 1)))
        return E_NOMEM;
    t->target.ops = &folder_ops;
    memcpy(t->full, full, strlen(full) + 1);
    t->fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->fd < 0) {
        r = error_from_errno(errno);
        free(t);
        return r;
    }
    *out = &t->target;
    return 0;
}
