/* src/store/ship.c: which files are shipped, and what happens every second. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/db/wal_gather.h"
#include "src/store/ship_private.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_LEN     (2 * MAILBOX_ID_LEN)
#define SWEEP_TICKS 30u
#define SAVE_MS     60000
#define SAVE_PACKS  64u
#define AHEAD_TIMES 2
#define IDLE_BYTES  MIB(16) /* of files that nobody writes to, taken whole, a tick */

/* ---- which files ------------------------------------------------------------------------------- */

static uint64_t stream_hash(const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file)
{
    uint64_t h = le64_get(mailbox) ^ (file * UINT64_C(0x9e3779b97f4a7c15));

    return h ? h : 1;
}

static struct ship_stream *stream_find(const struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN],
                                       uint64_t file)
{
    struct ship_stream *t = idmap_get(&s->streams, stream_hash(mailbox, file));

    while (t && (t->file != file || memcmp(t->mailbox, mailbox, MAILBOX_ID_LEN) != 0))
        t = t->next;
    return t;
}

/* Under s->lock. */
static struct ship_stream *stream_make(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file)
{
    uint64_t h = stream_hash(mailbox, file);
    struct ship_stream *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->ship = s;
    memcpy(t->mailbox, mailbox, MAILBOX_ID_LEN);
    t->file = file;
    t->next = idmap_get(&s->streams, h);
    pthread_mutex_init(&t->lock, NULL);
    if (idmap_put(&s->streams, h, t) < 0) {
        free(t);
        return NULL;
    }
    return t;
}

struct ship_stream *ship_stream_get(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file,
                                    bool make)
{
    struct ship_stream *t;

    pthread_mutex_lock(&s->lock);
    t = stream_find(s, mailbox, file);
    if (!t && make)
        t = stream_make(s, mailbox, file);
    if (t)
        t->opens++;
    pthread_mutex_unlock(&s->lock);
    return t;
}

void ship_stream_put(struct ship *s, struct ship_stream *t)
{
    pthread_mutex_lock(&s->lock);
    t->opens--;
    pthread_mutex_unlock(&s->lock);
}

void ship_pos_begin(struct ship_stream *t, uint64_t chain, uint64_t inode)
{
    t->chain = chain;
    t->based_ms = 0;
    t->bytes_since = 0;
    t->pos = (struct ship_pos){ .inode = inode };
}

void ship_dirty_locked(struct ship *s, struct ship_stream *t)
{
    if (t->dirty)
        return;
    t->dirty = true;
    t->dirty_next = s->dirty;
    s->dirty = t;
}

void ship_dirty(struct ship *s, struct ship_stream *t)
{
    pthread_mutex_lock(&s->lock);
    ship_dirty_locked(s, t);
    pthread_mutex_unlock(&s->lock);
}

/* "<24 hex>.sqlite" or "<24 hex>-tmp-<16 hex>.sqlite". */
bool ship_name_parse(struct str name, uint8_t mailbox[MAILBOX_ID_LEN], uint64_t *file)
{
    uint8_t raw[8];
    struct str rest = str_skip(name, HEX_LEN);

    if (name.n < HEX_LEN || !hex_decode(str_slice(name, 0, HEX_LEN), mailbox, MAILBOX_ID_LEN))
        return false;
    *file = 0;
    if (str_eq(rest, STR(".sqlite")))
        return true;
    if (rest.n != 5 + 16 + 7 || !str_starts(rest, STR("-tmp-")) || !str_ends(rest, STR(".sqlite")) ||
        !hex_decode(str_slice(rest, 5, 21), raw, sizeof raw))
        return false;
    for (size_t i = 0; i < sizeof raw; i++)
        *file = *file << 8 | raw[i];
    return *file != 0;
}

void ship_stream_path(const struct ship_stream *t, const char *end, char out[FILES_PATH_MAX + 8])
{
    char path[FILES_PATH_MAX];

    if (t->file)
        files_temp_path(t->mailbox, t->file, path);
    else
        files_path(t->mailbox, FILES_MAILBOX, path);
    snprintf(out, FILES_PATH_MAX + 8, "%s%s", path, end);
}

/* ---- every second ------------------------------------------------------------------------------ */

/* Those that were written to since; whoever is written to from now on comes next time. */
static int dirty_all(struct ship *s)
{
    struct ship_stream *list, *next;
    int r = 0, one;

    pthread_mutex_lock(&s->lock);
    list = s->dirty;
    s->dirty = NULL;
    pthread_mutex_unlock(&s->lock);
    for (; list; list = next) {
        next = list->dirty_next;
        pthread_mutex_lock(&s->lock);
        list->dirty = false;
        if (r < 0)
            ship_dirty_locked(s, list);
        pthread_mutex_unlock(&s->lock);
        if (r < 0 || (one = ship_gather(s, list)) == 0)
            continue;
        if (one == E_FULL || one == E_NOMEM)
            r = one; /* else its chain is broken, and the others are not */
        ship_dirty(s, list);
    }
    return r;
}

