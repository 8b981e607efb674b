/* src/store/fetch.c: FETCH as a stream of records, made slice by slice so that neither a large message
 * nor many of them are ever in memory, and the reader's snapshot is held for one slice only. */
#include "src/store/mailbox_private.h"
#include "lib/base/hex.h"

#define RECORD_HEAD      5u
#define RECORD_ROW       1
#define RECORD_BYTES     2
#define RECORD_BYTES_MAX KIB(64)

int fetch_init(struct fetch *f, const Store__FetchRequest *q)
{
    int r = uidset_check(q->uid_ranges, q->n_uid_ranges);

    *f = (struct fetch){ .folder_id = q->folder_id,
                         .offset = q->offset,
                         .length = q->length,
                         .first_offset = q->first_offset,
                         .changed_since = q->changed_since,
                         .want = q->want };
    for (size_t i = 0; i + 1 < q->n_uid_ranges && r == 0; i += 2)
        r = uidset_push(&f->uids, q->uid_ranges[i], q->uid_ranges[i + 1]);
    if (r < 0)
        fetch_release(f);
    return r;
}

int fetch_narrow(struct mailbox *box, struct fetch *f)
{
    static const char sql[] = "SELECT uid FROM message INDEXED BY message_changed "
                              "WHERE folder_id = ?1 AND modseq > added AND modseq > ?2 " MESSAGES_ADDED_AFTER;
    CLEANUP(uidset_release) struct uidset changed = { 0 }, both = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->folder_id);
    stmt_bind_u64(st, 2, f->changed_since);
    while ((r = stmt_step(st)) > 0)
        if ((r = uidset_push(&changed, (uint32_t)stmt_u64(st, 0), (uint32_t)stmt_u64(st, 0))) < 0)
            return r;
    uidset_normalize(&changed);
    if (r < 0 || (r = uidset_intersect(changed.v, changed.n, f->uids.v, f->uids.n, &both)) < 0)
        return r;
    uidset_release(&f->uids);
    f->uids = both;
    both = (struct uidset){ 0 };
    f->changed_since = 0;
    return 0;
}

void fetch_release(struct fetch *f)
{
    uidset_release(&f->uids);
}

int message_begin_read(struct mailbox *box, uint64_t folder_id, uint32_t uid, size_t max_bytes,
                       struct buf *out, int64_t *internal_ms_out)
{
    static const char sql[] =
        "SELECT email_id, bytes, internal FROM message WHERE folder_id = ?1 AND uid = ?2";
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);
    struct str iso;
    size_t bytes;
    int64_t id;

    if (r < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, uid);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    id = stmt_i64(st, 0);
    bytes = size_min((size_t)stmt_u64(st, 1), max_bytes);
    iso = stmt_str(st, 2);
    if (!clock_from_iso(iso.p, iso.n, internal_ms_out))
        *internal_ms_out = 0;
    for (size_t at = 0; at < bytes && r >= 0; at += CHUNK_BYTES_MAX)
        r = email_read(box, id, at, size_min(bytes - at, CHUNK_BYTES_MAX), out);
    return r < 0 ? r : 0;
}

static int record_head(struct buf *out, uint8_t type, size_t n)
{
    uint8_t head[RECORD_HEAD] = { type };

    le32_put(head + 1, (uint32_t)n);
    return buf_append(out, head, sizeof head);
}

/* ---- rows ------------------------------------------------------------------------------------- */

enum {
    COL_UID,
    COL_FLAGS,
    COL_MODSEQ,
    COL_EMAIL,
    COL_BYTES,
    COL_INTERNAL,
    COL_SAVED,
    COL_HEADER,
    COL_OBJECT,
    COL_THREAD
};

static int64_t ms_of(struct str iso)
{
    int64_t ms = 0;

    return clock_from_iso(iso.p, iso.n, &ms) ? ms : 0;
}

