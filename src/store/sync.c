/* src/store/sync.c: what a session sees of a folder: all of it (SELECT), or what happened since a
 * modseq (SYNC). UIDs that went are read from the change log, or, when that no longer reaches back,
 * are all that are not there: a client intersects with what it knew, so more is not wrong. */
#include "src/store/mailbox_private.h"

/* What stands in no index yet came last. */
static int first_unseen(struct mailbox *box, uint64_t folder_id, uint32_t *out)
{
    static const char *const where[] = {
        "SELECT uid FROM message INDEXED BY message_unseen "
        "WHERE folder_id = ?1 AND behind = 0 AND flags & 8 = 0 ORDER BY uid LIMIT 1",
        "SELECT uid FROM message WHERE folder_id = ?1 AND uid >= (SELECT placed FROM folder WHERE id = ?1) "
        "AND flags & 8 = 0 ORDER BY uid LIMIT 1",
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(where) && r == 0; i++) {
        CLEANUP(stmt_release) struct stmt *st = NULL;

        if ((r = stmt_get(box->db, where[i], &st)) < 0)
            return r;
        stmt_bind_u64(st, 1, folder_id);
        if ((r = stmt_step(st)) > 0)
            *out = (uint32_t)stmt_u64(st, 0);
    }
    return r < 0 ? r : 0;
}

int mailbox_select(struct mailbox *box, struct arena *a, const Store__SelectRequest *q,
                   Store__SelectResponse *out)
{
    CLEANUP(uidset_release) struct uidset uids = { 0 }, recent = { 0 };
    Store__FoldersRequest fq = STORE__FOLDERS_REQUEST__INIT;
    Store__FoldersResponse fr = STORE__FOLDERS_RESPONSE__INIT;
    struct folder f;
    int r;

    fq.name = q->name;
    fq.counts = true;
    if ((r = folder_by_name(box, pb_str(q->name), &f)) < 0 || (r = mailbox_folders(box, a, &fq, &fr)) < 0 ||
        (r = gap_uids(box, &f, 1, &uids)) < 0 ||
        (r = gap_uids(box, &f, recent_first(box, &f), &recent)) < 0 ||
        (r = first_unseen(box, f.id, &out->first_unseen_uid)) < 0 ||
        (r = keywords_of_folder(box, a, f.id, &out->keywords, &out->n_keywords)) < 0 ||
        (r = uidset_export(&uids, a, &out->uid_ranges, &out->n_uid_ranges)) < 0 ||
        (r = uidset_export(&recent, a, &out->recent_ranges, &out->n_recent_ranges)) < 0)
        return r;
    out->folder = fr.folders[0];
    if (recent.n && !q->read_only)
        recent_claim(box, &f);
    return 0;
}

/* ---- since a modseq --------------------------------------------------------------------------- */

static int row_add(struct mailbox *box, struct arena *a, struct stmt *st, uint64_t folder_id,
                   Store__SyncResponse *out, size_t *cap)
{
    Store__Row *row = ARENA_NEW(a, Store__Row);

    if (!row)
        return E_NOMEM;
    if (out->n_changed == *cap) {
        size_t more = *cap ? *cap * 2 : 32;
        Store__Row **v = ARENA_ARRAY(a, more, Store__Row *);

        if (!v)
            return E_NOMEM;
        if (out->n_changed)
            memcpy(v, out->changed, out->n_changed * sizeof *v);
        out->changed = v;
        *cap = more;
    }
    store__row__init(row);
    row->uid = (uint32_t)stmt_u64(st, 0);
    row->modseq = stmt_u64(st, 1);
    row->flags = (uint32_t)stmt_u64(st, 2);
    out->changed[out->n_changed++] = row;
    return keywords_of(box, a, folder_id, row->uid, &row->keywords, &row->n_keywords);
}

struct rows {
    struct stmt *st; /* uid, modseq, flags, added */
    bool on_row;
    uint64_t modseq;
};

static void rows_release(struct rows *rows)
{
    stmt_release(&rows->st);
}

static int rows_next(struct rows *rows)
{
    int r = stmt_step(rows->st);

    rows->on_row = r > 0;
    if (r > 0)
        rows->modseq = stmt_u64(rows->st, 1);
    return r < 0 ? r : 0;
}

