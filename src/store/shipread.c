/* src/store/shipread.c: what is kept of a mailbox, by the indexes of packs. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "src/store/shipmemory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEX_LEN (2 * MAILBOX_ID_LEN)
/* A week of seconds is 600,000. The storage may say the same pack under as many names as it likes. */
#define NAMES_MAX  (2u << 20)
#define PIECES_MAX (8u << 20)
#define FIRST_READ KIB(4) /* head, and the index of most packs */

void ship_folder_of(const uint8_t mailbox[MAILBOX_ID_LEN], char out[TARGET_NAME_MAX])
{
    char hex[HEX_LEN + 1];

    hex_encode(mailbox, MAILBOX_ID_LEN, hex);
    snprintf(out, TARGET_NAME_MAX, "%s-log", hex);
}

void ship_base_name(const struct ship_base *b, const char *end, char out[TARGET_NAME_MAX])
{
    char folder[TARGET_NAME_MAX];

    ship_folder_of(b->mailbox, folder);
    snprintf(out, TARGET_NAME_MAX, "%.32s/%016llx-%016llx%s", folder, (unsigned long long)b->chain,
             (unsigned long long)b->seq, end);
}

void ship_kept_release(struct ship_kept *k)
{
    free(k->pieces);
    free(k->bases);
    free(k->names);
    *k = (struct ship_kept){ .npieces = 0 };
}

static int grow(void **p, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 64;
    void *q;

    if (n < *cap)
        return 0;
    if (!(q = realloc(*p, more * size)))
        return E_NOMEM;
    *p = q;
    *cap = more;
    return 0;
}

/* ---- one pack ---------------------------------------------------------------------------------- */

int ship_index_read(struct target *t, const uint8_t *key, const char *name, ship_entry_take *take, void *ctx,
                    struct ship_pack *out)
{
    CLEANUP(buf_release) struct buf b = { .max = ship_pack_data_at(SHIP_PACK_SEGMENTS) + FIRST_READ };
    struct ship_pack p;
    int64_t n = target_get(t, name, 0, FIRST_READ, &b);
    size_t need;
    int r;

    if (n < 0 || (r = ship_pack_head_get(buf_str(&b), &p)) < 0)
        return n < 0 ? (int)n : r;
    need = ship_pack_data_at(p.segments);
    if (b.n < need && (n = target_get(t, name, b.n, need - b.n, &b)) < 0)
        return (int)n;
    if ((r = ship_pack_check(key, &p, buf_str(&b))) < 0)
        return r;
    for (uint32_t i = 0; i < p.segments && r >= 0; i++) {
        struct ship_entry e;

        ship_pack_entry(buf_str(&b), i, &e);
        r = take(ctx, &p, &e);
    }
    *out = p;
    return r < 0 ? r : 0;
}

/* ---- all of them ------------------------------------------------------------------------------- */

struct reading {
    struct ship_back *b;
    struct ship_kept *k;
    const char *name;
    bool spooled, named, shared;
    char prefix[HEX_LEN + 8];
    uint64_t last, n; /* packs of a log: their numbers leave no hole */
};

static int piece_take(void *ctx, const struct ship_pack *p, const struct ship_entry *e)
{
    struct reading *g = ctx;
    struct ship_kept *k = g->k;
    int r;

    if (memcmp(e->mailbox, g->b->mailbox, MAILBOX_ID_LEN) != 0)
        return 0;
    if (k->nnames == NAMES_MAX || k->npieces == PIECES_MAX)
        return E_LIMIT;
    if (!g->named) {
        if ((r = grow((void **)&k->names, k->nnames, &k->names_cap, sizeof *k->names)) < 0)
            return r;
        snprintf(k->names[k->nnames++], TARGET_NAME_MAX, "%s", g->name);
        g->named = true;
    }
    if ((r = grow((void **)&k->pieces, k->npieces, &k->pieces_cap, sizeof *k->pieces)) < 0)
        return r;
    k->pieces[k->npieces++] = (struct ship_piece){
        .e = *e, .log = p->log, .pack = p->seq, .object = (uint32_t)k->nnames - 1, .spooled = g->spooled
    };
    return 0;
}

static int pack_read(struct reading *g, const char *name)
{
    struct ship_pack p;
    int r;

    g->name = name;
    g->named = false;
    r = (g->b->remember && g->shared ? ship_memory_index : ship_index_read)(g->b->target, g->b->key, name,
                                                                            piece_take, g, &p);
    return r == E_NOTFOUND ? 0 : r; /* repacked just now: what was in it lies with the mailbox */
}

static int base_read(struct reading *g, const char *name)
{
    CLEANUP(buf_release) struct buf bytes = { .max = SHIP_BASE_BYTES };
    struct ship_kept *k = g->k;
    int64_t n = target_get(g->b->target, name, 0, SHIP_BASE_BYTES, &bytes);
    int r;

    if (n < 0)
        return n == E_NOTFOUND ? 0 : (int)n;
    if (k->nbases == NAMES_MAX)
        return E_LIMIT;
    if ((r = grow((void **)&k->bases, k->nbases, &k->bases_cap, sizeof *k->bases)) < 0 ||
        (r = ship_base_get(g->b->key, buf_str(&bytes), &k->bases[k->nbases])) < 0)
        return r;
    if (memcmp(k->bases[k->nbases].mailbox, g->b->mailbox, MAILBOX_ID_LEN) != 0)
        return E_CORRUPT;
    k->nbases++;
    return 0;
}

static int own_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct str s = str_from(name);

    return str_ends(s, STR(".pack"))   ? pack_read(ctx, name)
           : str_ends(s, STR(".info")) ? base_read(ctx, name)
                                       : 0;
}

