#include "src/store/receipt.h"
#include "lib/base/arena.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER    "purges"
#define NAME_HASH 16u
#define TEXT_MAX  MIB(16)
#define LINES_MAX MIB(64)

struct receipt {
    const struct files *files;
    char path[FILES_PATH_MAX];
    struct arena arena;
    struct buf text; /* of all that is planned */
    struct receipt_line *first, **end;
    size_t n;
    int failed;
};

/* ---- lines --------------------------------------------------------------------------------------- */

static bool same(const struct receipt_line *l, const char *where, const char *name)
{
    return strcmp(l->where, where) == 0 && strcmp(l->name, name) == 0;
}

/* `name` is that object, or a version of it. */
static bool is_of(const struct receipt_line *l, const char *where, const char *name)
{
    size_t n = strlen(l->name);

    return strcmp(l->where, where) == 0 && strncmp(l->name, name, n) == 0 && (!name[n] || name[n] == ' ');
}

static struct receipt_line *add(struct receipt *r, const char *where, const char *name, uint64_t bytes)
{
    struct receipt_line *l = ARENA_NEW(&r->arena, struct receipt_line);

    if (!l || !(l->where = arena_dupz(&r->arena, str_from(where))) ||
        !(l->name = arena_dupz(&r->arena, str_from(name)))) {
        r->failed = E_LIMIT;
        return NULL;
    }
    l->bytes = bytes;
    *r->end = l;
    r->end = &l->next;
    r->n++;
    return l;
}

void receipt_plan(struct receipt *r, const char *where, const char *name, uint64_t bytes)
{
    for (const struct receipt_line *l = r->first; l; l = l->next)
        if (same(l, where, name))
            return;
    if (add(r, where, name, bytes) &&
        buf_printf(&r->text, "%s\t%s\t%llu\n", where, name, (unsigned long long)bytes) < 0)
        r->failed = E_LIMIT;
}

/* It moves to the end: the order of a receipt is that of going. */
void receipt_told(struct receipt *r, const char *where, const char *name, uint64_t bytes)
{
    struct receipt_line *l;

    for (struct receipt_line **at = &r->first; (l = *at) != NULL; at = &l->next)
        if (!l->gone && is_of(l, where, name)) {
            if (!(*at = l->next))
                r->end = at;
            r->n--;
            break;
        }
    if ((l = add(r, where, name, bytes)) != NULL)
        l->gone = true;
}

const struct receipt_line *receipt_lines(struct receipt *r, size_t *n_out)
{
    struct receipt_line *last = NULL, **last_end = &last;

    for (struct receipt_line **at = &r->first, *l; (l = *at) != NULL;)
        if (l->gone || l->earlier) {
            at = &l->next;
            r->end = at;
        } else {
            *at = l->next;
            l->next = NULL;
            *last_end = l;
            last_end = &l->next;
        }
    r->end = r->first ? r->end : &r->first;
    *r->end = last;
    r->end = last ? last_end : r->end;
    *n_out = r->n;
    return r->first;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static int line_take(struct receipt *r, struct str line)
{
    struct str where, name, bytes;
    struct receipt_line *l;
    char w[64], n[256];
    uint64_t b = 0;

    if (!str_cut(line, '\t', &where, &line) || !str_cut(line, '\t', &name, &bytes) || where.n >= sizeof w ||
        name.n >= sizeof n || !str_to_u64(bytes, &b))
        return E_CORRUPT;
    snprintf(w, sizeof w, "%.*s", STR_ARG(where));
    snprintf(n, sizeof n, "%.*s", STR_ARG(name));
    if (!(l = add(r, w, n, b)))
        return E_LIMIT;
    l->earlier = true;
    return 0;
}

int receipt_open(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN], struct receipt **out)
{
    struct receipt *r = calloc(1, sizeof *r);
    char hex[2 * NAME_HASH + 1];
    uint8_t hash[NAME_HASH];
    struct str rest, line;
    bool more = true;
    int e;

    if (!r)
        return E_NOMEM;
    crypto_generichash(hash, sizeof hash, mailbox, MAILBOX_ID_LEN, NULL, 0);
    hex_encode(hash, sizeof hash, hex);
    snprintf(r->path, sizeof r->path, FOLDER "/%s", hex);
    r->files = f;
    r->arena.max = LINES_MAX;
    r->text.max = TEXT_MAX;
    r->end = &r->first;
    if ((e = file_mkdir(f->dir, FOLDER)) == 0 && (e = file_read(f->dir, r->path, &r->text)) == E_NOTFOUND)
        e = 0;
    for (rest = buf_str(&r->text); e == 0 && more;) {
        more = str_cut(rest, '\n', &line, &rest);
        if (line.n)
            e = line_take(r, line);
    }
    if (e < 0)
        receipt_free(&r);
    else
        *out = r;
    return e;
}

void receipt_free(struct receipt **rp)
{
    struct receipt *r = *rp;

    *rp = NULL;
    if (!r)
        return;
    arena_release(&r->arena);
    buf_release(&r->text);
    free(r);
}

int receipt_settle(struct receipt *r)
{
    return r->failed ? r->failed : file_replace(r->files->dir, r->path, buf_str(&r->text));
}

int receipts_remove_old(const struct files *f, int64_t now_ms)
{
    int fd = openat(f->dir, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    struct stat st;

    if (!d) {
        fd_close(&fd);
        return 0; /* nothing was ever purged */
    }
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (int64_t)st.st_mtim.tv_sec * 1000 < now_ms - FILES_ASIDE_DAYS * INT64_C(86400000) &&
            file_ops()->unlinkat(dirfd(d), e->d_name) == 0)
            n++;
    closedir(d);
    return n;
}
