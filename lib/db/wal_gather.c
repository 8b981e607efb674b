#include "lib/db/wal_gather.h"
#include "lib/db/page_cipher.h"
#include "lib/base/errors.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_BYTES      KIB(128)
#define WRITE_MAX         ((int)GATHER_BYTES - 1) /* SQLite's unixWrite takes the length by 17 bits */
#define BUFFERS_KEPT      4u                      /* for the next commit of any file */
#define FRAME_HEADER      24 /* SQLite's file format, 4.1: page number, size of the database after a commit */
#define FRAME_NUMBER      4  /* bytes of the page number, at its beginning */
#define PAGE_BYTES        4096
#define FRAME_COMMIT      4 /* where that size is; zero but in a commit's last frame */
#define METHODS_VERSION_1 1 /* without shared memory and mapping: those are the main file's */
#define PAGE_LEAST        512
#define METHODS_MAX       4u /* tables of the VFS below, one for each way of locking */

struct buffer {
    struct buffer *next;
    uint8_t bytes[GATHER_BYTES];
};

/* The real file lies behind it. */
struct wal_file {
    sqlite3_file base;
    struct buffer *buffer; /* NULL: nothing was gathered */
    sqlite3_int64 at;      /* of the first byte gathered */
    int n;
    bool last_frame;         /* its header was gathered */
    void *watched;           /* by the watcher, or NULL */
    sqlite3_int64 committed; /* end of a commit's frames, until it is synced; 0: none */
    sqlite3_int64
        header_at; /* of the frame whose page was read last, until its number is asked for; -1: of none */
    uint8_t header[FRAME_NUMBER];
    bool copy;  /* no -wal: the file of a VACUUM INTO */
    int failed; /* of a copy: bytes that could not be written; nothing is well with it any more */
};

static struct {
    pthread_mutex_t lock;
    struct buffer *first;
    size_t n;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static sqlite3_vfs *real_vfs, gather_vfs, told_vfs;
static _Thread_local int copy_failure, read_failure;
static const struct wal_watcher *_Atomic watcher;

void wal_watch(const struct wal_watcher *w)
{
    watcher = w;
}

int wal_gather_copy_failure(void)
{
    int rc = copy_failure;

    copy_failure = SQLITE_OK;
    return rc;
}

/* ---- reads that fail ----------------------------------------------------------------------------- */

int wal_gather_read_failure(void)
{
    int rc = read_failure;

    read_failure = SQLITE_OK;
    return rc;
}

/* The methods of files as the VFS below has them, but for reading. */
static struct told_methods {
    const sqlite3_io_methods *plain;
    sqlite3_io_methods told;
} told_methods[METHODS_MAX];

/* The cipher reads a frame's header between its page and deciphering that: only a page ends what a page began. */
static int told_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    const struct told_methods *m =
        (const void *)((const char *)file->pMethods - offsetof(struct told_methods, told));
    int rc = m->plain->xRead(file, p, n, at);

    if (rc == SQLITE_IOERR_CORRUPTFS) /* EIO: SQLite itself would call it damage of the file */
        rc = SQLITE_IOERR_READ;
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        read_failure = rc;
    else if (n >= PAGE_LEAST)
        read_failure = SQLITE_OK;
    return rc;
}

static void reads_tell(sqlite3_file *file)
{
    pthread_mutex_lock(&kept.lock);
    for (size_t i = 0; i < METHODS_MAX && file->pMethods; i++) {
        struct told_methods *m = &told_methods[i];

        if (!m->plain) {
            m->plain = file->pMethods;
            m->told = *m->plain;
            m->told.xRead = told_read;
        }
        if (m->plain == file->pMethods) {
            file->pMethods = &m->told;
            break;
        }
    }
    pthread_mutex_unlock(&kept.lock);
}

static int told_open(sqlite3_vfs *vfs UNUSED, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *flags_out)
{
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, flags_out);

    if (rc == SQLITE_OK)
        reads_tell(file);
    return rc;
}

/* ---- buffers: they hold sealed pages only ------------------------------------------------------- */

static struct buffer *buffer_take(void)
{
    struct buffer *b;

    pthread_mutex_lock(&kept.lock);
    if ((b = kept.first) != NULL) {
        kept.first = b->next;
        kept.n--;
    }
    pthread_mutex_unlock(&kept.lock);
    return b ? b : malloc(sizeof *b);
}

