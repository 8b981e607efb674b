#include "src/directory/vacation.h"
#include "lib/base/errors.h"
#include "lib/rpc/pb.h"
#include "lib/smtp/path.h"
#include "src/directory/ops.h"
#include "lib/base/clock.h"
#include <utf8proc.h>

int vacation_get(struct db *db, struct arena *a, uint64_t alias_id, struct vacation *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "SELECT subject, body, begins, ends, made FROM vacation WHERE alias_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *out = (struct vacation){ .subject = arena_dup(a, stmt_str(st, 0)),
                              .text = arena_dup(a, stmt_str(st, 1)),
                              .begins_ms = stmt_i64(st, 2),
                              .ends_ms = stmt_i64(st, 3),
                              .made_ms = stmt_i64(st, 4) };
    return out->text.p ? 1 : E_NOMEM;
}

/* UTF-8, and of controls only those that a text has. */
static bool text_valid(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)s.p + i, (utf8proc_ssize_t)(s.n - i), &c);

        if (n <= 0 || (c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
            return false;
        i += (size_t)n;
    }
    return true;
}

int vacation_set(struct db *db, uint64_t alias_id, const struct vacation *v)
{
    static const char SQL[] = "INSERT OR REPLACE INTO vacation (alias_id, subject, body, begins, ends, made) "
                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (v->subject.n > VACATION_SUBJECT_MAX || v->text.n == 0 || v->text.n > VACATION_TEXT_MAX ||
        v->begins_ms < 0 || v->ends_ms < 0 || (v->ends_ms && v->ends_ms <= v->begins_ms))
        return E_RANGE;
    if (!text_valid(v->text) || (v->subject.n && !smtp_utf8_clean(v->subject)))
        return E_SYNTAX;
    if ((r = stmt_get(db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    stmt_bind_str(st, 2, v->subject.p ? v->subject : STR(""));
    stmt_bind_str(st, 3, v->text);
    stmt_bind_i64(st, 4, v->begins_ms);
    stmt_bind_i64(st, 5, v->ends_ms);
    stmt_bind_i64(st, 6, v->made_ms);
    return stmt_run(st);
}

int vacation_off(struct db *db, uint64_t alias_id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "DELETE FROM vacation WHERE alias_id = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, alias_id);
    return stmt_run(st);
}

/* ---- operations ---- */

int directory_vacation(struct db *db, struct arena *a, uint64_t alias_id, struct str address,
                       Directory__Vacation **out)
{
    struct vacation v;
    int r = vacation_get(db, a, alias_id, &v);
    Directory__Vacation *m;

    if (r <= 0)
        return r;
    if (!(m = directory_message(a, &directory__vacation__descriptor)))
        return E_NOMEM;
    m->alias = str_pb(address);
    m->subject = str_pb(v.subject);
    m->text = str_pb(v.text);
    m->begins_ms = v.begins_ms;
    m->ends_ms = v.ends_ms;
    m->made_ms = v.made_ms;
    *out = m;
    return 1;
}

int directory_run_vacation(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
{
    const Directory__VacationRequest *q = request;
    Directory__Vacation *m = NULL;
    struct account acc;
    struct address addr;
    int r;

    if ((r = address_parse(a, pb_str(q->address), &addr)) < 0 || (r = alias_get(db, a, &addr, &acc)) < 0)
        return r;
    if (q->off && (r = vacation_off(db, acc.alias_id)) < 0)
        return r;
    if (q->set) {
        const struct vacation v = { .subject = pb_str(q->set->subject),
                                    .text = pb_str(q->set->text),
                                    .begins_ms = q->set->begins_ms,
                                    .ends_ms = q->set->ends_ms,
                                    .made_ms = clock_wall_ms() };

        if ((r = vacation_set(db, acc.alias_id, &v)) < 0)
            return r;
    }
    if ((r = directory_vacation(db, a, acc.alias_id, acc.address, &m)) < 0)
        return r;
    if (r == 0 && !(m = directory_message(a, &directory__vacation__descriptor)))
        return E_NOMEM;
    out->body = &m->base;
    return 0;
}
