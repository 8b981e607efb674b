#include "src/directory/spam_points.h"
#include "lib/base/errors.h"

#define POINTS_MAX 1000000u

static int read_row(struct db *db, const char *sql, int64_t id, struct spam_points *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    *out = (struct spam_points){ .v = { 0 } };
    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    for (int i = 0; i < SPAM_POINTS; i++)
        out->v[i] = (uint32_t)stmt_i64(st, i);
    return 0;
}

int spam_points_of_alias(struct db *db, uint64_t alias_id, struct spam_points *out)
{
    return read_row(
        db,
        "SELECT coalesce(a.header, d.header, 0), coalesce(a.junk, d.junk, 0), coalesce(a.reject, d.reject, 0) "
        "FROM alias LEFT JOIN spam_points a ON a.alias_id = alias.id "
        "LEFT JOIN spam_points d ON d.domain_id = alias.domain_id WHERE alias.id = ?1",
        (int64_t)alias_id, out);
}

int spam_points_of_domain(struct db *db, int64_t domain_id, struct spam_points *out)
{
    return read_row(db,
                    "SELECT coalesce(header, 0), coalesce(junk, 0), coalesce(reject, 0) FROM spam_points "
                    "WHERE domain_id = ?1",
                    domain_id, out);
}

static void bind_id(struct stmt *st, int at, int64_t id)
{
    if (id)
        stmt_bind_i64(st, at, id);
    else
        stmt_bind_null(st, at);
}

static int run(struct db *db, const char *sql, int64_t domain_id, int64_t alias_id, const uint32_t *value)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    if (r < 0)
        return r;
    bind_id(st, 1, domain_id);
    bind_id(st, 2, alias_id);
    if (value)
        bind_id(st, 3, *value);
    return (r = stmt_step(st)) < 0 ? r : 0;
}

int spam_points_set(struct db *db, int64_t domain_id, uint64_t alias_id, uint32_t which,
                    const struct spam_points *p)
{
    static const char make[] =
        "INSERT INTO spam_points (domain_id, alias_id) SELECT ?1, ?2 "
        "WHERE NOT EXISTS (SELECT 1 FROM spam_points WHERE domain_id IS ?1 AND alias_id IS ?2)";
    static const char *const set[SPAM_POINTS] = {
        "UPDATE spam_points SET header = ?3 WHERE domain_id IS ?1 AND alias_id IS ?2",
        "UPDATE spam_points SET junk = ?3 WHERE domain_id IS ?1 AND alias_id IS ?2",
        "UPDATE spam_points SET reject = ?3 WHERE domain_id IS ?1 AND alias_id IS ?2",
    };
    int r;

    for (int i = 0; i < SPAM_POINTS; i++)
        if (p->v[i] > POINTS_MAX)
            return E_RANGE;
    if (which == 0)
        return 0;
    if ((r = run(db, make, domain_id, (int64_t)alias_id, NULL)) < 0)
        return r;
    for (int i = 0; i < SPAM_POINTS && r >= 0; i++)
        if (which & BIT(i))
            r = run(db, set[i], domain_id, (int64_t)alias_id, &p->v[i]);
    return r;
}
