/* src/courier/queue.c: the file, transactions, and what comes in. */
#include "src/courier/queue_impl.h"
#include "lib/base/rand.h"
#include "lib/db/migrate.h"
#include "src/courier/sql_queue.h"
#include <sodium.h>

#define CACHE_KIB        8192u
#define WAL_FRAMES       1000u /* then pages are moved home */
#define CARE_ROWS        200
#define DAY_MS           INT64_C(86400000)
#define HOUR_MS          INT64_C(3600000)
#define OPERATION_HOURS  2
#define SENDER_STEP_MS   50 /* a sender's next message stands so much behind its last */
#define PRIORITY_STEP_MS 60000

int64_t queue_now(const struct queue *q)
{
    return clock_wall_ms() + q->rules->clock_ahead_ms;
}

struct db *queue_db(struct queue *q)
{
    return q->db;
}

/* ---- opening ---- */

static int max_id(struct db *db, const char *sql, uint64_t *next)
{
    int64_t v = 0;
    int r = db_get_i64(db, sql, &v);

    if (r == 0 && (uint64_t)v >= *next)
        *next = (uint64_t)v + 1;
    return r;
}

/* Pieces of what never became a message. */
static int drop_drafts(struct queue *q)
{
    int64_t id;
    int r;

    while ((r = db_get_i64(q->db, "SELECT coalesce(min(message), 0) FROM draft", &id)) == 0 && id > 0)
        if ((r = queue_begin(q)) < 0 || (r = queue_draft_drop(q, (uint64_t)id)) < 0 ||
            (r = queue_commit(q)) < 0)
            return r;
    return r;
}

/* Who is full has something under way, in the same transaction; nothing is, yet, in this life. */
static int open_gates(struct queue *q)
{
    static const char SQL[] =
        "UPDATE dest SET turn = 0 WHERE id IN (SELECT dest FROM target WHERE state = 2)";

    return db_run(q->db, SQL);
}

static int start(struct queue *q, struct buf *why)
{
    int r;

    q->next_id = 1;
    if ((r = migrate_run(q->db, &sql_queue, why)) < 0 ||
        (r = max_id(q->db, "SELECT coalesce(max(id), 0) FROM message", &q->next_id)) < 0 ||
        (r = max_id(q->db, "SELECT coalesce(max(message), 0) FROM draft", &q->next_id)) < 0 ||
        (r = max_id(q->db, "SELECT coalesce(max(id), 0) FROM sent", &q->next_id)) < 0 ||
        (r = db_get_i64(q->db, "SELECT bytes FROM total WHERE id = 1", &q->total_bytes)) < 0 ||
        (r = drop_drafts(q)) < 0)
        return r;
    return open_gates(q);
}

int queue_open(const char *path, const uint8_t key[DB_KEY_BYTES], const struct queue_rules *rules,
               struct queue **out, struct buf *why)
{
    struct db_error error = { 0 };
    struct db_options opt = { .flags = DB_CREATE | DB_COUNT_WAL, .cache_kib = CACHE_KIB, .error = &error };
    struct queue *q = calloc(1, sizeof *q);
    int r;

    if (!q)
        return E_NOMEM;
    q->rules = rules;
    rand_bytes(q->hash_key, sizeof q->hash_key);
    if ((r = db_open(path, key, &opt, &q->db)) < 0) {
        if (why->n == 0 && buf_putz(why, error.text) < 0)
            buf_clear(why);
        free(q);
        return r;
    }
    if ((r = start(q, why)) < 0) {
        queue_close(&q);
        return r;
    }
    *out = q;
    return 0;
}

void queue_close(struct queue **qp)
{
    struct queue *q = *qp;
    void *d;
    uint64_t id;

    *qp = NULL;
    if (!q)
        return;
    txn_end(&q->txn);
    db_close(&q->db);
    while ((d = idmap_any(&q->dests, &id))) {
        idmap_take(&q->dests, id);
        free(d);
    }
    idmap_release(&q->dests);
    free(q);
}

/* ---- transactions ---- */

