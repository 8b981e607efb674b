#include "lib/db/page_copy.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/db/page_cipher.h"
#include "lib/db/wal_sum.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES   4096u
#define SLICE_PAGES  64u
#define SLICE_BYTES  (SLICE_PAGES * PAGE_BYTES)
#define WAL_PATH_MAX 4096u
#define FREE_SHARE   8u /* of the pages; above that VACUUM INTO writes less */
#define LOCK_PAGE \
    (0x40000000u / PAGE_BYTES + 1) /* SQLite's file format, 1.4: holds nothing, is never written */
#define FORMAT_AT     18           /* 1.3.2: versions for writing and reading; 2 is WAL, 1 is not */
#define WAL_HEAD      32u          /* 4.1 */
#define WAL_MAGIC     0x377f0682u  /* its last bit: how its checksums read words */
#define WAL_VERSION   3007000u
#define WAL_SALT_AT   16
#define SALT_BYTES    8u
#define WAL_SUM_AT    24
#define FRAME_HEAD    24u
#define FRAME_SALT_AT 8
#define FRAME_SUM_AT  16
#define FRAME_BYTES   (FRAME_HEAD + PAGE_BYTES)

struct version { /* of a page, in the -wal */
    uint32_t page, frame;
};

struct page_copy {
    const uint8_t *key;
    const bool *stop;
    uint8_t salt[PAGE_SALT_BYTES];
    int from, wal, to; /* wal: -1 there is none */
    char *path;
    uint8_t wal_head[WAL_HEAD];
    struct version *versions; /* by page, each once: the last */
    size_t n, cap;
    uint32_t pages;
    _Atomic uint32_t slice; /* the next one */
    _Atomic int failed;     /* E_*, the first */
};

/* ---- the -wal ----------------------------------------------------------------------------------- */

static uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool sum_is(const uint32_t sum[2], const uint8_t *at)
{
    return sum[0] == be32_get(at) && sum[1] == be32_get(at + 4);
}

/* 1: it is one; 0: there is none, or its header was never finished. */
static int head_read(int wal, uint8_t head[WAL_HEAD], uint32_t sum[2])
{
    int64_t n = wal < 0 ? 0 : file_read_at(wal, head, WAL_HEAD, 0);

    sum[0] = sum[1] = 0;
    if (n < (int64_t)WAL_HEAD || (be32_get(head) & ~1u) != WAL_MAGIC || be32_get(head + 4) != WAL_VERSION)
        return n < 0 ? (int)n : 0;
    wal_sum(head[3] & 1, head, WAL_SUM_AT, sum);
    if (!sum_is(sum, head + WAL_SUM_AT))
        return 0;
    return be32_get(head + 8) == PAGE_BYTES ? 1 : E_STALE;
}

static int version_add(struct page_copy *c, uint32_t page, uint32_t frame)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 1024;
        struct version *p = realloc(c->versions, cap * sizeof *p);

        if (!p)
            return E_NOMEM;
        c->versions = p;
        c->cap = cap;
    }
    c->versions[c->n++] = (struct version){ page, frame };
    return 0;
}

