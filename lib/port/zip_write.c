#include "lib/port/zip_write.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/port/zip_aes.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK_BYTES  KIB(16)
#define OUT_BYTES    KIB(256)
#define WINDOW_BYTES KIB(4)
#define FRONT_BYTES  (ZIP_SALT_BYTES + ZIP_VERIFIER_BYTES)
#define EMPTY_BYTES  (FRONT_BYTES + ZIP_TAG_BYTES)

struct zip_writer {
    int fd;
    struct zip_aes *aes;
    struct buf password, name, out;
    z_stream deflate;
    bool deflates;
    uint64_t flushed; /* bytes in the file; `out` follows them */
    uint64_t entries, began /* where the last one is */, bytes /* what came of it */;
    struct zip_entry entry;
    size_t head; /* bytes of its header */
    struct zip_limits limits;
    uint8_t chunk[CHUNK_BYTES];
};

/* ---- the file ---- */

static uint64_t end_of(const struct zip_writer *z)
{
    return z->flushed + z->out.n;
}

static int out_flush(struct zip_writer *z)
{
    int r = file_write_at(z->fd, buf_str(&z->out), z->flushed);

    if (r == 0) {
        z->flushed += z->out.n;
        buf_clear(&z->out);
    }
    return r;
}

static int out_room(struct zip_writer *z)
{
    return z->out.n < OUT_BYTES ? 0 : out_flush(z);
}

/* ---- an entry ---- */

int zip_entry_begin(struct zip_writer *z, struct str name, uint64_t bytes, int64_t ms)
{
    uint8_t front[FRONT_BYTES];
    int64_t s = ms / 1000;
    int r;

    buf_clear(&z->name);
    if ((r = out_room(z)) < 0 || (r = buf_puts(&z->name, name)) < 0)
        return r;
    z->began = end_of(z);
    z->bytes = 0;
    /* Deflate makes what it cannot make smaller a little larger: a sixteenth is far more than that. */
    z->entry = (struct zip_entry){ .name = buf_str(&z->name),
                                   .mtime_s = s < INT32_MIN   ? INT32_MIN
                                              : s > INT32_MAX ? INT32_MAX
                                                              : s,
                                   .zip64 = bytes >= z->limits.bytes - z->limits.bytes / 16 };
    rand_bytes(front, ZIP_SALT_BYTES);
    if ((r = zip_local_put(&z->entry, &z->out)) < 0)
        return r;
    z->head = (size_t)(end_of(z) - z->began);
    if ((r = zip_aes_begin(z->aes, buf_str(&z->password), front, front + ZIP_SALT_BYTES)) < 0)
        return r;
    z->entry.bytes = bytes;
    return deflateReset(&z->deflate) == Z_OK ? buf_append(&z->out, front, sizeof front) : E_BUG;
}

static int pack(struct zip_writer *z, struct str bytes, int flush)
{
    int r = 0;

    z->deflate.next_in = (Bytef *)(uintptr_t)bytes.p;
    z->deflate.avail_in = (uInt)bytes.n;
    do {
        size_t n;

        z->deflate.next_out = z->chunk;
        z->deflate.avail_out = (uInt)sizeof z->chunk;
        if (deflate(&z->deflate, flush) == Z_STREAM_ERROR)
            return E_BUG;
        n = sizeof z->chunk - z->deflate.avail_out;
        if ((r = zip_aes_encrypt(z->aes, z->chunk, n)) == 0 && (r = buf_append(&z->out, z->chunk, n)) == 0)
            r = out_room(z);
    } while (r == 0 && z->deflate.avail_out == 0);
    return r;
}

int zip_entry_data(struct zip_writer *z, struct str bytes)
{
    int r = 0;

    if (bytes.n > z->entry.bytes - z->bytes)
        return E_CORRUPT;
    z->bytes += bytes.n;
    for (; bytes.n && r == 0; bytes = str_skip(bytes, MIB(1)))
        r = pack(z, str_slice(bytes, 0, MIB(1)), Z_NO_FLUSH);
    return r;
}

