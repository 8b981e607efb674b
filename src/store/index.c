#include "src/store/index.h"
#include "src/store/grams.h"
#include "src/store/mailbox_private.h"
#include "src/store/words.h"

static int run_one(struct mailbox *box, const char *sql, int64_t id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    return stmt_run(st);
}

/* An id that was given once before (SQLite takes the highest there is and one more) is behind what is done. */
int index_note(struct mailbox *box, int64_t email_id)
{
    int64_t upto = 0;
    int r = refs_indexed_upto(box, &upto);

    return r < 0 || email_id > upto ? r : run_one(box, "INSERT INTO unindexed VALUES (?1, 0)", email_id);
}

/* What else is written behind: by which an email is looked for now and then. */
static int orders_put(struct mailbox *box, int64_t email_id)
{
    static const char date[] =
        "INSERT OR IGNORE INTO email_by_date SELECT sent, id FROM email WHERE id = ?1 AND sent IS NOT NULL";
    static const char thread[] =
        "INSERT OR IGNORE INTO email_by_thread SELECT thread_id, id FROM email WHERE id = ?1";
    int r = run_one(box, date, email_id);

    return r < 0 ? r : run_one(box, thread, email_id);
}

static int orders_drop(struct mailbox *box, int64_t email_id)
{
    static const char date[] =
        "DELETE FROM email_by_date WHERE sent = (SELECT sent FROM email WHERE id = ?1) AND email_id = ?1";
    static const char thread[] =
        "DELETE FROM email_by_thread WHERE thread_id = (SELECT thread_id FROM email WHERE id = ?1) AND email_id = ?1";
    int r = run_one(box, date, email_id);

    return r < 0 ? r : run_one(box, thread, email_id);
}

int index_forget(struct mailbox *box, int64_t email_id)
{
    int r = orders_drop(box, email_id);

    if (r < 0 || (r = run_one(box, "DELETE FROM email_grams WHERE email_id = ?1", email_id)) < 0 ||
        (r = run_one(box, "DELETE FROM unindexed WHERE email_id = ?1", email_id)) < 0 ||
        db_changes(box->db) > 0)
        return r; /* it was never in the index, or its row there is a tombstone already */
    return run_one(box, "DELETE FROM search_index WHERE rowid = ?1 AND ?1 <= (SELECT indexed_upto FROM meta)",
                   email_id);
}

int mailbox_index_waiting(struct mailbox *box, uint64_t *n_out)
{
    int64_t n = 0;
    int r = db_get_i64(box->db,
                       "SELECT (SELECT count(*) FROM unindexed WHERE state = 0) + "
                       "(SELECT count(*) FROM email WHERE id > (SELECT indexed_upto FROM meta))",
                       &n);

    *n_out = (uint64_t)n;
    return r;
}

/* ---- a batch ---------------------------------------------------------------------------------- */

struct batch {
    struct mailbox *box;
    int64_t upto; /* what stands behind is not in unindexed */
    struct words words;
    struct buf part[2]; /* header lines, body */
};

static void batch_release(struct batch *b)
{
    words_release(&b->words);
    buf_release(&b->part[0]);
    buf_release(&b->part[1]);
}

/* Its text into b->part. 1; 0 when it is too long. */
static int text_read(struct batch *b, int64_t email_id)
{
    struct words *w = &b->words;
    int r = words_open(w, b->box, email_id);

    buf_clear(&b->part[0]);
    buf_clear(&b->part[1]);
    for (; r >= 0 && w->on_row; r = r < 0 ? r : words_next(w)) {
        if (b->part[0].n + b->part[1].n + w->bytes > INDEX_TEXT_MAX) {
            words_close(w);
            return 0;
        }
        r = words_take(w, &b->part[w->part != 0]);
    }
    words_close(w);
    return r < 0 ? r : 1;
}

/* Two line ends behind each part: whatever one or two letters a text ends with begin a trigram too
 * (searchindex.c, needles below three). */
static int text_insert(struct batch *b, int64_t email_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(b->box->db, "INSERT INTO search_index (rowid, head, body) VALUES (?1, ?2, ?3)", &st);

    if (r < 0 || (r = buf_puts(&b->part[0], STR("\n\n"))) < 0 || (r = buf_puts(&b->part[1], STR("\n\n"))) < 0)
        return r;
    stmt_bind_i64(st, 1, email_id);
    stmt_bind_str(st, 2, buf_str(&b->part[0]));
    stmt_bind_str(st, 3, buf_str(&b->part[1]));
    return stmt_run(st);
}

static int grams_insert(struct batch *b, int64_t email_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct grams g = { 0 };
    int r = stmt_get(b->box->db, "INSERT OR REPLACE INTO email_grams VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    grams_add(&g, buf_str(&b->part[0]));
    grams_add(&g, buf_str(&b->part[1]));
    stmt_bind_i64(st, 1, email_id);
    stmt_bind_blob(st, 2, str_of(g.bits, grams_pack(&g)));
    return stmt_run(st);
}

static int index_one(struct batch *b, int64_t email_id)
{
    int r = orders_put(b->box, email_id);

    if (r < 0 || (r = text_read(b, email_id)) <= 0)
        return r < 0 ? r : run_one(b->box, "INSERT OR REPLACE INTO unindexed VALUES (?1, 1)", email_id);
    if ((r = text_insert(b, email_id)) < 0 || (r = grams_insert(b, email_id)) < 0 || email_id > b->upto)
        return r;
    return run_one(b->box, "DELETE FROM unindexed WHERE email_id = ?1", email_id);
}

static int waiting_read(struct mailbox *box, int64_t ids[INDEX_BATCH_MAX])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int n = 0,
        r = stmt_get(box->db,
                     "SELECT email_id FROM unindexed WHERE state = 0 UNION ALL "
                     "SELECT id FROM email WHERE id > (SELECT indexed_upto FROM meta) ORDER BY 1 LIMIT ?1",
                     &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, INDEX_BATCH_MAX);
    while ((r = stmt_step(st)) > 0)
        ids[n++] = stmt_i64(st, 0);
    return r < 0 ? r : n;
}

int mailbox_index_step(struct mailbox *box, int64_t budget_ms)
{
    CLEANUP(batch_release)
    struct batch b = { .box = box, .part = { { .max = MIB(1) }, { .max = MIB(1) } } };
    int64_t ids[INDEX_BATCH_MAX], until = clock_mono_ms() + budget_ms;
    int n = db_get_i64(box->db, "SELECT indexed_upto FROM meta", &b.upto), done = 0, r = 0;

    n = n < 0 ? n : waiting_read(box, ids);
    if (n > 0 && (r = mailbox_place(box)) < 0)
        return r;
    while (done < n && (done == 0 || clock_mono_ms() < until)) {
        if ((r = index_one(&b, ids[done])) < 0)
            return r;
        done++;
    }
    refs_forget(box); /* it knows indexed_upto */
    if (done && ids[done - 1] > b.upto &&
        (r = run_one(box, "UPDATE meta SET indexed_upto = ?1", ids[done - 1])) < 0)
        return r;
    return n < 0 ? n : done;
}
