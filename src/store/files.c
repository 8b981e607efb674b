#include "src/store/files.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LEN (2 * MAILBOX_ID_LEN)

static void base_of(const uint8_t id[MAILBOX_ID_LEN], char out[FILES_PATH_MAX])
{
    char hex[NAME_LEN + 1];

    hex_encode(id, MAILBOX_ID_LEN, hex);
    snprintf(out, FILES_PATH_MAX, "mailboxes/%.2s/%s", hex, hex);
}

void files_path(const uint8_t id[MAILBOX_ID_LEN], enum files_kind kind, char out[FILES_PATH_MAX])
{
    static const char *const ends[] = { ".sqlite", ".keys", "-next.sqlite", "-restore.sqlite",
                                        "-before.sqlite" };
    size_t n;

    base_of(id, out);
    n = strlen(out);
    snprintf(out + n, FILES_PATH_MAX - n, "%s", ends[kind]);
}

void files_temp_path(const uint8_t id[MAILBOX_ID_LEN], uint64_t generation, char out[FILES_PATH_MAX])
{
    size_t n;

    base_of(id, out);
    n = strlen(out);
    snprintf(out + n, FILES_PATH_MAX - n, "-tmp-%016llx.sqlite", (unsigned long long)generation);
}

void files_full(const struct files *f, const char *path, char *out, size_t n)
{
    snprintf(out, n, "%s%s", f->prefix, path);
}

static void folder_of(const uint8_t id[MAILBOX_ID_LEN], char out[FILES_PATH_MAX])
{
    snprintf(out, FILES_PATH_MAX, "mailboxes/%02x", id[0]);
}

int files_folder(const struct files *f, const uint8_t id[MAILBOX_ID_LEN])
{
    char folder[FILES_PATH_MAX];
    int r = file_mkdir(f->dir, "mailboxes");

    folder_of(id, folder);
    return r < 0 ? r : file_mkdir(f->dir, folder);
}

/* ---- walking a folder ------------------------------------------------------------------------- */

typedef int file_visit(const struct files *f, const char *path, const char *name, void *ctx);

/* The visitor may rename and remove: names are read first. */
static int walk(const struct files *f, const char *folder, struct str prefix, file_visit *visit, void *ctx)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    struct name {
        struct name *next;
        char *z;
    } *list = NULL;
    int fd = openat(f->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;

    if (!d) {
        r = error_from_errno(errno);
        fd_close(&fd);
        return r == E_NOTFOUND ? 0 : r;
    }
    while (r == 0 && (e = readdir(d)) != NULL) {
        struct name *one;

        if (e->d_name[0] == '.' || !str_starts(str_from(e->d_name), prefix))
            continue;
        if (!(one = ARENA_NEW(&a, struct name)) || !(one->z = arena_dupz(&a, str_from(e->d_name))))
            r = E_NOMEM;
        else {
            one->next = list;
            list = one;
        }
    }
    closedir(d);
    for (; list && r >= 0; list = list->next) {
        char path[512];

        snprintf(path, sizeof path, "%s/%s", folder, list->z);
        r = visit(f, path, list->z, ctx);
    }
    return r;
}

struct temp_list {
    uint64_t *out;
    size_t n, max;
};

static int temp_visit(const struct files *f UNUSED, const char *path UNUSED, const char *name, void *ctx)
{
    struct temp_list *l = ctx;
    struct str s = str_skip(str_from(name), NAME_LEN);
    uint8_t raw[8];
    uint64_t g = 0;

    if (s.n != 5 + 16 + 7 || !str_starts(s, STR("-tmp-")) || !str_ends(s, STR(".sqlite")) ||
        !hex_decode(str_slice(s, 5, 21), raw, sizeof raw) || l->n == l->max)
        return 0;
    for (size_t i = 0; i < sizeof raw; i++)
        g = g << 8 | raw[i];
    l->out[l->n++] = g;
    return 0;
}

