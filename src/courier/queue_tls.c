/* src/courier/queue_tls.c: policies that domains have for mail to them, and how TLS with their servers went. */
#include "src/courier/queue_impl.h"

#define DAY_MS    INT64_C(86400000)
#define ROWS_MAX  200 /* of a domain on a day: what is different beyond is not counted */
#define DAYS_KEPT 8
#define AHEAD_MS  DAY_MS

/* ---- MTA-STS ---- */

static int sts_used(struct queue *q, struct str domain, int64_t day)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, "UPDATE sts SET used = ?2 WHERE domain = ?1 AND used < ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    stmt_bind_i64(st, 2, day);
    return stmt_run(st);
}

int queue_sts_find(struct queue *q, struct arena *a, struct str domain, struct queue_sts *out)
{
    static const char SQL[] = "SELECT id, text, fetched, expires, used FROM sts WHERE domain = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t day = clock_wall_ms() / DAY_MS;
    int r;

    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *out = (struct queue_sts){ .domain = domain,
                               .id = arena_dup(a, stmt_str(st, 0)),
                               .text = arena_dup(a, stmt_str(st, 1)),
                               .fetched_ms = stmt_i64(st, 2),
                               .expires_ms = stmt_i64(st, 3) };
    if (!out->id.p || !out->text.p)
        return E_NOMEM;
    return stmt_i64(st, 4) < day && (r = sts_used(q, domain, day)) < 0 ? r : 1;
}

int queue_sts_keep(struct queue *q, const struct queue_sts *s)
{
    static const char SQL[] =
        "INSERT INTO sts (domain, id, text, fetched, expires, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT (domain) DO UPDATE SET id = ?2, text = ?3, fetched = ?4, expires = ?5 WHERE fetched < ?4 OR fetched > ?7";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t now = clock_wall_ms();
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, s->domain);
    stmt_bind_blob(st, 2, s->id);
    stmt_bind_blob(st, 3, s->text);
    stmt_bind_i64(st, 4, s->fetched_ms);
    stmt_bind_i64(st, 5, s->expires_ms);
    stmt_bind_i64(st, 6, now / DAY_MS);
    stmt_bind_i64(st, 7, now + AHEAD_MS); /* by a clock that was wrong */
    return stmt_run(st);
}

int queue_sts_oldest(struct queue *q, struct arena *a, int64_t before_ms, int64_t used_since_day,
                     struct queue_sts *out)
{
    static const char SQL[] =
        "SELECT domain, id, text, fetched, expires FROM sts WHERE fetched < ?1 AND fetched > ?4 "
        "AND used >= ?2 AND expires > ?3 ORDER BY fetched LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, before_ms);
    stmt_bind_i64(st, 2, used_since_day);
    stmt_bind_i64(st, 3, clock_wall_ms());
    stmt_bind_i64(st, 4, out->fetched_ms);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *out = (struct queue_sts){ .domain = arena_dup(a, stmt_str(st, 0)),
                               .id = arena_dup(a, stmt_str(st, 1)),
                               .text = arena_dup(a, stmt_str(st, 2)),
                               .fetched_ms = stmt_i64(st, 3),
                               .expires_ms = stmt_i64(st, 4) };
    return out->domain.p && out->id.p && out->text.p ? 1 : E_NOMEM;
}

/* ---- how TLS went ---- */

static void bind_key(struct stmt *st, struct str domain, const struct queue_tls *t)
{
    stmt_bind_i64(st, 1, t->day);
    stmt_bind_str(st, 2, domain);
    stmt_bind_i64(st, 3, t->policy);
    stmt_bind_str(st, 4, t->result);
    stmt_bind_str(st, 5, t->mx);
    stmt_bind_str(st, 6, t->ip);
    stmt_bind_str(st, 7, t->from_ip);
    stmt_bind_str(st, 8, t->reason);
    stmt_bind_blob(st, 9, t->policy_text);
}

