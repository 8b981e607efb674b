#include "src/directory/sending.h"
#include "lib/base/errors.h"

#define DAY_MS INT64_C(86400000)

static int64_t said(struct stmt *st, int col)
{
    return stmt_is_null(st, col) ? SENDING_NOT_SAID : stmt_i64(st, col);
}

static void language_set(char at[SENDING_LANGUAGE_MAX + 1], struct str tag)
{
    snprintf(at, SENDING_LANGUAGE_MAX + 1, "%.*s", STR_ARG(tag));
}

static int rule_read(struct db *db, enum sending_kind kind, int64_t id, struct sending_rule *out)
{
    static const char *const sql[SENDING_KINDS] = {
        [SENDING_ACCOUNT] =
            "SELECT as_domain, copy, messages, recipients, language FROM sending WHERE account_id = ?1",
        [SENDING_DOMAIN] =
            "SELECT as_domain, copy, messages, recipients, language FROM sending WHERE domain_id = ?1",
        [SENDING_ALIAS] =
            "SELECT as_domain, copy, messages, recipients, language FROM sending WHERE alias_id = ?1",
    };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql[kind], &st);

    *out =
        (struct sending_rule){ SENDING_NOT_SAID, SENDING_NOT_SAID, SENDING_NOT_SAID, SENDING_NOT_SAID, "" };
    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *out = (struct sending_rule){ said(st, 0), said(st, 1), said(st, 2), said(st, 3), "" };
    language_set(out->language, stmt_str(st, 4));
    return 0;
}

static int ids_of(struct db *db, uint64_t alias_id, struct sending *out)
{
    static const char sql[] = "SELECT coalesce(alias.account_id, domain.account_id, 1), domain.id "
                              "FROM alias JOIN domain ON domain.id = alias.domain_id WHERE alias.id = ?1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    out->of[SENDING_ACCOUNT].id = stmt_i64(st, 0);
    out->of[SENDING_DOMAIN].id = stmt_i64(st, 1);
    out->of[SENDING_ALIAS].id = (int64_t)alias_id;
    return 0;
}

int sending_of(struct db *db, uint64_t alias_id, const int64_t limits[SENDING_KINDS][2], struct sending *out)
{
    struct sending s = { .as_domain = false };
    int r = ids_of(db, alias_id, &s);

    for (int k = 0; k < SENDING_KINDS && r == 0; k++) { /* the narrower says the last word */
        struct sending_rule rule;

        if ((r = rule_read(db, (enum sending_kind)k, s.of[k].id, &rule)) < 0)
            break;
        if (rule.as_domain != SENDING_NOT_SAID)
            s.as_domain = rule.as_domain != 0;
        if (rule.copy != SENDING_NOT_SAID)
            s.copy = rule.copy != 0;
        if (rule.language[0])
            language_set(s.language, str_from(rule.language));
        s.of[k].messages = rule.messages != SENDING_NOT_SAID ? rule.messages : limits[k][0];
        s.of[k].recipients = rule.recipients != SENDING_NOT_SAID ? rule.recipients : limits[k][1];
    }
    if (r == 0)
        *out = s;
    return r;
}

static int sent_today(struct db *db, int kind, int64_t id, int64_t day, int64_t v[2])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r =
        stmt_get(db, "SELECT messages, recipients FROM sent WHERE kind = ?1 AND of = ?2 AND day = ?3", &st);

    v[0] = v[1] = 0;
    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, kind);
    stmt_bind_i64(st, 2, id);
    stmt_bind_i64(st, 3, day);
    if ((r = stmt_step(st)) <= 0)
        return r;
    v[0] = stmt_i64(st, 0);
    v[1] = stmt_i64(st, 1);
    return 0;
}

static int sent_set(struct db *db, int kind, int64_t id, int64_t day, const int64_t v[2])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "INSERT OR REPLACE INTO sent VALUES (?1, ?2, ?3, ?4, ?5)", &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, kind);
    stmt_bind_i64(st, 2, id);
    stmt_bind_i64(st, 3, day);
    stmt_bind_i64(st, 4, v[0]);
    stmt_bind_i64(st, 5, v[1]);
    return stmt_run(st);
}

/* Days before yesterday are of no use: a few rows at a time. */
static int sent_forget(struct db *db, int64_t day)
{
    static const char sql[] =
        "DELETE FROM sent WHERE (kind, of) IN (SELECT kind, of FROM sent WHERE day < ?1 LIMIT 20)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, day - 1);
    return stmt_run(st);
}

static int64_t less(int64_t a, uint32_t b)
{
    return a > (int64_t)b ? a - (int64_t)b : 0;
}

