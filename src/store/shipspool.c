/* src/store/shipspool.c: the pack in the making, and packs that wait for the target. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "src/store/ship_private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES  112u
#define BLOCK_BYTES KIB(4) /* what a disk may want direct writes to be made of */
#define SLICE_BYTES SHIP_SLICE_BYTES

/* ---- the pack ---------------------------------------------------------------------------------- */

uint8_t *ship_pack_room(struct ship *s, size_t n)
{
    if (s->npack && (s->pack_data.n + n > SHIP_PACK_BYTES || s->npack >= SHIP_PACK_SEGMENTS - 1) &&
        ship_flush_locked(s) < 0)
        return NULL;
    return buf_reserve(&s->pack_data, n);
}

static int stream_note(struct ship *s, struct ship_stream *t)
{
    if (s->npack == s->pack_cap) {
        size_t cap = s->pack_cap ? 2 * s->pack_cap : 64;
        struct ship_stream **p = realloc(s->pack_streams, cap * sizeof *p);

        if (!p)
            return E_NOMEM;
        s->pack_streams = p;
        s->pack_cap = cap;
    }
    s->pack_streams[s->npack++] = t;
    return 0;
}

int ship_pack_add(struct ship *s, struct ship_stream *t, const struct ship_segment *g, uint8_t *p, size_t n)
{
    uint8_t entry[SHIP_INDEX_BYTES], *mac = p + n - SHIP_MAC_BYTES;
    struct ship_entry e;
    int r;

    ship_segment_head_put(g, p);
    ship_segment_mac(s->key, str_of(p, n), mac);
    ship_entry_of(g, s->pack_data.n, mac, &e);
    ship_entry_put(&e, entry);
    if ((r = stream_note(s, t)) < 0)
        return r;
    if ((r = buf_append(&s->pack_index, entry, sizeof entry)) < 0) {
        s->npack--;
        return r;
    }
    s->pack_data.n += n;
    memcpy(t->pos.mac, mac, SHIP_MAC_BYTES);
    t->pos.seq++;
    t->pack = s->pack_seq;
    return 0;
}

/* Where in the pack each segment is, once it is known how many there are. */
static void index_settle(struct ship *s)
{
    uint64_t by = ship_pack_data_at((uint32_t)s->npack);

    for (size_t i = 0; i < s->npack; i++) {
        uint8_t *at = (uint8_t *)s->pack_index.p + i * SHIP_INDEX_BYTES + 56;

        le64_put(at, le64_get(at) + by);
    }
}

static void spool_name(const struct ship *s, uint64_t log, uint64_t seq, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "%s/%016llx-%016llx.pack", s->folder, (unsigned long long)log,
             (unsigned long long)seq);
}

void ship_pack_name(uint64_t log, uint64_t seq, char out[TARGET_NAME_MAX])
{
    snprintf(out, TARGET_NAME_MAX, "ship-%016llx/%016llx.pack", (unsigned long long)log,
             (unsigned long long)seq);
}

/* Past the page cache a pack is copied once less, and the kernel has nothing to write back while others wait for their
 * syncs. Where that is not possible it goes as everything does. */
static void direct(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
}

static int write_all(int fd, struct str s)
{
    int r = file_write_rest(fd, &s);

    if (r < 0 && errno == EINVAL && (fcntl(fd, F_GETFL) & O_DIRECT)) {
        direct(fd, false); /* larger blocks than ours, or a file system that took the flag and means it not */
        r = file_write(fd, s);
    }
    return r;
}

/* Pieces of a pack, put together in blocks that begin and end where the disk's do. */
struct slices {
    int fd;
    uint8_t *p;
    size_t n;
};

static int slices_put(struct slices *w, struct str s)
{
    int r = 0;

    while (s.n && r == 0) {
        size_t n = size_min(s.n, SLICE_BYTES - w->n);

        memcpy(w->p + w->n, s.p, n);
        s = str_skip(s, n);
        if ((w->n += n) == SLICE_BYTES) {
            r = write_all(w->fd, str_of(w->p, SLICE_BYTES));
            w->n = 0;
        }
    }
    return r;
}

