/* src/store/message.c: messages come, go, and change their flags. Whoever changes many works in
 * batches: rows are read, the statement is given back, then they are written. Each batch has a modseq
 * of its own, so that SYNC can stop between two of them (no group of one modseq is larger). Once the
 * transaction is full the rest is left to the next one (many.h). */
#include "src/store/junk.h"
#include "src/store/many.h"
#include "src/store/mailbox_private.h"
#include "src/store/quota.h"

#define BATCH 500u

struct row {
    uint32_t uid, flags;
    uint64_t modseq, bytes;
    int64_t email_id;
    char internal[CLOCK_ISO_LEN];
};

struct batch {
    struct row rows[BATCH];
    size_t n;
    /* where to go on */
    const uint32_t *ranges;
    size_t nranges, range;
    uint32_t next, end; /* end 0: none */
    bool deleted_only;
};

static void batch_free(struct batch **b)
{
    free(*b);
}

static int batch_query(struct mailbox *box, uint64_t folder_id, struct batch *b, uint32_t first,
                       uint32_t last)
{
    static const char all[] = "SELECT uid, flags, modseq, bytes, email_id, internal FROM message "
                              "WHERE folder_id = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid LIMIT ?4";
    static const char deleted[] = "SELECT uid, flags, modseq, bytes, email_id, internal FROM message "
                                  "WHERE folder_id = ?1 AND uid BETWEEN ?2 AND ?3 AND flags & 4 <> 0 "
                                  "ORDER BY uid LIMIT ?4";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, b->deleted_only ? deleted : all, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, first);
    stmt_bind_u64(st, 3, last);
    stmt_bind_u64(st, 4, BATCH - b->n);
    while ((r = stmt_step(st)) > 0) {
        struct row *row = &b->rows[b->n++];

        *row = (struct row){ .uid = (uint32_t)stmt_u64(st, 0),
                             .flags = (uint32_t)stmt_u64(st, 1),
                             .modseq = stmt_u64(st, 2),
                             .bytes = stmt_u64(st, 3),
                             .email_id = stmt_i64(st, 4) };
        if (!stmt_bytes(st, 5, row->internal, sizeof row->internal))
            return E_CORRUPT;
    }
    return r;
}

/* Rows of these ranges from UID `next` on. */
static void batch_begin(struct batch *b, const uint32_t *ranges, size_t n, uint32_t next)
{
    b->ranges = ranges;
    b->nranges = n;
    b->next = next;
    for (b->range = 0; b->range < n && ranges[b->range + 1] < next; b->range += 2)
        ;
}

/* The next rows of these ranges that are there: how many, 0 at the end. */
static int batch_next(struct mailbox *box, uint64_t folder_id, struct batch *b)
{
    b->n = 0;
    while (b->range < b->nranges && b->n < BATCH) {
        uint32_t first = b->ranges[b->range], last = b->ranges[b->range + 1];
        int r;

        if (b->end && first >= b->end)
            break;
        last = b->end && last >= b->end ? b->end - 1 : last;
        r = batch_query(box, folder_id, b, b->next > first ? b->next : first, last);

        if (r < 0)
            return r;
        if (b->n < BATCH || b->rows[b->n - 1].uid == last) {
            b->range += 2;
            b->next = 0;
        } else {
            b->next = b->rows[b->n - 1].uid + 1;
        }
    }
    return (int)b->n;
}

/* ---- arriving --------------------------------------------------------------------------------- */

static void count_flags(struct folder *f, uint32_t flags, int by)
{
    f->unseen += flags & STORE__FLAG__SEEN ? 0 : (uint64_t)by;
    f->deleted += flags & STORE__FLAG__DELETED ? (uint64_t)by : 0;
}

