/* src/store/email.c: emails, which never change. The structure and the first 256 KiB of the header block
 * stand in its row (of mail of before in email_top). Behind lie raw runs, in email_raw in rows of 256 KiB input, and parts (part.h); the
 * email's map says in which order. A partial FETCH decodes the rows it needs, one at a time. */
#include "src/store/drop.h"
#include "src/store/mailbox_private.h"
#include "src/store/index.h"
#include "src/store/part.h"
#include <sys/types.h>

/* ---- writing ---------------------------------------------------------------------------------- */

static int row_insert(struct mailbox *box, const char *sql, int64_t id, const struct ready_row *row)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_i64(st, 2, row->codec);
    stmt_bind_u64(st, 3, row->bytes);
    stmt_bind_blob(st, 4, buf_str(&row->data));
    return stmt_run(st);
}

/* Text, beside the raw bytes: what is made, or a piece of what is too long to be ready. */
static int words_insert(struct mailbox *box, int64_t id, int part, const struct ready_row *row,
                        struct str data)
{
    static const char sql[] = "INSERT INTO email_raw (id, part, codec, bytes, like_bytes, data) "
                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_i64(st, 2, part);
    stmt_bind_i64(st, 3, row->codec);
    stmt_bind_u64(st, 4, row->bytes);
    stmt_bind_u64(st, 5, row->like_bytes);
    stmt_bind_blob(st, 6, data);
    return stmt_run(st);
}