/* Else a destination would seem busy for ever. */
static void claims_undo(struct queue *q, unsigned from)
{
    while (q->nclaimed > from) {
        struct dest_state *d = idmap_get(&q->dests, q->claimed[--q->nclaimed]);

        if (d && d->under_way > 0)
            d->under_way--;
    }
}

int queue_begin(struct queue *q)
{
    q->nclaimed = 0;
    q->messages = q->targets = q->bytes = 0;
    return txn_begin(&q->txn, q->db);
}

static int totals_write(struct queue *q)
{
    static const char SQL[] =
        "UPDATE total SET messages = messages + ?1, targets = targets + ?2, bytes = bytes + ?3 WHERE id = 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (!q->messages && !q->targets && !q->bytes)
        return 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, q->messages);
    stmt_bind_i64(st, 2, q->targets);
    stmt_bind_i64(st, 3, q->bytes);
    return stmt_run(st);
}

int queue_commit(struct queue *q)
{
    int r;

    if ((r = totals_write(q)) < 0 || (r = txn_commit(&q->txn)) < 0) {
        queue_rollback(q);
        return r;
    }
    q->total_bytes += q->bytes;
    return 0;
}

void queue_rollback(struct queue *q)
{
    claims_undo(q, 0);
    txn_end(&q->txn);
}

int queue_step(struct queue *q, int (*fn)(struct queue *q, void *arg), void *arg)
{
    CLEANUP(savepoint_end) struct savepoint sp = { 0 };
    int64_t messages = q->messages, targets = q->targets, bytes = q->bytes;
    unsigned claims = q->nclaimed;
    int r, e;

    if ((r = savepoint_begin(&sp, q->db)) < 0)
        return r;
    if ((r = fn(q, arg)) >= 0 && (e = savepoint_keep(&sp)) < 0)
        r = e;
    if (r < 0) {
        q->messages = messages;
        q->targets = targets;
        q->bytes = bytes;
        claims_undo(q, claims);
    }
    return r;
}

int queue_forget(struct queue *q, const char *sql, int64_t before, int64_t rows, bool *more)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_i64(st, 1, before);
    stmt_bind_i64(st, 2, rows);
    if ((r = stmt_run(st)) == 0 && db_changes(q->db) >= rows)
        *more = true;
    return r;
}

int queue_care(struct queue *q, bool *more_out)
{
    static const char SEEN[] =
        "DELETE FROM seen WHERE (day, id) IN (SELECT day, id FROM seen WHERE day < ?1 LIMIT ?2)";
    static const char DONE[] =
        "DELETE FROM operation WHERE (hour, id) IN (SELECT hour, id FROM operation WHERE hour < ?1 LIMIT ?2)";
    int64_t now = queue_now(q);
    int r;

    *more_out = false;
    if ((r = queue_forget(q, SEEN, now / DAY_MS - QUEUE_SEEN_DAYS, CARE_ROWS, more_out)) < 0 ||
        (r = queue_forget(q, DONE, now / HOUR_MS - OPERATION_HOURS, CARE_ROWS, more_out)) < 0 ||
        (r = queue_srs_care(q, CARE_ROWS, more_out)) < 0 ||
        (r = queue_once_care(q, CARE_ROWS, more_out)) < 0 ||
        (r = queue_sent_care(q, CARE_ROWS, more_out)) < 0 ||
        (r = queue_suppressed_care(q, CARE_ROWS, more_out)) < 0)
        return r;
    return queue_tls_care(q, CARE_ROWS, more_out);
}

void queue_tidy(struct queue *q, bool idle)
{
    uint32_t frames = db_wal_frames(q->db);
    uint32_t left = 0;

    if (frames == 0 || (!idle && frames < WAL_FRAMES))
        return;
    if (idle && q->deleted) {
        if (db_checkpoint(q->db, DB_TRUNCATE, &left) == 0)
            q->deleted = false;
    } else if (db_checkpoint(q->db, frames > 8 * WAL_FRAMES ? DB_RESTART : DB_PASSIVE, &left) < 0) {
        return; /* the next commit tries again */
    }
}

/* ---- in ---- */

