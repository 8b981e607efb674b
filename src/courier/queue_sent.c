/* src/courier/queue_sent.c: what was sent lately, and where a domain hears of what failed. */
#include "src/courier/queue_impl.h"

#define DAY_MS INT64_C(86400000)

int queue_sent_add(struct queue *q, const struct queue_sent *s)
{
    static const char SQL[] =
        "INSERT OR REPLACE INTO sent (id, tag, day, sender, submitter, message_id, recipients) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, s->id);
    stmt_bind_blob(st, 2, str_of(s->tag, sizeof s->tag));
    stmt_bind_i64(st, 3, queue_now(q) / DAY_MS);
    stmt_bind_blob(st, 4, s->sender);
    stmt_bind_blob(st, 5, s->submitter);
    stmt_bind_blob(st, 6, s->message_id.p ? s->message_id : STR(""));
    stmt_bind_blob(st, 7, s->recipients.p ? s->recipients : STR(""));
    return stmt_run(st);
}

int queue_sent_find(struct queue *q, struct arena *a, uint64_t id, struct queue_sent *out)
{
    static const char SQL[] = "SELECT tag, sender, submitter, message_id, recipients FROM sent WHERE id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (id > INT64_MAX)
        return 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *out = (struct queue_sent){ .id = id,
                                .sender = arena_dup(a, stmt_str(st, 1)),
                                .submitter = arena_dup(a, stmt_str(st, 2)),
                                .message_id = arena_dup(a, stmt_str(st, 3)),
                                .recipients = arena_dup(a, stmt_str(st, 4)) };
    if (!stmt_bytes(st, 0, out->tag, sizeof out->tag))
        return E_CORRUPT;
    return (out->sender.p || !stmt_str(st, 1).n) && (out->recipients.p || !stmt_str(st, 4).n) ? 1 : E_NOMEM;
}

/* Ids grow with the days: the oldest stand first. */
int queue_sent_care(struct queue *q, int64_t rows, bool *more)
{
    static const char SQL[] =
        "DELETE FROM sent WHERE id IN (SELECT id FROM sent ORDER BY id LIMIT ?2) AND day < ?1";

    return queue_forget(q, SQL, queue_now(q) / DAY_MS - QUEUE_SENT_DAYS, rows, more);
}

int queue_bounce_webhook(struct queue *q, struct str domain, struct buf *url)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "SELECT url FROM bounce_webhook WHERE domain = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    if ((r = stmt_step(st)) <= 0)
        return r;
    return (r = buf_puts(url, stmt_str(st, 0))) < 0 ? r : 1;
}

int queue_bounce_webhook_set(struct queue *q, struct str domain, struct str url)
{
    static const char SET[] = "INSERT INTO bounce_webhook (domain, url, created) VALUES (?1, ?2, ?3) "
                              "ON CONFLICT (domain) DO UPDATE SET url = ?2, created = ?3";
    static const char NONE[] = "DELETE FROM bounce_webhook WHERE domain = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, url.n ? SET : NONE, &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    if (url.n) {
        stmt_bind_str(st, 2, url);
        stmt_bind_i64(st, 3, queue_now(q));
    }
    return stmt_run(st);
}

/* ---- once in a while ---- */

int queue_once(struct queue *q, struct str id, int64_t ms)
{
    static const char SQL[] = "INSERT INTO once (id, until) VALUES (?1, ?2) "
                              "ON CONFLICT (id) DO UPDATE SET until = ?2 WHERE until <= ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, id);
    stmt_bind_i64(st, 2, queue_now(q) + ms);
    stmt_bind_i64(st, 3, queue_now(q));
    return (r = stmt_run(st)) < 0 ? r : db_changes(q->db) > 0;
}

int queue_once_care(struct queue *q, int64_t rows, bool *more)
{
    static const char SQL[] = "DELETE FROM once WHERE id IN (SELECT id FROM once WHERE until <= ?1 LIMIT ?2)";

    return queue_forget(q, SQL, queue_now(q), rows, more);
}
