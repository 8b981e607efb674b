#include "src/store/shipback.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPARE_BYTES MIB(16)
#define PAGE        4096u
#define RUN_BYTES   KIB(256)

void ship_back_temp_path(const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t generation, char out[FILES_PATH_MAX])
{
    char hex[2 * MAILBOX_ID_LEN + 1];

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    snprintf(out, FILES_PATH_MAX, "mailboxes/%.2s/%s-restore-%016llx.sqlite", hex, hex,
             (unsigned long long)generation);
}

static void path_of(const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file, char out[FILES_PATH_MAX])
{
    if (file)
        ship_back_temp_path(mailbox, file, out);
    else
        files_path(mailbox, FILES_RESTORE, out);
}

void ship_back_drop(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char folder[32], hex[2 * MAILBOX_ID_LEN + 1], prefix[2 * MAILBOX_ID_LEN + 16];
    const struct dirent *e;
    int fd;
    DIR *d;

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    snprintf(folder, sizeof folder, "mailboxes/%.2s", hex);
    snprintf(prefix, sizeof prefix, "%s-restore", hex);
    fd = openat(f->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        fd_close(&fd);
        return;
    }
    while ((e = readdir(d)) != NULL)
        if (str_starts(str_from(e->d_name), str_from(prefix)))
            file_ops()->unlinkat(dirfd(d), e->d_name);
    closedir(d);
}

/* ---- chains ------------------------------------------------------------------------------------ */

/* Pieces of one chain stand one behind the other, by number. */
struct chain {
    const struct ship_piece *p;
    size_t n;
    uint64_t file, chain;
    int64_t first_ms, last_ms, end_ms; /* of its commits; when it was closed, 0: it was not */
};

static void chain_of(const struct ship_kept *k, size_t at, struct chain *out)
{
    const struct ship_entry *e = &k->pieces[at].e;

    *out = (struct chain){ .p = &k->pieces[at], .file = e->file, .chain = e->chain };
    for (; at < k->npieces && k->pieces[at].e.file == out->file && k->pieces[at].e.chain == out->chain;
         at++, out->n++) {
        e = &k->pieces[at].e;
        if (e->kind == SHIP_END)
            out->end_ms = e->first_ms;
        if (e->first_ms && (!out->first_ms || e->first_ms < out->first_ms))
            out->first_ms = e->first_ms;
        if (e->kind == SHIP_FRAMES && e->last_ms > out->last_ms)
            out->last_ms = e->last_ms;
    }
}

/* From which copy of the file, and which segments after it. */
struct plan {
    const struct ship_base *base; /* one of these */
    const struct ship_piece *whole;
    int64_t valid_ms;
    struct chain chain;
    uint64_t seq;   /* the first segment that goes on from it */
    size_t from, n; /* in the chain */
};

static bool chain_find(const struct ship_kept *k, uint64_t file, uint64_t chain, struct chain *out)
{
    for (size_t i = 0; i < k->npieces; i += out->n) {
        chain_of(k, i, out);
        if (out->file == file && out->chain == chain)
            return true;
    }
    *out = (struct chain){ .file = file, .chain = chain };
    return false;
}

/* The newest copy that is good for the moment. */
static bool copy_choose(const struct ship_kept *k, uint64_t file, int64_t at_ms, struct plan *out)
{
    *out = (struct plan){ .valid_ms = INT64_MIN };
    for (size_t i = 0; i < k->nbases; i++)
        if (k->bases[i].file == file && k->bases[i].valid_ms <= at_ms &&
            k->bases[i].valid_ms >= out->valid_ms)
            *out = (struct plan){ .base = &k->bases[i],
                                  .valid_ms = k->bases[i].valid_ms,
                                  .seq = k->bases[i].seq };
    for (size_t i = 0; i < k->npieces; i++) {
        const struct ship_piece *p = &k->pieces[i];

        if (p->e.file == file && p->e.kind == SHIP_WHOLE && p->e.first_ms <= at_ms &&
            p->e.first_ms >= out->valid_ms)
            *out = (struct plan){ .whole = p, .valid_ms = p->e.first_ms, .seq = p->e.seq + 1 };
    }
    if (!out->base && !out->whole)
        return false;
    chain_find(k, file, out->base ? out->base->chain : out->whole->e.chain, &out->chain);
    return true;
}