static void buffer_give(struct buffer *b)
{
    pthread_mutex_lock(&kept.lock);
    if (kept.n < BUFFERS_KEPT) {
        b->next = kept.first;
        kept.first = b;
        kept.n++;
        b = NULL;
    }
    pthread_mutex_unlock(&kept.lock);
    free(b);
}

/* ---- a -wal ------------------------------------------------------------------------------------- */

static sqlite3_file *real_of(struct wal_file *f)
{
    return (sqlite3_file *)(f + 1);
}

static int write_through(struct wal_file *f, const void *p, int n, sqlite3_int64 at)
{
    int rc = real_of(f)->pMethods->xWrite(real_of(f), p, n, at);

    if (f->copy && rc != SQLITE_OK)
        f->failed = copy_failure = rc;
    return rc;
}

/* What cannot be written is gone: whoever hears of it undoes his transaction. Of a copy the commit hears it, whoever
 * else did and went on (SQLite asks for nothing where it gives a hint). */
static int flush(struct wal_file *f)
{
    struct buffer *b = f->buffer;
    int rc = f->failed;

    if (!b)
        return rc;
    if (rc == SQLITE_OK)
        rc = write_through(f, b->bytes, f->n, f->at);
    f->buffer = NULL;
    f->n = 0;
    buffer_give(b);
    return rc;
}

static int gather_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct wal_file *f = (struct wal_file *)file;
    bool header = n == FRAME_HEADER, last = f->last_frame && !header;
    int rc;

    if (f->failed)
        return f->failed;
    /* SQLite3MultipleCiphers (2.3.5) drops the error when there is no memory for the codec of a copy, and the copy would
     * be written in the clear. */
    if (f->copy && p != page_sealed_last())
        return f->failed = copy_failure = SQLITE_NOMEM;
    if (at == 0 && f->watched && watcher) /* its own header: it begins anew */
        watcher->cutting(f->watched, 0);
    f->last_frame = header && memcmp((const uint8_t *)p + FRAME_COMMIT, "\0\0\0\0", 4) != 0;
    if (last)
        f->committed = at + n;
    if (f->buffer && (at != f->at + f->n || n > WRITE_MAX - f->n) && (rc = flush(f)) != SQLITE_OK)
        return rc;
    if (!f->buffer && (n > WRITE_MAX || !(f->buffer = buffer_take())))
        return write_through(f, p, n, at);
    if (f->n == 0)
        f->at = at;
    memcpy(f->buffer->bytes + f->n, p, (size_t)n);
    f->n += n;
    return last ? flush(f) : SQLITE_OK;
}

static int gather_close(sqlite3_file *file)
{
    struct wal_file *f = (struct wal_file *)file;
    int rc = flush(f), closed = real_of(f)->pMethods->xClose(real_of(f));

    if (f->watched && watcher)
        watcher->close(f->watched);
    return rc != SQLITE_OK ? rc : closed;
}

/* A page of a -wal with the header before it: the cipher asks for the page's number next, which else is a read of its own. */
static int frame_read(struct wal_file *f, void *page, sqlite3_int64 at)
{
    static _Thread_local uint8_t frame[FRAME_HEADER + PAGE_BYTES];
    int rc = real_of(f)->pMethods->xRead(real_of(f), frame, (int)sizeof frame, at - FRAME_HEADER);

    if (rc != SQLITE_OK)
        return rc;
    memcpy(page, frame + FRAME_HEADER, PAGE_BYTES);
    memcpy(f->header, frame, FRAME_NUMBER);
    f->header_at = at - FRAME_HEADER;
    return SQLITE_OK;
}

static int gather_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    struct wal_file *f = (struct wal_file *)file;
    bool known = n == FRAME_NUMBER && at == f->header_at;
    int rc = flush(f);

    f->header_at = -1;
    if (rc == SQLITE_OK && known) {
        memcpy(p, f->header, FRAME_NUMBER);
        return SQLITE_OK;
    }
    if (rc == SQLITE_OK && n == PAGE_BYTES && at >= FRAME_HEADER && !f->copy &&
        frame_read(f, p, at) == SQLITE_OK)
        return SQLITE_OK;
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int gather_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct wal_file *f = (struct wal_file *)file;
    int rc = flush(f);

    if (f->watched && watcher)
        watcher->cutting(f->watched, size);
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int gather_sync(sqlite3_file *file, int flags)
{
    struct wal_file *f = (struct wal_file *)file;
    int rc = flush(f);

    if (rc == SQLITE_OK && (rc = real_of(f)->pMethods->xSync(real_of(f), flags)) == SQLITE_OK &&
        f->committed && f->watched && watcher)
        watcher->committed(f->watched, f->committed);
    f->committed = 0;
    return rc;
}

