#include "src/store/words.h"
#include "src/store/mailbox_private.h"

int words_next(struct words *w)
{
    int r = stmt_step(w->st);

    w->on_row = r > 0;
    if (r <= 0)
        return r;
    w->part = (int)stmt_i64(w->st, 0);
    w->bytes = (size_t)stmt_u64(w->st, 2);
    return 0;
}

static int rows_open(struct words *w, const char *sql, uint32_t from)
{
    int64_t first = w->email_id * (INT64_C(1) << ROW_SHIFT);
    int r;

    stmt_release(&w->st);
    if ((r = stmt_get(w->box->db, sql, &w->st)) < 0)
        return r;
    stmt_bind_i64(w->st, 1, first + from);
    stmt_bind_i64(w->st, 2, first + ROWS_MAX);
    return words_next(w);
}

int words_open(struct words *w, struct mailbox *box, int64_t email_id)
{
    static const char beside[] = "SELECT part, codec, bytes, data, like_bytes FROM email_raw "
                                 "WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    static const char words[] = "SELECT part, codec, bytes, data, like_bytes FROM email_words "
                                "WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    static const char old[] =
        "SELECT part, codec, bytes, data, 0 FROM email_text WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    int r;

    w->on_row = false;
    w->box = box;
    w->email_id = email_id;
    if ((r = rows_open(w, beside, WORDS_ROW)) < 0 || w->on_row || (r = rows_open(w, words, 0)) < 0 ||
        w->on_row)
        return r;
    return rows_open(w, old, 0);
}

/* Header lines are like the header block, body text is like what comes behind. */
static int like_read(struct words *w, uint64_t n)
{
    int r;

    if (n > CHUNK_BYTES_MAX)
        return E_CORRUPT;
    w->like.max = CHUNK_BYTES_MAX;
    buf_clear(&w->like);
    r = email_read_part(w->box, w->email_id, w->part, (size_t)n, &w->like);
    return r == E_GONE ? E_CORRUPT : r;
}

int words_take(struct words *w, struct buf *out)
{
    int64_t codec = stmt_i64(w->st, 1);
    int r;

    if (!chunk_is_like(codec))
        return chunk_decode_with(&w->decoder, codec, stmt_str(w->st, 3), w->bytes, out);
    if ((r = like_read(w, stmt_u64(w->st, 4))) < 0)
        return r;
    return chunk_decode_like(&w->decoder, codec, stmt_str(w->st, 3), w->bytes, buf_str(&w->like), out);
}

void words_close(struct words *w)
{
    stmt_release(&w->st);
    w->on_row = false;
    w->email_id = 0;
    buf_release(&w->like);
    buf_release(&w->decoder.like);
}

void words_release(struct words *w)
{
    words_close(w);
    chunk_decoder_release(&w->decoder);
}
