/* src/store/email.c: emails, which never change. The first 256 KiB of the header block stand in
 * email_head, everything behind in email_body in rows of 256 KiB input, so that a partial FETCH
 * decodes one row, and no more than one is in memory. */
#include "src/store/mailbox_private.h"
#include "src/store/index.h"
#include <sodium.h>

#define REFERENCES_MAX 64u
#define REF_BYTES      16u

/* ---- threads ---------------------------------------------------------------------------------- */

static void ref_hash(struct str message_id, uint8_t out[REF_BYTES])
{
    crypto_generichash(out, REF_BYTES, (const uint8_t *)message_id.p, message_id.n, NULL, 0);
}

/* 1 and *thread_out: some email that has or names this Message-ID is here. */
static int thread_of_ref(struct mailbox *box, struct str message_id, uint8_t thread_out[12])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t ref[REF_BYTES];
    int r = stmt_get(box->db, "SELECT thread_id FROM thread_ref WHERE ref = ?1", &st);

    if (r < 0)
        return r;
    ref_hash(message_id, ref);
    stmt_bind_blob(st, 1, str_of(ref, sizeof ref));
    if ((r = stmt_step(st)) <= 0)
        return r;
    return stmt_bytes(st, 0, thread_out, 12) ? 1 : E_CORRUPT;
}

static int ref_note(struct mailbox *box, struct str message_id, const uint8_t thread[12])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t ref[REF_BYTES];
    int r = stmt_get(box->db, "INSERT OR IGNORE INTO thread_ref VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    ref_hash(message_id, ref);
    stmt_bind_blob(st, 1, str_of(ref, sizeof ref));
    stmt_bind_blob(st, 2, str_of(thread, 12));
    return stmt_run(st);
}

/* An email belongs to the thread of the nearest email it names, or that named it; else it begins one
 * (RFC 8474 5.2: THREADID is fixed at arrival). */