static int gather_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct wal_file *f = (struct wal_file *)file;
    int rc = flush(f);

    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int gather_lock(sqlite3_file *file, int level)
{
    struct wal_file *f = (struct wal_file *)file;

    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int gather_unlock(sqlite3_file *file, int level)
{
    struct wal_file *f = (struct wal_file *)file;

    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int gather_check_lock(sqlite3_file *file, int *out)
{
    struct wal_file *f = (struct wal_file *)file;

    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int gather_control(sqlite3_file *file, int op, void *arg)
{
    struct wal_file *f = (struct wal_file *)file;
    int rc = op == SQLITE_FCNTL_SIZE_HINT ? SQLITE_OK : flush(f); /* a hint, before many a page */

    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int gather_sector(sqlite3_file *file)
{
    struct wal_file *f = (struct wal_file *)file;

    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int gather_device(sqlite3_file *file)
{
    struct wal_file *f = (struct wal_file *)file;

    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int gather_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *flags_out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = METHODS_VERSION_1,
        .xClose = gather_close,
        .xRead = gather_read,
        .xWrite = gather_write,
        .xTruncate = gather_truncate,
        .xSync = gather_sync,
        .xFileSize = gather_size,
        .xLock = gather_lock,
        .xUnlock = gather_unlock,
        .xCheckReservedLock = gather_check_lock,
        .xFileControl = gather_control,
        .xSectorSize = gather_sector,
        .xDeviceCharacteristics = gather_device,
    };
    struct wal_file *f = (struct wal_file *)file;
    int rc;

    if (!(flags & SQLITE_OPEN_WAL) &&
        !((flags & SQLITE_OPEN_MAIN_DB) && sqlite3_uri_boolean(name, WAL_GATHER_COPY, 0)))
        return told_open(vfs, name, file, flags, flags_out);
    *f = (struct wal_file){ .base = { .pMethods = NULL } };
    if ((rc = real_vfs->xOpen(real_vfs, name, real_of(f), flags, flags_out)) != SQLITE_OK)
        return rc;
    reads_tell(real_of(f));
    f->base.pMethods = &methods;
    f->header_at = -1;
    f->copy = !(flags & SQLITE_OPEN_WAL);
    f->watched = (flags & SQLITE_OPEN_WAL) && watcher ? watcher->open(name) : NULL;
    return SQLITE_OK;
}

static int gather_delete(sqlite3_vfs *vfs UNUSED, const char *name, int sync)
{
    size_t n = strlen(name);

    if (watcher && n > 4 && memcmp(name + n - 4, "-wal", 4) == 0)
        watcher->removing(name);
    return real_vfs->xDelete(real_vfs, name, sync);
}

int wal_gather_register(void)
{
    if (!(real_vfs = sqlite3_vfs_find("unix")))
        return E_BUG;
    gather_vfs = *real_vfs; /* its other methods take any VFS */
    gather_vfs.zName = "gather";
    gather_vfs.pNext = NULL;
    gather_vfs.szOsFile = (int)sizeof(struct wal_file) + real_vfs->szOsFile;
    gather_vfs.xOpen = gather_open;
    gather_vfs.xDelete = gather_delete;
    told_vfs = *real_vfs;
    told_vfs.zName = "told";
    told_vfs.pNext = NULL;
    told_vfs.xOpen = told_open;
    return sqlite3_vfs_register(&gather_vfs, 0) == SQLITE_OK &&
                   sqlite3mc_vfs_create(gather_vfs.zName, 0) == SQLITE_OK &&
                   sqlite3_vfs_register(&told_vfs, 0) == SQLITE_OK &&
                   sqlite3mc_vfs_create(told_vfs.zName, 0) == SQLITE_OK
               ? 0
               : E_NOMEM;
}