/* A piece of what is too long to be ready: raw bytes (part -1) or text. */
static int piece_insert(struct mailbox *box, int part, int64_t id, struct str in, struct buf *scratch)
{
    static const char raw[] = "INSERT INTO email_raw (id, codec, bytes, data) VALUES (?1, ?2, ?3, ?4)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct chunk c;
    int r = part < 0 ? chunk_encode_letter(in, scratch, &c) : chunk_encode(in, scratch, &c);

    if (r < 0)
        return r;
    if (part >= 0)
        return words_insert(box, id, part, &(struct ready_row){ .codec = (int)c.codec, .bytes = in.n },
                            c.data);
    if ((r = stmt_get(box->db, raw, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_i64(st, 2, c.codec);
    stmt_bind_u64(st, 3, in.n);
    stmt_bind_blob(st, 4, c.data);
    return stmt_run(st);
}

/* [from, to) of `in` as rows, numbered from *row: raw bytes below WORDS_ROW, text behind. */
static int rows_insert(struct mailbox *box, int part, int64_t email_id, const struct bytes_in *in,
                       uint64_t from, uint64_t to, uint32_t *row)
{
    CLEANUP(buf_release)
    struct buf piece = { .max = CHUNK_BYTES_MAX }, scratch = { .max = CHUNK_SCRATCH_MAX };

    while (from < to) {
        size_t n = (size_t)(to - from < CHUNK_BYTES_MAX ? to - from : CHUNK_BYTES_MAX);
        void *p;
        int r;

        buf_clear(&piece);
        if (*row >= (part < 0 ? WORDS_ROW : ROWS_MAX))
            return E_TOO_BIG;
        if (!(p = buf_reserve(&piece, n)))
            return E_NOMEM;
        if ((r = bytes_read(in, from, p, n)) < 0 ||
            (r = piece_insert(box, part, (email_id << ROW_SHIFT) | *row, str_of(p, n), &scratch)) < 0)
            return r;
        from += n;
        (*row)++;
    }
    return 0;
}

/* The five columns of its top as ?at and on. */
static void top_bind(struct stmt *st, int at, const struct email_in *e, const struct email_ready *y)
{
    stmt_bind_i64(st, at, y->top.codec);
    stmt_bind_u64(st, at + 1, e->structure.n);
    stmt_bind_u64(st, at + 2, y->top.bytes);
    stmt_bind_str_or_null(st, at + 3, e->preview);
    stmt_bind_blob(st, at + 4, buf_str(&y->top.data));
}

static int email_row_insert(struct mailbox *box, const struct email_in *e, const struct email_ready *y,
                            struct str map, int64_t *id_out)
{
    static const char sql[] =
        "INSERT INTO email (id, object_id, thread_id, bytes, header_bytes, head_bytes, sent, "
        "message_id, sent_zone, map, subject, reply, from_box, to_box, cc_box, from_display, to_display, refs, "
        "noted, codec, structure_bytes, top_bytes, preview, top) VALUES ("
        "1 + max((SELECT coalesce(max(id), 0) FROM email), "
        "(SELECT coalesce(max(id), 0) FROM dropping WHERE part = 0)), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
        "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t object_id[12], thread[12], refs[SORT_REFS_BYTES], noted[THREAD_REFS_MAX * THREAD_REF_BYTES];
    char sent[CLOCK_ISO_LEN + 1];
    size_t nnoted = 0;
    int r;

    object_id_make(object_id);
    if ((r = thread_find(box, e, object_id, thread, noted, &nnoted)) < 0 ||
        (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    clock_iso(e->has_sent ? e->sent_ms : 0, sent);
    stmt_bind_blob(st, 1, str_of(object_id, 12));
    stmt_bind_blob(st, 2, str_of(thread, 12));
    stmt_bind_u64(st, 3, e->message->bytes);
    stmt_bind_u64(st, 4, e->header_bytes);
    stmt_bind_u64(st, 5, y->head_bytes);
    stmt_bind_str_or_null(st, 6, e->has_sent ? str_of(sent, CLOCK_ISO_LEN) : STR_NONE);
    stmt_bind_str_or_null(st, 7, e->message_id.n ? e->message_id : STR_NONE);
    stmt_bind_i64(st, 8, e->sent_zone_min > -1440 && e->sent_zone_min < 1440 ? e->sent_zone_min : 0);
    stmt_bind_blob(st, 9, map.n ? map : STR(""));
    sort_bind(st, 10, e, refs);
    if (nnoted)
        stmt_bind_blob(st, 18, str_of(noted, nnoted));
    top_bind(st, 19, e, y);
    if ((r = stmt_run(st)) < 0)
        return r;
    *id_out = db_last_rowid(box->db);
    return refs_note(box, *id_out, str_of(noted, nnoted), thread);
}

static int raw_insert(struct mailbox *box, int64_t id, const struct email_in *e, const struct email_ready *y,
                      struct str map)
{
    static const char sql[] = "INSERT INTO email_raw (id, codec, bytes, data) VALUES (?1, ?2, ?3, ?4)";
    uint32_t row = 0;
    struct bytes_raw raw;
    int r = bytes_raw_init(&raw, e->message, y->head_bytes, map);

    if (r < 0)
        return r;
    if (y->raw.bytes) /* all of it */
        return y->raw.bytes == raw.in.bytes ? row_insert(box, sql, id << ROW_SHIFT, &y->raw) : E_BUG;
    return rows_insert(box, -1, id, &raw.in, 0, raw.in.bytes, &row);
}

/* One part of the text, [from, to) of it. */
static int text_insert(struct mailbox *box, int64_t id, int part, const struct ready_row *ready,
                       const struct bytes_in *text, uint64_t from, uint64_t to, uint32_t *row)
{
    if (ready->bytes == 0)
        return rows_insert(box, part, id, text, from, to, row);
    return words_insert(box, (id << ROW_SHIFT) | (*row)++, part, ready, buf_str(&ready->data));
}

static int texts_insert(struct mailbox *box, int64_t id, const struct email_in *e,
                        const struct email_ready *y)
{
    uint64_t bytes = e->text ? e->text->bytes : 0;
    uint32_t row = WORDS_ROW;
    int r = text_insert(box, id, 0, &y->lines, e->text, 0, e->text_header_bytes, &row);

    return r < 0 ? r : text_insert(box, id, 1, &y->words, e->text, e->text_header_bytes, bytes, &row);
}

static int ready_insert(struct mailbox *box, const struct email_in *e, const struct email_ready *y,
                        int64_t *id_out)
{
    CLEANUP(buf_release) struct buf map = { .max = PART_MAP_MAX };
    int64_t id = 0;
    int r;

    if ((r = parts_put(box, e->message, y, &map)) < 0 ||
        (r = email_row_insert(box, e, y, buf_str(&map), &id)) < 0 ||
        (r = raw_insert(box, id, e, y, buf_str(&map))) < 0 || (r = texts_insert(box, id, e, y)) < 0 ||
        (r = index_note(box, id)) < 0)
        return r;
    *id_out = id;
    return 0;
}

int email_insert(struct mailbox *box, const struct email_in *e, int64_t *id_out)
{
    CLEANUP(email_ready_release) struct email_ready own = { 0 };
    bool ready = e->ready && e->ready->top.bytes;
    int r = ready ? 0 : email_prepare(e, &own);

    return r < 0 ? r : ready_insert(box, e, ready ? e->ready : &own, id_out);
}

/* ---- removing --------------------------------------------------------------------------------- */

static int run_for(struct mailbox *box, const char *sql, int64_t a, int64_t b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, a);
    stmt_bind_i64(st, 2, b);
    return (r = stmt_step(st)) > 0 ? 1 : r;
}

static int map_release(struct mailbox *box, int64_t id, uint64_t *bytes_out)
{
    CLEANUP(buf_release) struct buf map = { .max = PART_MAP_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT map, bytes FROM email WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0 || (r = buf_puts(&map, stmt_str(st, 0))) < 0)
        return r;
    *bytes_out = stmt_u64(st, 1);
    return parts_release(box, buf_str(&map));
}

int email_drop_unused(struct mailbox *box, int64_t id)
{
    static const char in_use[] = "SELECT 1 FROM message WHERE email_id = ?1 AND ?2 = ?2 LIMIT 1";
    static const char *const rows[] = { "DELETE FROM email_raw WHERE id BETWEEN ?1 AND ?2",
                                        "DELETE FROM email_body WHERE id BETWEEN ?1 AND ?2",
                                        "DELETE FROM email_text WHERE id BETWEEN ?1 AND ?2",
                                        "DELETE FROM email_words WHERE id BETWEEN ?1 AND ?2" };
    static const char email[] = "DELETE FROM email WHERE id = ?1 AND id = ?2";
    int64_t first = id * (INT64_C(1) << ROW_SHIFT), last = first + ROWS_MAX;
    uint64_t bytes = 0;
    int r;

    if ((r = run_for(box, in_use, id, id)) != 0)
        return r < 0 ? r : 0;
    if ((r = refs_email_goes(box, id)) < 0 || (r = map_release(box, id, &bytes)) < 0 ||
        (r = index_forget(box, id)) < 0 || (r = run_for(box, email, id, id)) < 0)
        return r;
    if (drop_is_large(box, bytes))
        return drop_later(box, false, id);
    for (size_t i = 0; i < ARRAY_LEN(rows) && r >= 0; i++)
        r = run_for(box, rows[i], first, last);
    return r;
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* How an email lies: its head, and what is behind. */
struct layout {
    uint64_t head_bytes;
    bool old; /* written before there were parts: in email_head and email_body, all of it raw */
    struct buf map;
};

static void layout_release(struct layout *l)
{
    buf_release(&l->map);
}

static int layout_read(struct mailbox *box, int64_t id, struct layout *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT head_bytes, map FROM email WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    out->head_bytes = stmt_u64(st, 0);
    out->old = stmt_is_null(st, 1);
    out->map.max = PART_MAP_MAX;
    return buf_puts(&out->map, stmt_str(st, 1));
}

/* Structure and head of an email, decoded; *structure_bytes_out is where the head begins. 0: it is old. */
static int top_read(struct mailbox *box, int64_t id, struct buf *out, size_t *structure_bytes_out)
{
    static const char sql[] =
        "SELECT codec, structure_bytes, top_bytes, top FROM email WHERE id = ?1 AND top IS NOT NULL "
        "UNION ALL SELECT codec, structure_bytes, bytes, data FROM email_top WHERE email_id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *structure_bytes_out = (size_t)stmt_u64(st, 1);
    if ((r = chunk_decode(stmt_i64(st, 0), stmt_str(st, 3), (size_t)stmt_u64(st, 2), out)) < 0)
        return r;
    return *structure_bytes_out <= out->n ? 1 : E_CORRUPT;
}

/* What the first row of a statement says, codec, bytes and data, appended to `out`. */
static int row_read(struct mailbox *box, const char *sql, int64_t id, struct buf *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    return chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), out);
}

/* [at, at + n) of `piece` to out: how many there were. */
static ssize_t piece_take(const struct buf *piece, size_t at, size_t n, struct buf *out)
{
    int r;

    if (at >= piece->n)
        return E_CORRUPT;
    n = size_min(n, piece->n - at);
    r = buf_append(out, piece->p + at, n);
    return r < 0 ? r : (ssize_t)n;
}

static ssize_t head_read(struct mailbox *box, int64_t id, const struct layout *l, uint64_t at, size_t n,
                         struct buf *out)
{
    static const char sql[] = "SELECT head_codec, head_bytes, head FROM email_head WHERE email_id = ?1";
    CLEANUP(buf_release) struct buf piece = { .max = MAILBOX_STRUCTURE_MAX + CHUNK_BYTES_MAX };
    size_t skip = 0;
    int r = l->old ? row_read(box, sql, id, &piece) : top_read(box, id, &piece, &skip);

    if (r < 0 || (r == 0 && !l->old))
        return r < 0 ? r : E_GONE;
    return piece.n - skip == l->head_bytes ? piece_take(&piece, skip + (size_t)at, n, out) : E_CORRUPT;
}

/* A row that is wanted whole is decoded where it is wanted: nothing is copied, nor wiped afterwards. */
static ssize_t raw_read(struct mailbox *box, int64_t id, const struct layout *l, uint64_t at, size_t n,
                        struct buf *out)
{
    static const char raw[] = "SELECT codec, bytes, data FROM email_raw WHERE id = ?1";
    static const char body[] = "SELECT codec, bytes, data FROM email_body WHERE id = ?1";
    CLEANUP(buf_release) struct buf piece = { .max = CHUNK_BYTES_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    size_t skip = (size_t)(at % CHUNK_BYTES_MAX), bytes;
    int r = stmt_get(box->db, l->old ? body : raw, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, (id << ROW_SHIFT) | (int64_t)(at / CHUNK_BYTES_MAX));
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    bytes = (size_t)stmt_u64(st, 1);
    if (skip == 0 && bytes > 0 && bytes <= n) {
        r = chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), bytes, out);
        return r < 0 ? r : (ssize_t)bytes;
    }
    r = chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), bytes, &piece);
    return r < 0 ? r : piece_take(&piece, skip, n, out);
}

