#include "src/monitor/dmarc.h"
#include "lib/base/errors.h"
#include "lib/rpc/pb.h"
#include <sodium.h>

#define KEY_LEN    16u
#define DOMAIN_MAX 253u
#define TEXT_MAX   2048u
#define COUNT_MAX  (INT64_C(1) << 40)
/* Columns of text, in the order of the statements. */
#define ABOUT(X) X(4, domain) X(5, record) X(6, ip) X(7, header_from) X(8, envelope_from)
#define FOUND(X) X(12, reason) X(13, spf_domain) X(14, spf_scope) X(15, spf_result) X(16, signatures)
#define TEXTS(X) ABOUT(X) FOUND(X)

/* ASCII, so that it is text whoever said it; cut at max. */
static struct str ascii(struct arena *a, ProtobufCBinaryData b, size_t max)
{
    size_t n = size_min(b.len, max);
    char *p = arena_alloc(a, n + 1);

    for (size_t i = 0; p && i < n; i++) {
        unsigned char c = b.data[i];

        p[i] = c == '\n' || (c >= ' ' && c < 0x7f) ? (char)c : '?';
    }
    return p ? str_of(p, n) : STR_NONE;
}

static void key_of(const Monitor__DmarcRow *m, uint8_t out[KEY_LEN])
{
    const uint64_t numbers[] = { (uint64_t)m->begins_s, (uint64_t)m->seconds, m->disposition, m->dkim ? 1 : 0,
                                 m->spf ? 1 : 0 };
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, KEY_LEN);
    crypto_generichash_update(&h, (const uint8_t *)numbers, sizeof numbers);
#define X(col, field)                                           \
    crypto_generichash_update(&h, m->field.data, m->field.len); \
    crypto_generichash_update(&h, (const uint8_t *)"\0", 1);
    TEXTS(X)
#undef X
    crypto_generichash_final(&h, out, KEY_LEN);
}

static bool is_sound(const Monitor__DmarcRow *m)
{
    return m->begins_s >= 0 && m->seconds > 0 && m->seconds <= 86400 && m->domain.len > 0 &&
           m->domain.len <= DOMAIN_MAX && m->disposition <= 3;
}

static int64_t count_of(const Monitor__DmarcRow *m)
{
    return m->count == 0 ? 1 : m->count < COUNT_MAX ? (int64_t)m->count : COUNT_MAX;
}

/* 1: it was there. */
static int add_to(struct db *db, const Monitor__DmarcRow *m, const uint8_t key[KEY_LEN])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "UPDATE dmarc SET count = min(count + ?2, 1099511627776) WHERE key = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(key, KEY_LEN));
    stmt_bind_i64(st, 2, count_of(m));
    return (r = stmt_run(st)) < 0 ? r : db_changes(db) > 0;
}

/* ?1 to ?3 of all that asks for the rows of one report. */
static void bind_period(struct stmt *st, ProtobufCBinaryData domain, int64_t begins_s, int64_t seconds)
{
    stmt_bind_str(st, 1, pb_str(domain));
    stmt_bind_i64(st, 2, begins_s);
    stmt_bind_i64(st, 3, seconds);
}

/* 1, 0: no room for a further row. */
static int has_room(struct db *db, const Monitor__DmarcRow *m)
{
    static const char SQL[] =
        "SELECT (SELECT count(*) FROM dmarc WHERE domain = ?1 AND begins = ?2 AND seconds = ?3),"
        " coalesce(max(id) - min(id) + 1, 0) FROM dmarc";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL, &st);

    if (r < 0)
        return r;
    bind_period(st, m->domain, m->begins_s, m->seconds);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    return stmt_i64(st, 0) < DMARC_ROWS_MAX && stmt_i64(st, 1) < DMARC_ALL_MAX;
}

static int insert(struct db *db, struct arena *a, const Monitor__DmarcRow *m, const uint8_t key[KEY_LEN])
{
    static const char SQL[] =
        "INSERT INTO dmarc (key, begins, seconds, domain, record, ip, header_from, envelope_from, disposition, dkim,"
        " spf, reason, spf_domain, spf_scope, spf_result, signatures, count)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(key, KEY_LEN));
    stmt_bind_i64(st, 2, m->begins_s);
    stmt_bind_i64(st, 3, m->seconds);
#define X(col, field)                                   \
    {                                                   \
        struct str text = ascii(a, m->field, TEXT_MAX); \
                                                        \
        if (!text.p)                                    \
            return E_NOMEM;                             \
        stmt_bind_str(st, col, text);                   \
    }
    TEXTS(X)
#undef X
    stmt_bind_i64(st, 9, m->disposition);
    stmt_bind_i64(st, 10, m->dkim);
    stmt_bind_i64(st, 11, m->spf);
    stmt_bind_i64(st, 17, count_of(m));
    return stmt_run(st);
}