int sending_take(struct db *db, const struct sending *s, uint32_t messages, uint32_t recipients, bool back,
                 int64_t now_ms, struct sending_refusal *no)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    int64_t day = now_ms / DAY_MS, v[2];
    int r = txn_begin(&txn, db);

    for (int k = 0; k < SENDING_KINDS && r == 0; k++) {
        const int64_t max[2] = { s->of[k].messages, s->of[k].recipients };

        if ((r = sent_today(db, k, s->of[k].id, day, v)) < 0)
            break;
        v[0] = back ? less(v[0], messages) : v[0] + messages;
        v[1] = back ? less(v[1], recipients) : v[1] + recipients;
        for (int i = 0; i < 2 && !back; i++)
            if (max[i] != SENDING_NO_LIMIT && v[i] > max[i]) {
                *no = (struct sending_refusal){ (enum sending_kind)k, i == 1, (uint64_t)max[i],
                                                (day + 1) * DAY_MS };
                return E_QUOTA;
            }
        r = sent_set(db, k, s->of[k].id, day, v);
    }
    if (r < 0 || (r = sent_forget(db, day)) < 0)
        return r;
    return txn_commit(&txn);
}

/* ---- settings ---- */

static int scope_id(struct db *db, enum sending_kind kind, struct str name, const struct address *addr,
                    int64_t *out)
{
    static const char *const sql[SENDING_KINDS] = {
        [SENDING_ACCOUNT] = "SELECT id FROM account WHERE name = ?1",
        [SENDING_DOMAIN] = "SELECT id FROM domain WHERE name = ?1",
        [SENDING_ALIAS] = ("SELECT alias.id FROM alias JOIN domain ON domain.id = alias.domain_id "
                           "WHERE local = ?1 AND domain.name = ?2"),
    };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, sql[kind], &st);

    if (r < 0)
        return r;
    stmt_bind_str(st, 1, kind == SENDING_ALIAS ? addr->local : name);
    if (kind == SENDING_ALIAS)
        stmt_bind_str(st, 2, addr->domain);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    *out = stmt_i64(st, 0);
    return 0;
}

static int rule_write(struct db *db, enum sending_kind kind, int64_t id, const struct sending_rule *rule)
{
    static const char *const clear[SENDING_KINDS] = {
        [SENDING_ACCOUNT] = "DELETE FROM sending WHERE account_id = ?1",
        [SENDING_DOMAIN] = "DELETE FROM sending WHERE domain_id = ?1",
        [SENDING_ALIAS] = "DELETE FROM sending WHERE alias_id = ?1",
    };
    static const char insert[] =
        "INSERT INTO sending (account_id, domain_id, alias_id, as_domain, copy, messages, "
        "recipients, language) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    const int64_t v[4] = { rule->as_domain, rule->copy, rule->messages, rule->recipients };
    CLEANUP(stmt_release) struct stmt *del = NULL;
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, clear[kind], &del);

    if (r < 0)
        return r;
    stmt_bind_i64(del, 1, id);
    if ((r = stmt_run(del)) < 0 || (r = stmt_get(db, insert, &st)) < 0)
        return r;
    for (int k = 0; k < SENDING_KINDS; k++)
        stmt_bind_null(st, k + 1);
    stmt_bind_i64(st, (int)kind + 1, id);
    for (int i = 0; i < 4; i++)
        if (v[i] == SENDING_NOT_SAID)
            stmt_bind_null(st, 4 + i);
        else
            stmt_bind_i64(st, 4 + i, v[i]);
    if (rule->language[0])
        stmt_bind_str(st, 8, str_from(rule->language));
    else
        stmt_bind_null(st, 8);
    return stmt_run(st);
}

static void change(int64_t *at, int64_t to, bool forget)
{
    if (forget)
        *at = SENDING_NOT_SAID;
    else if (to != SENDING_NOT_SAID)
        *at = to;
}

int sending_set(struct db *db, enum sending_kind kind, struct str name, const struct address *addr,
                const struct sending_rule *set, const bool forget[5], struct sending_rule *out)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    struct sending_rule rule;
    int64_t id = 0;
    int r;

    if ((r = txn_begin(&txn, db)) < 0 || (r = scope_id(db, kind, name, addr, &id)) < 0 ||
        (r = rule_read(db, kind, id, &rule)) < 0)
        return r;
    change(&rule.as_domain, set->as_domain, forget[0]);
    change(&rule.copy, set->copy, forget[1]);
    change(&rule.messages, set->messages, forget[2]);
    change(&rule.recipients, set->recipients, forget[3]);
    if (set->language[0] || forget[4])
        language_set(rule.language, forget[4] ? STR("") : str_from(set->language));
    if ((r = rule_write(db, kind, id, &rule)) < 0 || (r = txn_commit(&txn)) < 0)
        return r;
    *out = rule;
    return 0;
}
