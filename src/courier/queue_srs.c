/* src/courier/queue_srs.c: senders of forwards that stand in their rewritten address as a token (lib/smtp/srs.h). */
#include "lib/smtp/srs.h"
#include "src/courier/queue_impl.h"

#define DAY_MS INT64_C(86400000)

int queue_srs_keep(struct queue *q, struct str token, struct str sender)
{
    static const char SQL[] = "INSERT INTO srs (token, day, sender) VALUES (?1, ?2, ?3) "
                              "ON CONFLICT (token) DO UPDATE SET day = ?2 WHERE day < ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, token);
    stmt_bind_i64(st, 2, queue_now(q) / DAY_MS);
    stmt_bind_blob(st, 3, sender);
    return stmt_run(st);
}

int queue_srs_find(struct queue *q, struct str token, struct buf *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, "SELECT sender FROM srs WHERE token = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, token);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    return buf_puts(out, stmt_str(st, 0));
}

int queue_srs_care(struct queue *q, int64_t rows, bool *more)
{
    static const char SQL[] =
        "DELETE FROM srs WHERE token IN (SELECT token FROM srs WHERE day < ?1 LIMIT ?2)";

    return queue_forget(q, SQL, queue_now(q) / DAY_MS - SRS_DAYS, rows, more);
}