/* `row` is written at f's next UID and f->modseq. */
static int message_insert(struct mailbox *box, struct folder *f, const struct row *row, uint32_t *uid_out)
{
    static const char sql[] = "INSERT INTO message (folder_id, uid, email_id, modseq, added, flags, bytes, "
                              "internal, saved, behind) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, 1)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char now[CLOCK_ISO_LEN + 1];
    int r;

    if (f->uidnext == UINT32_MAX)
        return E_FULL;
    if ((r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    clock_iso(clock_wall_ms(), now);
    stmt_bind_u64(st, 1, f->id);
    stmt_bind_u64(st, 2, f->uidnext);
    stmt_bind_i64(st, 3, row->email_id);
    stmt_bind_u64(st, 4, f->modseq);
    stmt_bind_u64(st, 5, row->flags);
    stmt_bind_u64(st, 6, row->bytes);
    stmt_bind_str(st, 7, str_of(row->internal, CLOCK_ISO_LEN));
    stmt_bind_str(st, 8, str_of(now, CLOCK_ISO_LEN));
    if ((r = stmt_run(st)) < 0)
        return r;
    *uid_out = f->uidnext++;
    f->messages++;
    f->bytes += row->bytes;
    count_flags(f, row->flags, 1);
    return 0;
}

/* Those that came last into the indexes that are written behind; f is updated, not written. */
static int messages_place(struct mailbox *box, struct folder *f)
{
    static const char sql[] = "UPDATE message SET behind = 0 WHERE folder_id = ?1 AND uid >= ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->id);
    stmt_bind_u64(st, 2, f->placed);
    f->placed = f->uidnext;
    return stmt_run(st);
}

static int messages_place_many(struct mailbox *box, struct folder *f)
{
    return f->uidnext - f->placed < MESSAGES_BEHIND_MAX ? 0 : messages_place(box, f);
}

int mailbox_place(struct mailbox *box)
{
    struct folder f;
    int64_t id;
    int r;

    while ((r = db_get_i64(box->db, "SELECT id FROM folder WHERE placed < uidnext LIMIT 1", &id)) == 0)
        if ((r = folder_by_id(box, (uint64_t)id, &f)) < 0 || (r = messages_place(box, &f)) < 0 ||
            (r = folder_placed(box, &f)) < 0)
            return r;
    return r == E_NOTFOUND ? 0 : r;
}

static int keywords_put(struct mailbox *box, uint64_t folder_id, uint32_t uid, char *const *names, size_t n)
{
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        int64_t id = 0;

        if ((r = keyword_id(box, str_from(names[i]), true, &id)) == 0)
            r = keyword_set(box, folder_id, uid, id, true);
    }
    return r;
}

/* What the person's classifier has to do with what was stored. */
static int junk_note(struct mailbox *box, int64_t email_id, const struct folder *f,
                     const struct placement *at, const struct junk_opinion *o)
{
    if (at->judge)
        return junk_judged(box, email_id, o);
    return junk_put(box, email_id, f->special_use, at->keywords, at->nkeywords);
}

int mailbox_append(struct mailbox *box, const struct email_in *e, const struct placement *at,
                   Store__AppendResponse *out)
{
    struct junk_opinion opinion = { .special_use = at->special_use };
    char internal[CLOCK_ISO_LEN + 1];
    struct row row = { .flags = at->flags & 31u, .bytes = e->message->bytes };
    struct sums sums;
    struct folder f;
    uint32_t uid = 0;
    int r;

    clock_iso(at->internal_ms, internal);
    memcpy(row.internal, internal, sizeof row.internal);
    if ((r = mailbox_keywords_check(at->keywords, at->nkeywords)) < 0 ||
        (at->judge && (r = junk_judge(box, e, at->special_use, &opinion)) < 0) ||
        (r = opinion.special_use ? folder_by_use(box, opinion.special_use, &f)
                                 : folder_by_name(box, at->folder, &f)) < 0)
        return r;
    r = at->accepted ? mailbox_quota_move_in(box, row.bytes)
                     : mailbox_quota_admit(box, row.bytes, 1, at->limited);
    if (r < 0)
        return r;
    f.modseq++;
    sums = box->sums;
    if ((r = email_insert(box, e, &row.email_id)) < 0 || (r = message_insert(box, &f, &row, &uid)) < 0 ||
        (r = keywords_put(box, f.id, uid, at->keywords, at->nkeywords)) < 0 ||
        (r = junk_note(box, row.email_id, &f, at, &opinion)) < 0 || (r = messages_place_many(box, &f)) < 0 ||
        (r = folder_update(box, &f)) < 0)
        return r;
    box->sums = (struct sums){ sums.known, sums.bytes + row.bytes, sums.messages + 1, sums.folders };
    out->uidvalidity = f.uidvalidity;
    out->uid = uid;
    out->folder_id = f.id;
    out->highest_modseq = f.modseq;
    return 0;
}

/* ---- flags ------------------------------------------------------------------------------------ */

struct flag_change {
    const Store__FlagStoreRequest *q;
    int64_t *keywords; /* ids that q names; those that do not exist are left out of a REMOVE */
    size_t nkeywords;
    struct junk_marks marks;
    bool in_junk;
};

static int change_resolve(struct mailbox *box, struct arena *a, struct flag_change *c)
{
    bool create = c->q->mode != STORE__FLAG_STORE_REQUEST__MODE__REMOVE;
    int r = mailbox_keywords_check(c->q->keywords, c->q->n_keywords);

    if (r == 0 && c->q->n_keywords && !(c->keywords = ARENA_ARRAY(a, c->q->n_keywords, int64_t)))
        return E_NOMEM;
    for (size_t i = 0; i < c->q->n_keywords && r == 0; i++) {
        r = keyword_id(box, str_from(c->q->keywords[i]), create, &c->keywords[c->nkeywords]);
        if (r == 0)
            c->nkeywords++;
        else if (r == E_NOTFOUND)
            r = 0;
    }
    return r < 0 ? r : junk_marks_find(box, &c->marks);
}

/* SET: keywords that are there and not named go. 1: some went. */
static int keywords_drop_others(struct mailbox *box, const struct flag_change *c, uint32_t uid)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t gone[MAILBOX_KEYWORDS_MAX]; /* several commands may have given a message all there are */
    size_t n = 0;
    int r =
        stmt_get(box->db, "SELECT keyword_id FROM message_keyword WHERE folder_id = ?1 AND uid = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, c->q->folder_id);
    stmt_bind_u64(st, 2, uid);
    while ((r = stmt_step(st)) > 0) {
        bool named = false;

        for (size_t i = 0; i < c->nkeywords; i++)
            named |= c->keywords[i] == stmt_i64(st, 0);
        if (!named && n < ARRAY_LEN(gone))
            gone[n++] = stmt_i64(st, 0);
    }
    stmt_reset(st);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = keyword_set(box, c->q->folder_id, uid, gone[i], false);
    return r < 0 ? r : n > 0;
}

/* 1: some keyword changed. */
static int keywords_change(struct mailbox *box, const struct flag_change *c, uint32_t uid)
{
    bool set = c->q->mode == STORE__FLAG_STORE_REQUEST__MODE__SET;
    bool on = c->q->mode != STORE__FLAG_STORE_REQUEST__MODE__REMOVE;
    int changed = set ? keywords_drop_others(box, c, uid) : 0;

    for (size_t i = 0; i < c->nkeywords && changed >= 0; i++) {
        int r = keyword_set(box, c->q->folder_id, uid, c->keywords[i], on);

        changed = r < 0 ? r : changed | r;
    }
    return changed;
}

static uint32_t flags_changed(const Store__FlagStoreRequest *q, uint32_t flags)
{
    switch (q->mode) {
    case STORE__FLAG_STORE_REQUEST__MODE__ADD: return flags | (q->flags & 31u);
    case STORE__FLAG_STORE_REQUEST__MODE__REMOVE: return flags & ~q->flags;
    default: return q->flags & 31u;
    }
}

static int flags_write(struct mailbox *box, uint64_t folder_id, uint32_t uid, uint32_t flags, uint64_t modseq)
{
    static const char sql[] = "UPDATE message SET flags = ?3, modseq = ?4 WHERE folder_id = ?1 AND uid = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, uid);
    stmt_bind_u64(st, 3, flags);
    stmt_bind_u64(st, 4, modseq);
    return stmt_run(st);
}

/* The same, and what it says of the letter: junk, ham, answered. */
static int keywords_and_junk(struct mailbox *box, const struct flag_change *c, const struct row *row,
                             uint32_t flags)
{
    bool set = c->q->mode == STORE__FLAG_STORE_REQUEST__MODE__SET, look = c->nkeywords || set;
    int before = look ? junk_marks_of(box, &c->marks, c->q->folder_id, row->uid) : 0, after, changed, r = 0;

    if (before < 0 || (changed = keywords_change(box, c, row->uid)) < 0)
        return before < 0 ? before : changed;
    after = changed ? junk_marks_of(box, &c->marks, c->q->folder_id, row->uid) : before;
    if (after < 0)
        return after;
    if (after != before)
        r = junk_marked(box, row->email_id, before, after, c->in_junk);
    else if ((flags & ~row->flags & STORE__FLAG__ANSWERED) && !c->in_junk)
        r = junk_wish(box, row->email_id, JUNK_WISH_MAYBE_HAM);
    return r < 0 ? r : changed;
}

/* 1 when some row of the batch changed, at f->modseq + 1. */
static int flags_batch(struct mailbox *box, const struct flag_change *c, const struct batch *b,
                       struct folder *f, struct many *m)
{
    int any = 0;

    for (size_t i = 0; i < b->n && (i == 0 || !mailbox_slice_full(box)); i++) {
        const struct row *row = &b->rows[i];
        uint32_t flags = flags_changed(c->q, row->flags);
        int r;

        m->next = row->uid + 1;
        if (c->q->has_unchanged_since && row->modseq > c->q->unchanged_since) { /* RFC 7162 3.1.3 */
            if ((r = uidset_add(&m->done, row->uid)) < 0)
                return r;
            continue;
        }
        if ((r = keywords_and_junk(box, c, row, flags)) < 0)
            return r;
        if (r == 0 && flags == row->flags)
            continue;
        if ((r = flags_write(box, c->q->folder_id, row->uid, flags, f->modseq + 1)) < 0)
            return r;
        count_flags(f, row->flags, -1);
        count_flags(f, flags, 1);
        m->foreign |= c->q->known_modseq && row->modseq > c->q->known_modseq;
        any = 1;
    }
    return any;
}

int many_flag(struct mailbox *box, struct arena *a, const Store__FlagStoreRequest *q, struct many *m)
{
    CLEANUP(batch_free) struct batch *b = calloc(1, sizeof *b);
    struct flag_change c = { .q = q };
    struct folder f;
    uint64_t before;
    int r;

    if (!b)
        return E_NOMEM;
    batch_begin(b, q->uid_ranges, q->n_uid_ranges, m->next);
    if ((r = uidset_check(q->uid_ranges, q->n_uid_ranges)) < 0 ||
        (r = folder_by_id(box, q->folder_id, &f)) < 0 || (r = change_resolve(box, a, &c)) < 0)
        return r;
    before = f.modseq;
    if (!m->began || m->modseq != before) /* what others did meanwhile is not ours */
        m->first_modseq = before;
    m->began = true;
    c.in_junk = f.special_use == STORE__SPECIAL_USE__USE_JUNK;
    while ((r = batch_next(box, f.id, b)) > 0) {
        if ((r = flags_batch(box, &c, b, &f, m)) < 0)
            return r;
        f.modseq += (uint64_t)r;
        if (mailbox_slice_full(box))
            break;
    }
    if (r < 0 || (f.modseq != before && (r = folder_update(box, &f)) < 0))
        return r;
    m->modseq = f.modseq;
    return b->n && m->next;
}

int many_flag_told(const struct many *m, struct arena *a, Store__FlagStoreResponse *out)
{
    out->first_modseq = m->first_modseq;
    out->highest_modseq = m->modseq;
    out->foreign = m->foreign;
    return uidset_export(&m->done, a, &out->modified_ranges, &out->n_modified_ranges);
}

int mailbox_flag_store(struct mailbox *box, struct arena *a, const Store__FlagStoreRequest *q,
                       Store__FlagStoreResponse *out)
{
    CLEANUP(many_release) struct many m = { 0 };
    int r;

    while ((r = many_flag(box, a, q, &m)) > 0)
        ;
    return r < 0 ? r : many_flag_told(&m, a, out);
}

/* ---- going ------------------------------------------------------------------------------------ */

uint64_t vanished_max = MAILBOX_VANISHED_MAX;

static int vanished_prune(struct mailbox *box, struct folder *f)
{
    static const char count[] = "SELECT count(*) FROM vanished WHERE folder_id = ?1";
    static const char find[] =
        "SELECT modseq FROM vanished WHERE folder_id = ?1 ORDER BY modseq DESC LIMIT 1 OFFSET ?2";
    static const char drop[] = "DELETE FROM vanished WHERE folder_id = ?1 AND modseq <= ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL, *st2 = NULL, *st3 = NULL;
    int r = stmt_get(box->db, count, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->id);
    if ((r = stmt_step(st)) < 0 || stmt_u64(st, 0) <= vanished_max)
        return r < 0 ? r : 0;
    if ((r = stmt_get(box->db, find, &st2)) < 0)
        return r;
    stmt_bind_u64(st2, 1, f->id);
    stmt_bind_u64(st2, 2, vanished_max / 2);
    if ((r = stmt_step(st2)) <= 0)
        return r;
    f->vanished_floor = stmt_u64(st2, 0);
    if ((r = stmt_get(box->db, drop, &st3)) < 0)
        return r;
    stmt_bind_u64(st3, 1, f->id);
    stmt_bind_u64(st3, 2, f->vanished_floor);
    return stmt_run(st3);
}

int vanished_note(struct mailbox *box, struct folder *f, const struct uidset *uids)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "INSERT INTO vanished VALUES (?1, ?2, ?3, ?4)", &st);

    if (r < 0)
        return r;
    for (size_t i = 0; i + 1 < uids->n && r >= 0; i += 2) {
        stmt_reset(st);
        stmt_bind_u64(st, 1, f->id);
        stmt_bind_u64(st, 2, f->modseq);
        stmt_bind_u64(st, 3, uids->v[i]);
        stmt_bind_u64(st, 4, uids->v[i + 1]);
        r = stmt_run(st);
    }
    return r < 0 ? r : vanished_prune(box, f);
}