/* A stream that nobody names any more: its file is gone, and it has been told. Under pack_lock (nothing is in the
 * pack) and s->lock. */
static bool stream_over(const struct ship_stream *t)
{
    return t->file && t->gone && !t->opens && !t->dirty && !t->chain;
}

static void streams_tidy(struct ship *s)
{
    size_t n = 0;
    uint64_t *ids;

    pthread_mutex_lock(&s->pack_lock);
    pthread_mutex_lock(&s->lock);
    ids = s->npack ? NULL : idmap_ids(&s->streams, &n);
    for (size_t i = 0; i < n && ids; i++) {
        struct ship_stream *head = idmap_take(&s->streams, ids[i]), *next, *keep = NULL;

        for (; head; head = next) {
            next = head->next;
            if (stream_over(head)) {
                pthread_mutex_destroy(&head->lock);
                free(head->marks);
                free(head);
            } else {
                head->next = keep;
                keep = head;
            }
        }
        if (keep && idmap_put(&s->streams, ids[i], keep) < 0)
            break; /* cannot be: it was there, and nothing shrank */
    }
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&s->pack_lock);
    free(ids);
}

/* Of a stream that nobody wrote to: its file is gone, or was never shipped. Only this thread frees streams. */
static uint64_t sweep_one(struct ship *s, struct ship_stream *t)
{
    char path[FILES_PATH_MAX + 8];
    struct stat st;
    bool gone;

    ship_stream_path(t, "", path);
    gone = fstatat(s->files->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
    if (gone ? t->chain != 0 : !t->chain && st.st_size > 0)
        ship_dirty(s, t);
    return gone || t->chain || (uint64_t)st.st_size > SHIP_INLINE_MAX ? 0 : (uint64_t)st.st_size;
}

/* Temporary mailboxes that are gone, files that were not written to since they are shipped: of those so many at once. */
static void sweep(struct ship *s)
{
    struct ship_stream **list = NULL;
    size_t n = 0, k = 0;
    uint64_t bytes = 0, *ids;

    streams_tidy(s);
    pthread_mutex_lock(&s->lock);
    ids = idmap_ids(&s->streams, &n);
    for (size_t i = 0; i < n; i++)
        for (struct ship_stream *t = idmap_get(&s->streams, ids[i]); t; t = t->next)
            if (!t->dirty && (t->file || !t->chain)) {
                if (k % 256 == 0) {
                    void *p = realloc(list, (k + 256) * sizeof *list);

                    if (!p)
                        break;
                    list = p;
                }
                list[k++] = t;
            }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < k && bytes < IDLE_BYTES; i++)
        bytes += sweep_one(s, list[i]);
    s->sweep_soon = bytes >= IDLE_BYTES;
    free(list);
    free(ids);
}

static bool room_again(struct ship *s)
{
    bool room;

    pthread_mutex_lock(&s->lock);
    room = s->spool_waiting < s->spool_max / 2;
    pthread_mutex_unlock(&s->lock);
    return room;
}

int ship_tick(struct ship *s)
{
    int r, f;

    if (s->full) {
        if (!room_again(s))
            return E_FULL;
        s->full = false;
        s->sweep_soon = true;
    }
    if (s->ticks++ % SWEEP_TICKS == 0 || s->sweep_soon)
        sweep(s);
    r = dirty_all(s);
    f = ship_flush(s);
    r = r < 0 ? r : f;
    if (r == 0 && (s->stateless || clock_mono_ms() - s->saved_ms >= SAVE_MS ||
                   ship_next_pack(s) >= s->state_seq + SAVE_PACKS))
        r = ship_state_save(s);
    if (r == 0)
        ship_spool_prune(s);
    return r;
}

int ship_settle(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    size_t n = 0;
    uint64_t *ids;
    int r = 0;

    pthread_mutex_lock(&s->lock);
    ids = idmap_ids(&s->streams, &n);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < n && r == 0; i++) {
        struct ship_stream *t;

        pthread_mutex_lock(&s->lock);
        t = idmap_get(&s->streams, ids[i]);
        while (t && memcmp(t->mailbox, mailbox, MAILBOX_ID_LEN) != 0)
            t = t->next;
        if (t)
            t->opens++;
        pthread_mutex_unlock(&s->lock);
        if (!t)
            continue;
        r = s->full ? E_FULL : ship_gather(s, t);
        ship_stream_put(s, t);
    }
    free(ids);
    return r < 0 ? r : s->full ? E_FULL : ship_flush(s);
}

