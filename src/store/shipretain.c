/* src/store/shipretain.c: what goes by age. Of each mailbox the newest copy that is older than the window stays, with
 * all that goes on from it. */
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "src/store/shipbase.h"
#include <stdlib.h>

#define HEX_LEN (2 * MAILBOX_ID_LEN)

struct retaining {
    struct ship_back b; /* of one mailbox */
    struct ship_kept k;
    int64_t since_ms;
    int removed;
    /* the copy that stays */
    int64_t valid_ms;
    uint64_t chain, seq;
    bool found;
};

/* The newest copy of before the window; none: everything stays. */
static void copy_find(struct retaining *g)
{
    g->found = false;
    g->valid_ms = INT64_MIN;
    for (size_t i = 0; i < g->k.nbases; i++) {
        const struct ship_base *b = &g->k.bases[i];

        if (!b->file && b->valid_ms <= g->since_ms && b->valid_ms >= g->valid_ms) {
            g->found = true;
            g->valid_ms = b->valid_ms;
            g->chain = b->chain;
            g->seq = b->seq;
        }
    }
    for (size_t i = 0; i < g->k.npieces; i++) {
        const struct ship_entry *e = &g->k.pieces[i].e;

        if (!e->file && e->kind == SHIP_WHOLE && e->first_ms <= g->since_ms && e->first_ms >= g->valid_ms) {
            g->found = true;
            g->valid_ms = e->first_ms;
            g->chain = e->chain;
            g->seq = e->seq;
        }
    }
}

/* When the temporary mailbox was removed; 0: it was not. */
static int64_t ended_ms(const struct retaining *g, uint64_t file, uint64_t chain)
{
    for (size_t i = 0; i < g->k.npieces; i++) {
        const struct ship_entry *e = &g->k.pieces[i].e;

        if (e->file == file && e->chain == chain && e->kind == SHIP_END)
            return e->first_ms;
    }
    return 0;
}

static bool wanted(const struct retaining *g, const struct ship_entry *e)
{
    int64_t end;

    if (e->file) {
        end = ended_ms(g, e->file, e->chain);
        return end == 0 || end > g->since_ms;
    }
    if (e->chain == g->chain)
        return e->seq >= g->seq;
    return e->first_ms == 0 || e->last_ms > g->valid_ms || e->first_ms > g->valid_ms;
}

static int drop(struct retaining *g, const char *name)
{
    int r = target_delete(g->b.target, name);

    g->removed += r == 0;
    return r == E_NOTFOUND ? 0 : r;
}

static int bases_drop(struct retaining *g)
{
    static const char *const ends[] = { ".info", ".base" };
    char name[TARGET_NAME_MAX];
    int r = 0;

    for (size_t i = 0; i < g->k.nbases; i++)
        for (size_t j = 0; j < ARRAY_LEN(ends) && r == 0; j++)
            if (g->k.bases[i].valid_ms < g->valid_ms) {
                ship_base_name(&g->k.bases[i], ends[j], name);
                r = drop(g, name);
            }
    return r;
}

static int packs_drop(struct retaining *g)
{
    bool *keep = calloc(g->k.nnames + 1, sizeof *keep);
    int r = keep ? 0 : E_NOMEM;

    for (size_t i = 0; i < g->k.npieces && r == 0; i++)
        if (wanted(g, &g->k.pieces[i].e))
            keep[g->k.pieces[i].object] = true;
    for (size_t i = 0; i < g->k.nnames && r == 0; i++)
        if (!keep[i] && strstr(g->k.names[i], "-log/"))
            r = drop(g, g->k.names[i]);
    free(keep);
    return r;
}

static int mailbox_retain(struct retaining *g)
{
    int r = ship_kept_read(&g->b, &g->k);

    if (r < 0)
        return r == E_CORRUPT ? 0 : r; /* told when it is repacked or restored; nothing of it goes */
    copy_find(g);
    if (g->found && (r = bases_drop(g)) == 0)
        r = packs_drop(g);
    ship_kept_release(&g->k);
    return r;
}

static int folder_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct retaining *g = ctx;
    struct str s = str_from(name);

    if (s.n != HEX_LEN + 4 || !str_ends(s, STR("-log")) ||
        !hex_decode(str_slice(s, 0, HEX_LEN), g->b.mailbox, MAILBOX_ID_LEN))
        return 0;
    return target_stopped(g->b.stop) ? E_CANCELED : mailbox_retain(g);
}

int ship_retain(struct ship *s, struct target *t, int64_t since_ms, const bool *stop)
{
    struct retaining g = {
        .b = { .key = ship_key(s), .target = t, .files = ship_files(s), .stop = stop, .own = true },
        .since_ms = since_ms
    };
    int r = target_list(t, "", folder_visit, &g);

    return r < 0 ? r : g.removed;
}