/* A message's row, not its email. */
static int row_delete(struct mailbox *box, struct folder *f, const struct row *row)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "DELETE FROM message WHERE folder_id = ?1 AND uid = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->id);
    stmt_bind_u64(st, 2, row->uid);
    f->messages--;
    f->bytes -= row->bytes;
    count_flags(f, row->flags, -1);
    return stmt_run(st);
}

static int rows_gone(struct mailbox *box, struct folder *f, const struct uidset *uids)
{
    int r;

    if (uids->n == 0)
        return 0;
    f->modseq++;
    return (r = gap_add(box, f->id, uids)) < 0 ? r : vanished_note(box, f, uids);
}

static int uidset_append(struct uidset *to, const struct uidset *more)
{
    int r = 0;

    for (size_t i = 0; i + 1 < more->n && r == 0; i += 2)
        r = uidset_add_range(to, more->v[i], more->v[i + 1]);
    return r;
}

/* The rows of the batch, and those behind. 1: the transaction is full. */
static int rows_remove(struct mailbox *box, struct folder *f, struct batch *b, struct uidset *done)
{
    int r, full = 0;

    while (!full && (r = batch_next(box, f->id, b)) != 0) {
        for (size_t i = 0; i < b->n && r >= 0 && !full; i++) {
            if ((r = row_delete(box, f, &b->rows[i])) < 0 ||
                (r = email_drop_unused(box, b->rows[i].email_id)) < 0 ||
                (r = uidset_add(done, b->rows[i].uid)) < 0)
                break;
            full = mailbox_slice_full(box);
        }
        if (r < 0)
            return r;
    }
    return (r = rows_gone(box, f, done)) < 0 ? r : full;
}

