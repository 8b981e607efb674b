/* src/store/shipgather.c: what was committed to a file, copied out of its -wal.
 *
 * A stream's position says which -wal (by its salts) was gathered up to which frame. It stays true through everything:
 * whoever makes a -wal begin anew comes through watch_cutting first, so other salts than those in a position mean that all of
 * that -wal was confirmed. After a crash the same holds, as positions that are found again (shipstate.c) are those of
 * confirmed packs only. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/db/wal_gather.h"
#include "src/store/ship_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME_BYTES  (SHIP_FRAME_HEAD + SHIP_PAGE)
#define HEX_LEN      (2 * MAILBOX_ID_LEN)
#define MARKS_KEPT   8192u /* of a file between two ticks; beyond, commits are told apart less finely */
#define FRAME_SUM_AT 16u
#define SHM_TRIED_AT 128 /* nBackfillAttempted, SQLite's walformat 2.4 */

/* The watcher's: SQLite's calls bring no context. Changed only while no mailbox is open. */
static struct ship *ships[SHIPS_MAX];
static size_t nships;

static bool wal_name_parse(const char *path, uint8_t mailbox[MAILBOX_ID_LEN], uint64_t *file)
{
    struct str name = str_from(path);
    ptrdiff_t slash = str_rchr(name, '/');

    name = str_skip(name, (size_t)(slash + 1));
    return str_ends(name, STR("-wal")) && ship_name_parse(str_slice(name, 0, name.n - 4), mailbox, file);
}

/* ---- commits ----------------------------------------------------------------------------------- */

/* Under s->lock. */
static void mark_add(struct ship_stream *t, uint32_t frame, int64_t ms)
{
    if (t->nmarks == t->marks_cap && t->marks_cap < MARKS_KEPT) {
        size_t cap = t->marks_cap ? 2 * t->marks_cap : 16;
        struct ship_mark *m = realloc(t->marks, cap * sizeof *m);

        if (m) {
            t->marks = m;
            t->marks_cap = cap;
        }
    }
    if (ms < t->last_ms)
        ms = t->last_ms;
    t->last_ms = ms;
    if (t->nmarks == t->marks_cap) {
        if (!t->nmarks)
            return;
        t->nmarks--;
    }
    t->marks[t->nmarks++] = (struct ship_mark){ frame, ms };
}

static void mark(struct ship *s, struct ship_stream *t, uint32_t frame, int64_t ms)
{
    pthread_mutex_lock(&s->lock);
    mark_add(t, frame, ms);
    ship_dirty_locked(s, t);
    pthread_mutex_unlock(&s->lock);
}

/* What was committed so far, and in which -wal: in this order, as who commits while we look does not wait for us. He may
 * have begun the -wal anew (nothing of the former one is missing then), and his frames are not those of a header that
 * was read before. */
struct found {
    struct ship_mark *m;
    size_t n;
};

/* The caller frees. */
static struct found marks_take(struct ship *s, struct ship_stream *t)
{
    struct found f;

    pthread_mutex_lock(&s->lock);
    f = (struct found){ t->marks, t->nmarks };
    t->marks = NULL;
    t->nmarks = t->marks_cap = 0;
    pthread_mutex_unlock(&s->lock);
    if (f.n)
        t->last = f.m[f.n - 1];
    return f;
}

/* ---- segments ---------------------------------------------------------------------------------- */

static void segment_begin(const struct ship_stream *t, enum ship_kind kind, struct ship_segment *g)
{
    *g = (struct ship_segment){ .kind = kind, .file = t->file, .chain = t->chain, .seq = t->pos.seq };
    memcpy(g->mailbox, t->mailbox, MAILBOX_ID_LEN);
    memcpy(g->before, t->pos.mac, SHIP_MAC_BYTES);
    rand_bytes(g->nonce, sizeof g->nonce);
}

