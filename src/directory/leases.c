#include "src/directory/leases.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"

/* ---- leases ---- */

/* The alias of a mailbox, and the three scopes that it counts in. */
struct holder {
    uint64_t alias_id, domain_id, account_id;
    struct lease_scope scope[LIMIT_KINDS]; /* taken: all that is leased */
};

#define HOLDER_SQL                                                                   \
    "SELECT alias.id, domain.id, account.id, account.limit_bytes, account.leased, "  \
    "domain.limit_bytes, domain.leased, alias.limit_bytes, alias.leased FROM alias " \
    "JOIN domain ON domain.id = alias.domain_id "                                    \
    "JOIN account ON account.id = coalesce(alias.account_id, domain.account_id, 1) WHERE "

static int holder_read(struct stmt *st, struct holder *out)
{
    int r = stmt_step(st);

    if (r <= 0)
        return r < 0 ? r : E_NOTFOUND;
    *out = (struct holder){ stmt_u64(st, 0), stmt_u64(st, 1), stmt_u64(st, 2), { { 0 } } };
    for (int i = 0; i < LIMIT_KINDS; i++)
        out->scope[i] = (struct lease_scope){ .limited = !stmt_is_null(st, 3 + 2 * i),
                                              .limit = stmt_u64(st, 3 + 2 * i),
                                              .taken = stmt_u64(st, 4 + 2 * i) };
    return 0;
}

static int holder_of_mailbox(struct db *db, struct str mailbox_id, struct holder *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, HOLDER_SQL "alias.mailbox_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, mailbox_id);
    return holder_read(st, out);
}

static bool holder_limited(const struct holder *h)
{
    return h->scope[LIMIT_ACCOUNT].limited || h->scope[LIMIT_DOMAIN].limited || h->scope[LIMIT_ALIAS].limited;
}

/* Bytes that are leased to nobody, in the tightest scope. */
static uint64_t left_of(const struct holder *h)
{
    uint64_t left = UINT64_MAX;

    for (int i = 0; i < LIMIT_KINDS; i++) {
        const struct lease_scope *s = &h->scope[i];
        uint64_t n = s->limit > s->taken ? s->limit - s->taken : 0;

        if (s->limited && n < left)
            left = n;
    }
    return left;
}

static uint64_t smallest_limit(const struct holder *h)
{
    uint64_t limit = UINT64_MAX;

    for (int i = 0; i < LIMIT_KINDS; i++)
        if (h->scope[i].limited && h->scope[i].limit < limit)
            limit = h->scope[i].limit;
    return limit;
}

/* Most reports say what is known already: those cost no write. */
static int part_is(struct db *db, struct str mailbox_id, const struct lease_part *p)
{
    static const char sql[] =
        "SELECT leased, used, messages FROM lease WHERE mailbox_id = ?1 AND generation = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, mailbox_id);
    stmt_bind_u64(st, 2, p->generation);
    if ((r = stmt_step(st)) < 0)
        return r;
    if (r == 0)
        return p->leased == 0 && p->messages == 0;
    return stmt_u64(st, 0) == p->leased && stmt_u64(st, 1) == p->used && stmt_u64(st, 2) == p->messages;
}

static int part_put(struct db *db, const struct holder *h, struct str mailbox_id, const struct lease_part *p)
{
    static const char put[] =
        "INSERT INTO lease VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET "
        "leased = excluded.leased, used = excluded.used, messages = excluded.messages";
    static const char drop[] = "DELETE FROM lease WHERE mailbox_id = ?1 AND generation = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool gone = p->leased == 0 && p->messages == 0;
    int r = part_is(db, mailbox_id, p);

    if (r != 0)
        return r < 0 ? r : 0;
    if ((r = stmt_get(db, gone ? drop : put, &st)) < 0)
        return r;
    stmt_bind_blob(st, 1, mailbox_id);
    stmt_bind_u64(st, 2, p->generation);
    if (gone)
        return stmt_run(st);
    stmt_bind_u64(st, 3, h->alias_id);
    stmt_bind_u64(st, 4, h->domain_id);
    stmt_bind_u64(st, 5, h->account_id);
    stmt_bind_u64(st, 6, p->leased);
    stmt_bind_u64(st, 7, p->used);
    stmt_bind_u64(st, 8, p->messages);
    return stmt_run(st);
}