int messages_remove(struct mailbox *box, struct folder *f, const struct uidset *uids, struct uidset *done)
{
    CLEANUP(batch_free) struct batch *b = calloc(1, sizeof *b);

    if (!b)
        return E_NOMEM;
    batch_begin(b, uids->v, uids->n, 0);
    return rows_remove(box, f, b, done);
}

int many_expunge(struct mailbox *box, const Store__ExpungeRequest *q, struct many *m)
{
    static const uint32_t everything[2] = { 1, UINT32_MAX };
    CLEANUP(uidset_release) struct uidset done = { 0 };
    CLEANUP(batch_free) struct batch *b = calloc(1, sizeof *b);
    struct folder f;
    int r, more;

    if (!b)
        return E_NOMEM;
    batch_begin(b, q->n_uid_ranges ? q->uid_ranges : everything, q->n_uid_ranges ? q->n_uid_ranges : 2,
                m->next);
    b->deleted_only = !q->any;
    if ((r = uidset_check(b->ranges, b->nranges)) < 0 || (r = folder_by_id(box, q->folder_id, &f)) < 0)
        return r;
    if (!m->end)
        m->end = f.uidnext;
    b->end = m->end;
    if ((r = more = rows_remove(box, &f, b, &done)) < 0 || (done.n && (r = folder_update(box, &f)) < 0) ||
        (r = uidset_append(&m->done, &done)) < 0)
        return r;
    m->modseq = f.modseq;
    m->next = done.n ? done.v[done.n - 1] + 1 : m->next;
    return more;
}