int dmarc_add(struct db *db, Monitor__DmarcRow *const *rows, size_t n, uint64_t *dropped_out)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    CLEANUP(txn_end) struct txn txn = { 0 };
    uint64_t dropped = 0;
    int r = txn_begin(&txn, db);

    for (size_t i = 0; i < n && r >= 0; i++) {
        uint8_t key[KEY_LEN];

        if (!is_sound(rows[i])) {
            dropped++;
            continue;
        }
        key_of(rows[i], key);
        if ((r = add_to(db, rows[i], key)) != 0)
            continue;
        if ((r = has_room(db, rows[i])) == 0)
            dropped++;
        else if (r > 0)
            r = insert(db, &a, rows[i], key);
        arena_reset(&a);
    }
    if (r < 0 || (r = txn_commit(&txn)) < 0)
        return r;
    *dropped_out = dropped;
    return 0;
}

int dmarc_list(struct db *db, struct arena *a, int64_t now_s, const Monitor__DmarcListRequest *q,
               Monitor__DmarcListResponse *out)
{
    static const char SQL[] =
        "SELECT domain, begins, seconds, count(*), record, max(id) FROM dmarc"
        " WHERE begins + seconds + min(seconds, 600) <= ?1 GROUP BY domain, begins, seconds"
        " ORDER BY begins, domain, seconds LIMIT ?2 OFFSET ?3";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL, &st);

    if (r < 0)
        return r;
    if (!(out->periods = ARENA_ARRAY(a, DMARC_PERIODS_MAX, Monitor__DmarcPeriod *)))
        return E_NOMEM;
    stmt_bind_i64(st, 1, now_s);
    stmt_bind_i64(st, 2, DMARC_PERIODS_MAX);
    stmt_bind_u64(st, 3, q->skip);
    while ((r = stmt_step(st)) > 0) {
        Monitor__DmarcPeriod *p = ARENA_NEW(a, Monitor__DmarcPeriod);

        if (!p)
            return E_NOMEM;
        monitor__dmarc_period__init(p);
        p->domain = str_pb(arena_dup(a, stmt_str(st, 0)));
        p->begins_s = stmt_i64(st, 1);
        p->seconds = stmt_i64(st, 2);
        p->rows = stmt_u64(st, 3);
        p->record = str_pb(arena_dup(a, stmt_str(st, 4)));
        out->periods[out->n_periods++] = p;
    }
    return r;
}

static int row_of(struct arena *a, struct stmt *st, Monitor__DmarcRow **out)
{
    Monitor__DmarcRow *m = ARENA_NEW(a, Monitor__DmarcRow);

    if (!m)
        return E_NOMEM;
    monitor__dmarc_row__init(m);
#define X(col, field)                                   \
    m->field = str_pb(arena_dup(a, stmt_str(st, col))); \
    if (stmt_str(st, col).n && !m->field.data)          \
        return E_NOMEM;
    TEXTS(X)
#undef X
    m->id = stmt_u64(st, 0);
    m->begins_s = stmt_i64(st, 2);
    m->seconds = stmt_i64(st, 3);
    m->disposition = (uint32_t)stmt_i64(st, 9);
    m->dkim = stmt_i64(st, 10) != 0;
    m->spf = stmt_i64(st, 11) != 0;
    m->count = stmt_u64(st, 17);
    *out = m;
    return 0;
}

int dmarc_rows(struct db *db, struct arena *a, const Monitor__DmarcRowsRequest *q,
               Monitor__DmarcRowsResponse *out)
{
    static const char SQL[] =
        "SELECT id, key, begins, seconds, domain, record, ip, header_from, envelope_from, disposition, dkim, spf, reason,"
        " spf_domain, spf_scope, spf_result, signatures, count FROM dmarc"
        " WHERE domain = ?1 AND begins = ?2 AND seconds = ?3 AND id > ?4 ORDER BY id LIMIT ?5";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL, &st);

    if (r < 0)
        return r;
    if (!(out->rows = ARENA_ARRAY(a, DMARC_PAGE, Monitor__DmarcRow *)))
        return E_NOMEM;
    bind_period(st, q->domain, q->begins_s, q->seconds);
    stmt_bind_u64(st, 4, q->after);
    stmt_bind_i64(st, 5, DMARC_PAGE + 1);
    while ((r = stmt_step(st)) > 0) {
        if (out->n_rows == DMARC_PAGE) {
            out->more = true;
            return 0;
        }
        if ((r = row_of(a, st, &out->rows[out->n_rows])) < 0)
            return r;
        out->n_rows++;
    }
    return r;
}

int dmarc_done(struct db *db, const Monitor__DmarcRowsRequest *q)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, "DELETE FROM dmarc WHERE domain = ?1 AND begins = ?2 AND seconds = ?3", &st);

    if (r < 0)
        return r;
    bind_period(st, q->domain, q->begins_s, q->seconds);
    return stmt_run(st);
}

int dmarc_expire(struct db *db, int64_t now_s)
{
    static const char SQL[] =
        "DELETE FROM dmarc WHERE id IN (SELECT id FROM dmarc WHERE begins < ?1 ORDER BY id LIMIT 20000)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, now_s - DMARC_KEEP_S);
    return stmt_run(st);
}
