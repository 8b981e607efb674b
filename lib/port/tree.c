#include "lib/port/tree.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX     40
#define PATH_MAX_HERE 4096u

int tree_path(struct str name, char sep, struct buf *out)
{
    struct str level;
    int r = 0;
    bool more = true;

    while (r == 0 && more) {
        more = str_cut(name, '/', &level, &name);
        if ((r = port_name_encode(level, out)) == 0 && more)
            r = buf_putc(out, sep);
    }
    return r;
}

int tree_name(struct str path, char sep, struct buf *out)
{
    struct str level;
    int r = 0;
    bool more = true;

    while (r == 0 && more) {
        more = str_cut(path, sep, &level, &path);
        if (level.n == 0)
            return E_SYNTAX;
        if ((r = port_name_decode(level, out)) == 0 && more)
            r = buf_putc(out, '/');
    }
    return r;
}

int tree_new(const char *path, int *fd_out)
{
    const struct dirent *e;
    int fd, copy, r = mkdir(path, 0700) < 0 && errno != EEXIST ? error_from_errno(errno) : 0;
    DIR *d;

    if (r < 0)
        return r;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    copy = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        r = errno == ENOTDIR ? E_EXISTS : error_from_errno(errno);
        fd_close(&fd);
        fd_close(&copy);
        return r;
    }
    while ((e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            r = E_EXISTS;
    closedir(d);
    if (r < 0)
        close(fd);
    else
        *fd_out = fd;
    return r;
}

int tree_open(const char *path, bool again, int *fd_out)
{
    int fd;

    if (!again)
        return tree_new(path, fd_out);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_from_errno(errno);
    if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return errno == ENOTDIR ? E_EXISTS : error_from_errno(errno);
    *fd_out = fd;
    return 0;
}

int tree_parents(int root, const char *path)
{
    char part[PATH_MAX_HERE];

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        if ((size_t)(slash - path) >= sizeof part)
            return E_LIMIT;
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        if (mkdirat(root, part, 0700) < 0 && errno != EEXIST)
            return error_from_errno(errno);
    }
    return 0;
}

/* ---- finding ---- */

int tree_list_add(struct tree_list *l, const char *path)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        char **v = realloc(l->v, cap * sizeof *v);

        if (!v)
            return E_NOMEM;
        l->v = v;
        l->cap = cap;
    }
    if (!l->arena.max)
        l->arena.max = MIB(512);
    l->v[l->n] = arena_dupz(&l->arena, str_from(path));
    return l->v[l->n] ? (l->n++, 0) : E_NOMEM;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void tree_list_sort(struct tree_list *l)
{
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_name);
}

void tree_list_release(struct tree_list *l)
{
    free(l->v);
    arena_release(&l->arena);
    *l = (struct tree_list){ .n = 0 };
}

static int find(int root, const char *at, const char *end, int depth, struct tree_list *l, uint64_t *bytes)
{
    int fd = openat(root, at[0] ? at : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    struct stat st;

    if (!d || depth > DEPTH_MAX) {
        r = d ? E_LIMIT : error_from_errno(errno);
        if (d)
            closedir(d);
        else
            fd_close(&fd);
        return r;
    }
    while (r == 0 && (e = readdir(d)) != NULL) {
        char path[PATH_MAX_HERE];

        if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (snprintf(path, sizeof path, "%s%s%s", at, at[0] ? "/" : "", e->d_name) >= (int)sizeof path)
            r = E_LIMIT;
        else if (S_ISDIR(st.st_mode))
            r = find(root, path, end, depth + 1, l, bytes);
        else if (S_ISREG(st.st_mode) && str_ends(str_from(e->d_name), str_from(end)) &&
                 (r = tree_list_add(l, path)) == 0)
            *bytes += (uint64_t)st.st_size;
    }
    closedir(d);
    return r;
}

static int one_file(const char *path, int *root_out, struct tree_list *out)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX_HERE] = ".";

    if (slash && (size_t)(slash - path) < sizeof folder) {
        memcpy(folder, path, (size_t)(slash - path) + 1);
        folder[slash - path + 1] = '\0';
    }
    *root_out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *root_out < 0 ? error_from_errno(errno) : tree_list_add(out, slash ? slash + 1 : path);
}

int tree_read(const char *path, const char *end, int *root_out, struct tree_list *out, uint64_t *bytes_out)
{
    struct stat st;
    int r;

    if (stat(path, &st) < 0)
        return error_from_errno(errno);
    if (S_ISREG(st.st_mode)) {
        *bytes_out = (uint64_t)st.st_size;
        return one_file(path, root_out, out);
    }
    *root_out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*root_out < 0)
        return error_from_errno(errno);
    if ((r = find(*root_out, "", end, 0, out, bytes_out)) < 0)
        return r;
    tree_list_sort(out);
    return out->n ? 0 : E_NOTFOUND;
}