static int row_meta(struct arena *a, struct stmt *st, Store__Row *row)
{
    struct str email = object_id_text(a, 'M', stmt_str(st, COL_OBJECT));
    struct str thread = object_id_text(a, 'T', stmt_str(st, COL_THREAD));

    if (!email.p || !thread.p)
        return E_NOMEM;
    row->internal_date_ms = ms_of(stmt_str(st, COL_INTERNAL));
    row->saved_ms = ms_of(stmt_str(st, COL_SAVED));
    row->bytes = stmt_u64(st, COL_BYTES);
    row->header_bytes = stmt_u64(st, COL_HEADER);
    row->email_id = str_pb(email);
    row->thread_id = str_pb(thread);
    return 0;
}

/* Which bytes of the message follow. */
static void row_range(struct fetch *f, struct stmt *st, Store__Row *row)
{
    uint64_t total = stmt_u64(st, COL_BYTES), from = 0, n = 0;

    if (f->want & STORE__WANT__HEADER) {
        n = stmt_u64(st, COL_HEADER);
    } else if (f->want & STORE__WANT__BODY) {
        from = f->offset < total ? f->offset : total;
        n = f->length && f->length < total - from ? f->length : total - from;
        if (!f->began) {
            uint64_t skip = f->first_offset < n ? f->first_offset : n;

            from += skip;
            n -= skip;
        }
    }
    f->at = from;
    f->left = n;
    row->data_bytes = n;
}

static int row_preview(struct mailbox *box, struct stmt *st, struct buf *text, Store__Row *row)
{
    int r = email_preview(box, stmt_i64(st, COL_EMAIL), text);

    if (r < 0)
        return r;
    row->preview = str_pb(buf_str(text));
    row->no_preview = r == 0;
    return 0;
}

static int row_put(struct mailbox *box, struct fetch *f, struct stmt *st, struct buf *out)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release)
    struct buf structure = { .max = MAILBOX_STRUCTURE_MAX }, preview = { .max = KIB(4) };
    Store__Row row = STORE__ROW__INIT;
    size_t n;
    void *p;
    int r;

    row.uid = (uint32_t)stmt_u64(st, COL_UID);
    row.flags = (uint32_t)stmt_u64(st, COL_FLAGS);
    row.modseq = stmt_u64(st, COL_MODSEQ);
    if (f->keywords && (r = keywords_of(box, &a, f->folder_id, row.uid, &row.keywords, &row.n_keywords)) < 0)
        return r;
    if (f->want & STORE__WANT__META && (r = row_meta(&a, st, &row)) < 0)
        return r;
    if (f->want & STORE__WANT__STRUCTURE) {
        if ((r = email_structure(box, stmt_i64(st, COL_EMAIL), &structure)) < 0)
            return r;
        row.structure = str_pb(buf_str(&structure));
    }
    if (f->want & STORE__WANT__PREVIEW && (r = row_preview(box, st, &preview, &row)) < 0)
        return r;
    row_range(f, st, &row);
    n = store__row__get_packed_size(&row);
    if ((r = record_head(out, RECORD_ROW, n)) < 0)
        return r;
    if (!(p = buf_reserve(out, n)))
        return E_NOMEM;
    out->n += store__row__pack(&row, p);
    f->began = true;
    f->in_message = f->left > 0;
    return 0;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static int email_of(struct mailbox *box, uint64_t folder_id, uint32_t uid, int64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT email_id FROM message WHERE folder_id = ?1 AND uid = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    stmt_bind_u64(st, 2, uid);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    *id_out = stmt_i64(st, 0);
    return 0;
}

/* Most letters: one record, decoded where it is sent from. */
static int record_read(struct mailbox *box, struct fetch *f, int64_t email_id, size_t n, struct buf *out)
{
    size_t before = out->n;
    int r = record_head(out, RECORD_BYTES, n);

    if (r < 0 || (r = email_read(box, email_id, f->at, n, out)) < 0)
        out->n = before;
    return r;
}

static int records_read(struct mailbox *box, struct fetch *f, int64_t email_id, size_t n, struct buf *out)
{
    CLEANUP(buf_release) struct buf piece = { .max = CHUNK_BYTES_MAX };
    int r = email_read(box, email_id, f->at, n, &piece);

    for (size_t i = 0; i < n && r >= 0; i += RECORD_BYTES_MAX) {
        size_t one = size_min(n - i, RECORD_BYTES_MAX);

        if ((r = record_head(out, RECORD_BYTES, one)) >= 0)
            r = buf_append(out, piece.p + i, one);
    }
    return r;
}