static int slices_end(struct slices *w)
{
    size_t whole = w->n - w->n % BLOCK_BYTES;
    int r = write_all(w->fd, str_of(w->p, whole));

    direct(w->fd, false);
    return r < 0 ? r : write_all(w->fd, str_of(w->p + whole, w->n - whole));
}

static int pack_put(struct ship *s, int fd, struct str head)
{
    struct slices w = { .fd = fd, .p = s->slice };
    int r;

    direct(fd, true);
    if ((r = slices_put(&w, head)) < 0 || (r = slices_put(&w, buf_str(&s->pack_index))) < 0 ||
        (r = slices_put(&w, buf_str(&s->pack_data))) < 0 || (r = slices_end(&w)) < 0)
        return r;
    return file_ops()->fsync(fd) < 0 ? error_from_errno(errno) : 0;
}

/* Whole or not there: its name comes last. */
static int pack_write(struct ship *s, const uint8_t head[SHIP_PACK_HEAD])
{
    char name[NAME_BYTES], part[NAME_BYTES + 8];
    CLEANUP(fd_close) int fd = -1;
    int r;

    spool_name(s, s->log, s->pack_seq, name);
    snprintf(part, sizeof part, "%s.new", name);
    fd = file_ops()->openat(s->files->dir, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_from_errno(errno);
    if ((r = pack_put(s, fd, str_of(head, SHIP_PACK_HEAD))) == 0)
        r = file_rename(s->files->dir, part, name);
    if (r < 0)
        file_ops()->unlinkat(s->files->dir, part);
    return r;
}

static void spool_append(struct ship *s, uint64_t log, uint64_t seq, uint64_t bytes, int64_t made_ms)
{
    struct spooled *p = calloc(1, sizeof *p);

    if (!p)
        return; /* it is there, and the next start finds it */
    *p = (struct spooled){ .log = log, .seq = seq, .bytes = bytes, .made_ms = made_ms };
    *s->spool_end = p;
    s->spool_end = &p->next;
    s->spool_waiting += bytes;
}

/* What was gathered is lost: each chain in it is broken. */
static void pack_lost(struct ship *s, uint64_t waiting, int r)
{
    for (size_t i = 0; i < s->npack; i++)
        s->pack_streams[i]->broken = true;
    if (!s->failing)
        log_event(LOG_ALARM, r == E_FULL ? "store.ship_spool_full" : "store.ship_spool_failed", F_ERR(r),
                  F_U64("waiting_bytes", waiting));
    s->full = s->failing = true;
    ship_state_drop(s);
}

static void pack_clear(struct ship *s)
{
    s->npack = 0;
    buf_clear(&s->pack_index);
    buf_clear(&s->pack_data);
}

int ship_flush_locked(struct ship *s)
{
    struct ship_pack p = { .kind = SHIP_PACK_SHARED,
                           .log = s->log,
                           .seq = s->pack_seq,
                           .made_ms = clock_wall_ms(),
                           .segments = (uint32_t)s->npack };
    uint8_t head[SHIP_PACK_HEAD];
    uint64_t waiting;
    int r;

    if (!s->npack)
        return 0;
    p.bytes = ship_pack_data_at(p.segments) + s->pack_data.n;
    memcpy(p.before, s->pack_before, SHIP_MAC_BYTES);
    rand_bytes(p.nonce, sizeof p.nonce);
    index_settle(s);
    ship_pack_seal(s->key, &p, buf_str(&s->pack_index), head);
    pthread_mutex_lock(&s->lock);
    waiting = s->spool_waiting;
    pthread_mutex_unlock(&s->lock);
    r = waiting + p.bytes > s->spool_max ? E_FULL : pack_write(s, head);
    if (r < 0) {
        pack_lost(s, waiting, r);
    } else {
        s->failing = false;
        memcpy(s->pack_before, p.mac, SHIP_MAC_BYTES);
        pthread_mutex_lock(&s->lock);
        spool_append(s, s->log, s->pack_seq, p.bytes, p.made_ms);
        s->figures.packs++;
        s->figures.bytes += p.bytes;
        pthread_mutex_unlock(&s->lock);
        s->pack_seq++;
    }
    pack_clear(s);
    return r;
}

int ship_flush(struct ship *s)
{
    int r;

    pthread_mutex_lock(&s->pack_lock);
    r = ship_flush_locked(s);
    pthread_mutex_unlock(&s->pack_lock);
    return r;
}

/* ---- what waits -------------------------------------------------------------------------------- */

static int spooled_order(const void *a, const void *b)
{
    const struct spooled *x = a, *y = b;

    return x->log != y->log ? (x->log < y->log ? -1 : 1) : x->seq != y->seq ? (x->seq < y->seq ? -1 : 1) : 0;
}

/* A pack's name came after its last byte: what is named so is whole. */
static bool spooled_read(struct ship *s, const char *name, struct spooled *out)
{
    char path[2 * NAME_BYTES];
    CLEANUP(fd_close) int fd = -1;
    uint8_t head[SHIP_PACK_HEAD];
    struct ship_pack p;
    struct stat st;

    if (strlen(name) != 16 + 1 + 16 + 5 || !str_ends(str_from(name), STR(".pack")))
        return false;
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    fd = openat(s->files->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || file_read_exact(fd, head, sizeof head, 0) < 0 ||
        ship_pack_head_get(str_of(head, sizeof head), &p) < 0 || p.bytes != (uint64_t)st.st_size)
        return false;
    *out = (struct spooled){ .log = p.log, .seq = p.seq, .bytes = p.bytes, .made_ms = p.made_ms };
    return true;
}

int ship_spool_load(struct ship *s)
{
    int fd = openat(s->files->dir, s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct spooled *all = NULL;
    const struct dirent *e;
    size_t n = 0, cap = 0;

    if (!d) {
        fd_close(&fd);
        return error_from_errno(errno);
    }
    while ((e = readdir(d)) != NULL) {
        if (n == cap) {
            void *p = realloc(all, (cap = cap ? 2 * cap : 64) * sizeof *all);

            if (!p)
                break;
            all = p;
        }
        if (spooled_read(s, e->d_name, &all[n]))
            n++;
        else if (str_ends(str_from(e->d_name), STR(".new")))
            unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
    if (n)
        qsort(all, n, sizeof *all, spooled_order);
    for (size_t i = 0; i < n; i++)
        spool_append(s, all[i].log, all[i].seq, all[i].bytes, all[i].made_ms);
    free(all);
    return 0;
}

/* Of this log: gone when the target has it and the saved state knows of it; of one before: when the target has it. */
void ship_spool_prune(struct ship *s)
{
    char name[NAME_BYTES];

    pthread_mutex_lock(&s->lock);
    while (s->spool && s->spool->sent && (s->spool->log != s->log || s->spool->seq < s->state_seq)) {
        struct spooled *p = s->spool;

        s->spool = p->next;
        if (!s->spool)
            s->spool_end = &s->spool;
        spool_name(s, p->log, p->seq, name);
        file_ops()->unlinkat(s->files->dir, name);
        free(p);
    }
    pthread_mutex_unlock(&s->lock);
}

int ship_spool_each(struct ship *s, ship_spooled *visit, void *ctx)
{
    struct spooled *copy = NULL;
    size_t n = 0;
    int r = 0;

    pthread_mutex_lock(&s->lock);
    for (const struct spooled *p = s->spool; p; p = p->next)
        n++;
    if (n && !(copy = calloc(n, sizeof *copy)))
        r = E_NOMEM;
    n = 0;
    for (const struct spooled *p = s->spool; p && copy; p = p->next)
        copy[n++] = *p;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < n && r >= 0; i++) {
        char name[NAME_BYTES];
        CLEANUP(fd_close) int fd = -1;

        spool_name(s, copy[i].log, copy[i].seq, name);
        fd = openat(s->files->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0) /* else it was sent meanwhile, and pruned */
            r = visit(ctx, copy[i].log, copy[i].seq, fd);
    }
    free(copy);
    return r;
}

/* ---- to the target ----------------------------------------------------------------------------- */

/* Where the target's staging is on our file system the pack gets a second name there, and nothing is copied. */
static int put(struct ship *s, struct target *t, const char *spool, const char *name, int fd, uint64_t bytes,
               const bool *stop)
{
    char path[TARGET_PATH_MAX];
    uint64_t room;

    if (target_stage(t, name, path, &room) == 0) {
        int r =
            linkat(s->files->dir, spool, AT_FDCWD, path, 0) == 0 ? target_put(t, name, stop) : E_UNSUPPORTED;

        target_unstage(t,
                       name); /* a rename onto itself, of a pack that was there already, leaves both names */
        if (r == 0)
            return 0;
    }
    return target_put_file(t, name, fd, bytes, stop);
}

int ship_spooled_index(const struct ship *s, int fd, struct buf *index, struct ship_pack *out)
{
    size_t n;
    int r;

    if (!buf_reserve(index, SHIP_PACK_HEAD))
        return E_NOMEM;
    if ((r = file_read_exact(fd, index->p, SHIP_PACK_HEAD, 0)) < 0 ||
        (r = ship_pack_head_get(str_of(index->p, SHIP_PACK_HEAD), out)) < 0)
        return r;
    n = ship_pack_data_at(out->segments);
    if (!buf_reserve(index, n))
        return E_NOMEM;
    if ((r = file_read_exact(fd, index->p, n, 0)) < 0)
        return r;
    index->n = n;
    return ship_pack_check(s->key, out, buf_str(index));
}

static int firsts(struct ship *s, int fd, ship_first *first, void *ctx)
{
    CLEANUP(buf_release) struct buf b = { .max = SHIP_INDEX_MAX };
    struct ship_pack p;
    int r = ship_spooled_index(s, fd, &b, &p);

    if (r < 0)
        return r;
    for (uint32_t i = 0; i < p.segments && r >= 0; i++) {
        struct ship_entry e;

        ship_pack_entry(buf_str(&b), i, &e);
        if (!e.file && e.kind == SHIP_WHOLE)
            r = first(ctx, e.mailbox);
    }
    return r < 0 ? r : 0;
}

int ship_send(struct ship *s, struct target *t, ship_first *first, void *ctx, const bool *stop)
{
    struct spooled *p, at = { .sent = true };
    char spool[NAME_BYTES], name[TARGET_NAME_MAX];
    CLEANUP(fd_close) int fd = -1;
    int r;

    pthread_mutex_lock(&s->lock);
    for (p = s->spool; p && p->sent; p = p->next)
        ;
    if (p)
        at = *p;
    pthread_mutex_unlock(&s->lock);
    if (!p)
        return 0;
    spool_name(s, at.log, at.seq, spool);
    ship_pack_name(at.log, at.seq, name);
    fd = openat(s->files->dir, spool, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    r = fd < 0 ? (errno == ENOENT ? 0 : error_from_errno(errno)) : first ? firsts(s, fd, first, ctx) : 0;
    if (r == 0 && fd >= 0)
        r = put(s, t, spool, name, fd, at.bytes, stop);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->lock);
    p->sent = true; /* only prune takes any out, and only those that were sent */
    s->spool_waiting -= p->bytes;
    pthread_mutex_unlock(&s->lock);
    ship_spool_prune(s);
    return 1;
}
