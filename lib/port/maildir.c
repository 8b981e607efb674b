/* lib/port/maildir.c: Maildir++ (INBOX is the root, "Work/Sub" the folder ".Work.Sub"), flags in file names, keywords as
 * Dovecot has them: letters a to z, and what they mean in dovecot-keywords. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/port/tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_MAX       KIB(256)
#define LETTERS       26u
#define KEYWORDS_FILE "dovecot-keywords"

static const struct {
    char c;
    uint32_t flag;
} letters[] = {
    /* in the order in which they must stand */
    { 'D', PORT_DRAFT }, { 'F', PORT_FLAGGED }, { 'R', PORT_ANSWERED },
    { 'S', PORT_SEEN },  { 'T', PORT_DELETED },
};

struct keywords {
    struct str v[LETTERS];
    size_t n;
    struct arena arena;
};

/* ---- writing ---- */

struct maildir_writer {
    struct port_writer base;
    int root, folder, fd;
    char temp[64], name[200];
    struct keywords keywords;
    int64_t date_ms;
    struct buf out;
    bool cr;
};

static struct maildir_writer *writer_of(struct port_writer *w)
{
    return CONTAINER_OF(w, struct maildir_writer, base);
}

static int folder_sync(struct maildir_writer *w)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(16) };
    int r = 0;

    for (size_t i = 0; i < w->keywords.n && r == 0; i++)
        r = buf_printf(&text, "%zu %.*s\n", i, STR_ARG(w->keywords.v[i]));
    if (r == 0 && text.n)
        r = file_replace(w->folder, KEYWORDS_FILE, buf_str(&text));
    return r == 0 && w->folder >= 0 ? file_sync_folder_of(w->folder, "cur/x") : r;
}

static int folder_end(struct maildir_writer *w)
{
    int r = folder_sync(w);

    fd_close(&w->folder);
    w->keywords.n = 0;
    arena_reset(&w->keywords.arena);
    return r;
}

static int folders_make(struct maildir_writer *w, bool root)
{
    static const char *const three[] = { "cur", "new", "tmp" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(three); i++)
        if (mkdirat(w->folder, three[i], 0700) < 0 && errno != EEXIST)
            return error_from_errno(errno);
    if (!root)
        r = file_replace(w->folder, "maildirfolder", STR(""));
    return r;
}