/* Records of the message under way, at least one. */
static int bytes_put(struct mailbox *box, struct fetch *f, int64_t email_id, size_t room, struct buf *out)
{
    size_t want = room > out->n + RECORD_BYTES_MAX ? room - out->n : RECORD_BYTES_MAX, n;
    int r;

    n = f->left < want ? (size_t)f->left : want;
    n = size_min(n, CHUNK_BYTES_MAX);
    if ((r = n <= RECORD_BYTES_MAX ? record_read(box, f, email_id, n, out)
                                   : records_read(box, f, email_id, n, out)) < 0)
        return r;
    f->at += n;
    f->left -= n;
    f->in_message = f->left > 0;
    return 0;
}

static int rest_of_message(struct mailbox *box, struct fetch *f, int64_t email_id, size_t room,
                           struct buf *out)
{
    int r = 0;

    while (f->in_message && out->n < room && r >= 0)
        r = bytes_put(box, f, email_id, room, out);
    return r;
}

/* ---- the walk --------------------------------------------------------------------------------- */

/* One range, from f->uid. 1: `out` has enough; 0: the range is done. */
static int walk_range(struct mailbox *box, struct fetch *f, uint32_t first, uint32_t last, size_t room,
                      struct buf *out)
{
    static const char flags_sql[] = "SELECT uid, flags, modseq, email_id, bytes FROM message "
                                    "WHERE folder_id = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid";
    static const char full_sql[] =
        "SELECT m.uid, m.flags, m.modseq, m.email_id, m.bytes, m.internal, m.saved, "
        "e.header_bytes, e.object_id, e.thread_id FROM message m "
        "JOIN email e ON e.id = m.email_id "
        "WHERE m.folder_id = ?1 AND m.uid BETWEEN ?2 AND ?3 ORDER BY m.uid";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, f->want ? full_sql : flags_sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, f->folder_id);
    stmt_bind_u64(st, 2, first);
    stmt_bind_u64(st, 3, last);
    while ((r = stmt_step(st)) > 0) {
        f->uid = (uint32_t)stmt_u64(st, COL_UID);
        if ((r = row_put(box, f, st, out)) < 0 ||
            (r = rest_of_message(box, f, stmt_i64(st, COL_EMAIL), room, out)) < 0)
            return r;
        if (f->in_message)
            return 1;
        f->uid++;
        if (out->n >= room)
            return 1;
    }
    return r;
}

static int walk(struct mailbox *box, struct fetch *f, size_t room, struct buf *out)
{
    int64_t email_id = 0;
    int r;

    if (f->in_message) {
        if ((r = email_of(box, f->folder_id, f->uid, &email_id)) < 0 ||
            (r = rest_of_message(box, f, email_id, room, out)) < 0)
            return r;
        if (f->in_message)
            return 1;
        f->uid++;
    }
    for (; f->range + 1 < f->uids.n; f->range += 2) {
        uint32_t first = f->uids.v[f->range], last = f->uids.v[f->range + 1];

        if (f->uid > last)
            continue; /* the range before reached the last UID there can be, or this one is done */
        if (out->n >= room)
            return 1;
        if ((r = walk_range(box, f, f->uid > first ? f->uid : first, last, room, out)) != 0)
            return r;
    }
    return 0;
}

/* Asked once: most folders have none, and then no row is looked up. 1, 0 or E_*. */
static int any_keywords(struct mailbox *box, uint64_t folder_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT 1 FROM message_keyword WHERE folder_id = ?1 LIMIT 1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, folder_id);
    return stmt_step(st);
}

int mailbox_fetch(struct mailbox *box, struct fetch *f, size_t room, struct buf *out)
{
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);

    if (r == 0 && f->changed_since)
        r = fetch_narrow(box, f);
    if (r < 0 || (r = any_keywords(box, f->folder_id)) < 0)
        return r;
    f->keywords = r > 0;
    return walk(box, f, room, out);
}