void ship_ahead(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t file)
{
    struct ship_stream *t = s ? ship_stream_get(s, mailbox, file, false) : NULL;
    int r = 0;

    if (!t)
        return;
    for (int i = 0; i < AHEAD_TIMES && r == 0 && !s->full; i++) /* each time there is less of it */
        if ((r = ship_gather(s, t)) == 0)
            r = ship_flush(s);
    if (r < 0)
        ship_dirty(s, t);
    ship_stream_put(s, t);
}

/* ---- neighbours -------------------------------------------------------------------------------- */

static void at_of(const struct ship_stream *t, struct ship_at *out)
{
    *out = (struct ship_at){ .chain = t->chain,
                             .seq = t->pos.seq,
                             .wal_seq = t->pos.frames ? t->pos.wal_seq : t->pos.seq,
                             .cuts = t->cuts,
                             .inode = t->pos.inode,
                             .based_ms = t->based_ms,
                             .bytes_since = t->bytes_since };
}

int ship_where(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], struct ship_at *out)
{
    struct ship_stream *t = ship_stream_get(s, mailbox, 0, true);
    int r;

    if (!t)
        return E_NOMEM;
    r = s->full ? E_FULL : ship_gather(s, t);
    pthread_mutex_lock(&t->lock);
    at_of(t, out);
    pthread_mutex_unlock(&t->lock);
    ship_stream_put(s, t);
    return r < 0 ? r : out->chain ? 0 : E_NOTFOUND;
}

int ship_look(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], struct ship_at *out)
{
    struct ship_stream *t = ship_stream_get(s, mailbox, 0, false);

    if (!t)
        return E_NOTFOUND;
    pthread_mutex_lock(&t->lock);
    at_of(t, out);
    pthread_mutex_unlock(&t->lock);
    ship_stream_put(s, t);
    return 0;
}

void ship_based(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN], uint64_t chain, int64_t now_ms)
{
    struct ship_stream *t = ship_stream_get(s, mailbox, 0, false);

    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    pthread_mutex_lock(&s->pack_lock);
    if (t->chain == chain) {
        t->based_ms = now_ms;
        t->bytes_since = 0;
    }
    pthread_mutex_unlock(&s->pack_lock);
    pthread_mutex_unlock(&t->lock);
    ship_stream_put(s, t);
}