static int u64_cmp(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

int files_temp_list(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], uint64_t *out, size_t max)
{
    struct temp_list l = { .out = out, .max = max };
    char folder[FILES_PATH_MAX], hex[NAME_LEN + 1];
    int r;

    folder_of(id, folder);
    hex_encode(id, MAILBOX_ID_LEN, hex);
    if ((r = walk(f, folder, str_of(hex, NAME_LEN), temp_visit, &l)) < 0)
        return r;
    qsort(out, l.n, sizeof *out, u64_cmp);
    return (int)l.n;
}

static int aside_visit(const struct files *f, const char *path, const char *name, void *ctx)
{
    char to[600];

    if (strstr(name, ".aside-"))
        return 0;
    snprintf(to, sizeof to, "%s.aside-%.8s", path, (const char *)ctx);
    return file_rename(f->dir, path, to);
}

static void day_of(int64_t ms, char out[9])
{
    char iso[CLOCK_ISO_LEN + 1];

    clock_iso(ms, iso);
    snprintf(out, 9, "%.4s%.2s%.2s", iso, iso + 5, iso + 8);
}

int files_set_aside(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], int64_t now_ms)
{
    char folder[FILES_PATH_MAX], hex[NAME_LEN + 1], day[9];

    folder_of(id, folder);
    hex_encode(id, MAILBOX_ID_LEN, hex);
    day_of(now_ms, day);
    return walk(f, folder, str_of(hex, NAME_LEN), aside_visit, day);
}

static int remove_visit(const struct files *f, const char *path, const char *name UNUSED, void *ctx UNUSED)
{
    int r = file_remove(f->dir, path);

    return r == E_NOTFOUND ? 0 : r;
}

struct removal {
    bool keys; /* these alone */
    files_told *told;
    void *ctx;
    bool look; /* nothing is removed */
};

static int told_visit(const struct files *f, const char *path, const char *name, void *ctx)
{
    const struct removal *m = ctx;
    struct stat st = { .st_size = 0 };
    int r;

    if (m->keys && !strstr(name, ".keys"))
        return 0;
    if (fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        st.st_size = 0;
    if (m->look) {
        m->told(m->ctx, path, (uint64_t)st.st_size);
        return 0;
    }
    if ((r = file_remove(f->dir, path)) == 0 && m->told)
        m->told(m->ctx, path, (uint64_t)st.st_size);
    return r == E_NOTFOUND ? 0 : r;
}

static int remove_told(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], struct removal *m)
{
    char folder[FILES_PATH_MAX], hex[NAME_LEN + 1];

    folder_of(id, folder);
    hex_encode(id, MAILBOX_ID_LEN, hex);
    return walk(f, folder, str_of(hex, NAME_LEN), told_visit, m);
}

int files_remove_keys(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], files_told *told, void *ctx)
{
    return remove_told(f, id, &(struct removal){ .keys = true, .told = told, .ctx = ctx });
}

int files_remove_all(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], files_told *told, void *ctx)
{
    return remove_told(f, id, &(struct removal){ .told = told, .ctx = ctx });
}

int files_each(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], files_told *told, void *ctx)
{
    return remove_told(f, id, &(struct removal){ .told = told, .ctx = ctx, .look = true });
}

int files_remove(const struct files *f, const uint8_t id[MAILBOX_ID_LEN])
{
    return files_remove_all(f, id, NULL, NULL);
}

struct old {
    char day[9]; /* set aside on this day or before: goes */
    int removed;
};

static int old_visit(const struct files *f, const char *path, const char *name, void *ctx)
{
    struct old *o = ctx;
    const char *at = strstr(name, ".aside-");

    if (!at || strlen(at) != 7 + 8 || strcmp(at + 7, o->day) > 0)
        return 0;
    o->removed++;
    return remove_visit(f, path, name, NULL);
}

int files_remove_old(const struct files *f, int64_t now_ms)
{
    struct old o = { .removed = 0 };
    int r = 0;

    day_of(now_ms - FILES_ASIDE_DAYS * INT64_C(86400000), o.day);
    for (int i = 0; i < 256 && r >= 0; i++) {
        char folder[FILES_PATH_MAX];

        snprintf(folder, sizeof folder, "mailboxes/%02x", i);
        r = walk(f, folder, STR(""), old_visit, &o);
    }
    return r < 0 ? r : o.removed;
}
