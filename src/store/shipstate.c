/* src/store/shipstate.c: `ship/state`: where every chain is, as of a pack. Saved now and then; what packs in the spool say
 * beyond it is read from them, so that positions after a crash are those of the last confirmed pack. Without it all
 * chains begin anew, in a log of another number.
 *
 *   "LLST" 1 0 0 0 | log [8] | next pack [8] | MAC of the last one [16] | streams [8] | each 128 bytes | MAC [32] */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "src/store/ship_private.h"
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES  (SHIP_FOLDER_MAX + 16u)
#define HEAD_BYTES  48u
#define ENTRY_BYTES 128u
#define STATE_MAX   GIB(1)

static void state_path(const char *folder, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/state", folder);
}

static void entry_put(const struct ship_stream *t, uint8_t p[ENTRY_BYTES])
{
    memset(p, 0, ENTRY_BYTES);
    memcpy(p, t->mailbox, MAILBOX_ID_LEN);
    le32_put(p + 12, t->pos.frames);
    le64_put(p + 16, t->file);
    le64_put(p + 24, t->chain);
    le64_put(p + 32, t->pos.seq);
    le64_put(p + 40, t->pos.wal_seq);
    memcpy(p + 48, t->pos.mac, SHIP_MAC_BYTES);
    memcpy(p + 64, t->pos.salts, SHIP_SALT_BYTES);
    memcpy(p + 72, t->pos.sum, SHIP_SUM_BYTES);
    le64_put(p + 80, t->pos.inode);
    le64_put(p + 88, (uint64_t)t->based_ms);
    le64_put(p + 96, t->bytes_since);
    le64_put(p + 104, (uint64_t)t->last_ms);
}

static void entry_get(const uint8_t p[ENTRY_BYTES], struct ship_stream *t)
{
    t->pos.frames = le32_get(p + 12);
    t->chain = le64_get(p + 24);
    t->pos.seq = le64_get(p + 32);
    t->pos.wal_seq = le64_get(p + 40);
    memcpy(t->pos.mac, p + 48, SHIP_MAC_BYTES);
    memcpy(t->pos.salts, p + 64, SHIP_SALT_BYTES);
    memcpy(t->pos.sum, p + 72, SHIP_SUM_BYTES);
    t->pos.inode = le64_get(p + 80);
    t->based_ms = (int64_t)le64_get(p + 88);
    t->bytes_since = le64_get(p + 96);
    t->last_ms = (int64_t)le64_get(p + 104);
}

static void state_mac(const struct ship *s, struct str bytes, uint8_t out[HASH_BYTES])
{
    kdf(out, s->key, "letterlock ship state v1", bytes);
}

/* ---- saving ------------------------------------------------------------------------------------ */

/* pack_lock and lock are held, and nothing is in the pack: every position is confirmed. */
static int state_text(struct ship *s, struct buf *out)
{
    uint8_t head[HEAD_BYTES] = "LLST\x01", entry[ENTRY_BYTES], mac[HASH_BYTES];
    uint64_t count = 0, *ids;
    size_t n = 0;
    int r;

    le64_put(head + 8, s->log);
    le64_put(head + 16, s->pack_seq);
    memcpy(head + 24, s->pack_before, SHIP_MAC_BYTES);
    r = buf_append(out, head, sizeof head);
    ids = idmap_ids(&s->streams, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        for (const struct ship_stream *t = idmap_get(&s->streams, ids[i]); t && r == 0; t = t->next)
            if (t->chain && !t->broken) {
                entry_put(t, entry);
                r = buf_append(out, entry, sizeof entry);
                count++;
            }
    free(ids);
    if (r < 0)
        return r;
    le64_put((uint8_t *)out->p + 40, count);
    state_mac(s, buf_str(out), mac);
    return buf_append(out, mac, sizeof mac);
}

int ship_state_save(struct ship *s)
{
    CLEANUP(buf_release) struct buf text = { .max = STATE_MAX };
    char path[PATH_BYTES];
    uint64_t seq;
    int r;

    state_path(s->folder, path);
    pthread_mutex_lock(&s->pack_lock);
    if ((r = ship_flush_locked(s)) == 0) {
        pthread_mutex_lock(&s->lock);
        r = state_text(s, &text);
        pthread_mutex_unlock(&s->lock);
    }
    seq = s->pack_seq;
    pthread_mutex_unlock(&s->pack_lock);
    if (r < 0 || (r = file_replace(s->files->dir, path, buf_str(&text))) < 0)
        return r;
    pthread_mutex_lock(&s->lock);
    s->state_seq = seq;
    pthread_mutex_unlock(&s->lock);
    s->saved_ms = clock_mono_ms();
    s->stateless = s->full;
    if (s->full)
        ship_state_drop(s); /* it became full meanwhile */
    return 0;
}

void ship_state_drop(struct ship *s)
{
    s->stateless = true;
    if (ship_off(s->files, s->folder) < 0)
        log_event(LOG_ALARM, "store.ship_state_stays");
}

int ship_off(const struct files *f, const char *folder)
{
    char path[PATH_BYTES];
    int r;

    state_path(folder, path);
    r = file_remove(f->dir, path);

    return r == E_NOTFOUND ? 0 : r;
}

/* ---- loading ----------------------------------------------------------------------------------- */

static int state_parse(struct ship *s, struct str text)
{
    const uint8_t *p = (const uint8_t *)text.p;
    uint8_t mac[HASH_BYTES];
    uint64_t n;

    if (text.n < HEAD_BYTES + HASH_BYTES || memcmp(p, "LLST\x01\0\0\0", 8) != 0)
        return E_CORRUPT;
    n = le64_get(p + 40);
    if (n > STATE_MAX / ENTRY_BYTES || text.n != HEAD_BYTES + n * ENTRY_BYTES + HASH_BYTES)
        return E_CORRUPT;
    state_mac(s, str_slice(text, 0, text.n - HASH_BYTES), mac);
    if (!bytes_same(mac, p + text.n - HASH_BYTES, HASH_BYTES))
        return E_CORRUPT;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *e = p + HEAD_BYTES + i * ENTRY_BYTES;
        struct ship_stream *t;

        if (!ship_has(s, e)) /* it was: its chain goes on elsewhere, from a new beginning */
            continue;
        if (!(t = ship_stream_get(s, e, le64_get(e + 16), true)))
            return E_NOMEM;
        entry_get(e, t);
        ship_stream_put(s, t);
    }
    s->log = le64_get(p + 8);
    s->pack_seq = s->state_seq = le64_get(p + 16);
    memcpy(s->pack_before, p + 24, SHIP_MAC_BYTES);
    return 0;
}