static bool wants_base(const struct ship *s, const struct ship_stream *t, int64_t now_ms, int64_t max_age_ms)
{
    char path[FILES_PATH_MAX + 8];
    uint64_t enough = MIB(64);
    struct stat st;

    if (t->file || !t->chain || t->broken)
        return false;
    if (!t->based_ms)
        return true;
    if (!t->bytes_since || (t->bytes_since < enough && now_ms - t->based_ms < max_age_ms))
        return false;
    if (now_ms - t->based_ms >= max_age_ms)
        return true;
    ship_stream_path(t, "", path);
    return fstatat(s->files->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           t->bytes_since >= 2 * (uint64_t)st.st_size;
}

bool ship_wants_base(struct ship *s, int64_t now_ms, int64_t max_age_ms, uint8_t mailbox[MAILBOX_ID_LEN])
{
    bool found = false;
    size_t n = 0, start = 0;
    uint64_t *ids;

    pthread_mutex_lock(&s->lock);
    ids = idmap_ids(&s->streams, &n);
    for (size_t i = 0; i < n; i++)
        if (ids[i] == stream_hash(mailbox, 0))
            start = i + 1;
    for (size_t i = 0; i < n && !found; i++)
        for (struct ship_stream *t = idmap_get(&s->streams, ids[(start + i) % n]); t && !found; t = t->next)
            if ((found = wants_base(s, t, now_ms, max_age_ms)))
                memcpy(mailbox, t->mailbox, MAILBOX_ID_LEN);
    pthread_mutex_unlock(&s->lock);
    free(ids);
    return found;
}

uint64_t ship_log(const struct ship *s)
{
    return s->log;
}

const uint8_t *ship_key(const struct ship *s)
{
    return s->key;
}

const struct files *ship_files(const struct ship *s)
{
    return s->files;
}

const char *ship_folder(const struct ship *s)
{
    return s->folder;
}

bool ship_has(const struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    return !s->mine || s->mine(s->ctx, mailbox);
}

uint64_t ship_next_pack(struct ship *s)
{
    uint64_t seq;

    pthread_mutex_lock(&s->pack_lock);
    seq = s->pack_seq;
    pthread_mutex_unlock(&s->pack_lock);
    return seq;
}

void ship_forget(struct ship *s, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    struct ship_stream *t = ship_stream_get(s, mailbox, 0, false);

    if (!t)
        return;
    ship_chain_drop(s, t);
    ship_stream_put(s, t);
}

void ship_get_figures(struct ship *s, struct ship_figures *out)
{
    int64_t now = clock_wall_ms();
    size_t n = 0;
    uint64_t *ids;

    pthread_mutex_lock(&s->lock);
    *out = s->figures;
    for (const struct spooled *p = s->spool; p; p = p->next)
        if (!p->sent) {
            if (!out->waiting_packs++)
                out->behind_ms = now - p->made_ms;
            out->waiting_bytes += p->bytes;
        }
    out->full = s->full;
    ids = idmap_ids(&s->streams, &n);
    for (size_t i = 0; i < n; i++)
        for (const struct ship_stream *t = idmap_get(&s->streams, ids[i]); t; t = t->next) {
            out->files += t->chain != 0;
            out->unbased += t->chain && !t->based_ms;
        }
    pthread_mutex_unlock(&s->lock);
    free(ids);
}

/* ---- beginning and end ------------------------------------------------------------------------- */

/* Every file there is, whether or not the state knows of it. */
static int files_find(struct ship *s)
{
    int r = 0;

    for (int i = 0; i < 256 && r == 0; i++) {
        char folder[32];
        const struct dirent *e;
        int fd;
        DIR *d;

        snprintf(folder, sizeof folder, "mailboxes/%02x", i);
        fd = openat(s->files->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd >= 0 ? fdopendir(fd) : NULL;
        while (d && r == 0 && (e = readdir(d)) != NULL) {
            uint8_t mailbox[MAILBOX_ID_LEN];
            struct ship_stream *t;
            uint64_t file;

            if (!ship_name_parse(str_from(e->d_name), mailbox, &file) || !ship_has(s, mailbox))
                continue;
            if (!(t = ship_stream_get(s, mailbox, file, true)))
                r = E_NOMEM;
            else if (t->chain)
                ship_dirty(s, t); /* a look: what a crash left in its -wal, or that it is another file */
            if (t)
                ship_stream_put(s, t);
        }
        if (d)
            closedir(d);
        else
            fd_close(&fd);
    }
    return r;
}

int ship_open(const struct ship_options *o, struct ship **out)
{
    struct ship *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return E_NOMEM;
    s->files = o->files;
    s->key = o->key;
    s->mine = o->mine;
    s->ctx = o->ctx;
    snprintf(s->folder, sizeof s->folder, "%s", o->folder ? o->folder : SHIP_FOLDER);
    s->spool_max = o->spool_max_bytes;
    s->spool_end = &s->spool;
    s->pack_data.max = SHIP_PACK_BYTES + SHIP_SEGMENT_MAX;
    s->pack_index.max = (size_t)SHIP_PACK_SEGMENTS * SHIP_INDEX_BYTES;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->pack_lock, NULL);
    s->slice = aligned_alloc(SHIP_PAGE, SHIP_SLICE_BYTES);
    if ((r = s->slice ? 0 : E_NOMEM) < 0 || (r = file_mkdir(s->files->dir, s->folder)) < 0 ||
        (r = ship_spool_load(s)) < 0 || (r = ship_state_load(s)) < 0 || (r = files_find(s)) < 0 ||
        (r = ship_watch(s)) < 0) {
        ship_close(&s);
        return r;
    }
    s->watches = true;
    *out = s;
    return 0;
}

void ship_close(struct ship **sp)
{
    struct ship *s = *sp;
    uint64_t id;

    *sp = NULL;
    if (!s)
        return;
    if (s->watches) {
        ship_unwatch(s);
        if (s->full || dirty_all(s) < 0 || ship_state_save(s) < 0)
            ship_state_drop(s);
    }
    for (struct ship_stream *t, *next; (t = idmap_any(&s->streams, &id)) != NULL;) {
        idmap_take(&s->streams, id);
        for (; t; t = next) {
            next = t->next;
            pthread_mutex_destroy(&t->lock);
            free(t->marks);
            free(t);
        }
    }
    for (struct spooled *p; (p = s->spool) != NULL;) {
        s->spool = p->next;
        free(p);
    }
    idmap_release(&s->streams);
    buf_release(&s->pack_data);
    buf_release(&s->pack_index);
    free(s->pack_streams);
    free(s->slice);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->pack_lock);
    free(s);
}
