/* lib/port/mbox_file.c: mbox files on disk: one per folder, in folders of folders. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/port/mbox.h"
#include "lib/port/tree.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_MAX KIB(256)

/* ---- writing ---- */

struct mbox_writer {
    struct port_writer base;
    int root, fd;
    off_t began;
    struct mbox_encoder encoder;
    struct buf out;
};

static struct mbox_writer *writer_of(struct port_writer *w)
{
    return CONTAINER_OF(w, struct mbox_writer, base);
}

static int out_flush(struct mbox_writer *w)
{
    int r = file_write(w->fd, buf_str(&w->out));

    buf_clear(&w->out);
    return r;
}

static int file_end(struct mbox_writer *w)
{
    int r = 0;

    if (w->fd >= 0 && ((r = out_flush(w)) < 0 || fsync(w->fd) < 0))
        r = r < 0 ? r : error_from_errno(errno);
    fd_close(&w->fd);
    return r;
}

static int folder_open(struct port_writer *base, struct str name, int flags)
{
    CLEANUP(buf_release) struct buf path = { .max = KIB(4) };
    struct mbox_writer *w = writer_of(base);
    int r = file_end(w);

    if (r < 0 || (r = tree_path(name, '/', &path)) < 0 || (r = buf_putz(&path, ".mbox")) < 0)
        return r;
    if (!buf_z(&path) || (r = tree_parents(w->root, buf_z(&path))) < 0)
        return r < 0 ? r : E_LIMIT;
    w->fd = openat(w->root, buf_z(&path), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    snprintf(base->what, sizeof base->what, "%s", buf_z(&path));
    return w->fd < 0 ? error_from_errno(errno) : 0;
}

static int mbox_folder(struct port_writer *base, struct str name)
{
    return folder_open(base, name, O_EXCL);
}

static int mbox_resume(struct port_writer *base, struct str name, int64_t position, uint64_t number UNUSED)
{
    struct mbox_writer *w = writer_of(base);
    struct stat st;
    int r = folder_open(base, name, 0);

    if (r < 0)
        return r;
    if (fstat(w->fd, &st) < 0 || st.st_size < position)
        return E_CORRUPT; /* it was changed since */
    return ftruncate(w->fd, position) < 0 || lseek(w->fd, position, SEEK_SET) < 0 ? error_from_errno(errno)
                                                                                  : 0;
}

static int64_t mbox_mark(struct port_writer *base)
{
    struct mbox_writer *w = writer_of(base);
    int r = out_flush(w);

    if (r < 0 || fdatasync(w->fd) < 0)
        return r < 0 ? r : error_from_errno(errno);
    return (int64_t)lseek(w->fd, 0, SEEK_CUR);
}

static int mbox_begin(struct port_writer *base, const struct port_message *m)
{
    struct mbox_writer *w = writer_of(base);
    int r = out_flush(w);

    w->began = lseek(w->fd, 0, SEEK_CUR);
    return r < 0 ? r : mbox_encode_begin(&w->encoder, m, &w->out);
}

static int mbox_data(struct port_writer *base, struct str bytes)
{
    struct mbox_writer *w = writer_of(base);
    int r = mbox_encode(&w->encoder, bytes, &w->out);

    return r < 0 || w->out.n < OUT_MAX / 2 ? r : out_flush(w);
}

static int mbox_end(struct port_writer *base)
{
    struct mbox_writer *w = writer_of(base);

    return mbox_encode_end(&w->encoder, &w->out);
}

static int mbox_cancel(struct port_writer *base)
{
    struct mbox_writer *w = writer_of(base);

    buf_clear(&w->out);
    return ftruncate(w->fd, w->began) < 0 || lseek(w->fd, w->began, SEEK_SET) < 0 ? error_from_errno(errno)
                                                                                  : 0;
}

static int mbox_finish(struct port_writer *base)
{
    return file_end(writer_of(base));
}

static void mbox_free(struct port_writer *base)
{
    struct mbox_writer *w = writer_of(base);

    mbox_encoder_release(&w->encoder);
    buf_release(&w->out);
    fd_close(&w->fd);
    fd_close(&w->root);
    free(w);
}

int port_mbox_writer(const char *path, bool again, struct port_writer **out)
{
    static const struct port_writer_ops ops = { mbox_folder, mbox_begin, mbox_data, mbox_end,   mbox_cancel,
                                                mbox_finish, mbox_free,  mbox_mark, mbox_resume };
    struct mbox_writer *w = calloc(1, sizeof *w);
    int r;

    if (!w)
        return E_NOMEM;
    w->base.ops = &ops;
    w->fd = w->root = -1;
    w->out.max = OUT_MAX * 2;
    if ((r = tree_open(path, again, &w->root)) < 0) {
        mbox_free(&w->base);
        return r;
    }
    *out = &w->base;
    return 0;
}

/* ---- reading ---- */

#define IN_MAX        KIB(256)
#define LINE_MAX_HERE KIB(64)

struct mbox_reader {
    struct port_reader base;
    struct tree_list files; /* of the whole tree; one when it is a file */
    size_t file;
    int root, fd;
    struct arena arena; /* of the message */
    struct buf folder, in, line, tail;
    size_t at;  /* in `in`: not read yet */
    bool found; /* in a tree: not named by whoever asks */
    bool eof, have_from, empty_line, in_message, whole_line, quoted_line;
    int64_t from_ms;
    uint64_t number;
    int status_left; /* lines of ours that may still come, at the beginning of a message */
    bool cr;
};

static struct mbox_reader *reader_of(struct port_reader *r)
{
    return CONTAINER_OF(r, struct mbox_reader, base);
}

/* A line with its LF, or what fits, or the end of the file without one. 1; 0: the end. */
static int line_take(struct mbox_reader *m, struct str *out)
{
    for (;;) {
        struct str rest = str_skip(buf_str(&m->in), m->at);
        ptrdiff_t lf = str_chr(rest, '\n');
        ssize_t n;
        char *p;

        if (lf >= 0 || rest.n >= LINE_MAX_HERE || (m->eof && rest.n)) {
            size_t take = lf >= 0 ? (size_t)lf + 1 : size_min(rest.n, LINE_MAX_HERE);

            *out = str_slice(rest, 0, take);
            m->at += take;
            return 1;
        }
        if (m->eof)
            return 0;
        buf_drop(&m->in, m->at);
        m->at = 0;
        if (!(p = buf_reserve(&m->in, IN_MAX)))
            return E_NOMEM;
        n = read(m->fd, p, IN_MAX);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_from_errno(errno);
        m->in.n += (size_t)n;
        m->base.bytes += (uint64_t)n;
        m->eof = n == 0;
    }
}

static int file_next(struct mbox_reader *m)
{
    struct str name;
    int r;

    if (m->file == m->files.n)
        return 0;
    fd_close(&m->fd);
    buf_clear(&m->in);
    m->at = 0;
    m->eof = m->have_from = false;
    m->empty_line = m->whole_line = true; /* the beginning counts as one */
    m->number = 0;
    m->fd = openat(m->root, m->files.v[m->file],
                   O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (m->found ? O_NOFOLLOW : 0));
    if (m->fd < 0)
        return error_from_errno(errno);
    if (m->files.n > 1 || !m->folder.n) {
        name = str_from(m->files.v[m->file]);
        buf_clear(&m->folder);
        if (str_ends(name, STR(".mbox")))
            name.n -= 5;
        if ((r = tree_name(name, '/', &m->folder)) < 0)
            return r;
    }
    m->file++;
    return 1;
}

/* Lines up to the one that begins the next message are the last one's. 1: there is one. */
static int from_find(struct mbox_reader *m)
{
    struct str line;
    int r;

    while (!m->have_from) {
        bool was_whole = m->whole_line, was_empty = m->empty_line;

        if ((r = line_take(m, &line)) <= 0)
            return r;
        m->whole_line = line.p[line.n - 1] == '\n';
        m->empty_line = was_whole && (str_eq(line, STR("\n")) || str_eq(line, STR("\r\n")));
        m->from_ms = 0;
        m->have_from =
            was_whole && was_empty && str_starts(line, STR("From ")) && mbox_from_line(line, &m->from_ms);
    }
    return 1;
}

static int peek_status(struct mbox_reader *m, struct port_message *out)
{
    static const char *const names[] = { "Status:", "X-Status:", "X-Keywords:" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t at = m->at;
        struct str line;

        if ((r = line_take(m, &line)) <= 0)
            return r;
        if (!str_istarts(line, str_from(names[i])) || line.p[line.n - 1] != '\n' ||
            !mbox_status_line(line, out, &m->arena)) {
            m->at = line.p - m->in.p >= 0 ? (size_t)(line.p - m->in.p) : at;
            return 0;
        }
    }
    return 0;
}

static int mbox_next(struct port_reader *base, struct port_message *out)
{
    struct mbox_reader *m = reader_of(base);
    int r;

    *out = (struct port_message){ .flags = 0 };
    arena_reset(&m->arena);
    buf_clear(&m->line);
    while ((r = m->fd >= 0 ? from_find(m) : 0) == 0)
        if ((r = file_next(m)) <= 0)
            return r;
    if (r < 0)
        return r;
    m->have_from = false;
    m->in_message = true;
    m->cr = false;
    m->empty_line = false;
    m->whole_line = true;
    out->folder = buf_str(&m->folder);
    out->number = ++m->number;
    out->has_date = m->from_ms != 0;
    out->date_ms = m->from_ms;
    snprintf(base->what, sizeof base->what, "%s, message %llu", m->files.v[m->file - 1],
             (unsigned long long)m->number);
    return (r = peek_status(m, out)) < 0 ? r : 1;
}

/* One line of the message; the empty line before the next From belongs to the mbox. 1; 0: the message's end. */
static int message_line(struct mbox_reader *m, struct buf *out)
{
    bool was_whole = m->whole_line, was_empty = m->empty_line;
    struct str line, unquoted;
    int64_t ms;
    int r = line_take(m, &line);

    if (r <= 0) {
        m->in_message = false; /* and the empty line at the end of the file goes, too */
        return r;
    }
    if (was_whole && was_empty && str_starts(line, STR("From ")) && mbox_from_line(line, &ms)) {
        m->from_ms = ms;
        m->have_from = true;
        m->in_message = false;
        m->whole_line = true;
        return 0;
    }
    if (was_empty && (r = buf_puts(out, m->tail.n ? buf_str(&m->tail) : STR("\n"))) < 0)
        return r;
    m->whole_line = line.p[line.n - 1] == '\n';
    m->empty_line = was_whole && (str_eq(line, STR("\n")) || str_eq(line, STR("\r\n")));
    buf_clear(&m->tail);
    if (m->empty_line)
        return (r = buf_puts(&m->tail, line)) < 0 ? r : 1;
    unquoted = line;
    while (unquoted.n && unquoted.p[0] == '>')
        unquoted = str_skip(unquoted, 1);
    if (was_whole && line.p[0] == '>' && str_starts(unquoted, STR("From ")))
        line = str_skip(line, 1);
    return (r = buf_puts(out, line)) < 0 ? r : 1;
}

static int64_t mbox_read(struct port_reader *base, size_t max, struct buf *out)
{
    struct mbox_reader *m = reader_of(base);
    size_t began = out->n;
    int r = 1;

    while (r > 0 && m->in_message && m->line.n < max && m->line.n < IN_MAX)
        r = message_line(m, &m->line);
    if (r < 0)
        return r;
    {
        struct str take = str_slice(buf_str(&m->line), 0, max / 2);

        if ((r = port_to_crlf(&m->cr, take, out)) < 0)
            return r;
        buf_drop(&m->line, take.n);
    }
    return (int64_t)(out->n - began);
}

static void mbox_reader_free(struct port_reader *base)
{
    struct mbox_reader *m = reader_of(base);

    tree_list_release(&m->files);
    arena_release(&m->arena);
    buf_release(&m->folder);
    buf_release(&m->in);
    buf_release(&m->line);
    buf_release(&m->tail);
    fd_close(&m->fd);
    fd_close(&m->root);
    free(m);
}

int port_mbox_reader(const char *path, struct str folder, struct port_reader **out)
{
    static const struct port_reader_ops ops = { mbox_next, mbox_read, mbox_reader_free };
    struct mbox_reader *m = calloc(1, sizeof *m);
    struct stat st;
    int r;

    if (!m)
        return E_NOMEM;
    m->base.ops = &ops;
    m->fd = m->root = -1;
    m->arena.max = MIB(4);
    m->folder.max = KIB(8);
    m->in.max = 4 * IN_MAX;
    m->line.max = 4 * IN_MAX;
    m->tail.max = 16;
    m->found = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if ((r = tree_read(path, ".mbox", &m->root, &m->files, &m->base.bytes_all)) < 0 ||
        (m->files.n == 1 && folder.n && (r = buf_puts(&m->folder, folder)) < 0)) {
        mbox_reader_free(&m->base);
        return r;
    }
    *out = &m->base;
    return 0;
}