static int shared_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct reading *g = ctx;
    int r;

    g->shared = true;
    r = str_ends(str_from(name), STR(".pack")) ? pack_read(g, name) : 0;
    g->shared = false;
    return r;
}

static int log_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct reading *g = ctx;

    return str_starts(str_from(name), STR("ship-")) ? target_list(g->b->target, name, shared_visit, g) : 0;
}

static int spool_visit(void *ctx, uint64_t log, uint64_t seq, int fd)
{
    struct reading *g = ctx;
    CLEANUP(buf_release) struct buf b = { .max = SHIP_INDEX_MAX };
    char name[TARGET_NAME_MAX];
    struct ship_pack p;
    int r = ship_spooled_index(g->b->ship, fd, &b, &p);

    if (r < 0)
        return r;
    snprintf(name, sizeof name, "%s/%016llx-%016llx.pack", ship_folder(g->b->ship), (unsigned long long)log,
             (unsigned long long)seq);
    g->name = name;
    g->named = false;
    for (uint32_t i = 0; i < p.segments && r >= 0; i++) {
        struct ship_entry e;

        ship_pack_entry(buf_str(&b), i, &e);
        r = piece_take(g, &p, &e);
    }
    return r;
}

static int piece_order(const void *a, const void *b)
{
    const struct ship_entry *x = &((const struct ship_piece *)a)->e, *y = &((const struct ship_piece *)b)->e;

    return x->file != y->file     ? (x->file < y->file ? -1 : 1)
           : x->chain != y->chain ? (x->chain < y->chain ? -1 : 1)
           : x->seq != y->seq
               ? (x->seq < y->seq ? -1 : 1)
               : (int)((const struct ship_piece *)a)->spooled - (int)((const struct ship_piece *)b)->spooled;
}

static int base_order(const void *a, const void *b)
{
    const struct ship_base *x = a, *y = b;

    return x->valid_ms < y->valid_ms ? -1 : x->valid_ms > y->valid_ms;
}

/* One may lie in a shared pack, with the mailbox, and in the spool: the target's comes first. Two that are not the
 * same cannot be. */
static int pieces_settle(struct ship_kept *k)
{
    size_t n = 0;

    if (k->npieces)
        qsort(k->pieces, k->npieces, sizeof *k->pieces, piece_order);
    for (size_t i = 0; i < k->npieces; i++) {
        const struct ship_entry *e = &k->pieces[i].e, *was = n ? &k->pieces[n - 1].e : NULL;

        if (was && was->file == e->file && was->chain == e->chain && was->seq == e->seq) {
            if (memcmp(was->mac, e->mac, SHIP_MAC_BYTES) != 0)
                return E_CORRUPT;
            continue;
        }
        k->pieces[n++] = k->pieces[i];
    }
    k->npieces = n;
    return 0;
}

/* In the order in which a segment travels: one that goes on while we look is seen in two places, and not in none. */
int ship_kept_read(struct ship_back *b, struct ship_kept *out)
{
    struct ship_kept k = { .npieces = 0 };
    struct reading g = { .b = b, .k = &k };
    char folder[TARGET_NAME_MAX];
    int r;

    ship_folder_of(b->mailbox, folder);
    if (b->ship) {
        g.spooled = true;
        if ((r = ship_spool_each(b->ship, spool_visit, &g)) < 0) {
            ship_kept_release(&k);
            return r;
        }
        g.spooled = false;
    }
    if ((r = b->own ? 0 : target_list(b->target, "", log_visit, &g)) < 0 ||
        (r = target_list(b->target, folder, own_visit, &g)) < 0 || (r = pieces_settle(&k)) < 0) {
        ship_kept_release(&k);
        return r;
    }
    if (k.nbases)
        qsort(k.bases, k.nbases, sizeof *k.bases, base_order);
    *out = k;
    return 0;
}

/* ---- one segment ------------------------------------------------------------------------------- */

static int spooled_read(const struct ship_back *b, const char *name, const struct ship_entry *e,
                        struct buf *out)
{
    CLEANUP(fd_close) int fd = openat(b->files->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *p = fd >= 0 ? buf_reserve(out, e->bytes) : NULL;
    int r;

    if (!p)
        return fd < 0 ? error_from_errno(errno) : E_NOMEM;
    if ((r = file_read_exact(fd, p, e->bytes, e->at)) == 0)
        out->n += e->bytes;
    return r;
}

int ship_piece_read(const struct ship_back *b, const struct ship_kept *k, const struct ship_piece *p,
                    struct buf *out, struct ship_segment *g)
{
    const char *name = k->names[p->object];
    char pack[TARGET_NAME_MAX];
    size_t was = out->n;
    int64_t n = p->spooled ? spooled_read(b, name, &p->e, out)
                           : target_get(b->target, name, p->e.at, p->e.bytes, out);
    struct str bytes;
    int r;

    if (n == E_NOTFOUND && p->spooled) { /* it was sent meanwhile */
        ship_pack_name(p->log, p->pack, pack);
        n = target_get(b->target, pack, p->e.at, p->e.bytes, out);
    }
    if (n < 0)
        return (int)n;
    bytes = str_skip(buf_str(out), was);
    if ((r = ship_segment_check(b->key, bytes, g)) < 0)
        return r;
    return bytes.n == p->e.bytes && memcmp(g->mailbox, b->mailbox, MAILBOX_ID_LEN) == 0 &&
                   g->file == p->e.file && g->chain == p->e.chain && g->seq == p->e.seq &&
                   g->kind == p->e.kind
               ? 0
               : E_CORRUPT;
}