int many_expunge_told(const struct many *m, struct arena *a, Store__ExpungeResponse *out)
{
    out->highest_modseq = m->modseq;
    return uidset_export(&m->done, a, &out->vanished_ranges, &out->n_vanished_ranges);
}

int mailbox_expunge(struct mailbox *box, struct arena *a, const Store__ExpungeRequest *q,
                    Store__ExpungeResponse *out)
{
    CLEANUP(many_release) struct many m = { 0 };
    int r;

    while ((r = many_expunge(box, q, &m)) > 0)
        ;
    return r < 0 ? r : many_expunge_told(&m, a, out);
}

/* ---- copying ---------------------------------------------------------------------------------- */

static int keywords_copy(struct mailbox *box, uint64_t from, uint32_t uid, uint64_t to, uint32_t new_uid)
{
    static const char sql[] = "INSERT INTO message_keyword SELECT ?3, ?4, keyword_id FROM message_keyword "
                              "WHERE folder_id = ?1 AND uid = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, from);
    stmt_bind_u64(st, 2, uid);
    stmt_bind_u64(st, 3, to);
    stmt_bind_u64(st, 4, new_uid);
    return stmt_run(st);
}

/* A slice of a COPY or MOVE. */
struct copying {
    struct folder from, other, *to;
    struct uidset done, made;
    uint64_t bytes, messages;
    bool move;
};

