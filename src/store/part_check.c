/* src/store/part_check.c: are parts what their hashes say, and named as often as they are counted? Counts
 * need one look at every map, so they are compared for a window of parts at a time, in one snapshot;
 * bytes are read part by part, each in a snapshot of its own, and a check may stop and go on anywhere. */
#include "src/store/mailbox_private.h"
#include "src/store/part.h"
#include <sodium.h>

#define WINDOW 65536u /* parts counted at a time: 256 KiB */

/* ---- counts ------------------------------------------------------------------------------------- */

static int count_map(struct str map, int64_t first, uint32_t *counts, struct parts_check *c)
{
    struct segment s;
    int r;

    while ((r = segment_take(&map, &s)) > 0)
        if (s.part >= first && s.part - first < WINDOW)
            counts[s.part - first]++;
    if (r == E_CORRUPT)
        c->wrong_maps++;
    return r == E_CORRUPT ? 0 : r;
}

static int count_maps(struct mailbox *box, int64_t first, uint32_t *counts, struct parts_check *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT map FROM email WHERE length(map) > 0", &st);

    while (r >= 0 && (r = stmt_step(st)) > 0)
        r = count_map(stmt_str(st, 0), first, counts, c);
    return r;
}

/* Compare a window that begins at *first; *first is then the next one's, or 0 after the last. */
static int window_compare(struct mailbox *box, int64_t *first, uint32_t *counts, struct parts_check *c)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t from = *first;
    int r;

    memset(counts, 0, WINDOW * sizeof *counts);
    if ((r = count_maps(box, from, counts, c)) < 0 ||
        (r = stmt_get(box->db, "SELECT id, refs FROM part WHERE id >= ?1 ORDER BY id", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, from);
    *first = 0;
    while ((r = stmt_step(st)) > 0) {
        int64_t id = stmt_i64(st, 0);

        if (id - from >= WINDOW) {
            *first = id;
            r = 0;
            break;
        }
        c->wrong_counts += stmt_u64(st, 1) != counts[id - from];
        counts[id - from] = 0;
    }
    for (size_t i = 0; i < WINDOW && r == 0; i++)
        c->missing += counts[i] != 0; /* named, and not there */
    return r;
}

static int counts_check(struct mailbox *box, struct parts_check *c)
{
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    uint32_t *counts = calloc(WINDOW, sizeof *counts);
    int64_t first = 1;
    int r = counts ? 0 : E_NOMEM;

    if (r == 0 && !box->txn.db)
        r = txn_begin_read(&snapshot, box->db);
    while (r == 0 && first) {
        c->wrong_maps = 0; /* every window sees all maps */
        r = window_compare(box, &first, counts, c);
    }
    free(counts);
    return r;
}

/* ---- bytes -------------------------------------------------------------------------------------- */

struct one {
    int64_t id;
    uint64_t bytes;
    uint8_t hash[32];
};

/* 1 and the first part from `from` on. */
static int part_next(struct mailbox *box, int64_t from, struct one *out)
{
    static const char sql[] = "SELECT id, bytes, hash FROM part WHERE id >= ?1 ORDER BY id LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, from);
    if ((r = stmt_step(st)) <= 0)
        return r;
    out->id = stmt_i64(st, 0);
    out->bytes = stmt_u64(st, 1);
    return stmt_bytes(st, 2, out->hash, sizeof out->hash) ? 1 : E_CORRUPT;
}

/* 1: as the key says; 0: other bytes, or not readable; E_*: nothing can be said. */
static int part_sound(struct mailbox *box, const struct one *p)
{
    CLEANUP(buf_release) struct buf piece = { .max = CHUNK_BYTES_MAX };
    struct segment s = { .bytes = p->bytes, .part = p->id };
    crypto_generichash_state state;
    uint8_t hash[32];
    int r = 0;

    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (uint64_t at = 0; at < p->bytes && r == 0; at += CHUNK_BYTES_MAX) {
        size_t n = p->bytes - at < CHUNK_BYTES_MAX ? (size_t)(p->bytes - at) : CHUNK_BYTES_MAX;

        buf_clear(&piece);
        r = part_read(box, &s, at, n, &piece);
        crypto_generichash_update(&state, (const uint8_t *)piece.p, piece.n);
    }
    crypto_generichash_final(&state, hash, sizeof hash);
    explicit_bzero(&state, sizeof state);
    if (r == E_CORRUPT || r == E_GONE)
        return 0;
    return r < 0 ? r : memcmp(hash, p->hash, sizeof hash) == 0;
}

static int bytes_check(struct mailbox *box, uint64_t budget, struct parts_check *c)
{
    uint64_t done = 0;

    while (done < budget) {
        CLEANUP(txn_end) struct txn snapshot = { 0 };
        struct one p;
        int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

        if (r < 0 || (r = part_next(box, c->next, &p)) <= 0)
            return r;
        if ((r = part_sound(box, &p)) < 0)
            return r;
        c->wrong_bytes += r == 0;
        c->parts++;
        c->bytes += p.bytes;
        c->next = p.id + 1;
        done += p.bytes;
    }
    return 1;
}

int mailbox_parts_check(struct mailbox *box, uint64_t budget_bytes, struct parts_check *c)
{
    int r;

    if (!c->counted) {
        if ((r = counts_check(box, c)) < 0)
            return r;
        c->counted = true;
    }
    return bytes_check(box, budget_bytes ? budget_bytes : 1, c);
}
