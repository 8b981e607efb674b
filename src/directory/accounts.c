#include "src/directory/accounts.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "src/directory/sql_directory.h"

int accounts_migrate(struct db *db, struct buf *why)
{
    return migrate_run(db, &sql_directory, why);
}

int accounts_count(struct db *db, uint64_t *domains_out, uint64_t *aliases_out)
{
    int64_t d = 0, n = 0;
    int r;

    if ((r = db_get_i64(db, "SELECT count(*) FROM domain", &d)) < 0 ||
        (r = db_get_i64(db, "SELECT count(*) FROM alias", &n)) < 0)
        return r;
    *domains_out = (uint64_t)d;
    *aliases_out = (uint64_t)n;
    return 0;
}

/* ---- domains ---- */

static int domain_id(struct db *db, struct str name, int64_t *id_out)
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

int domain_is_ours(struct db *db, struct str domain)
{
    int64_t id;

    return domain_id(db, domain, &id);
}

int domain_add(struct db *db, struct str domain, int64_t now_ms)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char iso[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(now_ms, iso);
    if ((r = stmt_get(db, "INSERT INTO domain (name, created) VALUES (?1, ?2)", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, domain);
    stmt_bind_str(st, 2, str_from(iso));
    return stmt_run(st);
}

int domain_remove(struct db *db, struct str domain)
{
    CLEANUP(stmt_release) struct stmt *used = NULL, *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    int64_t id = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = domain_id(db, domain, &id)) < 0 ||
        (r = stmt_get(db,
                      "SELECT 1 FROM alias WHERE domain_id = ?1 UNION ALL "
                      "SELECT 1 FROM domain WHERE alias_of = ?1 LIMIT 1",
                      &used)) < 0)
        return r;
    stmt_bind_i64(used, 1, id);
    if ((r = stmt_step(used)) != 0)
        return r < 0 ? r : E_BUSY;
    if ((r = stmt_get(db, "DELETE FROM domain WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_run(st)) < 0)
        return r;
    return txn_commit(&txn);
}

static uint32_t list_limit(uint32_t asked)
{
    return asked == 0 || asked > LIST_MAX ? LIST_MAX : asked;
}

static int64_t date_of(struct stmt *st, int col)
{
    struct str s = stmt_str(st, col);
    int64_t ms = 0;

    return clock_from_iso(s.p, s.n, &ms) ? ms : 0;
}

/* Columns from `col`: limit_bytes, used, leased, name of the account. */
static int read_quota(struct arena *a, struct stmt *st, int col, struct quota *out)
{
    *out = (struct quota){ .limited = !stmt_is_null(st, col),
                           .limit = stmt_u64(st, col),
                           .used = stmt_u64(st, col + 1),
                           .leased = stmt_u64(st, col + 2),
                           .account = arena_dup(a, stmt_str(st, col + 3)) };
    return out->account.p ? 0 : E_NOMEM;
}

int domain_list(struct db *db, struct arena *a, struct str after, uint32_t limit, struct domain_row **out,
                size_t *n_out, bool *more_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct domain_row *rows;
    size_t n = 0;
    int r;

    limit = list_limit(limit);
    if (!(rows = ARENA_ARRAY(a, limit, struct domain_row)))
        return E_NOMEM;
    if ((r = stmt_get(db,
                      "SELECT domain.name, domain.created, "
                      "(SELECT count(*) FROM alias WHERE domain_id = domain.id), "
                      "domain.limit_bytes, domain.used, domain.leased, account.name, "
                      "(SELECT name FROM domain AS d WHERE d.id = domain.alias_of), "
                      "(SELECT address FROM alias WHERE alias.id = domain.catch_all), domain.separators, "
                      "(SELECT count(*) FROM pattern WHERE domain_id = domain.id), domain.backup_place "
                      "FROM domain JOIN account ON account.id = coalesce(domain.account_id, 1) "
                      "WHERE domain.name > ?1 ORDER BY domain.name LIMIT ?2",
                      &st)) < 0)
        return r;
    stmt_bind_str(st, 1, after.p ? after : STR(""));
    stmt_bind_i64(st, 2, (int64_t)limit + 1);
    while ((r = stmt_step(st)) > 0 && n < limit) {
        rows[n] = (struct domain_row){ .name = arena_dup(a, stmt_str(st, 0)),
                                       .created_ms = date_of(st, 1),
                                       .aliases = stmt_u64(st, 2),
                                       .alias_of = arena_dup(a, stmt_str(st, 7)),
                                       .catch_all = arena_dup(a, stmt_str(st, 8)),
                                       .separators = arena_dup(a, stmt_str(st, 9)),
                                       .patterns = stmt_u64(st, 10),
                                       .backup_place = arena_dup(a, stmt_str(st, 11)) };
        if (!rows[n].name.p || (stmt_str(st, 7).n && !rows[n].alias_of.p) ||
            (stmt_str(st, 8).n && !rows[n].catch_all.p) || (stmt_str(st, 9).n && !rows[n].separators.p) ||
            (stmt_str(st, 11).n && !rows[n].backup_place.p) || read_quota(a, st, 3, &rows[n].quota) < 0)
            return E_NOMEM;
        n++;
    }
    if (r < 0)
        return r;
    *out = rows;
    *n_out = n;
    *more_out = r > 0;
    return 0;
}

/* ---- aliases ---- */

static int read_states(struct db *db, struct arena *a, struct account *acc)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "SELECT state FROM key_state WHERE alias_id = ?1 ORDER BY id", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, acc->alias_id);
    while ((r = stmt_step(st)) > 0 && acc->nstates < ARRAY_LEN(acc->states))
        if (!(acc->states[acc->nstates++] = arena_dup(a, stmt_str(st, 0))).p)
            return E_NOMEM;
    return r < 0 ? r : 0;
}

#define ALIAS_COLUMNS                                                                             \
    "alias.id, address, mailbox_id, alias.created, alias.limit_bytes, alias.used, alias.leased, " \
    "account.name, alias.answer, alias.to_mailbox, domain.backup_place"
#define ALIAS_TABLES                              \
    "alias JOIN domain ON domain.id = domain_id " \
    "JOIN account ON account.id = coalesce(alias.account_id, domain.account_id, 1) "

/* ALIAS_COLUMNS. */
static int read_account(struct arena *a, struct stmt *st, struct account *out)
{
    struct account acc = { .alias_id = stmt_u64(st, 0),
                           .created_ms = date_of(st, 3),
                           .answer = (unsigned)stmt_i64(st, 8),
                           .to_mailbox = stmt_i64(st, 9) != 0 };

    acc.address = arena_dup(a, stmt_str(st, 1));
    if (!stmt_is_null(st, 2))
        acc.mailbox_id = arena_dup(a, stmt_str(st, 2));
    acc.backup_place = arena_dup(a, stmt_str(st, 10));
    if (!acc.address.p || (stmt_str(st, 10).n && !acc.backup_place.p) ||
        (!stmt_is_null(st, 2) && !acc.mailbox_id.p) || read_quota(a, st, 4, &acc.quota) < 0)
        return E_NOMEM;
    *out = acc;
    return 0;
}

int alias_get(struct db *db, struct arena *a, const struct address *addr, struct account *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct account acc;
    int r;

    if ((r = stmt_get(db,
                      "SELECT " ALIAS_COLUMNS " FROM " ALIAS_TABLES "WHERE domain.name = ?1 AND local = ?2",
                      &st)) < 0)
        return r;
    stmt_bind_str(st, 1, addr->domain);
    stmt_bind_str(st, 2, addr->local);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    if ((r = read_account(a, st, &acc)) < 0 || (r = read_states(db, a, &acc)) < 0)
        return r;
    *out = acc;
    return 0;
}

int alias_by_id(struct db *db, struct arena *a, uint64_t id, struct account *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct account acc;
    int r;

    if ((r = stmt_get(db, "SELECT " ALIAS_COLUMNS " FROM " ALIAS_TABLES "WHERE alias.id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    if ((r = read_account(a, st, &acc)) < 0 || (r = read_states(db, a, &acc)) < 0)
        return r;
    *out = acc;
    return 0;
}

int alias_postmaster(struct db *db, struct arena *a, struct account *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    /* CROSS: domains first, which are few, then their index */
    if ((r = stmt_get(db,
                      "SELECT alias.id FROM domain "
                      "CROSS JOIN alias ON domain_id = domain.id AND local = 'postmaster' "
                      "ORDER BY mailbox_id IS NULL, domain.id LIMIT 1",
                      &st)) < 0)
        return r;
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    return alias_by_id(db, a, stmt_u64(st, 0), out);
}

/* May it have aliases of its own? */
static int takes_aliases(struct db *db, int64_t id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "SELECT 1 FROM domain WHERE id = ?1 AND alias_of IS NOT NULL", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    r = stmt_step(st);
    return r > 0 ? E_DENIED : r;
}

int alias_add(struct db *db, struct arena *a, const struct address *addr, int64_t now_ms, struct account *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    char iso[CLOCK_ISO_LEN + 1];
    int64_t domain = 0;
    int r;

    clock_iso(now_ms, iso);
    if ((r = txn_begin(&txn, db)) < 0 || (r = domain_id(db, addr->domain, &domain)) < 0 ||
        (r = takes_aliases(db, domain)) < 0 ||
        (r = stmt_get(db, "INSERT INTO alias (domain_id, local, address, created) VALUES (?1, ?2, ?3, ?4)",
                      &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, domain);
    stmt_bind_str(st, 2, addr->local);
    stmt_bind_str(st, 3, addr->text);
    stmt_bind_str(st, 4, str_from(iso));
    if ((r = stmt_run(st)) < 0 || (r = alias_get(db, a, addr, out)) < 0)
        return r;
    return txn_commit(&txn);
}

int alias_remove(struct db *db, struct arena *a, const struct address *addr, struct account *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = alias_get(db, a, addr, out)) < 0 ||
        (r = stmt_get(db, "DELETE FROM alias WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, out->alias_id);
    if ((r = stmt_run(st)) < 0)
        return r;
    return txn_commit(&txn);
}

int alias_list(struct db *db, struct arena *a, struct str domain, const struct address *after, uint32_t limit,
               struct account **out, size_t *n_out, bool *more_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct account *rows;
    size_t n = 0;
    int r;

    limit = list_limit(limit);
    if (!(rows = ARENA_ARRAY(a, limit, struct account)))
        return E_NOMEM;
    if ((r = stmt_get(db,
                      "SELECT " ALIAS_COLUMNS " FROM " ALIAS_TABLES
                      "WHERE (domain.name, local) > (?1, ?2) AND (?3 = '' OR domain.name = ?3) "
                      "ORDER BY domain.name, local LIMIT ?4",
                      &st)) < 0)
        return r;
    stmt_bind_str(st, 1, after ? after->domain : STR(""));
    stmt_bind_str(st, 2, after ? after->local : STR(""));
    stmt_bind_str(st, 3, domain.n ? domain : STR(""));
    stmt_bind_i64(st, 4, (int64_t)limit + 1);
    while ((r = stmt_step(st)) > 0 && n < limit) {
        if ((r = read_account(a, st, &rows[n])) < 0 || (r = read_states(db, a, &rows[n])) < 0)
            return r;
        n++;
    }
    if (r < 0)
        return r;
    *out = rows;
    *n_out = n;
    *more_out = r > 0;
    return 0;
}

/* ---- key states ---- */

static int alias_of_mailbox(struct db *db, struct str mailbox_id, uint64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "SELECT id FROM alias WHERE mailbox_id = ?1", &st)) < 0)
        return r;
    stmt_bind_blob(st, 1, mailbox_id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    *id_out = stmt_u64(st, 0);
    return 0;
}

static int add_state(struct db *db, uint64_t alias_id, struct str state)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "INSERT INTO key_state (alias_id, state) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                      &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    stmt_bind_blob(st, 2, state);
    return stmt_run(st);
}

static int count_states(struct db *db, uint64_t alias_id, uint64_t *n_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, "SELECT count(*) FROM key_state WHERE alias_id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    if ((r = stmt_step(st)) < 0)
        return r;
    *n_out = stmt_u64(st, 0);
    return 0;
}

int keystate_prepare(struct db *db, struct str mailbox_id, struct str state)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    uint64_t id = 0, n = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = alias_of_mailbox(db, mailbox_id, &id)) < 0 ||
        (r = add_state(db, id, state)) < 0 || (r = count_states(db, id, &n)) < 0)
        return r;
    return n > KEY_STATES_MAX ? E_LIMIT : txn_commit(&txn);
}

int keystate_commit(struct db *db, struct str mailbox_id, struct str state)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    uint64_t id = 0, left = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = alias_of_mailbox(db, mailbox_id, &id)) < 0 ||
        (r = stmt_get(db, "DELETE FROM key_state WHERE alias_id = ?1 AND state <> ?2", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_blob(st, 2, state);
    if ((r = stmt_run(st)) < 0 || (r = count_states(db, id, &left)) < 0)
        return r;
    return left == 1 ? txn_commit(&txn) : E_NOTFOUND;
}

static int present_mailbox(struct db *db, uint64_t alias_id, struct str wanted, struct str replaces)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct str now;
    int r;

    if ((r = stmt_get(db, "SELECT mailbox_id FROM alias WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    now = stmt_is_null(st, 0) ? STR("") : stmt_str(st, 0);
    return str_eq(now, wanted) ? 1 : str_eq(now, replaces) ? 0 : E_STALE;
}

static int set_mailbox(struct db *db, uint64_t alias_id, struct str mailbox_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL, *gone = NULL;
    int r;

    if ((r = stmt_get(db, "DELETE FROM key_state WHERE alias_id = ?1", &gone)) < 0)
        return r;
    stmt_bind_u64(gone, 1, alias_id);
    if ((r = stmt_run(gone)) < 0 ||
        (r = stmt_get(db, "UPDATE alias SET mailbox_id = ?2 WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    stmt_bind_blob(st, 2, mailbox_id);
    return stmt_run(st);
}

int mailbox_bind(struct db *db, uint64_t alias_id, struct str mailbox_id, struct str state,
                 struct str replaces)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = present_mailbox(db, alias_id, mailbox_id, replaces)) < 0)
        return r;
    if (r == 0 && (r = set_mailbox(db, alias_id, mailbox_id)) < 0)
        return r;
    if ((r = add_state(db, alias_id, state)) < 0)
        return r;
    return txn_commit(&txn);
}