static int version_order(const void *a, const void *b)
{
    const struct version *x = a, *y = b;

    if (x->page != y->page)
        return x->page < y->page ? -1 : 1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static void versions_settle(struct page_copy *c)
{
    size_t n = 0;

    if (c->n)
        qsort(c->versions, c->n, sizeof *c->versions, version_order);
    for (size_t i = 0; i < c->n; i++)
        if (i + 1 == c->n || c->versions[i + 1].page != c->versions[i].page)
            c->versions[n++] = c->versions[i];
    c->n = n;
}

/* Frames up to the last commit. Its size is the database's, unless there is none. */
static int frames_read(struct page_copy *c, uint32_t sum[2])
{
    uint8_t *frame = malloc(FRAME_BYTES);
    bool big = c->wal_head[3] & 1;
    size_t committed = 0;
    int r = frame ? 0 : E_NOMEM;

    for (uint32_t i = 0; r == 0; i++) {
        int64_t n = file_read_at(c->wal, frame, FRAME_BYTES, WAL_HEAD + (uint64_t)i * FRAME_BYTES);

        if (n < (int64_t)FRAME_BYTES) {
            r = n < 0 ? (int)n : 0;
            break;
        }
        if (memcmp(frame + FRAME_SALT_AT, c->wal_head + WAL_SALT_AT, SALT_BYTES) != 0 || !be32_get(frame))
            break;
        wal_sum(big, frame, FRAME_SALT_AT, sum);
        wal_sum(big, frame + FRAME_HEAD, PAGE_BYTES, sum);
        if (!sum_is(sum, frame + FRAME_SUM_AT))
            break;
        r = version_add(c, be32_get(frame), i);
        if (r == 0 && be32_get(frame + 4)) {
            committed = c->n;
            c->pages = be32_get(frame + 4);
        }
    }
    free(frame);
    c->n = committed;
    return r;
}

static bool head_same(const struct page_copy *c)
{
    uint8_t now[WAL_HEAD];

    return file_read_at(c->wal, now, sizeof now, 0) == (int64_t)sizeof now &&
           memcmp(now, c->wal_head, sizeof now) == 0;
}

static int wal_read(struct page_copy *c)
{
    uint32_t sum[2];
    int r = head_read(c->wal, c->wal_head, sum);

    if (r == 1 && (r = frames_read(c, sum)) == 0)
        versions_settle(c);
    return r;
}

/* ---- begin and end ------------------------------------------------------------------------------ */

static void copy_free(struct page_copy *c)
{
    fd_close(&c->from);
    fd_close(&c->wal);
    fd_close(&c->to);
    free(c->versions);
    free(c->path);
    free(c);
}

static int files_open(struct page_copy *c, const char *of)
{
    char wal[WAL_PATH_MAX];

    if (snprintf(wal, sizeof wal, "%s-wal", of) >= (int)sizeof wal)
        return E_LIMIT;
    c->from = open(of, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (c->from < 0)
        return error_from_errno(errno);
    c->wal = open(wal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return c->wal < 0 && errno != ENOENT ? error_from_errno(errno) : 0;
}

static int fits(struct db *db, uint32_t *pages_out)
{
    int64_t bytes = 0, pages = 0, unused = 0;
    int r;

    if ((r = db_get_i64(db, "PRAGMA page_size", &bytes)) < 0 ||
        (r = db_get_i64(db, "PRAGMA page_count", &pages)) < 0 ||
        (r = db_get_i64(db, "PRAGMA freelist_count", &unused)) < 0)
        return r;
    if (bytes != PAGE_BYTES || pages < 1 || pages >= UINT32_MAX || unused > pages / FREE_SHARE)
        return E_STALE;
    *pages_out = (uint32_t)pages;
    return 0;
}

int page_copy_begin(struct db *db, const uint8_t key[DB_KEY_BYTES], const char *path, const bool *stop,
                    struct page_copy **out)
{
    struct page_copy *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return E_NOMEM;
    c->key = key;
    c->stop = stop;
    c->from = c->wal = c->to = -1;
    rand_bytes(c->salt, sizeof c->salt);
    if (!(c->path = strdup(path)))
        r = E_NOMEM;
    else if ((r = fits(db, &c->pages)) == 0 && (r = files_open(c, db_path(db))) == 0 &&
             (r = wal_read(c)) == 0) {
        c->to = file_ops()->openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        r = c->to < 0 ? error_from_errno(errno) : 0;
    }
    if (r < 0) {
        copy_free(c);
        return r;
    }
    *out = c;
    return 0;
}

int page_copy_end(struct page_copy **cp)
{
    struct page_copy *c = *cp;
    int r = c->failed;

    *cp = NULL;
    if ((r == 0 || r == E_STALE) && c->n && !head_same(c))
        r = E_BUSY;
    if (r < 0)
        file_ops()->unlinkat(AT_FDCWD, c->path);
    copy_free(c);
    return r;
}

/* ---- pages -------------------------------------------------------------------------------------- */

/* The first version of `page` or one behind it. */
static size_t version_from(const struct page_copy *c, uint32_t page)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c->versions[mid].page < page)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* What is not in the file must be in the -wal: a page of zeros opens under no key. */
static int slice_read(const struct page_copy *c, uint8_t *slice, uint32_t first, uint32_t count)
{
    size_t want = (size_t)count * PAGE_BYTES;
    int64_t n = file_read_at(c->from, slice, want, (uint64_t)(first - 1) * PAGE_BYTES);

    if (n < 0)
        return (int)n;
    memset(slice + n, 0, want - (size_t)n);
    for (size_t i = version_from(c, first); i < c->n && c->versions[i].page < first + count; i++) {
        const struct version *v = &c->versions[i];

        n = file_read_at(c->wal, slice + (size_t)(v->page - first) * PAGE_BYTES, PAGE_BYTES,
                         WAL_HEAD + (uint64_t)v->frame * FRAME_BYTES + FRAME_HEAD);
        if (n != (int64_t)PAGE_BYTES)
            return n < 0 ? (int)n : E_STALE;
    }
    return 0;
}

static int page_renew(const struct page_copy *c, uint32_t page, uint8_t *p)
{
    int r;

    if (page == LOCK_PAGE) {
        memset(p, 0, PAGE_BYTES);
        return 0;
    }
    if ((r = page_open(c->key, page, p, PAGE_BYTES)) < 0)
        return r == E_CORRUPT ? E_STALE : r;
    if (page == 1) /* beside the copy lies no -wal, and nobody needs to make one to read it */
        p[FORMAT_AT] = p[FORMAT_AT + 1] = 1;
    page_seal(c->key, c->salt, page, p, PAGE_BYTES, NULL);
    return 0;
}

static int slice_copy(const struct page_copy *c, uint8_t *slice, uint32_t first)
{
    uint32_t left = c->pages - first + 1, count = left < SLICE_PAGES ? left : SLICE_PAGES;
    int r = slice_read(c, slice, first, count);

    for (uint32_t i = 0; i < count && r == 0; i++)
        r = page_renew(c, first + i, slice + (size_t)i * PAGE_BYTES);
    return r < 0 ? r
                 : file_write_at(c->to, str_of(slice, (size_t)count * PAGE_BYTES),
                                 (uint64_t)(first - 1) * PAGE_BYTES);
}

int page_copy_run(struct page_copy *c)
{
    uint8_t *slice = malloc(SLICE_BYTES);
    uint32_t slices = (c->pages - 1) / SLICE_PAGES + 1, i;
    int r = slice ? page_cipher_thread_ready() : E_NOMEM, none = 0;

    while (r == 0 && !c->failed && (i = atomic_fetch_add(&c->slice, 1)) < slices)
        r = c->stop && __atomic_load_n(c->stop, __ATOMIC_RELAXED) ? E_CANCELED
                                                                  : slice_copy(c, slice, i * SLICE_PAGES + 1);
    if (r < 0)
        atomic_compare_exchange_strong(&c->failed, &none, r);
    free(slice); /* pages in it were sealed again, each at once */
    return r;
}

/* ---- a file that nobody writes to --------------------------------------------------------------- */

int page_copy_check(const char *path, const uint8_t key[DB_KEY_BYTES], const bool *stop)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    uint8_t *slice = malloc(SLICE_BYTES);
    uint32_t page = 1;
    int64_t n = 1;
    int r = fd < 0 ? error_from_errno(errno) : slice ? page_cipher_thread_ready() : E_NOMEM;

    while (r == 0 && n > 0) {
        n = file_read_at(fd, slice, SLICE_BYTES, (uint64_t)(page - 1) * PAGE_BYTES);
        r = n < 0                                             ? (int)n
            : n % PAGE_BYTES || (n == 0 && page == 1)         ? E_CORRUPT
            : stop && __atomic_load_n(stop, __ATOMIC_RELAXED) ? E_CANCELED
                                                              : 0;
        for (int64_t i = 0; i < n && r == 0; i += PAGE_BYTES, page++)
            r = page == LOCK_PAGE ? 0 : page_verify(key, page, slice + i, PAGE_BYTES);
    }
    free(slice);
    return r;
}