/* Now the sizes are known: over the header, wherever it is by now. */
static int header_complete(struct zip_writer *z)
{
    CLEANUP(buf_release) struct buf head = { .max = ZIP_LOCAL_MAX };
    int r = zip_local_put(&z->entry, &head);

    if (r < 0)
        return r;
    if (z->began < z->flushed)
        return file_write_at(z->fd, buf_str(&head), z->began);
    memcpy(z->out.p + (z->began - z->flushed), head.p, head.n);
    return 0;
}

int zip_entry_end(struct zip_writer *z)
{
    uint8_t tag[ZIP_TAG_BYTES];
    int r;

    if (z->bytes != z->entry.bytes)
        return E_CORRUPT;
    if ((r = pack(z, STR(""), Z_FINISH)) < 0 || (r = zip_aes_end(z->aes, tag)) < 0 ||
        (r = buf_append(&z->out, tag, sizeof tag)) < 0)
        return r;
    z->entry.packed = end_of(z) - z->began - z->head;
    if ((r = header_complete(z)) == 0)
        z->entries++;
    return r;
}

int zip_entry_cancel(struct zip_writer *z)
{
    if (z->began < z->flushed) {
        if (ftruncate(z->fd, (off_t)z->began) < 0)
            return error_from_errno(errno);
        z->flushed = z->began;
    }
    z->out.n = (size_t)(z->began - z->flushed); /* the entries before it, if they are not in the file yet */
    return 0;
}

uint64_t zip_writer_entries(const struct zip_writer *z)
{
    return z->entries;
}

int64_t zip_writer_mark(struct zip_writer *z)
{
    int r = out_flush(z);

    if (r < 0 || fdatasync(z->fd) < 0)
        return r < 0 ? r : error_from_errno(errno);
    return (int64_t)z->flushed;
}

/* ---- through what is there ---- */

struct window {
    struct buf b;
    uint64_t from; /* where it stands in the file */
};

static int window_fill(const struct zip_writer *z, struct window *w, uint64_t at, size_t want)
{
    int64_t n;
    char *p;

    buf_clear(&w->b);
    if (!(p = buf_reserve(&w->b, want)))
        return E_NOMEM;
    if ((n = file_read_at(z->fd, p, want, at)) < 0)
        return (int)n;
    w->b.n = (size_t)n;
    w->from = at;
    return 0;
}

/* The header at `at`: in what was read already, else in a little more, else in as much as it can have. */
static int header_at(const struct zip_writer *z, struct window *w, uint64_t at, struct zip_entry *out)
{
    static const size_t wants[] = { 0, WINDOW_BYTES, ZIP_LOCAL_MAX };
    int r;

    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        if (wants[i] && (r = window_fill(z, w, at, wants[i])) < 0)
            return r;
        if ((r = zip_local_get(str_skip(buf_str(&w->b), (size_t)(at - w->from)), out)) != 0)
            return r;
    }
    return E_CORRUPT;
}

/* Every entry up to `end`, in order. */
static int walk(struct zip_writer *z, uint64_t end,
                int (*each)(struct zip_writer *z, const struct zip_entry *e, uint64_t at, size_t head))
{
    struct window w = { .b = { .max = ZIP_LOCAL_MAX } };
    struct zip_entry e;
    uint64_t at = 0;
    int r = 0;

    while (r >= 0 && at < end) {
        uint64_t left = end - at;

        if ((r = header_at(z, &w, at, &e)) < 0)
            break;
        if (left < (uint64_t)r || e.packed < EMPTY_BYTES || e.packed > left - (uint64_t)r) {
            r = E_CORRUPT;
        } else {
            uint64_t next = at + (uint64_t)r + e.packed;

            r = each(z, &e, at, (size_t)r);
            at = next;
        }
    }
    buf_release(&w.b);
    return r < 0 ? r : 0;
}

static int central_add(struct zip_writer *z, const struct zip_entry *e, uint64_t at, size_t head UNUSED)
{
    int r = zip_central_put(e, at, &z->limits, &z->out);

    return r < 0 ? r : out_room(z);
}

int zip_writer_finish(struct zip_writer *z)
{
    uint64_t offset;
    int r = out_flush(z);

    offset = z->flushed;
    if (r < 0 || (r = walk(z, offset, central_add)) < 0 ||
        (r = zip_end_put(z->entries, offset, end_of(z) - offset, &z->limits, &z->out)) < 0 ||
        (r = out_flush(z)) < 0)
        return r;
    return fsync(z->fd) < 0 ? error_from_errno(errno) : 0;
}

