/* src/store/refs.c: message ids of threads, on their way to thread_ref. They are as good as random, so each would be
 * another page in a commit: an email's row has those that it brought, and once REFS_MAX wait, or one of their emails
 * goes, they come into the table together. Whoever writes knows those that wait; a mailbox that is opened reads them
 * from its newest emails. */
#include "src/store/mailbox_private.h"

#define REFS_MAX   256u
#define REFS_ROOM  (REFS_MAX + THREAD_REFS_MAX)
#define REFS_SLOTS 1024u /* a power of two, of which a third is used at most */

struct refs {
    int64_t upto;    /* emails up to this one have theirs in thread_ref */
    int64_t indexed; /* meta.indexed_upto */
    bool noted;      /* some came in this step */
    size_t n;
    struct ref {
        uint8_t id[THREAD_REF_BYTES], thread[12];
    } v[REFS_ROOM];
    uint16_t slots[REFS_SLOTS]; /* place in v and one more; 0: free */
};

/* Who knows a letter could tell by its hash that it is here: nothing of a closed mailbox stays in memory. */
void refs_forget(struct mailbox *box)
{
    if (box->refs)
        explicit_bzero(box->refs, sizeof *box->refs);
    free(box->refs);
    box->refs = NULL;
}

void refs_step(struct mailbox *box)
{
    if (box->refs)
        box->refs->noted = false;
}

void refs_undo(struct mailbox *box)
{
    if (box->refs && box->refs->noted)
        refs_forget(box);
}

/* ---- those that wait ---------------------------------------------------------------------------- */

static uint16_t *slot_of(struct refs *w, const uint8_t *id)
{
    size_t i = ((size_t)id[0] << 8 | id[1]) & (REFS_SLOTS - 1);

    while (w->slots[i] && memcmp(w->v[w->slots[i] - 1].id, id, THREAD_REF_BYTES) != 0)
        i = (i + 1) & (REFS_SLOTS - 1);
    return &w->slots[i];
}

static int keep(struct refs *w, const uint8_t *id, const uint8_t thread[12])
{
    uint16_t *slot = slot_of(w, id);

    if (*slot)
        return 0;
    if (w->n == REFS_ROOM)
        return E_CORRUPT; /* no program of ours left so many */
    memcpy(w->v[w->n].id, id, THREAD_REF_BYTES);
    memcpy(w->v[w->n].thread, thread, 12);
    *slot = (uint16_t)++w->n;
    return 0;
}

static int waiting_read(struct mailbox *box, struct refs *w)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t thread[12];
    int r = stmt_get(box->db, "SELECT thread_id, noted FROM email WHERE id > ?1 ORDER BY id", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, w->upto);
    while ((r = stmt_step(st)) > 0) {
        struct str noted = stmt_str(st, 1);

        if (!stmt_bytes(st, 0, thread, sizeof thread) || noted.n % THREAD_REF_BYTES)
            return E_CORRUPT;
        for (size_t at = 0; at < noted.n && r >= 0; at += THREAD_REF_BYTES)
            r = keep(w, (const uint8_t *)noted.p + at, thread);
        if (r < 0)
            return r;
    }
    return r;
}

static int marks_read(struct mailbox *box, struct refs *w)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT noted_upto, indexed_upto FROM meta", &st);

    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    w->upto = stmt_i64(st, 0);
    w->indexed = stmt_i64(st, 1);
    return 0;
}

static int ready(struct mailbox *box)
{
    struct refs *w = box->refs;
    int r;

    if (w)
        return 0;
    if (!(w = calloc(1, sizeof *w)))
        return E_NOMEM;
    box->refs = w;
    if ((r = marks_read(box, w)) < 0 || (r = waiting_read(box, w)) < 0)
        refs_forget(box);
    return r;
}

/* ---- the table ---------------------------------------------------------------------------------- */

static int table_find(struct mailbox *box, const uint8_t *id, uint8_t thread_out[12])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT thread_id FROM thread_ref WHERE ref = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(id, THREAD_REF_BYTES));
    if ((r = stmt_step(st)) <= 0)
        return r;
    return stmt_bytes(st, 0, thread_out, 12) ? 1 : E_CORRUPT;
}

static int table_put(struct mailbox *box, const uint8_t *id, const uint8_t thread[12])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "INSERT OR IGNORE INTO thread_ref VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(id, THREAD_REF_BYTES));
    stmt_bind_blob(st, 2, str_of(thread, 12));
    return stmt_run(st);
}

static int upto_set(struct mailbox *box)
{
    return db_run(box->db, "UPDATE meta SET noted_upto = (SELECT coalesce(max(id), 0) FROM email)");
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct ref *)a)->id, ((const struct ref *)b)->id, THREAD_REF_BYTES);
}

static int settle(struct mailbox *box)
{
    struct refs *w = box->refs;
    int r = 0;

    qsort(w->v, w->n, sizeof w->v[0], by_id);
    for (size_t i = 0; i < w->n && r >= 0; i++)
        r = table_put(box, w->v[i].id, w->v[i].thread);
    if (r >= 0)
        r = upto_set(box);
    refs_forget(box); /* if this is undone, they wait again */
    return r;
}

/* ---- for threads and emails ----------------------------------------------------------------------- */

int refs_find(struct mailbox *box, const uint8_t id[THREAD_REF_BYTES], uint8_t thread_out[12])
{
    int r = ready(box);
    uint16_t at;

    if (r < 0 || !(at = *slot_of(box->refs, id)))
        return r < 0 ? r : table_find(box, id, thread_out);
    memcpy(thread_out, box->refs->v[at - 1].thread, 12);
    return 1;
}

int refs_note(struct mailbox *box, int64_t email_id, struct str ids, const uint8_t thread[12])
{
    int r = ready(box);
    bool waits = r == 0 && email_id > box->refs->upto; /* else its id was given once before */

    for (size_t at = 0; at < ids.n && r >= 0; at += THREAD_REF_BYTES)
        r = waits ? keep(box->refs, (const uint8_t *)ids.p + at, thread)
                  : table_put(box, (const uint8_t *)ids.p + at, thread);
    if (r < 0)
        return r;
    box->refs->noted |= ids.n != 0;
    return box->refs->n >= REFS_MAX ? settle(box) : 0;
}

int refs_email_goes(struct mailbox *box, int64_t email_id)
{
    int r = ready(box);

    return r < 0 || email_id <= box->refs->upto ? r : settle(box);
}

int refs_indexed_upto(struct mailbox *box, int64_t *id_out)
{
    int r = ready(box);

    if (r == 0)
        *id_out = box->refs->indexed;
    return r;
}