int queue_draft(struct queue *q, bool several, uint64_t *id_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    *id_out = q->next_id++;
    if (!several)
        return 0;
    if ((r = stmt_get(q->db, "INSERT INTO draft (message) VALUES (?1)", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, *id_out);
    return stmt_run(st);
}

int queue_put(struct queue *q, uint64_t id, uint32_t number, struct str piece)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (number >= QUEUE_CHUNKS_MAX)
        return E_TOO_BIG;
    if ((r = stmt_get(q->db, "INSERT INTO chunk (id, data) VALUES (?1, ?2)", &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, id << CHUNK_SHIFT | number);
    stmt_bind_blob(st, 2, piece);
    return stmt_run(st);
}

static int delete_of(struct queue *q, const char *sql, uint64_t from, uint64_t to)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, from);
    stmt_bind_u64(st, 2, to);
    return stmt_run(st);
}

static int chunks_delete(struct queue *q, uint64_t message)
{
    q->deleted = true;
    return delete_of(q, "DELETE FROM chunk WHERE id >= ?1 AND id < ?2", message << CHUNK_SHIFT,
                     (message + 1) << CHUNK_SHIFT);
}

int queue_draft_drop(struct queue *q, uint64_t id)
{
    int r = chunks_delete(q, id);

    return r < 0 ? r : delete_of(q, "DELETE FROM draft WHERE message >= ?1 AND message < ?2", id, id + 1);
}

/* 1: it was there already. Looked for on each of the days that are remembered: what is new goes to today. */
static int seen_before(struct queue *q, struct str id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t day = queue_now(q) / DAY_MS;
    int r;

    if ((r = stmt_get(q->db, "SELECT 1 FROM seen WHERE day = ?1 AND id = ?2", &st)) < 0)
        return r;
    for (int i = 0; i <= QUEUE_SEEN_DAYS; i++) {
        stmt_bind_i64(st, 1, day - i);
        stmt_bind_blob(st, 2, id);
        if ((r = stmt_step(st)) != 0)
            return r;
        stmt_reset(st);
    }
    return 0;
}

static int seen_add(struct queue *q, struct str id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "INSERT INTO seen (day, id) VALUES (?1, ?2)", &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, queue_now(q) / DAY_MS);
    stmt_bind_blob(st, 2, id);
    return stmt_run(st);
}

/* 1: new, and noted. */
static int target_is_new(struct queue *q, const struct queue_target *t)
{
    struct str id = str_slice(t->delivery_id, 0, 16);
    int r;

    if (id.n < 16)
        return 1;
    if ((r = seen_before(q, id)) != 0)
        return r < 0 ? r : 0;
    return (r = seen_add(q, id)) < 0 ? r : 1;
}

/* Its place: behind what this sender has brought before, so that who brings ten thousand does not stand before
 * who brings one. */
static int64_t fair_rank(struct queue *q, const struct queue_message *m)
{
    struct str who = m->submitter.n ? m->submitter : m->sender;
    struct sender_state *s;
    int64_t now = queue_now(q), rank;
    uint64_t h = 0;

    crypto_shorthash((unsigned char *)&h, (const unsigned char *)(who.p ? who.p : ""), who.n, q->hash_key);
    s = &q->senders[h % SENDERS];
    rank = now;
    if (s->hash == h && s->rank >= now)
        rank = s->rank + SENDER_STEP_MS;
    *s = (struct sender_state){ h, rank };
    return rank - m->priority * (int64_t)PRIORITY_STEP_MS;
}