static int others_drop(struct db *db, const struct lease_want *w)
{
    CLEANUP(stmt_release) struct stmt *st = NULL, *drop = NULL;
    uint64_t gone[LEASE_PARTS_MAX];
    size_t n = 0;
    int r = stmt_get(db, "SELECT generation FROM lease WHERE mailbox_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, w->mailbox_id);
    while ((r = stmt_step(st)) > 0 && n < ARRAY_LEN(gone)) {
        bool named = false;

        for (size_t i = 0; i < w->nparts; i++)
            named |= w->parts[i].generation == stmt_u64(st, 0);
        if (!named)
            gone[n++] = stmt_u64(st, 0);
    }
    if (r < 0 || n == 0)
        return r < 0 ? r : 0;
    stmt_reset(st);
    if ((r = stmt_get(db, "DELETE FROM lease WHERE mailbox_id = ?1 AND generation = ?2", &drop)) < 0)
        return r;
    for (size_t i = 0; i < n && r >= 0; i++) {
        stmt_reset(drop);
        stmt_bind_blob(drop, 1, w->mailbox_id);
        stmt_bind_u64(drop, 2, gone[i]);
        r = stmt_run(drop);
    }
    return r;
}

/* As the file says it: the books never hold less than that. */
static struct lease_part as_it_is(const struct lease_part *p)
{
    struct lease_part out = *p;

    if (out.leased < out.used)
        out.leased = out.used;
    return out;
}

/* The first part, as large as what is left allows. */
static void enlarge(const struct holder *h, uint64_t need, struct lease_part *p)
{
    uint64_t left = left_of(h), more = p->used + need > p->leased ? p->used + need - p->leased : 0;
    uint64_t spare;

    if (more > left)
        return; /* refused: it keeps what it has */
    spare = (left - more) / 8;
    p->leased += more + (spare < LEASE_STEP_BYTES ? spare : LEASE_STEP_BYTES);
}

static int unused_list(struct db *db, struct arena *a, const struct holder *h, const struct lease_want *w,
                       struct lease_grant *out)
{
    static const char sql[] = "SELECT mailbox_id, leased - used FROM lease INDEXED BY lease_account_room "
                              "WHERE account_id = ?1 AND leased - used > 0 "
                              "ORDER BY leased - used DESC LIMIT ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, h->account_id);
    stmt_bind_u64(st, 2, LEASE_UNUSED_MAX);
    while ((r = stmt_step(st)) > 0 && out->nunused < LEASE_UNUSED_MAX) {
        if (str_eq(stmt_str(st, 0), w->mailbox_id))
            continue;
        if (!(out->unused[out->nunused++] = arena_dup(a, stmt_str(st, 0))).p)
            return E_NOMEM;
    }
    return r < 0 ? r : 0;
}

/* What others hold and this mailbox uses, by scope. */
static int fill_scopes(struct db *db, struct str mailbox_id, struct lease_grant *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct holder h;
    uint64_t room;
    int r = holder_of_mailbox(db, mailbox_id, &h);

    if (r < 0 || (r = stmt_get(db, "SELECT coalesce(sum(leased - used), 0) FROM lease WHERE mailbox_id = ?1",
                               &st)) < 0)
        return r;
    stmt_bind_blob(st, 1, mailbox_id);
    if ((r = stmt_step(st)) < 0)
        return r;
    room = stmt_u64(st, 0);
    for (int i = 0; i < LIMIT_KINDS; i++) {
        out->scopes[i] = h.scope[i];
        out->scopes[i].taken -= room < h.scope[i].taken ? room : h.scope[i].taken;
    }
    return 0;
}

static int want_check(const struct lease_want *w)
{
    if (w->nparts == 0 || w->nparts > LEASE_PARTS_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < w->nparts; i++)
        if (w->parts[i].leased > INT64_MAX / 4 || w->parts[i].used > INT64_MAX / 4 ||
            w->parts[i].messages > INT64_MAX / 4)
            return E_RANGE;
    return w->need > INT64_MAX / 4 ? E_RANGE : 0;
}

int lease_set(struct db *db, struct arena *a, const struct lease_want *w, struct lease_grant *out)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    struct lease_part first;
    struct holder h;
    int r = want_check(w);

    *out = (struct lease_grant){ 0 };
    if (r < 0 || (r = txn_begin(&txn, db)) < 0 || (r = holder_of_mailbox(db, w->mailbox_id, &h)) < 0 ||
        (w->only && (r = others_drop(db, w)) < 0))
        return r;
    for (size_t i = 0; i < w->nparts; i++) {
        struct lease_part p = as_it_is(&w->parts[i]);

        if ((r = part_put(db, &h, w->mailbox_id, &p)) < 0)
            return r;
    }
    first = as_it_is(&w->parts[0]);
    if ((r = holder_of_mailbox(db, w->mailbox_id, &h)) < 0)
        return r;
    out->limited = holder_limited(&h);
    if (out->limited && w->need) {
        enlarge(&h, w->need, &first);
        if ((r = part_put(db, &h, w->mailbox_id, &first)) < 0)
            return r;
        out->never = w->need > smallest_limit(&h);
    }
    out->leased = first.leased;
    if (out->limited && first.leased < first.used + w->need && !out->never &&
        (r = unused_list(db, a, &h, w, out)) < 0)
        return r;
    if ((r = fill_scopes(db, w->mailbox_id, out)) < 0)
        return r;
    return txn_commit(&txn);
}