/* A segment that was confirmed after the state was saved: the position goes on as it did then. */
static int replay_segment(struct ship *s, int fd, const struct ship_entry *e)
{
    uint8_t head[SHIP_SEGMENT_HEAD], sum[SHIP_SUM_BYTES];
    struct ship_segment g;
    struct ship_stream *t;

    if (file_read_exact(fd, head, sizeof head, e->at) < 0 ||
        ship_segment_head_get(str_of(head, sizeof head), &g) < 0 || g.chain != e->chain || g.seq != e->seq)
        return E_CORRUPT;
    if (!ship_has(s, g.mailbox))
        return 0;
    if (!(t = ship_stream_get(s, g.mailbox, g.file, true)))
        return E_NOMEM;
    ship_stream_put(s, t);
    if (g.seq == 0)
        ship_pos_begin(t, g.chain, 0);
    if (t->chain != g.chain || t->pos.seq != g.seq)
        return 0; /* of a chain that is over */
    if (g.kind == SHIP_FRAMES) {
        if (file_read_exact(fd, sum, sizeof sum, e->at + e->bytes - SHIP_MAC_BYTES - SHIP_PAGE - 8) < 0)
            return E_CORRUPT;
        if (g.first == 1)
            t->pos.wal_seq = g.seq;
        t->pos.frames = g.first + g.frames - 1;
        t->bytes_since += e->bytes;
        memcpy(t->pos.salts, g.salts, SHIP_SALT_BYTES);
        memcpy(t->pos.sum, sum, SHIP_SUM_BYTES);
    } else if (g.kind == SHIP_WHOLE) {
        t->based_ms = g.first_ms ? g.first_ms : 1;
    }
    t->pos.seq++;
    memcpy(t->pos.mac, e->mac, SHIP_MAC_BYTES);
    if (g.kind == SHIP_END)
        ship_pos_begin(t, 0, 0);
    return 0;
}

static int replay_pack(void *ctx, uint64_t log, uint64_t seq, int fd)
{
    struct ship *s = ctx;
    CLEANUP(buf_release) struct buf b = { .max = SHIP_INDEX_MAX };
    struct ship_pack p;
    int r;

    if (log != s->log || seq < s->pack_seq)
        return 0;
    if (seq != s->pack_seq)
        return E_CORRUPT;
    if ((r = ship_spooled_index(s, fd, &b, &p)) < 0)
        return r;
    if (memcmp(p.before, s->pack_before, SHIP_MAC_BYTES) != 0)
        return E_CORRUPT;
    for (uint32_t i = 0; i < p.segments && r == 0; i++) {
        struct ship_entry e;

        ship_pack_entry(buf_str(&b), i, &e);
        r = replay_segment(s, fd, &e);
    }
    memcpy(s->pack_before, p.mac, SHIP_MAC_BYTES);
    s->pack_seq++;
    return r;
}

/* A stream that was broken when the state was saved is not in it; one whose inode a replay could not tell is looked at
 * like any other: it is read from the file. */
int ship_state_load(struct ship *s)
{
    CLEANUP(buf_release) struct buf text = { .max = STATE_MAX };
    char path[PATH_BYTES];
    int r;

    state_path(s->folder, path);
    r = file_read(s->files->dir, path, &text);
    if (r == 0 && (r = state_parse(s, buf_str(&text))) == 0 && (r = ship_spool_each(s, replay_pack, s)) == 0)
        return 0;
    if (r == E_NOMEM)
        return r;
    if (r != E_NOTFOUND)
        log_event(LOG_ALARM, "store.ship_state_unreadable", F_ERR(r));
    for (uint64_t id; r != E_NOTFOUND;) { /* what was read of it does not count */
        struct ship_stream *t = idmap_any(&s->streams, &id), *next;

        if (!t)
            break;
        idmap_take(&s->streams, id);
        for (; t; t = next) {
            next = t->next;
            pthread_mutex_destroy(&t->lock);
            free(t);
        }
    }
    s->log = rand_u64();
    s->pack_seq = s->state_seq = 0;
    s->stateless = true;
    memset(s->pack_before, 0, SHIP_MAC_BYTES);
    return 0;
}