static void copying_release(struct copying *c)
{
    uidset_release(&c->done);
    uidset_release(&c->made);
}

static int copy_row(struct mailbox *box, struct copying *c, const struct row *row)
{
    uint32_t uid = 0;
    int r;

    if ((r = message_insert(box, c->to, row, &uid)) < 0 ||
        (r = keywords_copy(box, c->from.id, row->uid, c->to->id, uid)) < 0 ||
        (r = junk_moved(box, row->email_id, c->from.special_use, c->to->special_use)) < 0 ||
        (c->move && (r = row_delete(box, &c->from, row)) < 0) || (r = uidset_add(&c->done, row->uid)) < 0)
        return r;
    c->bytes += row->bytes;
    c->messages++;
    return uidset_add(&c->made, uid);
}

/* 1: the transaction is full. */
static int copy_rows(struct mailbox *box, struct copying *c, struct batch *b)
{
    bool full = false;
    int r = 0;

    while (!full && (r = batch_next(box, c->from.id, b)) > 0) {
        c->to->modseq++;
        for (size_t i = 0; i < b->n && !full; i++) {
            if ((r = copy_row(box, c, &b->rows[i])) < 0)
                return r;
            full = mailbox_slice_full(box);
        }
        if ((r = messages_place_many(box, c->to)) < 0)
            return r;
    }
    return r < 0 ? r : full;
}