int lease_room(struct db *db, uint64_t alias_id, struct lease_room *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL, *own = NULL;
    struct holder h;
    int r = stmt_get(db, HOLDER_SQL "alias.id = ?1", &st);

    *out = (struct lease_room){ 0 };
    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    if ((r = holder_read(st, &h)) < 0 || !holder_limited(&h))
        return r;
    if ((r = stmt_get(db, "SELECT coalesce(sum(leased - used), 0) FROM lease WHERE alias_id = ?1", &own)) < 0)
        return r;
    stmt_bind_u64(own, 1, alias_id);
    if ((r = stmt_step(own)) < 0)
        return r;
    *out = (struct lease_room){ true, left_of(&h) + stmt_u64(own, 0), smallest_limit(&h) };
    return 0;
}

/* ---- limits ---- */

int limit_set(struct db *db, enum limit_kind kind, struct str name, const struct address *addr, bool limited,
              uint64_t limit)
{
    static const char alias[] = "UPDATE alias SET limit_bytes = ?2 WHERE local = ?1 "
                                "AND domain_id = (SELECT id FROM domain WHERE name = ?3)";
    static const char *const sql[LIMIT_KINDS] = {
        [LIMIT_ACCOUNT] = "UPDATE account SET limit_bytes = ?2 WHERE name = ?1",
        [LIMIT_DOMAIN] = "UPDATE domain SET limit_bytes = ?2 WHERE name = ?1",
        [LIMIT_ALIAS] = alias,
    };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = kind < LIMIT_KINDS ? stmt_get(db, sql[kind], &st) : E_SYNTAX;

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, kind == LIMIT_ALIAS ? addr->local : name);
    if (limited)
        stmt_bind_u64(st, 2, limit);
    else
        stmt_bind_null(st, 2);
    if (kind == LIMIT_ALIAS)
        stmt_bind_str(st, 3, addr->domain);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) ? 0 : E_NOTFOUND;
}

/* ---- accounts ---- */

static bool name_is_sane(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return s.n > 0 && s.n <= ACCOUNT_NAME_MAX;
}

