/* src/store/message.c: messages come, go, and change their flags. Whoever changes many works in
 * batches: rows are read, the statement is given back, then they are written. Each batch has a modseq
 * of its own, so that SYNC can stop between two of them (no group of one modseq is larger). */
#include "src/store/junk.h"
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
    uint32_t next;
    bool deleted_only;
};

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

/* The next rows of these ranges that are there: how many, 0 at the end. */
static int batch_next(struct mailbox *box, uint64_t folder_id, struct batch *b)
{
    b->n = 0;
    while (b->range < b->nranges && b->n < BATCH) {
        uint32_t first = b->ranges[b->range], last = b->ranges[b->range + 1];
        int r = batch_query(box, folder_id, b, b->next > first ? b->next : first, last);

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
                       struct folder *f, struct uidset *modified, protobuf_c_boolean *foreign)
{
    int any = 0;

    for (size_t i = 0; i < b->n; i++) {
        const struct row *row = &b->rows[i];
        uint32_t flags = flags_changed(c->q, row->flags);
        int r;

        if (c->q->has_unchanged_since && row->modseq > c->q->unchanged_since) { /* RFC 7162 3.1.3 */
            if ((r = uidset_add(modified, row->uid)) < 0)
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
        *foreign |= c->q->known_modseq && row->modseq > c->q->known_modseq;
        any = 1;
    }
    return any;
}

int mailbox_flag_store(struct mailbox *box, struct arena *a, const Store__FlagStoreRequest *q,
                       Store__FlagStoreResponse *out)
{
    CLEANUP(uidset_release) struct uidset modified = { 0 };
    struct flag_change c = { .q = q };
    struct batch *b = ARENA_NEW(a, struct batch);
    struct folder f;
    uint64_t before;
    int r;

    if (!b)
        return E_NOMEM;
    b->ranges = q->uid_ranges;
    b->nranges = q->n_uid_ranges;
    if ((r = uidset_check(q->uid_ranges, q->n_uid_ranges)) < 0 ||
        (r = folder_by_id(box, q->folder_id, &f)) < 0 || (r = change_resolve(box, a, &c)) < 0)
        return r;
    before = f.modseq;
    c.in_junk = f.special_use == STORE__SPECIAL_USE__USE_JUNK;
    while ((r = batch_next(box, f.id, b)) > 0) {
        if ((r = flags_batch(box, &c, b, &f, &modified, &out->foreign)) < 0)
            return r;
        f.modseq += (uint64_t)r;
    }
    if (r < 0 || (f.modseq != before && (r = folder_update(box, &f)) < 0))
        return r;
    out->first_modseq = before;
    out->highest_modseq = f.modseq;
    return uidset_export(&modified, a, &out->modified_ranges, &out->n_modified_ranges);
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

static int message_delete(struct mailbox *box, uint64_t folder_id, const struct row *row)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "DELETE FROM message WHERE folder_id = ?1 AND uid = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, row->uid);
    return (r = stmt_run(st)) < 0 ? r : email_drop_unused(box, row->email_id);
}

int messages_remove(struct mailbox *box, struct folder *f, const struct uidset *uids)
{
    struct batch *b = calloc(1, sizeof *b);
    int r = b ? 0 : E_NOMEM;

    if (b) {
        b->ranges = uids->v;
        b->nranges = uids->n;
    }
    while (r >= 0 && (r = batch_next(box, f->id, b)) > 0)
        for (size_t i = 0; i < b->n && r >= 0; i++) {
            r = message_delete(box, f->id, &b->rows[i]);
            f->messages--;
            f->bytes -= b->rows[i].bytes;
            count_flags(f, b->rows[i].flags, -1);
        }
    free(b);
    if (r < 0 || uids->n == 0)
        return r;
    f->modseq++;
    return (r = gap_add(box, f->id, uids)) < 0 ? r : vanished_note(box, f, uids);
}

int mailbox_expunge(struct mailbox *box, struct arena *a, const Store__ExpungeRequest *q,
                    Store__ExpungeResponse *out)
{
    static const uint32_t everything[2] = { 1, UINT32_MAX };
    CLEANUP(uidset_release) struct uidset gone = { 0 };
    struct batch *b = ARENA_NEW(a, struct batch);
    struct folder f;
    int r;

    if (!b)
        return E_NOMEM;
    b->ranges = q->n_uid_ranges ? q->uid_ranges : everything;
    b->nranges = q->n_uid_ranges ? q->n_uid_ranges : 2;
    b->deleted_only = !q->any;
    if ((r = uidset_check(b->ranges, b->nranges)) < 0 || (r = folder_by_id(box, q->folder_id, &f)) < 0)
        return r;
    while ((r = batch_next(box, f.id, b)) > 0)
        for (size_t i = 0; i < b->n; i++)
            if ((r = uidset_add(&gone, b->rows[i].uid)) < 0)
                return r;
    if (r < 0 || (gone.n && ((r = messages_remove(box, &f, &gone)) < 0 || (r = folder_update(box, &f)) < 0)))
        return r;
    out->highest_modseq = f.modseq;
    return uidset_export(&gone, a, &out->vanished_ranges, &out->n_vanished_ranges);
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

static int copy_batch(struct mailbox *box, const struct folder *from, struct folder *to,
                      const struct batch *b, struct uidset *from_uids, struct uidset *to_uids)
{
    int r = 0;

    to->modseq++;
    for (size_t i = 0; i < b->n && r >= 0; i++) {
        uint32_t uid = 0;

        if ((r = message_insert(box, to, &b->rows[i], &uid)) < 0 ||
            (r = keywords_copy(box, from->id, b->rows[i].uid, to->id, uid)) < 0 ||
            (r = junk_moved(box, b->rows[i].email_id, from->special_use, to->special_use)) < 0 ||
            (r = uidset_add(from_uids, b->rows[i].uid)) < 0)
            return r;
        r = uidset_add(to_uids, uid);
    }
    return r < 0 ? r : messages_place_many(box, to);
}

int mailbox_copy(struct mailbox *box, struct arena *a, const Store__CopyRequest *q, Store__CopyResponse *out)
{
    CLEANUP(uidset_release) struct uidset from_uids = { 0 }, to_uids = { 0 };
    struct batch *b = ARENA_NEW(a, struct batch);
    struct folder from, other, *to = &other;
    uint64_t bytes = 0, messages = 0;
    uint32_t end;
    int r;

    if (!b)
        return E_NOMEM;
    if ((r = uidset_check(q->uid_ranges, q->n_uid_ranges)) < 0 ||
        (r = folder_by_id(box, q->folder_id, &from)) < 0 ||
        (r = folder_by_name(box, pb_str(q->to), &other)) < 0)
        return r;
    if (other.id == from.id)
        to = &from; /* one row, one truth */
    end = from.uidnext;
    b->ranges = q->uid_ranges;
    b->nranges = q->n_uid_ranges;
    while ((r = batch_next(box, from.id, b)) > 0) {
        while (b->n && b->rows[b->n - 1].uid >= end)
            b->n--; /* our own copies, in a copy into the same folder */
        if (b->n == 0)
            break;
        if ((r = copy_batch(box, &from, to, b, &from_uids, &to_uids)) < 0)
            return r;
        for (size_t i = 0; i < b->n; i++, messages++)
            bytes += b->rows[i].bytes;
    }
    if (r >= 0 && messages && !q->move) /* folder_update has not counted them yet */
        r = mailbox_quota_admit(box, bytes, messages, false);
    if (r < 0 || (from_uids.n && (r = folder_update(box, to)) < 0))
        return r;
    if (q->move && from_uids.n &&
        ((r = messages_remove(box, &from, &from_uids)) < 0 || (r = folder_update(box, &from)) < 0))
        return r;
    out->uidvalidity = to->uidvalidity;
    out->highest_modseq = from.modseq;
    if ((r = uidset_export(&from_uids, a, &out->from_ranges, &out->n_from_ranges)) < 0)
        return r;
    return uidset_export(&to_uids, a, &out->to_ranges, &out->n_to_ranges);
}