/* The rows of the folders; the counts of a move first, since of one folder there is one row. */
static int copy_settle(struct mailbox *box, struct copying *c)
{
    int r = 0;

    if (c->messages && !c->move) /* folder_update has not counted them yet */
        r = mailbox_quota_admit(box, c->bytes, c->messages, false);
    if (r < 0 || !c->messages || (r = folder_update(box, c->to)) < 0 || !c->move)
        return r;
    return (r = rows_gone(box, &c->from, &c->done)) < 0 ? r : folder_update(box, &c->from);
}

int many_copy(struct mailbox *box, const Store__CopyRequest *q, struct many *m)
{
    CLEANUP(copying_release) struct copying c = { .move = q->move };
    CLEANUP(batch_free) struct batch *b = calloc(1, sizeof *b);
    int r, more;

    if (!b)
        return E_NOMEM;
    if ((r = uidset_check(q->uid_ranges, q->n_uid_ranges)) < 0 ||
        (r = folder_by_id(box, q->folder_id, &c.from)) < 0 ||
        (r = m->folder_id ? folder_by_id(box, m->folder_id, &c.other)
                          : folder_by_name(box, pb_str(q->to), &c.other)) < 0)
        return r;
    c.to = c.other.id == c.from.id ? &c.from : &c.other; /* one row, one truth */
    if (!m->end)
        m->end = c.from.uidnext;
    batch_begin(b, q->uid_ranges, q->n_uid_ranges, m->next);
    b->end = m->end; /* not our own copies, in a copy into the same folder, nor what came meanwhile */
    if ((r = more = copy_rows(box, &c, b)) < 0 || (r = copy_settle(box, &c)) < 0 ||
        (r = uidset_append(&m->done, &c.done)) < 0 || (r = uidset_append(&m->made, &c.made)) < 0)
        return r;
    m->folder_id = c.to->id;
    m->uidvalidity = c.to->uidvalidity;
    m->modseq = c.from.modseq;
    m->next = c.done.n ? c.done.v[c.done.n - 1] + 1 : m->next;
    return more;
}

int many_copy_told(const struct many *m, struct arena *a, Store__CopyResponse *out)
{
    int r;

    out->uidvalidity = m->uidvalidity;
    out->highest_modseq = m->modseq;
    if ((r = uidset_export(&m->done, a, &out->from_ranges, &out->n_from_ranges)) < 0)
        return r;
    return uidset_export(&m->made, a, &out->to_ranges, &out->n_to_ranges);
}

int many_uncopy(struct mailbox *box, struct many *m)
{
    CLEANUP(uidset_release) struct uidset done = { 0 };
    struct folder f;
    int r, more;

    if (m->made.n > m->kept.n)
        m->made.n = m->kept.n;
    if (m->made.n == 0)
        return 0;
    m->made.v[m->made.n - 1] = m->kept.last;
    if ((r = folder_by_id(box, m->folder_id, &f)) < 0)
        return r == E_NOTFOUND ? 0 : r;
    if ((r = more = messages_remove(box, &f, &m->made, &done)) < 0 || (r = folder_update(box, &f)) < 0)
        return r;
    return more;
}

int mailbox_copy(struct mailbox *box, struct arena *a, const Store__CopyRequest *q, Store__CopyResponse *out)
{
    CLEANUP(many_release) struct many m = { 0 };
    int r;

    while ((r = many_copy(box, q, &m)) > 0)
        ;
    return r < 0 ? r : many_copy_told(&m, a, out);
}

void many_keep(struct many *m)
{
    m->kept.n = m->made.n;
    m->kept.last = m->made.n ? m->made.v[m->made.n - 1] : 0;
}

void many_release(struct many *m)
{
    uidset_release(&m->done);
    uidset_release(&m->made);
}
