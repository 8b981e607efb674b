#include "src/store/lacking.h"
#include "src/store/mailbox_private.h"

int lacking_next(struct mailbox *box, size_t max_bytes, int64_t *id_out, struct buf *message_out)
{
    static const char sql[] = "SELECT l.email_id, e.bytes FROM lacking l JOIN email e ON e.id = l.email_id "
                              "ORDER BY l.email_id LIMIT 1";
    CLEANUP(txn_end) struct txn snapshot = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = box->txn.db ? 0 : txn_begin_read(&snapshot, box->db);
    size_t bytes;
    int64_t id;

    if (r < 0 || (r = stmt_get(box->db, sql, &st)) < 0 || (r = stmt_step(st)) <= 0)
        return r;
    id = stmt_i64(st, 0);
    bytes = size_min((size_t)stmt_u64(st, 1), max_bytes);
    for (size_t at = 0; at < bytes && r >= 0; at += CHUNK_BYTES_MAX)
        r = email_read(box, id, at, size_min(bytes - at, CHUNK_BYTES_MAX), message_out);
    if (r < 0)
        return r;
    *id_out = id;
    return 1;
}

static int run_for(struct mailbox *box, const char *sql, int64_t id, struct str preview)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if (preview.p)
        stmt_bind_str(st, 2, preview);
    return (r = stmt_step(st)) > 0 ? 1 : r;
}

static int fill(struct mailbox *box, int64_t id, const struct email_in *e)
{
    static const char top[] = "UPDATE email_top SET preview = ?2 WHERE email_id = ?1 AND preview IS NULL";
    static const char head[] = "UPDATE email_head SET preview = ?2 WHERE email_id = ?1 AND preview IS NULL";
    struct str preview = e->preview.p ? e->preview : STR("");
    int r = run_for(box, "SELECT 1 FROM email_sort WHERE email_id = ?1", id, STR_NONE);

    if (r == 0)
        r = sort_insert(box, id, e);
    if (r < 0 || (r = run_for(box, top, id, preview)) < 0)
        return r;
    return run_for(box, head, id, preview);
}

int lacking_fill(struct mailbox *box, int64_t id, const struct email_in *e)
{
    int r = run_for(box, "DELETE FROM lacking WHERE email_id = ?1", id, STR_NONE);

    if (r < 0 || db_changes(box->db) == 0 || !e)
        return r;
    return fill(box, id, e);
}