static int target_insert(struct queue *q, const struct queue_message *m, struct queue_target *t,
                         size_t number, int64_t rank)
{
    static const char SQL[] =
        "INSERT INTO target (id, dest, state, rank, due, kind, recipient, alias, notify, orcpt) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    bool waits = m->hold_until_ms > m->created_ms;
    uint64_t dest;
    int r;

    t->id = m->id << TARGET_SHIFT | number;
    if ((r = queue_dest(q, t->dest, &dest)) < 0 || (r = queue_dest_count(q, dest, waits ? 0 : 1, 1)) < 0 ||
        (r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_u64(st, 1, t->id);
    stmt_bind_u64(st, 2, dest);
    stmt_bind_i64(st, 3, waits ? QUEUE_WAITS : QUEUE_READY);
    stmt_bind_i64(st, 4, rank);
    stmt_bind_i64(st, 5, waits ? m->hold_until_ms : m->created_ms);
    stmt_bind_i64(st, 6, t->kind);
    stmt_bind_blob(st, 7, t->to);
    stmt_bind_blob(st, 8, t->alias);
    stmt_bind_i64(st, 9, t->notify);
    stmt_bind_blob(st, 10, t->orcpt);
    return stmt_run(st);
}

static int64_t first_event(const struct queue *q, const struct queue_message *m)
{
    int64_t begin = m->hold_until_ms > m->created_ms ? m->hold_until_ms : m->created_ms, at = m->expires_ms;

    if (q->rules->delay_ms > 0 && m->sender.n && begin + q->rules->delay_ms < at)
        at = begin + q->rules->delay_ms;
    if (m->deliver_by_ms > 0 && m->deliver_by_ms < at)
        at = m->deliver_by_ms;
    return at;
}

static int message_insert(struct queue *q, const struct queue_message *m, struct str tag)
{
    static const char SQL[] =
        "INSERT INTO message (id, tag, created, event, expires, sender, origin, submitter, signer, smtputf8, eightbit, "
        "requiretls, ret, envid, deliver_by, by_notify, priority, facts, prepend, bytes, targets, tls_optional, "
        "language) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(q->db, SQL, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, m->id);
    stmt_bind_blob(st, 2, tag);
    stmt_bind_i64(st, 3, m->created_ms);
    stmt_bind_i64(st, 4, first_event(q, m));
    stmt_bind_i64(st, 5, m->expires_ms);
    stmt_bind_blob(st, 6, m->sender);
    stmt_bind_i64(st, 7, m->origin);
    stmt_bind_blob(st, 8, m->submitter);
    stmt_bind_blob(st, 9, m->signer);
    stmt_bind_i64(st, 10, m->smtputf8);
    stmt_bind_i64(st, 11, m->eightbit);
    stmt_bind_i64(st, 12, m->requiretls);
    stmt_bind_i64(st, 13, m->ret);
    stmt_bind_blob(st, 14, m->envid);
    stmt_bind_i64(st, 15, m->deliver_by_ms);
    stmt_bind_i64(st, 16, m->by_notify);
    stmt_bind_i64(st, 17, m->priority);
    stmt_bind_blob(st, 18, m->facts);
    stmt_bind_blob(st, 19, m->prepend);
    stmt_bind_u64(st, 20, m->bytes);
    stmt_bind_u64(st, 21, m->targets);
    stmt_bind_i64(st, 22, m->tls_optional);
    stmt_bind_blob(st, 23, m->language.p ? m->language : STR(""));
    return stmt_run(st);
}

static int operation_add(struct queue *q, struct str operation, const uint8_t name[QUEUE_NAME_BYTES],
                         uint32_t dups)
{
    static const char SQL[] = "INSERT INTO operation (hour, id, message, duplicates) VALUES (?1, ?2, ?3, ?4)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (operation.n != QUEUE_OPERATION_BYTES)
        return 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    stmt_bind_i64(st, 1, queue_now(q) / HOUR_MS);
    stmt_bind_blob(st, 2, operation);
    stmt_bind_blob(st, 3, str_of(name, QUEUE_NAME_BYTES));
    stmt_bind_i64(st, 4, dups);
    return stmt_run(st);
}

int queue_operation(struct queue *q, struct str operation, uint8_t name_out[QUEUE_NAME_BYTES],
                    uint32_t *duplicates_out)
{
    static const char SQL[] = "SELECT message, duplicates FROM operation WHERE hour = ?1 AND id = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int64_t hour = queue_now(q) / HOUR_MS;
    int r = 0;

    if (operation.n != QUEUE_OPERATION_BYTES)
        return 0;
    if ((r = stmt_get(q->db, SQL, &st)) < 0)
        return r;
    for (int i = 0; i <= OPERATION_HOURS && r == 0; i++) {
        stmt_reset(st);
        stmt_bind_i64(st, 1, hour - i);
        stmt_bind_blob(st, 2, operation);
        r = stmt_step(st);
    }
    if (r <= 0)
        return r;
    if (!stmt_bytes(st, 0, name_out, QUEUE_NAME_BYTES))
        return E_CORRUPT;
    *duplicates_out = (uint32_t)stmt_i64(st, 1);
    return 1;
}

static void name_of(uint64_t id, struct str tag, uint8_t out[QUEUE_NAME_BYTES])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(id >> (56 - 8 * i));
    memcpy(out + 8, tag.p, 8);
}

static int add_targets(struct queue *q, struct queue_message *m, struct queue_target *t, size_t n,
                       uint32_t *dups)
{
    int64_t rank = fair_rank(q, m);
    int r;

    m->targets = 0;
    for (size_t i = 0; i < n; i++) {
        if ((r = target_is_new(q, &t[i])) < 0)
            return r;
        if (r == 0) {
            ++*dups;
            continue;
        }
        if ((r = target_insert(q, m, &t[i], i, rank)) < 0)
            return r;
        m->targets++;
    }
    return 0;
}

static int add(struct queue *q, struct queue_message *m, struct queue_target *t, size_t n,
               struct str operation, uint8_t name[QUEUE_NAME_BYTES], uint32_t *dups)
{
    uint8_t tag[8];
    int r;

    rand_bytes(tag, sizeof tag);
    name_of(m->id, str_of(tag, sizeof tag), name);
    *dups = 0;
    m->created_ms = queue_now(q);
    m->expires_ms =
        (m->hold_until_ms > m->created_ms ? m->hold_until_ms : m->created_ms) + q->rules->give_up_ms;
    if ((r = add_targets(q, m, t, n, dups)) < 0 || (r = operation_add(q, operation, name, *dups)) < 0)
        return r;
    if ((r = delete_of(q, "DELETE FROM draft WHERE message >= ?1 AND message < ?2", m->id, m->id + 1)) < 0)
        return r;
    if (m->targets == 0)
        return chunks_delete(q, m->id);
    if ((r = message_insert(q, m, str_of(tag, sizeof tag))) < 0)
        return r;
    q->messages++;
    q->targets += (int64_t)m->targets;
    q->bytes += (int64_t)m->bytes;
    return 0;
}

int queue_add(struct queue *q, struct queue_message *m, struct queue_target *t, size_t n,
              struct str operation, uint8_t name_out[QUEUE_NAME_BYTES], uint32_t *duplicates_out)
{
    if (n == 0 || n > QUEUE_TARGETS_MAX)
        return E_RANGE;
    if (!m->always && (uint64_t)(q->total_bytes + q->bytes) + m->bytes > q->rules->bytes_max)
        return E_FULL;
    return add(q, m, t, n, operation, name_out, duplicates_out);
}

/* ---- sums ---- */

int queue_totals(struct queue *q, struct queue_totals *out)
{
    static const char SQL[] =
        "SELECT messages, targets, bytes, (SELECT created FROM message ORDER BY id LIMIT 1) "
        "FROM total WHERE id = 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, SQL, &st)) < 0 || (r = stmt_step(st)) < 0)
        return r;
    if (r == 0)
        return E_CORRUPT;
    *out = (struct queue_totals){ stmt_u64(st, 0), stmt_u64(st, 1), stmt_u64(st, 2), stmt_i64(st, 3) };
    return 0;
}

int queue_relay(struct queue *q, uint8_t boot_out[16])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    memset(boot_out, 0, 16);
    if ((r = stmt_get(q->db, "SELECT relay FROM total WHERE id = 1", &st)) < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    stmt_bytes(st, 0, boot_out, 16);
    return 0;
}

int queue_relay_set(struct queue *q, const uint8_t boot[16])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if ((r = stmt_get(q->db, "UPDATE total SET relay = ?1 WHERE id = 1", &st)) < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(boot, 16));
    return stmt_run(st);
}