/* Bytes of the run or part that holds `at`, counted from behind the head. */
static ssize_t rest_read(struct mailbox *box, int64_t id, const struct layout *l, uint64_t at, size_t n,
                         struct buf *out)
{
    struct str map = buf_str(&l->map);
    struct segment s;
    uint64_t raw = 0; /* raw bytes passed */
    int r;

    while ((r = segment_take(&map, &s)) > 0) {
        if (at < s.gap)
            return raw_read(box, id, l, raw + at, s.gap - at < n ? (size_t)(s.gap - at) : n, out);
        raw += s.gap;
        at -= s.gap;
        if (at < s.bytes) {
            n = s.bytes - at < n ? (size_t)(s.bytes - at) : n;
            return (r = part_read(box, &s, at, n, out)) < 0 ? r : (ssize_t)n;
        }
        at -= s.bytes;
    }
    return r < 0 ? r : raw_read(box, id, l, raw + at, n, out);
}

static int layout_take(struct mailbox *box, int64_t id, const struct layout *l, uint64_t at, size_t n,
                       struct buf *out)
{
    while (n) {
        ssize_t got = at < l->head_bytes ? head_read(box, id, l, at, n, out)
                                         : rest_read(box, id, l, at - l->head_bytes, n, out);

        if (got < 0)
            return (int)got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

int email_read(struct mailbox *box, int64_t id, uint64_t at, size_t n, struct buf *out)
{
    CLEANUP(layout_release) struct layout l = { 0 };
    int r = layout_read(box, id, &l);

    return r < 0 ? r : layout_take(box, id, &l, at, n, out);
}

int email_read_part(struct mailbox *box, int64_t id, int part, size_t n, struct buf *out)
{
    CLEANUP(layout_release) struct layout l = { 0 };
    int r = layout_read(box, id, &l);

    return r < 0 ? r : layout_take(box, id, &l, part ? l.head_bytes : 0, n, out);
}

int email_structure(struct mailbox *box, int64_t id, struct buf *out)
{
    static const char old[] =
        "SELECT structure_codec, structure_bytes, structure FROM email_head WHERE email_id = ?1";
    CLEANUP(buf_release) struct buf top = { .max = MAILBOX_STRUCTURE_MAX + CHUNK_BYTES_MAX };
    size_t bytes = 0;
    int r = top_read(box, id, &top, &bytes);

    if (r == 0)
        return row_read(box, old, id, out);
    return r < 0 ? r : buf_append(out, top.p, bytes);
}

int email_preview(struct mailbox *box, int64_t id, struct buf *out)
{
    static const char sql[] = "SELECT preview FROM email WHERE id = ?1 AND top IS NOT NULL "
                              "UNION ALL SELECT preview FROM email_top WHERE email_id = ?1 "
                              "UNION ALL SELECT preview FROM email_head WHERE email_id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    if (stmt_is_null(st, 0))
        return 0;
    return (r = buf_puts(out, stmt_str(st, 0))) < 0 ? r : 1;
}