static int thread_find(struct mailbox *box, const struct email_in *e, const uint8_t own[12],
                       uint8_t thread[12])
{
    size_t n = size_min(e->nreferences, REFERENCES_MAX), skip = e->nreferences - n;
    int r = e->message_id.n ? thread_of_ref(box, e->message_id, thread) : 0;

    for (size_t i = n; r == 0 && i-- > 0;)
        r = thread_of_ref(box, e->references[skip + i], thread);
    if (r < 0)
        return r;
    if (r == 0)
        memcpy(thread, own, 12);
    r = e->message_id.n ? ref_note(box, e->message_id, thread) : 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = ref_note(box, e->references[skip + i], thread);
    return r;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static int row_insert(struct mailbox *box, const char *sql, int64_t id, int part, struct str in,
                      struct buf *scratch)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct chunk c;
    int r;

    if ((r = chunk_encode(in, scratch, &c)) < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_i64(st, 2, c.codec);
    stmt_bind_u64(st, 3, in.n);
    stmt_bind_blob(st, 4, c.data);
    if (part >= 0)
        stmt_bind_i64(st, 5, part);
    return stmt_run(st);
}

/* [from, to) of `in` as rows of `sql`, numbered from *row. */
static int rows_insert(struct mailbox *box, const char *sql, int part, int64_t email_id,
                       const struct bytes_in *in, uint64_t from, uint64_t to, uint32_t *row)
{
    CLEANUP(buf_release)
    struct buf piece = { .max = CHUNK_BYTES_MAX }, scratch = { .max = CHUNK_SCRATCH_MAX };

    while (from < to) {
        size_t n = (size_t)(to - from < CHUNK_BYTES_MAX ? to - from : CHUNK_BYTES_MAX);
        void *p;
        int r;

        buf_clear(&piece);
        if (*row >= ROWS_MAX)
            return E_TOO_BIG;
        if (!(p = buf_reserve(&piece, n)))
            return E_NOMEM;
        if ((r = bytes_read(in, from, p, n)) < 0 ||
            (r = row_insert(box, sql, (email_id << ROW_SHIFT) | *row, part, str_of(p, n), &scratch)) < 0)
            return r;
        from += n;
        (*row)++;
    }
    return 0;
}

static int head_insert(struct mailbox *box, int64_t id, const struct email_in *e, size_t head_bytes)
{
    static const char sql[] = "INSERT INTO email_head VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    CLEANUP(buf_release)
    struct buf head = { .max = CHUNK_BYTES_MAX }, s1 = { .max = CHUNK_SCRATCH_MAX },
               s2 = { .max = CHUNK_SCRATCH_MAX };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct chunk structure, bytes;
    void *p = buf_reserve(&head, head_bytes ? head_bytes : 1);
    int r;

    if (!p)
        return E_NOMEM;
    if ((r = bytes_read(e->message, 0, p, head_bytes)) < 0 ||
        (r = chunk_encode(e->structure, &s1, &structure)) < 0 ||
        (r = chunk_encode(str_of(p, head_bytes), &s2, &bytes)) < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_i64(st, 2, structure.codec);
    stmt_bind_u64(st, 3, e->structure.n);
    stmt_bind_blob(st, 4, structure.data);
    stmt_bind_i64(st, 5, bytes.codec);
    stmt_bind_u64(st, 6, head_bytes);
    stmt_bind_blob(st, 7, bytes.data);
    stmt_bind_str_or_null(st, 8, e->preview);
    return stmt_run(st);
}

static int email_row_insert(struct mailbox *box, const struct email_in *e, size_t head_bytes, int64_t *id_out)
{
    static const char sql[] =
        "INSERT INTO email (object_id, thread_id, bytes, header_bytes, head_bytes, sent, "
        "message_id, sent_zone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t object_id[12], thread[12];
    char sent[CLOCK_ISO_LEN + 1];
    int r;

    object_id_make(object_id);
    if ((r = thread_find(box, e, object_id, thread)) < 0 || (r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    clock_iso(e->has_sent ? e->sent_ms : 0, sent);
    stmt_bind_blob(st, 1, str_of(object_id, 12));
    stmt_bind_blob(st, 2, str_of(thread, 12));
    stmt_bind_u64(st, 3, e->message->bytes);
    stmt_bind_u64(st, 4, e->header_bytes);
    stmt_bind_u64(st, 5, head_bytes);
    stmt_bind_str_or_null(st, 6, e->has_sent ? str_of(sent, CLOCK_ISO_LEN) : STR_NONE);
    stmt_bind_str_or_null(st, 7, e->message_id.n ? e->message_id : STR_NONE);
    stmt_bind_i64(st, 8, e->sent_zone_min > -1440 && e->sent_zone_min < 1440 ? e->sent_zone_min : 0);
    if ((r = stmt_run(st)) < 0)
        return r;
    *id_out = db_last_rowid(box->db);
    return 0;
}

int email_insert(struct mailbox *box, const struct email_in *e, int64_t *id_out)
{
    static const char body_sql[] = "INSERT INTO email_body (id, codec, bytes, data) VALUES (?1, ?2, ?3, ?4)";
    static const char text_sql[] =
        "INSERT INTO email_text (id, codec, bytes, data, part) VALUES (?1, ?2, ?3, ?4, ?5)";
    uint64_t text_bytes = e->text ? e->text->bytes : 0;
    uint32_t body_row = 0, text_row = 0;
    size_t head_bytes;
    int64_t id = 0;
    int r;

    if (e->structure.n > MAILBOX_STRUCTURE_MAX || e->header_bytes > e->message->bytes ||
        e->text_header_bytes > text_bytes)
        return E_RANGE;
    head_bytes = (size_t)(e->header_bytes < CHUNK_BYTES_MAX ? e->header_bytes : CHUNK_BYTES_MAX);
    if ((r = email_row_insert(box, e, head_bytes, &id)) < 0 ||
        (r = head_insert(box, id, e, head_bytes)) < 0 ||
        (r = rows_insert(box, body_sql, -1, id, e->message, head_bytes, e->message->bytes, &body_row)) < 0 ||
        (r = rows_insert(box, text_sql, 0, id, e->text, 0, e->text_header_bytes, &text_row)) < 0 ||
        (r = rows_insert(box, text_sql, 1, id, e->text, e->text_header_bytes, text_bytes, &text_row)) < 0 ||
        (r = index_note(box, id)) < 0)
        return r;
    *id_out = id;
    return 0;
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

int email_drop_unused(struct mailbox *box, int64_t id)
{
    static const char in_use[] = "SELECT 1 FROM message WHERE email_id = ?1 AND ?2 = ?2 LIMIT 1";
    static const char body[] = "DELETE FROM email_body WHERE id BETWEEN ?1 AND ?2";
    static const char text[] = "DELETE FROM email_text WHERE id BETWEEN ?1 AND ?2";
    static const char refs[] =
        "DELETE FROM thread_ref WHERE thread_id = (SELECT thread_id FROM email WHERE id = ?1) "
        "AND NOT EXISTS (SELECT 1 FROM email e WHERE e.thread_id = thread_ref.thread_id "
        "AND e.id <> ?2)";
    static const char email[] = "DELETE FROM email WHERE id = ?1 AND id = ?2";
    int64_t first = id * (INT64_C(1) << ROW_SHIFT), last = first + ROWS_MAX;
    int r;

    if ((r = run_for(box, in_use, id, id)) != 0)
        return r < 0 ? r : 0;
    if ((r = run_for(box, body, first, last)) < 0 || (r = run_for(box, text, first, last)) < 0 ||
        (r = run_for(box, refs, id, id)) < 0 || (r = index_forget(box, id)) < 0)
        return r;
    return run_for(box, email, id, id);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static int head_read(struct mailbox *box, int64_t id, struct buf *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT head_codec, head_bytes, head FROM email_head WHERE email_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    return chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), out);
}

static int body_row_read(struct mailbox *box, int64_t id, uint64_t row, struct buf *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT codec, bytes, data FROM email_body WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, (id << ROW_SHIFT) | (int64_t)row);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    return chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), out);
}

static int head_bytes_of(struct mailbox *box, int64_t id, uint64_t *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT head_bytes FROM email WHERE id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    *out = stmt_u64(st, 0);
    return 0;
}

int email_read(struct mailbox *box, int64_t id, uint64_t at, size_t n, struct buf *out)
{
    CLEANUP(buf_release) struct buf piece = { .max = CHUNK_BYTES_MAX + 64 };
    uint64_t head = 0;
    int r = head_bytes_of(box, id, &head);

    while (r >= 0 && n) {
        uint64_t off = at < head ? at : (at - head) % CHUNK_BYTES_MAX;
        size_t take;

        buf_clear(&piece);
        r = at < head ? head_read(box, id, &piece)
                      : body_row_read(box, id, (at - head) / CHUNK_BYTES_MAX, &piece);
        if (r < 0)
            return r;
        if (off >= piece.n)
            return E_CORRUPT;
        take = size_min(n, piece.n - (size_t)off);
        r = buf_append(out, piece.p + off, take);
        at += take;
        n -= take;
    }
    return r;
}

int email_structure(struct mailbox *box, int64_t id, struct buf *out)
{
    static const char sql[] =
        "SELECT structure_codec, structure_bytes, structure FROM email_head WHERE email_id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_GONE;
    return chunk_decode(stmt_i64(st, 0), stmt_str(st, 2), (size_t)stmt_u64(st, 1), out);
}