/* Frames from..to of the -wal, with the marks among them; pack_lock is held. */
static int frames_add_locked(struct ship *s, struct ship_stream *t, int wal, const struct ship_wal *w,
                             uint32_t from, uint32_t to, const struct ship_mark *m, size_t nmarks)
{
    struct ship_segment g;
    size_t n, at;
    uint8_t *p;
    int r;

    segment_begin(t, SHIP_FRAMES, &g);
    g.first = from;
    g.frames = to - from + 1;
    g.page_bytes = w->page_bytes;
    g.magic = w->magic;
    g.marks = (uint32_t)nmarks;
    g.first_ms = nmarks ? m[0].ms : 0;
    g.last_ms = nmarks ? m[nmarks - 1].ms : 0;
    memcpy(g.salts, w->salts, SHIP_SALT_BYTES);
    memcpy(g.sum, t->pos.sum, SHIP_SUM_BYTES);
    n = ship_segment_bytes(&g);
    at = ship_segment_data_at(&g);
    if (!n)
        return E_BUG;
    if (!(p = ship_pack_room(s, n)))
        return s->full ? E_FULL : E_NOMEM;
    if (t->broken)
        return E_FULL; /* what was flushed to make room was lost, and this chain with it */
    for (size_t i = 0; i < nmarks; i++)
        ship_mark_put(&m[i], p + SHIP_SEGMENT_HEAD + i * SHIP_MARK_BYTES);
    if ((r = file_read_exact(wal, p + at, (size_t)g.frames * FRAME_BYTES,
                             SHIP_WAL_HEAD + (uint64_t)(from - 1) * FRAME_BYTES)) < 0)
        return r;
    for (uint32_t i = 0; i < g.frames; i++)
        if (memcmp(p + at + i * (size_t)FRAME_BYTES + 8, w->salts, SHIP_SALT_BYTES) != 0)
            return E_CORRUPT; /* it is not what was committed */
    if ((r = ship_pack_add(s, t, &g, p, n)) < 0)
        return r;
    memcpy(t->pos.sum, p + n - SHIP_MAC_BYTES - FRAME_BYTES + FRAME_SUM_AT, SHIP_SUM_BYTES);
    t->pos.frames = to;
    t->bytes_since += n;
    return 0;
}

static int frames_add(struct ship *s, struct ship_stream *t, int wal, const struct ship_wal *w,
                      const struct ship_mark *m, size_t nmarks)
{
    uint32_t end = nmarks ? m[nmarks - 1].frame : 0;
    size_t at = 0;
    int r = 0;

    while (r == 0 && t->pos.frames < end) {
        uint32_t from = t->pos.frames + 1,
                 to = end - t->pos.frames > SHIP_FRAMES_MAX ? t->pos.frames + SHIP_FRAMES_MAX : end;
        size_t n = 0;

        while (at < nmarks && m[at].frame < from)
            at++; /* shipped before */
        while (at + n < nmarks && m[at + n].frame <= to && n < SHIP_MARKS_MAX)
            n++;
        if (n == SHIP_MARKS_MAX)
            to = m[at + n - 1].frame;
        pthread_mutex_lock(&s->pack_lock);
        r = frames_add_locked(s, t, wal, w, from, to, m + at, n);
        pthread_mutex_unlock(&s->pack_lock);
        at += n;
    }
    return r;
}

/* ---- chains ------------------------------------------------------------------------------------ */