static int rows_open(struct rows *rows, struct mailbox *box, const char *sql, uint64_t folder_id,
                     uint64_t since)
{
    int r = stmt_get(box->db, sql, &rows->st);

    if (r < 0)
        return r;
    stmt_bind_u64(rows->st, 1, folder_id);
    stmt_bind_u64(rows->st, 2, since);
    return rows_next(rows);
}

/* Rows of after `since`, oldest change first, until `limit` and then to the end of that modseq. *upto is the modseq
 * that the answer reaches. Those that are as they came are only counted: UIDs and modseqs grow alike, so that they
 * stand at the folder's end in order. */
static int changed_rows(struct mailbox *box, struct arena *a, const struct folder *f, uint64_t since,
                        size_t limit, Store__SyncResponse *out, uint64_t *upto)
{
    static const char changed[] =
        "SELECT uid, modseq, flags, added FROM message INDEXED BY message_changed "
        "WHERE folder_id = ?1 AND modseq > added AND modseq > ?2 ORDER BY modseq, uid";
    static const char came[] =
        "SELECT uid, modseq, flags, added FROM message WHERE folder_id = ?1 AND modseq = added AND uid > coalesce("
        "(SELECT uid FROM message WHERE folder_id = ?1 AND added <= ?2 ORDER BY uid DESC LIMIT 1), 0) ORDER BY uid";
    CLEANUP(rows_release) struct rows old = { 0 }, new = { 0 };
    uint64_t last = since;
    size_t cap = 0, seen = 0;
    int r;

    if ((r = rows_open(&old, box, changed, f->id, since)) < 0 ||
        (r = rows_open(&new, box, came, f->id, since)) < 0)
        return r;
    while (old.on_row || new.on_row) {
        struct rows *next = !new.on_row || (old.on_row && old.modseq <= new.modseq) ? &old : &new;

        if (seen >= limit && next->modseq != last) {
            *upto = last;
            out->more = true;
            return 0;
        }
        last = next->modseq;
        seen++;
        if (stmt_u64(next->st, 3) <= since && /* otherwise told as added */
            (r = row_add(box, a, next->st, f->id, out, &cap)) < 0)
            return r;
        if ((r = rows_next(next)) < 0)
            return r;
    }
    return 0;
}

/* UIDs grow as messages are added, so the new ones stand at the end. With a limit in between, what was
 * added after `upto` waits for the next answer. */
static int added_uids(struct mailbox *box, uint64_t folder_id, uint64_t since, uint64_t upto,
                      struct uidset *out)
{
    static const char sql[] = "SELECT uid, added FROM message WHERE folder_id = ?1 ORDER BY uid DESC";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    while ((r = stmt_step(st)) > 0 && stmt_u64(st, 1) > since) {
        uint32_t uid = (uint32_t)stmt_u64(st, 0);

        if (stmt_u64(st, 1) <= upto && (r = uidset_push(out, uid, uid)) < 0)
            return r;
    }
    uidset_normalize(out);
    return r < 0 ? r : 0;
}

static int vanished_logged(struct mailbox *box, uint64_t folder_id, uint64_t since, uint64_t upto,
                           struct uidset *out)
{
    static const char sql[] = "SELECT first_uid, last_uid FROM vanished WHERE folder_id = ?1 AND modseq > ?2 "
                              "AND modseq <= ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, since);
    stmt_bind_u64(st, 3, upto);
    while ((r = stmt_step(st)) > 0)
        if ((r = uidset_push(out, (uint32_t)stmt_u64(st, 0), (uint32_t)stmt_u64(st, 1))) < 0)
            return r;
    uidset_normalize(out);
    return r;
}

/* Pairs of number and UID that a client remembers: the last UID up to which nothing went. */
static int unchanged_upto(struct mailbox *box, const struct folder *f, const uint32_t *v, size_t n,
                          uint32_t *out)
{
    CLEANUP(uidset_release) struct uidset there = { 0 };
    uint64_t before = 0;
    size_t k = 0;
    int r = gap_uids(box, f, 1, &there);

    for (size_t i = 0; i + 1 < n && r >= 0; i += 2) {
        while (k < there.n && there.v[k + 1] < v[i + 1]) {
            before += (uint64_t)there.v[k + 1] - there.v[k] + 1;
            k += 2;
        }
        if (k == there.n || there.v[k] > v[i + 1] || before + (v[i + 1] - there.v[k]) + 1 != v[i])
            break;
        *out = v[i + 1];
    }
    return r < 0 ? r : 0;
}