/* ---- going on ---- */

static int count(struct zip_writer *z, const struct zip_entry *e, uint64_t at, size_t head)
{
    z->entries++;
    z->began = at;
    z->head = head;
    z->entry = *e;
    z->entry.name = STR_NONE;
    return 0;
}

/* The last entry was made with this password, to its last byte. */
static int last_check(struct zip_writer *z)
{
    uint64_t at = z->began + z->head, left = z->entry.packed - EMPTY_BYTES;
    uint8_t front[FRONT_BYTES], verifier[ZIP_VERIFIER_BYTES], tag[ZIP_TAG_BYTES], is[ZIP_TAG_BYTES];
    int r;

    if (file_read_at(z->fd, front, sizeof front, at) != (int64_t)sizeof front)
        return E_CORRUPT;
    if ((r = zip_aes_begin(z->aes, buf_str(&z->password), front, verifier)) < 0)
        return r;
    if (sodium_memcmp(verifier, front + ZIP_SALT_BYTES, sizeof verifier) != 0)
        return E_AUTH;
    for (at += sizeof front; left;) {
        size_t n = size_min(left, sizeof z->chunk);

        if (file_read_at(z->fd, z->chunk, n, at) != (int64_t)n)
            return E_CORRUPT;
        if ((r = zip_aes_seen(z->aes, z->chunk, n)) < 0)
            return r;
        at += n;
        left -= n;
    }
    if ((r = zip_aes_end(z->aes, is)) < 0)
        return r;
    /* One wrong password in 65536 comes here: that is likelier than a disk that lies about what it has synced. */
    return file_read_at(z->fd, tag, sizeof tag, at) != (int64_t)sizeof tag ? E_CORRUPT
           : sodium_memcmp(tag, is, sizeof tag) != 0                       ? E_AUTH
                                                                           : 0;
}

static int go_on(struct zip_writer *z, const char *path, uint64_t from)
{
    struct stat st;
    int r;

    z->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (z->fd < 0 || fstat(z->fd, &st) < 0)
        return error_from_errno(errno);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < from)
        return E_CORRUPT;
    if ((r = walk(z, from, count)) < 0 || (from && (r = last_check(z)) < 0))
        return r;
    z->flushed = from;
    return ftruncate(z->fd, (off_t)from) < 0 ? error_from_errno(errno) : 0;
}

/* ---- open, free ---- */

static int file_begin(struct zip_writer *z, const char *path, int64_t again)
{
    if (again >= 0)
        return go_on(z, path, (uint64_t)again);
    z->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return z->fd < 0 ? error_from_errno(errno) : 0;
}

int zip_writer_open(const char *path, struct str password, int64_t again, struct zip_writer **out)
{
    struct zip_writer *z = calloc(1, sizeof *z);
    int r;

    if (!z)
        return E_NOMEM;
    z->fd = -1;
    z->limits = ZIP_LIMITS;
    z->password.max = KIB(2);
    z->name.max = ZIP_NAME_MAX;
    z->out.max = 2 * OUT_BYTES;
    /* A raw stream: no header of zlib's around it. */
    z->deflates = deflateInit2(&z->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
                               Z_DEFAULT_STRATEGY) == Z_OK;
    if (!z->deflates)
        r = E_NOMEM;
    else if (password.n == 0)
        r = E_AUTH;
    else if ((r = zip_aes_new(&z->aes)) == 0 && (r = buf_puts(&z->password, password)) == 0)
        r = file_begin(z, path, again);
    if (r < 0)
        zip_writer_free(&z);
    else
        *out = z;
    return r;
}

void zip_writer_free(struct zip_writer **zp)
{
    struct zip_writer *z = *zp;

    *zp = NULL;
    if (!z)
        return;
    if (z->deflates)
        deflateEnd(&z->deflate);
    zip_aes_free(&z->aes);
    buf_release(&z->password);
    buf_release(&z->name);
    buf_release(&z->out);
    fd_close(&z->fd);
    explicit_bzero(z, sizeof *z);
    free(z);
}

void zip_writer_limits(struct zip_writer *z, const struct zip_limits *l)
{
    z->limits = *l;
}