static int folder_open(struct port_writer *base, struct str name, bool again)
{
    CLEANUP(buf_release) struct buf path = { .max = KIB(4) };
    struct maildir_writer *w = writer_of(base);
    bool root = str_eq_z(name, "INBOX");
    int r = folder_end(w);

    if (r < 0 || (r = buf_putc(&path, '.')) < 0 || (!root && (r = tree_path(name, '.', &path)) < 0) ||
        !buf_z(&path))
        return r < 0 ? r : E_LIMIT;
    if (!root && mkdirat(w->root, buf_z(&path), 0700) < 0 && !(again && errno == EEXIST))
        return error_from_errno(errno);
    w->folder = openat(w->root, buf_z(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(base->what, sizeof base->what, "%s", buf_z(&path));
    return w->folder < 0 ? error_from_errno(errno) : folders_make(w, root);
}

static int maildir_folder(struct port_writer *base, struct str name)
{
    return folder_open(base, name, false);
}

/* What came behind `number`, and what was being written. Names are our own. */
static int behind_remove(struct maildir_writer *w, const char *sub, uint64_t number)
{
    int fd = openat(w->folder, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    if (!d) {
        fd_close(&fd);
        return E_IO;
    }
    while (r == 0 && (e = readdir(d)) != NULL) {
        struct str s = str_from(e->d_name);
        ptrdiff_t p = str_find(s, STR("P")), dot = str_find(s, STR(".letterlock"));
        uint64_t n = UINT64_MAX;

        if (dot < 0 || (p >= 0 && p < dot && !str_to_u64(str_slice(s, (size_t)p + 1, (size_t)dot), &n)))
            continue;
        if (n > number && unlinkat(dirfd(d), e->d_name, 0) < 0)
            r = error_from_errno(errno);
    }
    closedir(d);
    return r;
}

static int keywords_load(int folder, struct keywords *k);

static int maildir_resume(struct port_writer *base, struct str name, int64_t position UNUSED, uint64_t number)
{
    struct maildir_writer *w = writer_of(base);
    int r;

    if ((r = folder_open(base, name, true)) < 0 || (r = file_replace_sweep(w->folder, "maildirfolder")) < 0 ||
        (r = file_replace_sweep(w->folder, KEYWORDS_FILE)) < 0 ||
        (r = keywords_load(w->folder, &w->keywords)) < 0)
        return r;
    for (w->keywords.n = 0; w->keywords.n < LETTERS && w->keywords.v[w->keywords.n].n; w->keywords.n++)
        ;
    return (r = behind_remove(w, "tmp", 0)) < 0 ? r : behind_remove(w, "cur", number);
}

static int64_t maildir_mark(struct port_writer *base)
{
    return folder_sync(writer_of(base));
}

/* Those beyond 26 of a folder have no letter; the caller says which formats keep what. */
static size_t letter_of(struct maildir_writer *w, struct str keyword)
{
    struct keywords *k = &w->keywords;

    for (size_t i = 0; i < k->n; i++)
        if (str_ieq(k->v[i], keyword))
            return i;
    if (k->n == LETTERS || !(k->v[k->n] = arena_dup(&k->arena, keyword)).p)
        return LETTERS;
    return k->n++;
}

static void name_make(struct maildir_writer *w, const struct port_message *m)
{
    bool used[LETTERS] = { false };
    int n =
        snprintf(w->name, sizeof w->name, "cur/%lld.M%03lldP%llu.letterlock,W=%llu:2,",
                 (long long)(m->date_ms / 1000), (long long)(m->date_ms % 1000 < 0 ? 0 : m->date_ms % 1000),
                 (unsigned long long)m->number, (unsigned long long)m->bytes);
    size_t at = n > 0 ? (size_t)n : 0;

    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (m->flags & letters[i].flag)
            w->name[at++] = letters[i].c;
    for (size_t i = 0; i < m->nkeywords; i++) {
        size_t l = letter_of(w, m->keywords[i]);

        if (l < LETTERS)
            used[l] = true;
    }
    for (size_t l = 0; l < LETTERS; l++)
        if (used[l])
            w->name[at++] = (char)('a' + l);
    w->name[at] = '\0';
}

static int maildir_begin(struct port_writer *base, const struct port_message *m)
{
    struct maildir_writer *w = writer_of(base);

    name_make(w, m);
    snprintf(w->temp, sizeof w->temp, "tmp/%llu.letterlock", (unsigned long long)m->number);
    w->date_ms = m->date_ms;
    w->cr = false;
    w->fd = openat(w->folder, w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return w->fd < 0 ? error_from_errno(errno) : 0;
}

static int out_flush(struct maildir_writer *w)
{
    int r = file_write(w->fd, buf_str(&w->out));

    buf_clear(&w->out);
    return r;
}

static int maildir_data(struct port_writer *base, struct str bytes)
{
    struct maildir_writer *w = writer_of(base);
    int r = port_to_lf(&w->cr, bytes, &w->out);

    return r < 0 || w->out.n < OUT_MAX / 2 ? r : out_flush(w);
}

static int maildir_end(struct port_writer *base)
{
    struct maildir_writer *w = writer_of(base);
    struct timespec t[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = w->date_ms / 1000 } };
    int r = w->cr ? buf_putc(&w->out, '\r') : 0;

    if (r < 0 || (r = out_flush(w)) < 0)
        return r;
    if (futimens(w->fd, t) < 0 || fdatasync(w->fd) < 0)
        return error_from_errno(errno);
    fd_close(&w->fd);
    return renameat(w->folder, w->temp, w->folder, w->name) < 0 ? error_from_errno(errno) : 0;
}

static int maildir_cancel(struct port_writer *base)
{
    struct maildir_writer *w = writer_of(base);

    buf_clear(&w->out);
    fd_close(&w->fd);
    return unlinkat(w->folder, w->temp, 0) < 0 ? error_from_errno(errno) : 0;
}

static int maildir_finish(struct port_writer *base)
{
    return folder_end(writer_of(base));
}

static void maildir_free(struct port_writer *base)
{
    struct maildir_writer *w = writer_of(base);

    fd_close(&w->fd);
    fd_close(&w->folder);
    fd_close(&w->root);
    arena_release(&w->keywords.arena);
    buf_release(&w->out);
    free(w);
}

int port_maildir_writer(const char *path, bool again, struct port_writer **out)
{
    static const struct port_writer_ops ops = { maildir_folder, maildir_begin,  maildir_data,
                                                maildir_end,    maildir_cancel, maildir_finish,
                                                maildir_free,   maildir_mark,   maildir_resume };
    struct maildir_writer *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return E_NOMEM;
    w->base.ops = &ops;
    w->root = w->folder = w->fd = -1;
    w->out.max = 2 * OUT_MAX;
    w->keywords.arena.max = KIB(64);
    if ((r = tree_open(path, again, &w->root)) < 0) {
        maildir_free(&w->base);
        return r;
    }
    *out = &w->base;
    return 0;
}

/* ---- reading ---- */

struct maildir_reader {
    struct port_reader base;
    int root, folder, fd;
    struct tree_list folders, files; /* files: of the folder, "cur/..." and "new/..." */
    size_t folder_at, file_at;
    struct keywords keywords;
    struct str found[LETTERS];
    struct buf name, in;
    bool cr;
};

static struct maildir_reader *reader_of(struct port_reader *r)
{
    return CONTAINER_OF(r, struct maildir_reader, base);
}

/* "0 name": the letter a. */
static int keywords_load(int folder, struct keywords *k)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(64) };
    struct str s, line, number, name;
    uint32_t i;
    int r = file_read(folder, KEYWORDS_FILE, &text);

    arena_reset(&k->arena);
    memset(k->v, 0, sizeof k->v);
    if (r < 0)
        return r == E_NOTFOUND ? 0 : r;
    for (s = buf_str(&text); s.n;) {
        str_cut(s, '\n', &line, &s);
        if (str_cut(line, ' ', &number, &name) && str_to_u32(number, &i) && i < LETTERS)
            k->v[i] = arena_dup(&k->arena, str_trim(name));
    }
    return 0;
}

static int keywords_read(struct maildir_reader *m)
{
    int r = keywords_load(m->folder, &m->keywords);

    return r < 0 && r != E_NOMEM ? E_CORRUPT : r;
}

static int files_list(struct maildir_reader *m, const char *sub)
{
    int fd = openat(m->folder, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), r = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    char path[512];

    if (!d) {
        r = errno == ENOENT ? 0 : errno == ENOTDIR || errno == ELOOP ? E_CORRUPT : error_from_errno(errno);
        fd_close(&fd);
        return r;
    }
    while (r == 0 && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.' && snprintf(path, sizeof path, "%s/%s", sub, e->d_name) < (int)sizeof path)
            r = tree_list_add(&m->files, path);
    closedir(d);
    return r;
}

/* 1; 0: there is none. E_CORRUPT: this one, or a part of it, is a link to somewhere else: whoever made the Maildir need not be
 * whoever may read that. */
static int folder_next(struct maildir_reader *m)
{
    static const char *const parts[] = { KEYWORDS_FILE, "new", "cur" };
    bool bad = false;
    const char *path;
    int r;

    if (m->folder_at == m->folders.n)
        return 0;
    path = m->folders.v[m->folder_at++];
    fd_close(&m->folder);
    tree_list_release(&m->files);
    m->file_at = 0;
    buf_clear(&m->name);
    snprintf(m->base.what, sizeof m->base.what, "%.300s", path);
    m->folder = openat(m->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (m->folder < 0)
        return errno == ENOTDIR || errno == ELOOP ? E_CORRUPT : error_from_errno(errno);
    r = strcmp(path, ".") == 0 ? buf_putz(&m->name, "INBOX") : tree_name(str_from(path + 1), '.', &m->name);
    if (r == E_SYNTAX) /* not a name of ours: as it is */
        r = (buf_clear(&m->name), buf_putz(&m->name, path + 1));
    for (size_t i = 0; i < ARRAY_LEN(parts) && (r == 0 || r == E_CORRUPT); i++) {
        int e = i == 0 ? keywords_read(m) : files_list(m, parts[i]);

        r = e < 0 ? e : r;
        bad |= e == E_CORRUPT;
    }
    if (r < 0 && r != E_CORRUPT)
        return r;
    tree_list_sort(&m->files);
    return bad ? E_CORRUPT : 1; /* the rest of it comes */
}

static void flags_read(struct maildir_reader *m, const char *name, struct port_message *out)
{
    const char *info = strstr(name, ":2,");

    out->keywords = m->found;
    for (const char *p = info ? info + 3 : ""; *p; p++) {
        for (size_t i = 0; i < ARRAY_LEN(letters); i++)
            if (*p == letters[i].c)
                out->flags |= letters[i].flag;
        if (*p >= 'a' && *p <= 'z' && m->keywords.v[*p - 'a'].n && out->nkeywords < LETTERS)
            m->found[out->nkeywords++] = m->keywords.v[*p - 'a'];
    }
}

/* ".M123P": the milliseconds, in names of ours. */
static int64_t millis_of(const char *name)
{
    const char *p = strstr(name, ".M"), *end;
    uint32_t ms;

    end = p ? strchr(p, 'P') : NULL;
    return end && strstr(name, ".letterlock,") && str_to_u32(str_of(p + 2, (size_t)(end - p - 2)), &ms) &&
                   ms < 1000
               ? ms
               : 0;
}

static int maildir_next(struct port_reader *base, struct port_message *out)
{
    struct maildir_reader *m = reader_of(base);
    const char *file;
    struct stat st;
    int r;

    *out = (struct port_message){ .flags = 0 };
    fd_close(&m->fd);
    while (m->file_at == m->files.n)
        if ((r = folder_next(m)) <= 0)
            return r;
    file = m->files.v[m->file_at++];
    snprintf(base->what, sizeof base->what, "%.80s/%.300s", m->folders.v[m->folder_at - 1], file);
    m->fd = openat(m->folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (m->fd < 0 || fstat(m->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return E_CORRUPT;
    m->cr = false;
    out->folder = buf_str(&m->name);
    out->number = m->file_at;
    out->has_date = true;
    out->date_ms = (int64_t)st.st_mtim.tv_sec * 1000 + millis_of(file);
    flags_read(m, file, out);
    return 1;
}

static int64_t maildir_read(struct port_reader *base, size_t max, struct buf *out)
{
    struct maildir_reader *m = reader_of(base);
    size_t began = out->n;
    ssize_t n;
    char *p;
    int r;

    buf_clear(&m->in);
    if (!(p = buf_reserve(&m->in, size_min(max / 2, OUT_MAX))))
        return E_NOMEM;
    do
        n = read(m->fd, p, size_min(max / 2, OUT_MAX));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_from_errno(errno);
    m->base.bytes += (uint64_t)n;
    return (r = port_to_crlf(&m->cr, str_of(p, (size_t)n), out)) < 0 ? r : (int64_t)(out->n - began);
}

static void maildir_reader_free(struct port_reader *base)
{
    struct maildir_reader *m = reader_of(base);

    tree_list_release(&m->folders);
    tree_list_release(&m->files);
    arena_release(&m->keywords.arena);
    buf_release(&m->name);
    buf_release(&m->in);
    fd_close(&m->fd);
    fd_close(&m->folder);
    fd_close(&m->root);
    free(m);
}

/* The root first, then ".Name" folders that have a cur. */
static int folders_list(struct maildir_reader *m)
{
    int fd = openat(m->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    char cur[300];

    if (!d) {
        fd_close(&fd);
        return error_from_errno(errno);
    }
    r = tree_list_add(&m->folders, ".");
    while (r == 0 && (e = readdir(d)) != NULL) {
        snprintf(cur, sizeof cur, "%s/cur", e->d_name);
        if (e->d_name[0] == '.' && e->d_name[1] && e->d_name[1] != '.' &&
            faccessat(m->root, cur, F_OK, 0) == 0)
            r = tree_list_add(&m->folders, e->d_name);
    }
    closedir(d);
    tree_list_sort(&m->folders);
    return r == 0 && m->folders.n == 1 && faccessat(m->root, "cur", F_OK, 0) < 0 ? E_NOTFOUND : r;
}

int port_maildir_reader(const char *path, struct port_reader **out)
{
    static const struct port_reader_ops ops = { maildir_next, maildir_read, maildir_reader_free };
    struct maildir_reader *m = calloc(1, sizeof *m);
    int r;

    if (!m)
        return E_NOMEM;
    m->base.ops = &ops;
    m->folder = m->fd = -1;
    m->name.max = KIB(8);
    m->in.max = 2 * OUT_MAX;
    m->keywords.arena.max = KIB(64);
    m->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = m->root < 0 ? error_from_errno(errno) : folders_list(m);
    if (r < 0) {
        maildir_reader_free(&m->base);
        return r;
    }
    *out = &m->base;
    return 0;
}