static int vanished_since(struct mailbox *box, const Store__VanishedRequest *q, const struct folder *f,
                          struct uidset *out)
{
    CLEANUP(uidset_release) struct uidset gaps = { 0 };
    uint32_t rest[2] = { 0, UINT32_MAX }, upto = 0;
    int r;

    if (q->since_modseq >= f->vanished_floor)
        return vanished_logged(box, f->id, q->since_modseq, f->modseq, out);
    if ((r = gap_all(box, f->id, &gaps)) < 0 ||
        (q->n_seq_uids && (r = unchanged_upto(box, f, q->seq_uids, q->n_seq_uids, &upto)) < 0))
        return r;
    rest[0] = upto + 1;
    return upto == UINT32_MAX ? 0 : uidset_intersect(gaps.v, gaps.n, rest, 2, out);
}

int mailbox_vanished(struct mailbox *box, struct arena *a, const Store__VanishedRequest *q,
                     Store__VanishedResponse *out)
{
    CLEANUP(uidset_release) struct uidset gone = { 0 }, both = { 0 };
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    struct folder f;
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

    if (r < 0 || (r = uidset_check(q->uid_ranges, q->n_uid_ranges)) < 0 ||
        (r = folder_by_id(box, q->folder_id, &f)) < 0 || (r = vanished_since(box, q, &f, &gone)) < 0 ||
        (r = uidset_intersect(gone.v, gone.n, q->uid_ranges, q->n_uid_ranges, &both)) < 0)
        return r;
    out->highest_modseq = f.modseq;
    return uidset_export(&both, a, &out->uid_ranges, &out->n_uid_ranges);
}

static int recent_of(struct mailbox *box, const struct folder *f, const struct uidset *added, bool claim,
                     struct uidset *out)
{
    uint32_t first = recent_first(box, f);
    int r = 0;

    for (size_t i = 0; i + 1 < added->n && r >= 0; i += 2)
        if (added->v[i + 1] >= first)
            r = uidset_add_range(out, added->v[i] > first ? added->v[i] : first, added->v[i + 1]);
    if (r >= 0 && out->n && claim)
        recent_claim(box, f);
    return r;
}

int mailbox_sync(struct mailbox *box, struct arena *a, const Store__SyncRequest *q, bool claim,
                 Store__SyncResponse *out)
{
    CLEANUP(uidset_release) struct uidset added = { 0 }, vanished = { 0 }, recent = { 0 };
    size_t limit = q->limit && q->limit < MAILBOX_SYNC_ROWS_MAX ? q->limit : MAILBOX_SYNC_ROWS_MAX;
    struct folder f;
    uint64_t upto;
    int r = folder_by_id(box, q->folder_id, &f);

    if (r == E_NOTFOUND) {
        out->gone = true;
        return 0;
    }
    if (r < 0)
        return r;
    upto = f.modseq;
    if ((r = changed_rows(box, a, &f, q->since_modseq, limit, out, &upto)) < 0 ||
        (r = added_uids(box, f.id, q->since_modseq, upto, &added)) < 0)
        return r;
    r = q->since_modseq < f.vanished_floor ? gap_all(box, f.id, &vanished)
                                           : vanished_logged(box, f.id, q->since_modseq, upto, &vanished);
    if (r < 0 || (r = recent_of(box, &f, &added, claim && !out->more, &recent)) < 0 ||
        (r = keywords_of_folder(box, a, f.id, &out->keywords, &out->n_keywords)) < 0 ||
        (r = uidset_export(&added, a, &out->added_ranges, &out->n_added_ranges)) < 0 ||
        (r = uidset_export(&vanished, a, &out->vanished_ranges, &out->n_vanished_ranges)) < 0 ||
        (r = uidset_export(&recent, a, &out->recent_ranges, &out->n_recent_ranges)) < 0)
        return r;
    out->highest_modseq = upto;
    return 0;
}
