#include "src/directory/recipients.h"
#include "src/common/places.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/directory/conf.h"
#include "src/directory/expand.h"
#include "src/directory/url.h"

/* ---- domains ---- */

int recipient_domain_find(struct db *db, struct arena *a, struct str name, struct recipient_domain *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct recipient_domain d;
    int r;

    if ((r = stmt_get(db,
                      "SELECT d.id, d.name, d.separators, coalesce(d.catch_all, 0), "
                      "EXISTS (SELECT 1 FROM pattern WHERE domain_id = d.id), "
                      "EXISTS (SELECT 1 FROM access WHERE domain_id = d.id) "
                      "FROM domain AS asked JOIN domain AS d ON d.id = coalesce(asked.alias_of, asked.id) "
                      "WHERE asked.name = ?1",
                      &st)) < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    d = (struct recipient_domain){ .id = stmt_i64(st, 0),
                                   .name = arena_dup(a, stmt_str(st, 1)),
                                   .separators = arena_dup(a, stmt_str(st, 2)),
                                   .catch_all = stmt_i64(st, 3),
                                   .has_patterns = stmt_i64(st, 4) != 0,
                                   .has_access = stmt_i64(st, 5) != 0 };
    if (!d.name.p || (stmt_str(st, 2).n && !d.separators.p))
        return E_NOMEM;
    *out = d;
    return 0;
}

int recipient_domain_id(struct db *db, struct str name, int64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "SELECT id FROM domain WHERE name = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    *id_out = stmt_i64(st, 0);
    return 0;
}

/* 1 when the statement of one parameter gives a row. */
static int any(struct db *db, const char *sql, int64_t id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    return stmt_step(st);
}

static int may_be_alias(struct db *db, int64_t id)
{
    static const char *const holds[] = { "SELECT 1 FROM alias WHERE domain_id = ?1 LIMIT 1",
                                         "SELECT 1 FROM domain WHERE alias_of = ?1 LIMIT 1",
                                         "SELECT 1 FROM pattern WHERE domain_id = ?1 LIMIT 1",
                                         "SELECT 1 FROM access WHERE domain_id = ?1 LIMIT 1" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(holds) && r == 0; i++)
        r = any(db, holds[i], id);
    return r > 0 ? E_BUSY : r;
}

int domain_set_alias(struct db *db, struct str domain, struct str of)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    int64_t id = 0, other = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = recipient_domain_id(db, domain, &id)) < 0)
        return r;
    if (of.n) {
        if ((r = recipient_domain_id(db, of, &other)) < 0 || (r = may_be_alias(db, id)) < 0 ||
            (r = any(db, "SELECT 1 FROM domain WHERE id = ?1 AND alias_of IS NOT NULL", other)) < 0)
            return r;
        if (r > 0 || id == other)
            return E_RANGE;
    }
    if ((r = stmt_get(db, "UPDATE domain SET alias_of = ?2, catch_all = NULL WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if (of.n)
        stmt_bind_i64(st, 2, other);
    else
        stmt_bind_null(st, 2);
    if ((r = stmt_run(st)) < 0)
        return r;
    return txn_commit(&txn);
}

int domain_set_catch_all(struct db *db, struct arena *a, struct str domain, const struct address *addr)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    struct account acc = { .alias_id = 0 };
    int64_t id = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = recipient_domain_id(db, domain, &id)) < 0 ||
        (addr && (r = alias_get(db, a, addr, &acc)) < 0) ||
        (r = any(db, "SELECT 1 FROM domain WHERE id = ?1 AND alias_of IS NOT NULL", id)) < 0)
        return r;
    if (r > 0)
        return E_RANGE;
    if ((r = stmt_get(db, "UPDATE domain SET catch_all = ?2 WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if (addr)
        stmt_bind_u64(st, 2, acc.alias_id);
    else
        stmt_bind_null(st, 2);
    if ((r = stmt_run(st)) < 0)
        return r;
    return txn_commit(&txn);
}

int domain_set_separators(struct db *db, struct str domain, struct str separators)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (separators.n > SEPARATORS_MAX)
        return E_SYNTAX;
    for (size_t i = 0; i < separators.n; i++)
        if (!separators.p[i] || !strchr("!#$%&'*+-/=?^_`{|}~", separators.p[i]))
            return E_SYNTAX;
    if ((r = stmt_get(db, "UPDATE domain SET separators = ?2 WHERE name = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    stmt_bind_str(st, 2, separators.n ? separators : STR(""));
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) > 0 ? 0 : E_NOTFOUND;
}

int domain_set_backup_place(struct db *db, struct str domain, struct str place)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (place.n > PLACE_NAME_MAX)
        return E_SYNTAX;
    if ((r = stmt_get(db, "UPDATE domain SET backup_place = ?2 WHERE name = ?1", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    if (place.n)
        stmt_bind_str(st, 2, place);
    else
        stmt_bind_null(st, 2);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) > 0 ? 0 : E_NOTFOUND;
}

/* ---- aliases ---- */

int alias_set_answer(struct db *db, struct arena *a, const struct address *addr, unsigned answer)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct account acc;
    int r;

    if (answer != 0 && answer != 250 && answer != 421 && answer != 550)
        return E_RANGE;
    if ((r = alias_get(db, a, addr, &acc)) < 0 ||
        (r = stmt_get(db, "UPDATE alias SET answer = ?2 WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, acc.alias_id);
    if (answer)
        stmt_bind_u64(st, 2, answer);
    else
        stmt_bind_null(st, 2);
    return stmt_run(st);
}

int alias_target_list(struct db *db, struct arena *a, uint64_t alias_id, struct target **out, size_t *n_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct target v[TARGETS_MAX];
    size_t n = 0;
    int r;

    if ((r = stmt_get(db, "SELECT kind, target FROM target WHERE alias_id = ?1 ORDER BY id", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    while ((r = stmt_step(st)) > 0 && n < TARGETS_MAX) {
        v[n] = (struct target){ (enum target_kind)stmt_i64(st, 0), arena_dup(a, stmt_str(st, 1)) };
        if (!v[n++].to.p)
            return E_NOMEM;
    }
    if (r < 0)
        return r;
    if (!(*out = ARENA_ARRAY(a, n + 1, struct target)))
        return E_NOMEM;
    memcpy(*out, v, n * sizeof *v);
    *n_out = n;
    return 0;
}

int alias_target_clean(struct arena *a, const struct target *in, struct target *out)
{
    struct address addr;
    int r = 0;

    *out = (struct target){ in->kind, STR("") };
    switch (in->kind) {
    case TARGET_MAILBOX: return 0;
    case TARGET_ADDRESS:
        if ((r = address_parse(a, in->to, &addr)) == 0)
            out->to = addr.text;
        return r == E_LIMIT ? E_SYNTAX : r;
    case TARGET_WEBHOOK: return url_clean(a, in->to, directory_conf.webhook_http, &out->to);
    }
    return E_SYNTAX;
}

static int to_mailbox(struct db *db, uint64_t alias_id, bool on)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "UPDATE alias SET to_mailbox = ?2 WHERE id = ?1 AND to_mailbox <> ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    stmt_bind_i64(st, 2, on);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) > 0 ? 0 : on ? E_EXISTS : E_NOTFOUND;
}

static int target_insert(struct db *db, uint64_t alias_id, const struct target *t, int64_t now_ms)
{
    CLEANUP(stmt_release) struct stmt *st = NULL, *seen = NULL;
    char iso[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(now_ms, iso);
    if ((r = stmt_get(db, "SELECT count(*) FROM target WHERE alias_id = ?1", &seen)) < 0)
        return r;
    stmt_bind_u64(seen, 1, alias_id);
    if ((r = stmt_step(seen)) < 0)
        return r;
    if (stmt_u64(seen, 0) >= directory_conf.max_targets)
        return E_LIMIT;
    if ((r = stmt_get(db, "INSERT INTO target (alias_id, kind, target, created) VALUES (?1, ?2, ?3, ?4)",
                      &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    stmt_bind_i64(st, 2, t->kind);
    stmt_bind_str(st, 3, t->to);
    stmt_bind_str(st, 4, str_from(iso));
    return stmt_run(st);
}

int alias_target_add(struct db *db, struct arena *a, const struct address *addr, const struct target *t,
                     int64_t now_ms)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    struct expansion e;
    struct account acc;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = alias_get(db, a, addr, &acc)) < 0)
        return r;
    if (t->kind == TARGET_MAILBOX)
        r = to_mailbox(db, acc.alias_id, true);
    else if ((r = target_insert(db, acc.alias_id, t, now_ms)) == 0 &&
             (r = recipient_expand(db, a, addr, NULL, &e)) == 0 && (e.circular || e.result == EXPAND_LOOP))
        r = E_RANGE;
    return r < 0 ? r : txn_commit(&txn);
}

int alias_target_remove(struct db *db, struct arena *a, const struct address *addr, const struct target *t)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct account acc;
    int r;

    if ((r = alias_get(db, a, addr, &acc)) < 0)
        return r;
    if (t->kind == TARGET_MAILBOX)
        return to_mailbox(db, acc.alias_id, false);
    if ((r = stmt_get(db, "DELETE FROM target WHERE alias_id = ?1 AND kind = ?2 AND target = ?3", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, acc.alias_id);
    stmt_bind_i64(st, 2, t->kind);
    stmt_bind_str(st, 3, t->to);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) > 0 ? 0 : E_NOTFOUND;
}

/* ---- allow and deny ---- */

static int scope_of(struct db *db, struct arena *a, struct str domain, const struct address *addr,
                    int64_t *domain_id_out, uint64_t *alias_id_out)
{
    struct account acc = { .alias_id = 0 };
    int r = addr ? alias_get(db, a, addr, &acc) : recipient_domain_id(db, domain, domain_id_out);

    if (r == 0 && addr)
        *alias_id_out = acc.alias_id;
    if (r == 0 && !addr &&
        (r = any(db, "SELECT 1 FROM domain WHERE id = ?1 AND alias_of IS NOT NULL", *domain_id_out)) > 0)
        r = E_RANGE; /* its rows would never be looked at */
    return r;
}

static const char SQL_OF_DOMAIN[] = "SELECT who, allow FROM access WHERE domain_id = ?1 ORDER BY who, allow",
                  SQL_OF_ALIAS[] = "SELECT who, allow FROM access WHERE alias_id = ?1 ORDER BY who, allow";

int access_rows(struct db *db, int64_t domain_id, uint64_t alias_id,
                int (*row)(void *ctx, struct str who, bool allow), void *ctx)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, alias_id ? SQL_OF_ALIAS : SQL_OF_DOMAIN, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, alias_id ? (int64_t)alias_id : domain_id);
    while ((r = stmt_step(st)) > 0)
        if ((r = row(ctx, stmt_str(st, 0), stmt_i64(st, 1) != 0)) < 0)
            return r;
    return r;
}

static int count_row(void *ctx, struct str who UNUSED, bool allow UNUSED)
{
    ++*(uint64_t *)ctx;
    return 0;
}

int access_add(struct db *db, struct arena *a, struct str domain, const struct address *addr, struct str who,
               bool allow, int64_t now_ms)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    char iso[CLOCK_ISO_LEN + 1];
    uint64_t alias_id = 0, n = 0;
    int64_t domain_id = 0;
    int r;

    clock_iso(now_ms, iso);
    if ((r = txn_begin(&txn, db)) < 0 || (r = scope_of(db, a, domain, addr, &domain_id, &alias_id)) < 0 ||
        (r = access_rows(db, domain_id, alias_id, count_row, &n)) < 0)
        return r;
    if (n >= directory_conf.max_access)
        return E_LIMIT;
    if ((r = stmt_get(db,
                      "INSERT INTO access (domain_id, alias_id, who, allow, created) "
                      "VALUES (nullif(?1, 0), nullif(?2, 0), ?3, ?4, ?5)",
                      &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, domain_id);
    stmt_bind_u64(st, 2, alias_id);
    stmt_bind_str(st, 3, who);
    stmt_bind_i64(st, 4, allow);
    stmt_bind_str(st, 5, str_from(iso));
    if ((r = stmt_run(st)) < 0)
        return r;
    return txn_commit(&txn);
}

int access_remove(struct db *db, struct arena *a, struct str domain, const struct address *addr,
                  struct str who, bool allow)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint64_t alias_id = 0;
    int64_t domain_id = 0;
    int r;

    if ((r = scope_of(db, a, domain, addr, &domain_id, &alias_id)) < 0 ||
        (r = stmt_get(db,
                      alias_id ? "DELETE FROM access WHERE alias_id = ?1 AND who = ?2 AND allow = ?3"
                               : "DELETE FROM access WHERE domain_id = ?1 AND who = ?2 AND allow = ?3",
                      &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, alias_id ? (int64_t)alias_id : domain_id);
    stmt_bind_str(st, 2, who);
    stmt_bind_i64(st, 3, allow);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) > 0 ? 0 : E_NOTFOUND;
}
