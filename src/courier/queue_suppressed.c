/* src/courier/queue_suppressed.c: who gets nothing from a domain of ours any more. */
#include "src/courier/queue_impl.h"

int queue_suppress(struct queue *q, const struct queue_suppressed *s)
{
    static const char SQL[] =
        "INSERT INTO suppressed (domain, address, created, until, why) VALUES (?1, ?2, ?3, ?4, ?5) "
        "ON CONFLICT (domain, address) DO UPDATE SET created = ?3, until = CASE WHEN until = 0 THEN 0 ELSE ?4 END, "
        "why = ?5";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, s->domain);
    stmt_bind_str(st, 2, s->address);
    stmt_bind_i64(st, 3, queue_now(q));
    stmt_bind_i64(st, 4, s->until_ms);
    stmt_bind_blob(st, 5, str_slice(s->why, 0, QUEUE_ANSWER_MAX));
    return stmt_run(st);
}

static int row_read(struct stmt *st, struct arena *a, struct queue_suppressed *out)
{
    *out = (struct queue_suppressed){ .domain = arena_dup(a, stmt_str(st, 0)),
                                      .address = arena_dup(a, stmt_str(st, 1)),
                                      .created_ms = stmt_i64(st, 2),
                                      .until_ms = stmt_i64(st, 3),
                                      .why = arena_dup(a, stmt_str(st, 4)) };
    return out->domain.p && out->address.p ? 0 : E_NOMEM;
}

int queue_suppressed_find(struct queue *q, struct arena *a, struct str domain, struct str address,
                          struct queue_suppressed *out)
{
    static const char SQL[] = "SELECT domain, address, created, until, why FROM suppressed "
                              "WHERE domain = ?1 AND address = ?2 AND (until = 0 OR until > ?3)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    stmt_bind_str(st, 2, address);
    stmt_bind_i64(st, 3, queue_now(q));
    if ((r = stmt_step(st)) <= 0)
        return r;
    return (r = row_read(st, a, out)) < 0 ? r : 1;
}

int queue_suppressed_remove(struct queue *q, struct str domain, struct str address)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "DELETE FROM suppressed WHERE domain = ?1 AND address = ?2", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    stmt_bind_str(st, 2, address);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(q->db) > 0 ? 0 : E_NOTFOUND;
}

int queue_suppressed_forget(struct queue *q, struct str domain)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, "DELETE FROM suppressed WHERE domain = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    return stmt_run(st);
}

int queue_suppressed_list(struct queue *q, struct arena *a, const struct queue_suppressed *after,
                          struct str domain, size_t max, struct queue_suppressed **out, size_t *n_out)
{
    static const char SQL[] =
        "SELECT domain, address, created, until, why FROM suppressed WHERE (domain, address) > (?1, ?2) "
        "AND (?3 IS NULL OR domain = ?3) AND (until = 0 OR until > ?4) ORDER BY domain, address LIMIT ?5";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    *n_out = 0;
    if (!(*out = ARENA_ARRAY(a, max + 1, struct queue_suppressed)))
        return E_NOMEM;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, after->domain.p ? after->domain : STR(""));
    stmt_bind_str(st, 2, after->address.p ? after->address : STR(""));
    stmt_bind_str_or_null(st, 3, domain.n ? domain : STR_NONE);
    stmt_bind_i64(st, 4, queue_now(q));
    stmt_bind_u64(st, 5, max);
    while (*n_out < max && (r = stmt_step(st)) > 0)
        if ((r = row_read(st, a, &(*out)[(*n_out)++])) < 0)
            return r;
    return r < 0 ? r : 0;
}

int queue_suppressed_care(struct queue *q, int64_t rows, bool *more)
{
    static const char SQL[] =
        "DELETE FROM suppressed WHERE (domain, address) IN (SELECT domain, address FROM "
        "suppressed WHERE until > 0 AND until <= ?1 LIMIT ?2)";

    return queue_forget(q, SQL, queue_now(q), rows, more);
}