/* Where the chain broke off, and another one is there that began later: what happened in between nobody knows. */
static bool in_gap(struct ship_back *b, const struct ship_kept *k, const struct plan *p)
{
    struct chain c;
    bool gap = false;

    if (p->chain.end_ms || b->at_ms <= p->chain.last_ms)
        return false;
    for (size_t i = 0; i < k->npieces; i += c.n) {
        chain_of(k, i, &c);
        gap |= c.file == p->chain.file && c.chain != p->chain.chain &&
               c.first_ms > (p->chain.last_ms ? p->chain.last_ms : p->valid_ms);
    }
    return gap;
}

/* Behind this piece of the chain one is missing: did it hold a commit of by then? It is not said; what is before the
 * end of the piece is there. */
static bool hole_matters(const struct ship_back *b, const struct plan *p, size_t i)
{
    return i <= p->from || p->chain.p[i - 1].e.last_ms <= b->at_ms;
}

/* All that was gathered of the chain is there. */
static bool at_end(const struct ship_back *b, const struct chain *c, uint64_t next)
{
    return c->file || c->end_ms || b->live_chain != c->chain || next >= b->live_seq;
}

/* Up to the last segment in which a commit ends by then; none may be missing before. */
static int plan_make(struct ship_back *b, const struct ship_kept *k, struct plan *p)
{
    const struct chain *c = &p->chain;
    uint64_t want = p->seq;

    for (p->from = 0; p->from < c->n && c->p[p->from].e.seq < p->seq; p->from++)
        ;
    for (size_t i = p->from; i < c->n; i++, want++) {
        const struct ship_entry *e = &c->p[i].e;

        if (e->kind == SHIP_FRAMES && e->first_ms && e->first_ms <= b->at_ms)
            p->n = i - p->from + 1;
        if (e->seq != want)
            return p->n == i - p->from + 1 || hole_matters(b, p, i) ? E_CORRUPT : 0;
    }
    if (!at_end(b, c, want) && hole_matters(b, p, c->n))
        return E_CORRUPT;
    return in_gap(b, k, p) ? E_GONE : 0;
}

/* ---- making the file --------------------------------------------------------------------------- */

struct making {
    struct ship_back *b;
    const struct ship_kept *k;
    int fd;
    uint64_t at;
    crypto_generichash_state hash;
    /* the -wal that is replayed */
    struct ship_wal wal;
    uint32_t frame; /* replayed so far */
    uint8_t sum[SHIP_SUM_BYTES], mac[SHIP_MAC_BYTES];
    bool has_mac;
    uint32_t pages; /* of the file after the last commit; 0: as it was */
    uint8_t *run;   /* pages that stand one behind the other, not written yet */
    size_t run_bytes;
    uint64_t run_at;
    int64_t reached_ms;
};

static int base_slice(void *ctx, struct str slice)
{
    struct making *m = ctx;
    int r = file_write_at(m->fd, slice, m->at);

    crypto_generichash_update(&m->hash, (const uint8_t *)slice.p, slice.n);
    m->at += slice.n;
    return r < 0 ? r : target_stopped(m->b->stop) ? E_CANCELED : 0;
}

