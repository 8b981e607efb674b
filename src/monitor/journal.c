#include "src/monitor/journal.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/mime/charset.h"
#include "lib/rpc/pb.h"
#include "src/monitor/sql_journal.h"

#define TEXT_MAX 320u
#define PAGE     1000u
#define PAGE_MAX 5000u
#define COLUMNS(X) \
    X(2, person) X(3, other) X(4, service) X(5, event) X(6, id) X(7, why) X(8, client) X(9, name) X(10, auth)

int journal_open(const uint8_t key[DB_KEY_BYTES], struct db **db_out, struct db_error *error, struct buf *why)
{
    struct db_options opt = { .flags = DB_CREATE | DB_SYNC_NORMAL, .cache_kib = 1024, .error = error };
    struct db *db = NULL;
    int r = db_open(JOURNAL_FILE, key, &opt, &db);

    if (r < 0)
        return r;
    if ((r = migrate_run(db, &sql_journal, why)) < 0) {
        int e = db_close(&db);

        return e < 0 && r == 0 ? e : r;
    }
    *db_out = db;
    return 0;
}

/* What others sent us, as text that a terminal can show: controls and what is no UTF-8 become '?'. */
static struct str presentable(struct str s, char out[TEXT_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < s.n && n < TEXT_MAX;) {
        int bytes = mime_utf8_bytes((const unsigned char *)s.p + i, s.n - i);
        bool plain = bytes > 1 || (bytes == 1 && s.p[i] >= ' ' && s.p[i] != 0x7f);

        bytes = bytes < 1 ? 1 : bytes;
        if (plain && n + (size_t)bytes > TEXT_MAX)
            break;
        if (plain)
            memcpy(out + n, s.p + i, (size_t)bytes);
        else
            out[n] = '?';
        n += plain ? (size_t)bytes : 1;
        i += (size_t)bytes;
    }
    return str_of(out, n);
}

static int add_one(struct stmt *st, const Monitor__Note *n)
{
    char at[CLOCK_ISO_LEN + 1], texts[11][TEXT_MAX];

    if (n->person.len == 0)
        return 0;
    clock_iso(n->at_ms, at);
    stmt_bind_str(st, 1, str_from(at));
#define X(col, field) stmt_bind_str(st, col, presentable(pb_str(n->field), texts[col]));
    COLUMNS(X)
#undef X
    stmt_bind_i64(st, 11, (int64_t)(n->bytes & INT64_MAX));
    stmt_bind_i64(st, 12, n->tls);
    int r = stmt_run(st);
    stmt_reset(st);
    return r;
}

int journal_add(struct db *db, Monitor__Note *const *notes, size_t n)
{
    static const char SQL[] =
        "INSERT INTO entry (at, person, other, service, event, ref, why, client, name, auth, bytes, tls)"
        " VALUES (?1, lower(?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    CLEANUP(txn_end) struct txn txn = { 0 };
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = txn_begin(&txn, db);

    if (r < 0 || (r = stmt_get(db, SQL, &st)) < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if ((r = add_one(st, notes[i])) < 0)
            return r;
    stmt_release(&st);
    return txn_commit(&txn);
}

static int note_of(struct arena *a, struct stmt *st, Monitor__Note **out)
{
    Monitor__Note *n = ARENA_NEW(a, Monitor__Note);
    struct str at = stmt_str(st, 1);

    if (!n)
        return E_NOMEM;
    monitor__note__init(n);
    if (!clock_from_iso(at.p, at.n, &n->at_ms))
        return E_CORRUPT;
#define X(col, field)                                   \
    n->field = str_pb(arena_dup(a, stmt_str(st, col))); \
    if (stmt_str(st, col).n && !n->field.data)          \
        return E_NOMEM;
    COLUMNS(X)
#undef X
    n->bytes = stmt_u64(st, 11);
    n->tls = stmt_i64(st, 12) != 0;
    *out = n;
    return 0;
}

int journal_query(struct db *db, struct arena *a, const Monitor__QueryRequest *q, Monitor__QueryResponse *out)
{
    static const char SQL[] =
        "SELECT id, at, person, other, service, event, ref, why, client, name, auth, bytes, tls FROM entry"
        " WHERE person = lower(?1) AND at >= ?2 AND at < ?3 AND id > ?4 ORDER BY id LIMIT ?5";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char from[CLOCK_ISO_LEN + 1], to[CLOCK_ISO_LEN + 1];
    size_t limit = q->limit == 0 ? PAGE : q->limit < PAGE_MAX ? q->limit : PAGE_MAX;
    int r;

    if (!(out->notes = ARENA_ARRAY(a, limit, Monitor__Note *)))
        return E_NOMEM;
    clock_iso(q->from_ms, from);
    clock_iso(q->to_ms ? q->to_ms : clock_wall_ms() + 1, to);
    if ((r = stmt_get(db, SQL, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, pb_str(q->person));
    stmt_bind_str(st, 2, str_from(from));
    stmt_bind_str(st, 3, str_from(to));
    stmt_bind_u64(st, 4, q->after);
    stmt_bind_u64(st, 5, limit + 1);
    while ((r = stmt_step(st)) > 0) {
        if (out->n_notes == limit) {
            out->more = true;
            return 0;
        }
        if ((r = note_of(a, st, &out->notes[out->n_notes])) < 0)
            return r;
        out->last = stmt_u64(st, 0);
        out->n_notes++;
    }
    return r;
}

int64_t journal_expire(struct db *db, int64_t before_ms, uint64_t entries_max)
{
    /* Ids go with time but for what waited in some role for its report: seconds. */
    static const char SQL[] = "DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY id LIMIT ?3)"
                              " AND (at < ?1 OR id <= (SELECT max(id) FROM entry) - ?2)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char before[CLOCK_ISO_LEN + 1];
    int r;

    clock_iso(before_ms, before);
    if ((r = stmt_get(db, SQL, &st)) < 0)
        return r;
    stmt_bind_str(st, 1, str_from(before));
    stmt_bind_u64(st, 2, entries_max);
    stmt_bind_i64(st, 3, JOURNAL_STEP);
    if ((r = stmt_run(st)) < 0)
        return r;
    return db_changes(db);
}

int journal_count(struct db *db, uint64_t *entries_out)
{
    int64_t n = 0;
    int r = db_get_i64(db, "SELECT coalesce(max(id) - min(id) + 1, 0) FROM entry", &n);

    if (r == 0)
        *entries_out = (uint64_t)n;
    return r;
}