int account_add(struct db *db, struct str name, int64_t now_ms)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char iso[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(now_ms, iso);
    if (!name_is_sane(name))
        return E_SYNTAX;
    if ((r = stmt_get(db, "INSERT INTO account (name, created) VALUES (?1, ?2)", &st)) < 0)
        return r;
    stmt_bind_str(st, 1, name);
    stmt_bind_str(st, 2, str_from(iso));
    return stmt_run(st);
}

static int account_id(struct db *db, struct str name, uint64_t *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "SELECT id FROM account WHERE name = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, name);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    *out = stmt_u64(st, 0);
    return 0;
}

int account_remove(struct db *db, struct str name)
{
    CLEANUP(stmt_release) struct stmt *used = NULL, *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    uint64_t id = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = account_id(db, name, &id)) < 0)
        return r;
    if (id == 1)
        return E_DENIED;
    if ((r = stmt_get(db,
                      "SELECT 1 FROM domain WHERE account_id = ?1 UNION ALL "
                      "SELECT 1 FROM alias WHERE account_id = ?1 LIMIT 1",
                      &used)) < 0)
        return r;
    stmt_bind_u64(used, 1, id);
    if ((r = stmt_step(used)) != 0)
        return r < 0 ? r : E_BUSY;
    if ((r = stmt_get(db, "DELETE FROM account WHERE id = ?1", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    return (r = stmt_run(st)) < 0 ? r : txn_commit(&txn);
}

int account_list(struct db *db, struct arena *a, struct str after, struct str only, uint32_t limit,
                 struct account_row **out, size_t *n_out, bool *more_out)
{
    static const char sql[] =
        "SELECT name, created, (SELECT count(*) FROM domain WHERE coalesce(account_id, 1) = account.id), "
        "(SELECT count(*) FROM alias WHERE account_id = account.id), messages, limit_bytes, used, leased "
        "FROM account WHERE name > ?1 AND (?2 = '' OR name = ?2) ORDER BY name LIMIT ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct account_row *rows;
    size_t n = 0;
    int r;

    limit = limit == 0 || limit > LIST_MAX ? LIST_MAX : limit;
    if (!(rows = ARENA_ARRAY(a, limit, struct account_row)))
        return E_NOMEM;
    if ((r = stmt_get(db, sql, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, after.p ? after : STR(""));
    stmt_bind_str(st, 2, only.p ? only : STR(""));
    stmt_bind_i64(st, 3, (int64_t)limit + 1);
    while ((r = stmt_step(st)) > 0 && n < limit) {
        struct account_row *row = &rows[n++];
        struct str created = stmt_str(st, 1);

        *row = (struct account_row){ .name = arena_dup(a, stmt_str(st, 0)),
                                     .domains = stmt_u64(st, 2),
                                     .aliases = stmt_u64(st, 3),
                                     .messages = stmt_u64(st, 4),
                                     .quota = { .limited = !stmt_is_null(st, 5),
                                                .limit = stmt_u64(st, 5),
                                                .used = stmt_u64(st, 6),
                                                .leased = stmt_u64(st, 7) } };
        if (!row->name.p)
            return E_NOMEM;
        if (!clock_from_iso(created.p, created.n, &row->created_ms))
            row->created_ms = 0;
    }
    if (r < 0)
        return r;
    *out = rows;
    *n_out = n;
    *more_out = r > 0;
    return 0;
}

int account_give(struct db *db, struct str account, struct str domain, const struct address *addr)
{
    static const char give_alias[] = "UPDATE alias SET account_id = ?1 WHERE local = ?2 "
                                     "AND domain_id = (SELECT id FROM domain WHERE name = ?3)";
    static const char give_domain[] = "UPDATE domain SET account_id = ?1 WHERE name = ?3 AND ?2 = ''";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    uint64_t id = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = account_id(db, account, &id)) < 0 ||
        (r = stmt_get(db, addr ? give_alias : give_domain, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id);
    stmt_bind_str(st, 2, addr ? addr->local : STR(""));
    stmt_bind_str(st, 3, addr ? addr->domain : domain);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) ? txn_commit(&txn) : E_NOTFOUND;
}