static int base_write(struct making *m, const struct ship_base *base)
{
    char name[TARGET_NAME_MAX];
    uint8_t hash[HASH_BYTES];
    struct statvfs v;
    int64_t n;

    if (fstatvfs(m->b->files->dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < base->bytes + SPARE_BYTES)
        return E_FULL;
    ship_base_name(base, ".base", name);
    crypto_generichash_init(&m->hash, NULL, 0, HASH_BYTES);
    if ((n = target_read(m->b->target, name, 0, base->bytes, base_slice, m)) < 0)
        return n == E_NOTFOUND ? E_CORRUPT : (int)n;
    crypto_generichash_final(&m->hash, hash, HASH_BYTES);
    return m->at == base->bytes && memcmp(hash, base->hash, HASH_BYTES) == 0 ? 0 : E_CORRUPT;
}

static int whole_write(struct making *m, const struct ship_piece *p)
{
    CLEANUP(buf_release) struct buf bytes = { .max = SHIP_SEGMENT_MAX };
    struct ship_segment g;
    int r = ship_piece_read(m->b, m->k, p, &bytes, &g);

    if (r < 0)
        return r;
    memcpy(m->mac, p->e.mac, SHIP_MAC_BYTES);
    m->has_mac = true;
    return file_write_at(m->fd, str_of(bytes.p + ship_segment_data_at(&g), (size_t)g.frames * g.page_bytes),
                         0);
}

/* Does the segment go on where the one before ended, in the same -wal or at the begin of the next? */
static int follows(struct making *m, const struct ship_segment *g)
{
    if (m->has_mac && memcmp(m->mac, g->before, SHIP_MAC_BYTES) != 0)
        return E_CORRUPT;
    if (g->page_bytes != PAGE || (g->kind != SHIP_FRAMES))
        return E_CORRUPT;
    if (g->first == 1) {
        m->wal = (struct ship_wal){ .magic = g->magic, .page_bytes = g->page_bytes };
        memcpy(m->wal.salts, g->salts, SHIP_SALT_BYTES);
        memcpy(m->sum, g->sum, SHIP_SUM_BYTES);
        m->frame = 0;
    }
    return g->first == m->frame + 1 && memcmp(m->wal.salts, g->salts, SHIP_SALT_BYTES) == 0 &&
                   memcmp(m->sum, g->sum, SHIP_SUM_BYTES) == 0
               ? 0
               : E_CORRUPT;
}

/* The last frame of a commit that was by then; of a segment that others follow, all of it. */
static uint32_t frames_wanted(struct making *m, const struct ship_segment *g, const uint8_t *marks, bool last)
{
    uint32_t upto = last ? 0 : g->frames;

    for (uint32_t i = 0; i < g->marks; i++) {
        struct ship_mark k;

        ship_mark_get(marks + (size_t)i * SHIP_MARK_BYTES, &k);
        if (k.ms > m->b->at_ms)
            break;
        m->reached_ms = k.ms;
        if (last)
            upto = k.frame - g->first + 1;
    }
    return upto;
}

static int run_end(struct making *m)
{
    size_t n = m->run_bytes;

    m->run_bytes = 0;
    return file_write_at(m->fd, str_of(m->run, n), m->run_at);
}

/* A commit's frames come in the order of their pages, so that many are one write. */
static int page_write(struct making *m, uint32_t page, const uint8_t *bytes)
{
    uint64_t at = (uint64_t)(page - 1) * PAGE;
    int r;

    if ((at != m->run_at + m->run_bytes || m->run_bytes == RUN_BYTES) && (r = run_end(m)) < 0)
        return r;
    if (!m->run_bytes)
        m->run_at = at;
    memcpy(m->run + m->run_bytes, bytes, PAGE);
    m->run_bytes += PAGE;
    return 0;
}

static int segment_replay(struct making *m, const struct ship_piece *p, struct buf *bytes, bool last)
{
    const uint8_t *frame;
    struct ship_segment g;
    uint32_t upto;
    int r;

    buf_clear(bytes);
    if ((r = ship_piece_read(m->b, m->k, p, bytes, &g)) < 0 || (r = follows(m, &g)) < 0)
        return r;
    frame = (const uint8_t *)bytes->p + ship_segment_data_at(&g);
    upto = frames_wanted(m, &g, (const uint8_t *)bytes->p + SHIP_SEGMENT_HEAD, last);
    for (uint32_t i = 0; i < upto && r == 0; i++, frame += ship_frame_bytes(g.page_bytes)) {
        uint32_t pages = ship_frame_pages(frame);

        if (!ship_wal_frame(&m->wal, frame, m->sum))
            return E_CORRUPT;
        r = page_write(m, ship_frame_page(frame), frame + SHIP_FRAME_HEAD);
        m->pages = pages ? pages : m->pages;
    }
    m->frame += g.frames;
    memcpy(m->mac, p->e.mac, SHIP_MAC_BYTES);
    m->has_mac = true;
    return r < 0 ? r : target_stopped(m->b->stop) ? E_CANCELED : 0;
}

static int replay(struct making *m, const struct plan *p)
{
    CLEANUP(buf_release) struct buf bytes = { .max = SHIP_SEGMENT_MAX };
    int r = p->base ? base_write(m, p->base) : whole_write(m, p->whole);

    for (size_t i = 0; i < p->n && r == 0; i++)
        r = segment_replay(m, &p->chain.p[p->from + i], &bytes, i + 1 == p->n);
    if (r == 0)
        r = run_end(m);
    if (r == 0 && m->pages && ftruncate(m->fd, (off_t)m->pages * PAGE) < 0)
        r = error_from_errno(errno);
    return r == 0 && file_ops()->fsync(m->fd) < 0 ? error_from_errno(errno) : r;
}

static int file_make(struct ship_back *b, const struct ship_kept *k, const struct plan *p, uint64_t file)
{
    struct making m = { .b = b, .k = k, .fd = -1 };
    char path[FILES_PATH_MAX];
    int r;

    path_of(b->mailbox, file, path);
    m.fd = file_ops()->openat(b->files->dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m.fd < 0)
        return error_from_errno(errno);
    r = (m.run = malloc(RUN_BYTES)) ? replay(&m, p) : E_NOMEM;
    free(m.run);
    fd_close(&m.fd);
    if (r == 0)
        r = file_sync_folder_of(b->files->dir, path);
    if (!m.reached_ms)
        m.reached_ms = p->valid_ms; /* nothing was committed since the copy was made */
    if (m.reached_ms > b->reached_ms)
        b->reached_ms = m.reached_ms;
    return r;
}

/* ---- all of a mailbox -------------------------------------------------------------------------- */

static void neighbours_find(struct ship_back *b, const struct ship_kept *k, const struct plan *p)
{
    b->before_ms = p->base || p->whole ? (p->chain.last_ms ? p->chain.last_ms : p->valid_ms) : 0;
    b->after_ms = 0;
    for (size_t i = 0; i < k->nbases; i++)
        if (!k->bases[i].file && k->bases[i].valid_ms > b->at_ms &&
            (!b->after_ms || k->bases[i].valid_ms < b->after_ms))
            b->after_ms = k->bases[i].valid_ms;
    for (size_t i = 0; i < k->npieces; i++) {
        const struct ship_entry *e = &k->pieces[i].e;

        if (!e->file && e->kind == SHIP_WHOLE && e->first_ms > b->at_ms &&
            (!b->after_ms || e->first_ms < b->after_ms))
            b->after_ms = e->first_ms;
    }
}

static int mailbox_make(struct ship_back *b, const struct ship_kept *k)
{
    struct plan p;
    int r = copy_choose(k, 0, b->at_ms, &p) ? plan_make(b, k, &p) : E_GONE;

    if (r == E_GONE && !k->nbases && !k->npieces)
        return E_NOTFOUND;
    if (r == E_GONE)
        neighbours_find(b, k, &p);
    return r < 0 ? r : file_make(b, k, &p, 0);
}

/* One that was made, drained and removed by then is not made again. */
static int temp_make(struct ship_back *b, const struct ship_kept *k, uint64_t file)
{
    struct plan p;
    int r;

    if (!copy_choose(k, file, b->at_ms, &p) || (p.chain.end_ms && p.chain.end_ms <= b->at_ms))
        return 0;
    if ((r = plan_make(b, k, &p)) < 0)
        return r;
    if (b->ntemps == SHIP_TEMPS_MAX)
        return E_LIMIT;
    b->temps[b->ntemps++] = file;
    return file_make(b, k, &p, file);
}

static int temps_make(struct ship_back *b, const struct ship_kept *k)
{
    uint64_t was = 0;
    int r = 0;

    for (size_t i = 0; i < k->npieces && r == 0; i++) {
        if (k->pieces[i].e.file != was)
            r = temp_make(b, k, k->pieces[i].e.file);
        was = k->pieces[i].e.file;
    }
    return r;
}

int ship_back(struct ship_back *b)
{
    struct ship_kept k;
    struct ship_at at;
    int r = E_NOTFOUND;

    b->live_chain = 0;
    if (b->ship && ship_look(b->ship, b->mailbox, &at) == 0 && ship_settle(b->ship, b->mailbox) == 0) {
        b->live_chain = at.chain; /* as far as it was, it is in the spool by now, or in the target */
        b->live_seq = at.seq;
    }
    for (int tries = 0; tries < 3 && r == E_NOTFOUND; tries++) { /* what we just saw may have been repacked */
        b->ntemps = 0;
        b->reached_ms = 0;
        ship_back_drop(b->files, b->mailbox);
        if ((r = files_folder(b->files, b->mailbox)) < 0 || (r = ship_kept_read(b, &k)) < 0)
            return r;
        if ((r = mailbox_make(b, &k)) == 0)
            r = temps_make(b, &k);
        ship_kept_release(&k);
    }
    if (r < 0)
        ship_back_drop(b->files, b->mailbox);
    return r;
}