/* The file that this -wal belongs to was not written to since the -wal began. */
static bool untouched(const struct ship *s, const struct ship_stream *t, bool has_wal)
{
    char path[FILES_PATH_MAX + 8];
    CLEANUP(fd_close) int fd = -1;
    uint32_t tried = 1;

    if (!has_wal || !t->opens)
        return false; /* a -shm that nobody uses may be anything */
    ship_stream_path(t, "-shm", path);
    fd = openat(s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && pread(fd, &tried, sizeof tried, SHM_TRIED_AT) == (ssize_t)sizeof tried && tried == 0;
}

/* All of the file as it is. The -wal is not cut meanwhile: what is torn or newer in here stands in its frames, which
 * follow, so that the copy is good from the last commit before `now` on; when nothing was moved into the file yet, from
 * the first one. */
static int whole_add(struct ship *s, struct ship_stream *t, uint64_t bytes, bool has_wal,
                     const struct found *f)
{
    char path[FILES_PATH_MAX + 8];
    CLEANUP(fd_close) int fd = -1;
    struct ship_segment g;
    uint8_t *p;
    size_t n;
    int r;

    ship_stream_path(t, "", path);
    fd = openat(s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_from_errno(errno);
    pthread_mutex_lock(&s->pack_lock);
    segment_begin(t, SHIP_WHOLE, &g);
    g.page_bytes = SHIP_PAGE;
    g.frames = (uint32_t)(bytes / SHIP_PAGE);
    n = ship_segment_bytes(&g);
    if (!n || !(p = ship_pack_room(s, n))) {
        r = s->full ? E_FULL : E_NOMEM;
    } else if ((r = file_read_exact(fd, p + SHIP_SEGMENT_HEAD, (size_t)g.frames * SHIP_PAGE, 0)) == 0) {
        pthread_mutex_lock(&s->lock);
        g.first_ms = untouched(s, t, has_wal) ? (f->n ? f->m[0].ms : t->last.ms) : 0;
        pthread_mutex_unlock(&s->lock);
        if (!g.first_ms)
            g.first_ms = clock_wall_ms();
        g.last_ms = g.first_ms;
        if ((r = ship_pack_add(s, t, &g, p, n)) == 0) {
            t->based_ms = clock_wall_ms();
            t->bytes_since = 0;
            t->pos.wal_seq = t->pos.seq;
        }
    }
    pthread_mutex_unlock(&s->pack_lock);
    return r;
}

static int end_add(struct ship *s, struct ship_stream *t)
{
    struct ship_segment g;
    uint8_t *p;
    int r;

    pthread_mutex_lock(&s->pack_lock);
    segment_begin(t, SHIP_END, &g);
    g.first_ms = g.last_ms = clock_wall_ms();
    p = ship_pack_room(s, ship_segment_bytes(&g));
    r = p ? ship_pack_add(s, t, &g, p, ship_segment_bytes(&g)) : s->full ? E_FULL : E_NOMEM;
    pthread_mutex_unlock(&s->pack_lock);
    return r;
}

/* What comes next belongs to a chain of its own. */
static void chain_drop(struct ship *s, struct ship_stream *t)
{
    pthread_mutex_lock(&s->pack_lock);
    ship_pos_begin(t, 0, 0);
    t->broken = false;
    pthread_mutex_unlock(&s->pack_lock);
}

static void chain_broken(struct ship *s, struct ship_stream *t, int why)
{
    char hex[HEX_LEN + 1];

    if (t->chain) {
        hex_encode(t->mailbox, MAILBOX_ID_LEN, hex);
        log_event(LOG_ALARM, "store.ship_gap", F_Z("mailbox", hex), F_U64("file", t->file), F_ERR(why));
        pthread_mutex_lock(&s->lock);
        s->figures.gaps++;
        pthread_mutex_unlock(&s->lock);
    }
    chain_drop(s, t);
}

static int chain_begin(struct ship *s, struct ship_stream *t, const struct stat *st, const struct ship_wal *w,
                       const struct found *f)
{
    pthread_mutex_lock(&s->pack_lock);
    ship_pos_begin(t, rand_u64() | 1, st->st_ino);
    if (w) {
        memcpy(t->pos.salts, w->salts, SHIP_SALT_BYTES);
        memcpy(t->pos.sum, w->sum, SHIP_SUM_BYTES);
    }
    pthread_mutex_unlock(&s->pack_lock);
    return (uint64_t)st->st_size <= SHIP_INLINE_MAX ? whole_add(s, t, (uint64_t)st->st_size, w != NULL, f)
                                                    : 0;
}

/* ---- gathering: t->lock is held ---------------------------------------------------------------- */

struct wal {
    int fd;
    bool good; /* it has a header */
    struct ship_wal head;
    int64_t changed_ms;
    uint64_t bytes;
};

static void wal_open(const struct ship *s, const struct ship_stream *t, struct wal *w)
{
    uint8_t head[SHIP_WAL_HEAD];
    char path[FILES_PATH_MAX + 8];
    struct stat st;

    *w = (struct wal){ .fd = -1 };
    ship_stream_path(t, "-wal", path);
    w->fd = openat(s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (w->fd < 0 || fstat(w->fd, &st) < 0 || pread(w->fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        return;
    w->good = ship_wal_head(head, &w->head) == 0 && w->head.page_bytes == SHIP_PAGE;
    w->bytes = (uint64_t)st.st_size;
    w->changed_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

/* Where it was gathered to, when it is the same -wal still. */
static void wal_follow(struct ship *s, struct ship_stream *t, const struct wal *w)
{
    bool same = w->good && memcmp(t->pos.salts, w->head.salts, SHIP_SALT_BYTES) == 0;

    if (same)
        return;
    pthread_mutex_lock(&s->pack_lock);
    t->pos.frames = 0;
    t->pos.wal_seq = t->pos.seq;
    memset(t->pos.salts, 0, SHIP_SALT_BYTES);
    if (w->good) {
        memcpy(t->pos.salts, w->head.salts, SHIP_SALT_BYTES);
        memcpy(t->pos.sum, w->head.sum, SHIP_SUM_BYTES);
    }
    pthread_mutex_unlock(&s->pack_lock);
}

/* Once after the start, before anybody writes: what a crash left in it that was not gathered. Its commits are all
 * taken for one, of the time it was written last. */
static void wal_look(struct ship *s, struct ship_stream *t)
{
    uint8_t frame[FRAME_BYTES], sum[SHIP_SUM_BYTES];
    uint32_t n, end = 0;
    struct wal w;

    t->looked = true;
    wal_open(s, t, &w);
    if (t->chain)
        wal_follow(s, t, &w);
    if (w.good) {
        n = t->chain ? t->pos.frames : 0;
        memcpy(sum, n ? t->pos.sum : w.head.sum, sizeof sum);
        if (n && (file_read_exact(w.fd, frame, SHIP_FRAME_HEAD,
                                  SHIP_WAL_HEAD + (uint64_t)(n - 1) * FRAME_BYTES) < 0 ||
                  memcmp(frame + FRAME_SUM_AT, sum, sizeof sum) != 0)) {
            chain_broken(
                s, t,
                E_CORRUPT); /* what was shipped is not there: the disk lost it, and others take its place */
            n = 0;
            memcpy(sum, w.head.sum, sizeof sum);
        }
        end = n;
        while (file_read_exact(w.fd, frame, sizeof frame, SHIP_WAL_HEAD + (uint64_t)n * FRAME_BYTES) == 0 &&
               ship_wal_frame(&w.head, frame, sum))
            if (n++, ship_frame_pages(frame))
                end = n;
        if (end > (t->chain ? t->pos.frames : 0))
            mark(s, t, end, w.changed_ms);
    }
    fd_close(&w.fd);
}

static int gather_frames(struct ship *s, struct ship_stream *t, const struct wal *w, const struct found *f)
{
    struct ship_mark again = t->last;

    if (!w->good)
        return 0;
    if (f->n)
        return frames_add(s, t, w->fd, &w->head, f->m, f->n);
    return again.frame > t->pos.frames /* a chain that began in the middle of a -wal */
               ? frames_add(s, t, w->fd, &w->head, &again, 1)
               : 0;
}

static int gather_wal(struct ship *s, struct ship_stream *t, const struct stat *st)
{
    struct found f = marks_take(s, t);
    struct wal w;
    int r = 0;

    wal_open(s, t, &w);
    if (t->chain)
        wal_follow(s, t, &w);
    else if (st->st_size > 0)
        r = chain_begin(s, t, st, w.good ? &w.head : NULL, &f);
    if (r == 0 && t->chain)
        r = gather_frames(s, t, &w, &f);
    fd_close(&w.fd);
    free(f.m);
    return r;
}

static int gather(struct ship *s, struct ship_stream *t)
{
    char path[FILES_PATH_MAX + 8];
    struct stat st;
    int r = 0;

    if (t->broken)
        chain_broken(s, t, E_IO); /* told when it was */
    ship_stream_path(t, "", path);
    if (fstatat(s->files->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return error_from_errno(errno);
        if (t->chain)
            r = end_add(s, t);
        chain_drop(s, t);
        t->gone = true;
        return r;
    }
    t->gone = false;
    if (t->chain && !t->pos.inode) {
        pthread_mutex_lock(&s->pack_lock);
        t->pos.inode = st.st_ino; /* begun shortly before a crash: the state does not know it */
        pthread_mutex_unlock(&s->pack_lock);
    }
    if (t->chain && t->pos.inode != st.st_ino) { /* another file has its name */
        if ((r = end_add(s, t)) < 0)
            return r;
        chain_drop(s, t);
    }
    if (!t->looked)
        wal_look(s, t);
    if ((r = gather_wal(s, t, &st)) < 0)
        chain_broken(s, t, r);
    return r;
}

/* ---- SQLite's calls (wal_gather.h) ------------------------------------------------------------- */

/* A temporary mailbox may be gone again before the next tick: its chain begins with the empty file, before the first
 * commit. */
static bool is_new(const struct ship *s, const struct ship_stream *t)
{
    char path[FILES_PATH_MAX + 8];
    struct stat st;

    ship_stream_path(t, "-wal", path);
    return fstatat(s->files->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size == 0;
}

static struct ship *ship_of(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    for (size_t i = 0; i < nships; i++)
        if (ship_has(ships[i], mailbox))
            return ships[i];
    return NULL;
}

static void *watch_open(const char *path)
{
    uint8_t mailbox[MAILBOX_ID_LEN];
    struct ship_stream *t;
    struct ship *s;
    uint64_t file;

    if (!wal_name_parse(path, mailbox, &file) || !(s = ship_of(mailbox)) ||
        !(t = ship_stream_get(s, mailbox, file, true)))
        return NULL; /* no memory: it is found by the next start */
    pthread_mutex_lock(&t->lock);
    if (!t->looked)
        wal_look(s, t);
    if (file && !t->chain && !s->full && is_new(s, t) && gather(s, t) < 0)
        chain_drop(s, t); /* the next tick tries again */
    pthread_mutex_unlock(&t->lock);
    return t;
}

static void watch_close(void *wal)
{
    struct ship_stream *t = wal;

    ship_stream_put(t->ship, t);
}

static void watch_committed(void *wal, int64_t end)
{
    struct ship_stream *t = wal;

    mark(t->ship, t, (uint32_t)((end - SHIP_WAL_HEAD) / FRAME_BYTES), clock_wall_ms());
}

/* All that is in it is confirmed before it goes; where that cannot be, the chain is broken, and mail goes on. */
static void cut(struct ship *s, struct ship_stream *t)
{
    bool waits, some;

    pthread_mutex_lock(&t->lock);
    pthread_mutex_lock(&s->lock);
    waits = t->nmarks || !t->looked;
    some = waits || t->last.frame ||
           t->pos.frames; /* else it is empty, and a copy that is being made stays good */
    pthread_mutex_unlock(&s->lock);
    waits |= t->last.frame && t->chain && t->last.frame > t->pos.frames;
    if (waits && s->full)
        chain_broken(s, t, E_FULL);
    else if (waits && gather(s, t) < 0)
        chain_drop(s, t);
    pthread_mutex_lock(&s->pack_lock);
    if (t->chain && t->pack == s->pack_seq && s->npack && ship_flush_locked(s) < 0)
        t->broken = true;
    if (t->pos.frames) {
        t->pos.frames = 0;
        memset(t->pos.salts, 0, SHIP_SALT_BYTES);
        t->pos.wal_seq = t->pos.seq;
    }
    pthread_mutex_unlock(&s->pack_lock);
    pthread_mutex_lock(&s->lock);
    t->nmarks = 0;
    pthread_mutex_unlock(&s->lock);
    t->last.frame = 0;
    t->cuts += some;
    pthread_mutex_unlock(&t->lock);
}

static void watch_cutting(void *wal, int64_t at)
{
    struct ship_stream *t = wal;
    struct ship *s = t->ship;
    int64_t end;

    if (at > 0) { /* what is behind the last commit may go */
        pthread_mutex_lock(&t->lock);
        pthread_mutex_lock(&s->lock);
        end = SHIP_WAL_HEAD +
              (int64_t)FRAME_BYTES * (t->nmarks ? t->marks[t->nmarks - 1].frame : t->last.frame);
        pthread_mutex_unlock(&s->lock);
        pthread_mutex_unlock(&t->lock);
        if (at >= end)
            return;
    }
    cut(s, t);
}

static void watch_removing(const char *path)
{
    uint8_t mailbox[MAILBOX_ID_LEN];
    struct ship_stream *t;
    struct ship *s;
    uint64_t file;

    if (!wal_name_parse(path, mailbox, &file) || !(s = ship_of(mailbox)) ||
        !(t = ship_stream_get(s, mailbox, file, false)))
        return;
    cut(s, t);
    if (file)
        ship_dirty(s, t); /* a temporary mailbox goes soon, perhaps */
    ship_stream_put(s, t);
}

static const struct wal_watcher watcher = {
    .open = watch_open,
    .close = watch_close,
    .committed = watch_committed,
    .cutting = watch_cutting,
    .removing = watch_removing,
};

int ship_gather(struct ship *s, struct ship_stream *t)
{
    int r;

    pthread_mutex_lock(&t->lock);
    r = gather(s, t);
    pthread_mutex_unlock(&t->lock);
    return r;
}

void ship_chain_drop(struct ship *s, struct ship_stream *t)
{
    pthread_mutex_lock(&t->lock);
    chain_drop(s, t);
    pthread_mutex_unlock(&t->lock);
}

int ship_watch(struct ship *s)
{
    if (nships == SHIPS_MAX)
        return E_LIMIT;
    ships[nships++] = s;
    wal_watch(&watcher);
    return 0;
}

void ship_unwatch(struct ship *s)
{
    size_t n = 0;

    for (size_t i = 0; i < nships; i++)
        if (ships[i] != s)
            ships[n++] = ships[i];
    if (!(nships = n))
        wal_watch(NULL);
}
