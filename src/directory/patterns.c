#include "src/directory/patterns.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/regex/rewrite.h"
#include "src/directory/conf.h"
#include "src/directory/recipients.h"

/* Expressions that were used lately, by their text: compiling costs far more than matching, and strangers make us match.
 * The directory's one worker owns it. */
#define PLACES 256u
static struct place {
    struct rewrite *re;
    char text[REWRITE_PATTERN_MAX];
    size_t n;
} places[PLACES];

static struct rewrite *compiled(struct str pattern)
{
    struct place *p;
    uint32_t h = 2166136261u;

    if (pattern.n > REWRITE_PATTERN_MAX)
        return NULL;
    for (size_t i = 0; i < pattern.n; i++)
        h = (h ^ (unsigned char)pattern.p[i]) * 16777619u;
    p = &places[(h ^ h >> 16) & (PLACES - 1)];
    if (p->re && str_eq(pattern, str_of(p->text, p->n)))
        return p->re;
    rewrite_free(&p->re);
    p->re = rewrite_new(pattern.p, pattern.n, NULL, 0);
    memcpy(p->text, pattern.p, pattern.n);
    p->n = pattern.n;
    return p->re;
}

/* The target with its parts put in. A part that a target names and the expression has not is E_SYNTAX. */
static int substitute(struct str target, struct str text, int groups, const size_t *from, const size_t *to,
                      struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < target.n && r == 0; i++) {
        char c = target.p[i], next = i + 1 < target.n ? target.p[i + 1] : '\0';

        if (c != '\\') {
            r = buf_putc(out, c);
        } else if (ascii_digit(next) && next - '0' <= groups) {
            r = buf_puts(out, str_slice(text, from[next - '0'], to[next - '0']));
            i++;
        } else {
            r = E_SYNTAX;
        }
    }
    return r;
}

int pattern_check(struct str pattern, struct str target, struct buf *why)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    CLEANUP(buf_release) struct buf made = { .max = KIB(1) };
    size_t from[REWRITE_GROUPS_MAX + 1] = { 0 }, to[REWRITE_GROUPS_MAX + 1];
    struct rewrite *re = NULL;
    struct address addr;
    char text[200] = "empty";
    int r = E_SYNTAX;

    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        to[i] = 1; /* "x" for every part */
    if (pattern.n == 0 || !smtp_utf8_clean(pattern) ||
        !(re = rewrite_new(pattern.p, pattern.n, text, sizeof text)))
        r = buf_printf(why, "the pattern: %s", text);
    else if (target.n > PATTERN_TARGET_MAX ||
             substitute(target, STR("x"), rewrite_groups(re), from, to, &made) < 0)
        r = buf_printf(why, "the target names a part that the pattern does not have");
    else if (address_parse(&a, buf_str(&made), &addr) < 0)
        r = buf_printf(why, "the target makes no address");
    rewrite_free(&re);
    return r < 0 ? r == E_SYNTAX ? 0 : r : E_SYNTAX;
}

int pattern_apply(struct arena *a, struct str pattern, struct str target, struct str local,
                  struct address *out)
{
    CLEANUP(buf_release) struct buf made = { .max = KIB(1) };
    size_t from[REWRITE_GROUPS_MAX + 1], to[REWRITE_GROUPS_MAX + 1];
    const struct rewrite *re = compiled(pattern);
    int r;

    if (!re || !rewrite_match(re, local.p, local.n, from, to))
        return 0;
    if ((r = substitute(target, local, rewrite_groups(re), from, to, &made)) == 0)
        r = address_parse(a, buf_str(&made), out);
    return r == E_NOMEM ? r : r == 0;
}

int pattern_add(struct db *db, struct str domain, const struct pattern *p, int64_t now_ms,
                uint32_t *position_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL, *seen = NULL;
    CLEANUP(txn_end) struct txn txn = { 0 };
    char iso[CLOCK_ISO_LEN + 1];
    uint64_t position = p->position;
    int64_t id = 0;
    int r;

    clock_iso(now_ms, iso);
    if ((r = txn_begin(&txn, db)) < 0 || (r = recipient_domain_id(db, domain, &id)) < 0 ||
        (r = stmt_get(db, "SELECT count(*), coalesce(max(position), 0) FROM pattern WHERE domain_id = ?1",
                      &seen)) < 0)
        return r;
    stmt_bind_i64(seen, 1, id);
    if ((r = stmt_step(seen)) < 0)
        return r;
    if (stmt_u64(seen, 0) >= directory_conf.max_patterns)
        return E_LIMIT;
    if (position == 0)
        position = stmt_u64(seen, 1) + 1;
    if ((r = stmt_get(
             db,
             "INSERT INTO pattern (domain_id, position, pattern, target, created) VALUES (?1, ?2, ?3, ?4, ?5)",
             &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_u64(st, 2, position);
    stmt_bind_str(st, 3, p->pattern);
    stmt_bind_str(st, 4, p->target);
    stmt_bind_str(st, 5, str_from(iso));
    if ((r = stmt_run(st)) < 0)
        return r;
    *position_out = (uint32_t)position;
    return txn_commit(&txn);
}

int pattern_remove(struct db *db, struct str domain, uint32_t position)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t id = 0;
    int r;

    if ((r = recipient_domain_id(db, domain, &id)) < 0 ||
        (r = stmt_get(db, "DELETE FROM pattern WHERE domain_id = ?1 AND position = ?2", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    stmt_bind_u64(st, 2, position);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db) > 0 ? 0 : E_NOTFOUND;
}

static const char SQL_OF_DOMAIN[] =
    "SELECT position, pattern, target FROM pattern WHERE domain_id = ?1 ORDER BY position";

int pattern_list(struct db *db, struct arena *a, struct str domain, struct pattern **out, size_t *n_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct pattern *rows = ARENA_ARRAY(a, LIST_MAX, struct pattern);
    int64_t id = 0;
    size_t n = 0;
    int r;

    if (!rows)
        return E_NOMEM;
    if ((r = recipient_domain_id(db, domain, &id)) < 0 || (r = stmt_get(db, SQL_OF_DOMAIN, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, id);
    while ((r = stmt_step(st)) > 0 && n < LIST_MAX) {
        rows[n] = (struct pattern){ (uint32_t)stmt_u64(st, 0), arena_dup(a, stmt_str(st, 1)),
                                    arena_dup(a, stmt_str(st, 2)) };
        if (!rows[n].pattern.p || !rows[n].target.p)
            return E_NOMEM;
        n++;
    }
    if (r < 0)
        return r;
    *out = rows;
    *n_out = n;
    return 0;
}

int pattern_find(struct db *db, struct arena *a, int64_t domain_id, struct str local, struct address *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(db, SQL_OF_DOMAIN, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, domain_id);
    while ((r = stmt_step(st)) > 0)
        if ((r = pattern_apply(a, stmt_str(st, 1), stmt_str(st, 2), local, out)) != 0)
            return r < 0 ? r : 0;
    return r < 0 ? r : E_NOTFOUND;
}
