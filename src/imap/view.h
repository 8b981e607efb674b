/* src/imap/view.h
 *
 * What this client knows of the selected folder: which UIDs stand behind its sequence numbers, and
 * what it has not been told yet. Only updates.c changes it while it is selected. */
#ifndef SRC_IMAP_VIEW_H
#define SRC_IMAP_VIEW_H
#include "lib/imap/uidranges.h"

struct view {
    uint64_t folder_id, modseq; /* modseq: of the folder, as far as we are synced */
    uint32_t uidvalidity;
    uint64_t called; /* the highest that the store called with */
    bool read_only;
    bool stale;                /* the store has news: ask SYNC at the next moment that may tell */
    bool gone;                 /* the folder was deleted */
    struct uidranges uids;     /* as told: sequence numbers are ranks in it */
    struct uidranges recent;   /* \Recent in this session */
    struct uidranges vanished; /* gone, not told yet */
    struct uidranges fresh;    /* new, and told; FETCH of what NOTIFY asks for is to come */
    struct uidranges mine;     /* came by this connection's own commands: no FETCH of them (RFC 5465 5.2) */
    uint64_t all_told;         /* while something has vanished: everything up to this modseq was told */
    /* Changes that we made ourselves and have told, so that SYNC must not tell them again: modseqs,
     * counted from modseq_base to fit 32 bits. */
    struct uidranges own;
    uint64_t modseq_base;
    uint64_t keywords; /* those that FLAGS has told, as a hash: two lists that share one would cost a FLAGS */
};

static inline void view_free(struct view **vp)
{
    struct view *v = *vp;

    *vp = NULL;
    if (!v)
        return;
    uidranges_release(&v->uids);
    uidranges_release(&v->recent);
    uidranges_release(&v->vanished);
    uidranges_release(&v->fresh);
    uidranges_release(&v->mine);
    uidranges_release(&v->own);
    free(v);
}

/* We made the changes with the modseqs after `before` up to `last` ourselves, and told them. */
static inline void view_own(struct view *v, uint64_t before, uint64_t last)
{
    if (last <= before || last <= v->modseq)
        return;
    v->stale = true;
    if (before >= v->modseq_base && last - v->modseq_base < UINT32_MAX &&
        uidranges_add(&v->own, (uint32_t)(before - v->modseq_base) + 1, (uint32_t)(last - v->modseq_base)) <
            0)
        uidranges_clear(&v->own); /* then the client hears of it twice: no harm */
}

static inline bool view_is_own(const struct view *v, uint64_t modseq)
{
    return modseq > v->modseq_base && modseq - v->modseq_base < UINT32_MAX &&
           uidranges_has(&v->own, (uint32_t)(modseq - v->modseq_base));
}

/* Are these other keywords than FLAGS told last? Then they count as told. */
static inline bool view_new_keywords(struct view *v, char *const *names, size_t n)
{
    uint64_t hash = n, was = v->keywords;

    for (size_t i = 0; i < n; i++)
        for (const char *p = names[i]; *p || p == names[i]; p++) /* FNV-1a */
            hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211) + (p == names[i]);
    v->keywords = hash;
    return hash != was;
}
#endif