static int count_more(struct queue *q, struct str domain, const struct queue_tls *t)
{
    static const char SQL[] =
        "UPDATE tls_session SET sessions = sessions + 1, policy_text = ?9 WHERE day = ?1 AND domain = ?2 AND policy = ?3 "
        "AND result = ?4 AND mx = ?5 AND ip = ?6 AND from_ip = ?7 AND reason = ?8";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    bind_key(st, domain, t);
    return (r = stmt_run(st)) < 0 ? r : db_changes(q->db) > 0;
}

int queue_tls_count(struct queue *q, struct str domain, const struct queue_tls *note)
{
    static const char SQL[] =
        "INSERT INTO tls_session (day, domain, policy, result, mx, ip, from_ip, reason, policy_text, sessions) "
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1 WHERE "
        "(SELECT count(*) FROM (SELECT 1 FROM tls_session WHERE day = ?1 AND domain = ?2 LIMIT ?10)) < ?10";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct queue_tls t = *note;
    int r;

    t.day = queue_now(q) / DAY_MS;
    if (t.result.n == 0)
        t.mx = t.ip = t.from_ip = t.reason = STR("");
    if ((r = count_more(q, domain, &t)) != 0)
        return r < 0 ? r : 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    bind_key(st, domain, &t);
    stmt_bind_i64(st, 10, ROWS_MAX);
    return stmt_run(st);
}

int queue_tls_next(struct queue *q, struct arena *a, int64_t before_day, int64_t *day, struct str *domain)
{
    static const char SQL[] =
        "SELECT day, domain FROM tls_session WHERE day < ?1 AND (day, domain) > (?2, ?3) "
        "ORDER BY day, domain LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, before_day);
    stmt_bind_i64(st, 2, *day);
    stmt_bind_str(st, 3, *domain);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *day = stmt_i64(st, 0);
    *domain = arena_dup(a, stmt_str(st, 1));
    return domain->p ? 1 : E_NOMEM;
}

int queue_tls_rows(struct queue *q, struct arena *a, int64_t day, struct str domain, struct queue_tls **out,
                   size_t *n_out)
{
    static const char SQL[] =
        "SELECT policy, result, mx, ip, from_ip, reason, policy_text, sessions FROM tls_session "
        "WHERE day = ?1 AND domain = ?2 ORDER BY policy, result LIMIT ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct queue_tls *v = ARENA_ARRAY(a, ROWS_MAX, struct queue_tls);
    size_t n = 0;
    int r;

    if (!v)
        return E_NOMEM;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, day);
    stmt_bind_str(st, 2, domain);
    stmt_bind_i64(st, 3, ROWS_MAX);
    while (n < ROWS_MAX && (r = stmt_step(st)) > 0)
        v[n++] = (struct queue_tls){ .day = day,
                                     .policy = (uint32_t)stmt_i64(st, 0),
                                     .result = arena_dup(a, stmt_str(st, 1)),
                                     .mx = arena_dup(a, stmt_str(st, 2)),
                                     .ip = arena_dup(a, stmt_str(st, 3)),
                                     .from_ip = arena_dup(a, stmt_str(st, 4)),
                                     .reason = arena_dup(a, stmt_str(st, 5)),
                                     .policy_text = arena_dup(a, stmt_str(st, 6)),
                                     .sessions = stmt_u64(st, 7) };
    if (r < 0)
        return r;
    *out = v;
    *n_out = n;
    return 0;
}

int queue_tls_forget(struct queue *q, int64_t day, struct str domain)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, "DELETE FROM tls_session WHERE day = ?1 AND domain = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, day);
    stmt_bind_str(st, 2, domain);
    return stmt_run(st);
}

int queue_tls_care(struct queue *q, int64_t rows, bool *more)
{
    static const char STS[] =
        "DELETE FROM sts WHERE domain IN (SELECT domain FROM sts WHERE expires < ?1 LIMIT ?2)";
    static const char DAYS[] =
        "DELETE FROM tls_session WHERE (day, domain, policy, result, mx, ip, from_ip, reason) IN "
        "(SELECT day, domain, policy, result, mx, ip, from_ip, reason FROM tls_session WHERE day < ?1 LIMIT ?2)";
    int r = queue_forget(q, STS, clock_wall_ms(), rows, more);

    return r < 0 ? r : queue_forget(q, DAYS, queue_now(q) / DAY_MS - DAYS_KEPT, rows, more);
}
