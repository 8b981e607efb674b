#include "src/store/tempbox.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/idmap.h"
#include "lib/base/rand.h"
#include "lib/db/migrate.h"
#include "src/store/sql_temporary.h"
#include <fcntl.h>
#include <pthread.h>

#define SEALED_FULL    (SEALED_CHUNK_MAX + SEALED_OVERHEAD_BYTES)
#define CHUNKS_A_ROW   4u
#define ROW_SHIFT      16
#define TEMP_FILES_MAX 64u

struct tempbox {
    const struct files *files;
    struct db *db;
    struct txn txn;
    struct savepoint step;
    struct tempbox_keys keys;
    uint8_t id[MAILBOX_ID_LEN];
    uint64_t generation;
    struct xwing_ready *to;      /* who was sealed to last */
    struct sealed_shared shared; /* of this transaction */
    struct sealed_opened opened;
    struct idmap seen; /* of operations and deliveries: the record they are of, see is_there */
    bool seen_all;
    bool unmade;  /* meta has no row yet: the first transaction makes it */
    bool counted; /* then these are right */
    uint64_t used_bytes, used_messages;
};

/* ---- the file --------------------------------------------------------------------------------- */

static int meta_fill(struct tempbox *t)
{
    static const char sql[] = "INSERT OR IGNORE INTO meta (one, mailbox_id, generation, chain, last_seq) "
                              "VALUES (1, ?1, ?2, ?3, 0)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t link[SEALED_LINK_BYTES];
    int r = stmt_get(t->db, sql, &st);

    if (r < 0)
        return r;
    sealed_chain_start(t->keys.chain, t->id, t->generation, link);
    stmt_bind_blob(st, 1, str_of(t->id, sizeof t->id));
    stmt_bind_i64(st, 2, (int64_t)t->generation);
    stmt_bind_blob(st, 3, str_of(link, sizeof link));
    return stmt_run(st);
}

/* A file that nothing was committed to has no row. */
static int meta_check(struct tempbox *t)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t id[MAILBOX_ID_LEN];
    int r = stmt_get(t->db, "SELECT mailbox_id, generation FROM meta", &st);

    if (r < 0 || (r = stmt_step(st)) <= 0) {
        t->unmade = r == 0;
        return r;
    }
    if (!stmt_bytes(st, 0, id, sizeof id) || memcmp(id, t->id, sizeof id) != 0 ||
        (uint64_t)stmt_i64(st, 1) != t->generation)
        return E_CORRUPT; /* a file under another one's name */
    return 0;
}

static int open_file(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const struct tempbox_keys *k,
                     uint64_t generation, struct tempbox **out)
{
    struct tempbox *t = calloc(1, sizeof *t);
    struct db_options opt = { .flags = DB_PASSING | DB_COUNT_WAL, .cache_kib = 1024, .statements = 32 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    int r;

    if (!t)
        return E_NOMEM;
    t->files = f;
    t->keys = *k;
    t->generation = generation;
    memcpy(t->id, id, sizeof t->id);
    files_temp_path(id, generation, path);
    files_full(f, path, full, sizeof full);
    if ((r = db_open(full, k->outer, &opt, &t->db)) < 0 ||
        (r = migrate_run(t->db, &sql_temporary, NULL)) < 0 || (r = meta_check(t)) < 0) {
        tempbox_close(&t);
        return r;
    }
    *out = t;
    return 0;
}

/* ---- a new file ----
 * Making one takes a dozen syncs: for WAL, and for each migration. So one is made as often as the process
 * starts, and every new file begins as its bytes: all of them have the same key, and nothing is in them but
 * the schema. (That equal pages have equal nonces says no more than that they are equal.) */

static struct {
    pthread_mutex_t lock;
    uint8_t outer[KEY_BYTES];
    struct buf bytes;
} blank = { .lock = PTHREAD_MUTEX_INITIALIZER, .bytes = { .max = MIB(1) } };

/* Under a name that is a temporary mailbox's too: should we die here, it is drained like one, empty. */
static int blank_make(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const struct tempbox_keys *k)
{
    struct db_options opt = { .flags = DB_PASSING | DB_CREATE };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;
    int r;

    files_temp_path(id, 0, path);
    files_full(f, path, full, sizeof full);
    buf_clear(&blank.bytes);
    if ((r = db_open(full, k->outer, &opt, &db)) == 0 && (r = migrate_run(db, &sql_temporary, NULL)) == 0)
        r = db_close(&db);
    if (r == 0 && (r = file_read(f->dir, path, &blank.bytes)) == 0)
        memcpy(blank.outer, k->outer, sizeof blank.outer);
    if (r < 0)
        buf_clear(&blank.bytes);
    db_close(&db);
    file_ops()->unlinkat(f->dir, path);
    return r;
}

static int blank_write(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const struct tempbox_keys *k,
                       uint64_t generation)
{
    char path[FILES_PATH_MAX];
    int r = 0;

    files_temp_path(id, generation, path);
    pthread_mutex_lock(&blank.lock);
    if (blank.bytes.n == 0 || !bytes_same(blank.outer, k->outer, sizeof blank.outer))
        r = blank_make(f, id, k);
    if (r == 0)
        r = file_replace(f->dir, path, buf_str(&blank.bytes));
    pthread_mutex_unlock(&blank.lock);
    return r;
}

/* Names sort by time of making. */
static uint64_t generation_new(uint64_t after)
{
    uint64_t g = (uint64_t)clock_wall_ms() << 16 | (rand_u64() & 0xffff);

    return g > after ? g : after + 1;
}

int tempbox_open(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], const struct tempbox_keys *k,
                 bool create, struct tempbox **out)
{
    uint64_t there[TEMP_FILES_MAX], made = generation_new(0);
    int n = files_temp_list(f, id, there, TEMP_FILES_MAX), r;

    if (n < 0)
        return n;
    if (n > 0)
        return open_file(f, id, k, there[n - 1], out);
    if (!create)
        return E_NOTFOUND;
    if ((r = files_folder(f, id)) < 0 || (r = blank_write(f, id, k, made)) < 0)
        return r;
    return open_file(f, id, k, made, out);
}

int tempbox_open_generation(const struct files *f, const uint8_t id[MAILBOX_ID_LEN],
                            const struct tempbox_keys *k, uint64_t generation, struct tempbox **out)
{
    int r = open_file(f, id, k, generation, out);

    if (r != E_NOTFOUND)
        return r;
    return (r = blank_write(f, id, k, generation)) < 0 ? r : open_file(f, id, k, generation, out);
}

/* What was undone is not there: the table is made anew when somebody asks. */
static void seen_forget(struct tempbox *t)
{
    idmap_release(&t->seen);
    t->seen = (struct idmap){ .n = 0 };
    t->seen_all = false;
}

int tempbox_close(struct tempbox **tp)
{
    struct tempbox *t = *tp;
    int r = 0;

    *tp = NULL;
    if (!t)
        return 0;
    tempbox_rollback(t);
    if (t->db)
        r = db_close(&t->db);
    xwing_ready_free(&t->to);
    idmap_release(&t->seen);
    bytes_wipe(t, sizeof *t);
    free(t);
    return r;
}

/* Only what is empty, moved out of its -wal and closed goes: a -wal that stays behind a removed file
 * would be taken for that of another. */
int tempbox_remove(struct tempbox **tp)
{
    struct tempbox *t = *tp;
    const struct files *f = t->files;
    char path[FILES_PATH_MAX];
    uint64_t n = 0;
    int r;

    if ((r = tempbox_count(t, &n)) < 0)
        return r;
    if (n)
        return E_BUSY;
    if ((r = db_checkpoint(t->db, DB_TRUNCATE, NULL)) < 0)
        return r;
    files_temp_path(t->id, t->generation, path);
    if ((r = tempbox_close(tp)) < 0)
        return r;
    return file_remove(f->dir, path);
}

uint64_t tempbox_generation(const struct tempbox *t)
{
    return t->generation;
}

struct db *tempbox_db(struct tempbox *t)
{
    return t->db;
}

int tempbox_begin(struct tempbox *t)
{
    int r = txn_begin(&t->txn, t->db);

    if (r == 0 && t->unmade && (r = meta_fill(t)) < 0)
        tempbox_rollback(t);
    return r;
}

int tempbox_commit(struct tempbox *t)
{
    int r;

    sealed_shared_release(&t->shared);
    if ((r = txn_commit(&t->txn)) == 0)
        t->unmade = false;
    return r;
}

void tempbox_rollback(struct tempbox *t)
{
    sealed_shared_release(&t->shared);
    if (t->txn.db) {
        seen_forget(t);
        t->counted = false;
    }
    savepoint_end(&t->step);
    txn_end(&t->txn);
}

int tempbox_step_begin(struct tempbox *t)
{
    return savepoint_begin(&t->step, t->db);
}

int tempbox_step_keep(struct tempbox *t)
{
    return savepoint_keep(&t->step);
}

void tempbox_step_undo(struct tempbox *t)
{
    if (t->step.db) {
        seen_forget(t);
        t->counted = false;
    }
    savepoint_end(&t->step);
}

/* ---- adding ----------------------------------------------------------------------------------- */

/* Operations and delivery ids are outputs of keyed hashes: their first bytes tell them apart. A table of
 * those in memory, read from the file when first asked, stands for two indexes in it, each of which would
 * cost every delivery a page. Whoever is found is looked at. */
static uint64_t seen_key(const uint8_t *id)
{
    uint64_t k = le64_get(id);

    return k ? k : 1;
}

static int seen_note(struct tempbox *t, const struct temp_record *rec)
{
    void *seq = (void *)(uintptr_t)rec->seq;
    int r = idmap_put(&t->seen, seen_key(rec->operation), seq);

    return r < 0 || !rec->has_delivery ? r : idmap_put(&t->seen, seen_key(rec->delivery), seq);
}

static int seen_load(struct tempbox *t)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, "SELECT seq, operation, delivery_id FROM record", &st);

    if (r < 0)
        return r;
    while ((r = stmt_step(st)) > 0) {
        struct temp_record rec = { .seq = stmt_u64(st, 0), .has_delivery = !stmt_is_null(st, 2) };

        if (!stmt_bytes(st, 1, rec.operation, sizeof rec.operation) ||
            (rec.has_delivery && !stmt_bytes(st, 2, rec.delivery, sizeof rec.delivery)))
            return E_CORRUPT;
        if ((r = seen_note(t, &rec)) < 0)
            return r;
    }
    t->seen_all = r == 0;
    return r;
}

/* Is record `seq` really of this operation, or this delivery? It may have been drained since. */
static int is_of(struct tempbox *t, uint64_t seq, const struct temp_record *rec)
{
    static const char sql[] = "SELECT 1 FROM record WHERE seq = ?1 AND (operation = ?2 OR delivery_id = ?3)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, seq);
    stmt_bind_blob(st, 2, str_of(rec->operation, sizeof rec->operation));
    if (rec->has_delivery)
        stmt_bind_blob(st, 3, str_of(rec->delivery, sizeof rec->delivery));
    return stmt_step(st);
}

static int is_there(struct tempbox *t, const struct temp_record *rec)
{
    uint64_t seq;
    int r = t->seen_all ? 0 : seen_load(t);

    if (r == 0 && (seq = (uintptr_t)idmap_get(&t->seen, seen_key(rec->operation))) != 0)
        r = is_of(t, seq, rec);
    if (r == 0 && rec->has_delivery && (seq = (uintptr_t)idmap_get(&t->seen, seen_key(rec->delivery))) != 0)
        r = is_of(t, seq, rec);
    return r;
}

/* The last record there is, or, when all are gone, what meta says of it. */
static int last_of(struct tempbox *t, uint64_t *seq, uint8_t link[SEALED_LINK_BYTES])
{
    static const char *const sql[] = { "SELECT seq, chain FROM record ORDER BY seq DESC LIMIT 1",
                                       "SELECT last_seq, chain FROM meta" };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(sql) && r == 0; i++) {
        CLEANUP(stmt_release) struct stmt *st = NULL;

        if ((r = stmt_get(t->db, sql[i], &st)) < 0 || (r = stmt_step(st)) <= 0)
            continue;
        *seq = stmt_u64(st, 0);
        if (!stmt_bytes(st, 1, link, SEALED_LINK_BYTES))
            return E_CORRUPT;
    }
    return r < 0 ? r : r > 0 ? 0 : E_CORRUPT;
}

/* Without a delivery id the operation stands in its place: a record is bound to one or the other. */
static void context_of(const struct tempbox *t, const struct temp_record *rec, uint32_t key_generation,
                       struct sealed_context *c)
{
    *c = (struct sealed_context){ .key_generation = key_generation, .seq = rec->seq };
    memcpy(c->mailbox, t->id, sizeof c->mailbox);
    if (rec->has_delivery)
        memcpy(c->delivery, rec->delivery, sizeof c->delivery);
    else
        memcpy(c->delivery, rec->operation, sizeof rec->operation);
}

static int data_insert(struct tempbox *t, uint64_t seq, uint32_t row, struct str data)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, "INSERT INTO record_data VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, seq << ROW_SHIFT | row);
    stmt_bind_blob(st, 2, data);
    return stmt_run(st);
}

static int seal_rows(struct tempbox *t, struct sealed *s, uint64_t seq, const struct bytes_in *in)
{
    CLEANUP(buf_release)
    struct buf row = { .max = CHUNKS_A_ROW * SEALED_FULL }, plain = { .max = SEALED_CHUNK_MAX };
    uint64_t at = 0;
    uint32_t rows = 0;
    bool last = false;
    int r = 0;

    /* no more than it takes: what is given back is wiped, in all its length */
    if (!buf_reserve(&plain, in->bytes < SEALED_CHUNK_MAX ? (size_t)in->bytes : SEALED_CHUNK_MAX))
        return E_NOMEM;
    while (!last && r >= 0) {
        size_t n = in->bytes - at < SEALED_CHUNK_MAX ? (size_t)(in->bytes - at) : SEALED_CHUNK_MAX;

        last = at + n == in->bytes;
        if ((r = bytes_read(in, at, plain.p, n)) < 0 ||
            (r = sealed_push(s, str_of(plain.p, n), last, &row)) < 0)
            return r;
        at += n;
        if (row.n == row.max || last) {
            r = rows < UINT16_MAX ? data_insert(t, seq, rows++, buf_str(&row)) : E_TOO_BIG;
            buf_clear(&row);
        }
    }
    return r;
}

static int record_insert(struct tempbox *t, const struct temp_record *rec,
                         const uint8_t header[SEALED_HEADER_BYTES], const uint8_t link[SEALED_LINK_BYTES],
                         uint64_t bytes)
{
    static const char sql[] =
        "INSERT INTO record (seq, operation, delivery_id, received, header, bytes, chain) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char received[CLOCK_ISO_LEN + 1];
    int r = stmt_get(t->db, sql, &st);

    if (r < 0)
        return r;
    clock_iso(rec->received_ms, received);
    stmt_bind_u64(st, 1, rec->seq);
    stmt_bind_blob(st, 2, str_of(rec->operation, sizeof rec->operation));
    if (rec->has_delivery)
        stmt_bind_blob(st, 3, str_of(rec->delivery, sizeof rec->delivery));
    stmt_bind_str(st, 4, str_of(received, CLOCK_ISO_LEN));
    stmt_bind_blob(st, 5, str_of(header, SEALED_HEADER_BYTES));
    stmt_bind_u64(st, 6, bytes);
    stmt_bind_blob(st, 7, str_of(link, SEALED_LINK_BYTES));
    return stmt_run(st);
}

static int last_set(struct tempbox *t, uint64_t seq, const uint8_t link[SEALED_LINK_BYTES])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, "UPDATE meta SET last_seq = ?1, chain = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, seq);
    stmt_bind_blob(st, 2, str_of(link, SEALED_LINK_BYTES));
    return stmt_run(st);
}

/* One encapsulation a transaction: what arrives together for one mailbox is sealed together. */
static int shared_ready(struct tempbox *t, const uint8_t pk[XWING_PUBLIC_BYTES])
{
    int r;

    if (t->to && !xwing_ready_is(t->to, pk)) {
        xwing_ready_free(&t->to);
        sealed_shared_release(&t->shared);
    }
    if (!t->to && (r = xwing_ready_new(pk, &t->to)) < 0)
        return r;
    return t->shared.made ? 0 : sealed_shared_make(&t->shared, t->to);
}

int tempbox_add(struct tempbox *t, const uint8_t pk[XWING_PUBLIC_BYTES], uint32_t key_generation,
                const struct temp_record *want, const struct bytes_in *message)
{
    CLEANUP(sealed_release) struct sealed s;
    uint8_t header[SEALED_HEADER_BYTES], link[SEALED_LINK_BYTES], head[ARRIVAL_HEAD_MAX];
    static const struct arrival inbox;
    struct temp_record rec = *want;
    struct sealed_context c;
    struct bytes_cat whole;
    size_t nhead;
    int r;

    memset(&s, 0, sizeof s);
    if ((r = is_there(t, want)) != 0 || (r = last_of(t, &rec.seq, link)) < 0)
        return r;
    rec.seq++;
    context_of(t, &rec, key_generation, &c);
    if ((r = shared_ready(t, pk)) < 0 || (r = sealed_begin_shared(&s, &t->shared, &c, header)) < 0)
        return r;
    sealed_chain_next(t->keys.chain, link, &c, header, link);
    nhead = arrival_head_write(want->arrival ? want->arrival : &inbox, rec.received_ms, head);
    if ((r = record_insert(t, &rec, header, link, message->bytes)) < 0 || (r = seen_note(t, &rec)) < 0)
        return r;
    t->used_bytes += message->bytes;
    t->used_messages++;
    return seal_rows(t, &s, rec.seq, bytes_cat_init(&whole, str_of(head, nhead), message));
}

int tempbox_known(struct tempbox *t, const struct temp_record *rec)
{
    return is_there(t, rec);
}

/* ---- reading ---------------------------------------------------------------------------------- */

int tempbox_next(struct tempbox *t, uint64_t seq, struct temp_record *out)
{
    static const char sql[] =
        "SELECT seq, operation, delivery_id, received, bytes FROM record WHERE seq > ?1 "
        "ORDER BY seq LIMIT 1";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    struct str received;
    int r = stmt_get(t->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, seq);
    if ((r = stmt_step(st)) <= 0)
        return r;
    *out = (struct temp_record){ .seq = stmt_u64(st, 0),
                                 .has_delivery = !stmt_is_null(st, 2),
                                 .bytes = stmt_u64(st, 4) };
    received = stmt_str(st, 3);
    if (!stmt_bytes(st, 1, out->operation, sizeof out->operation) ||
        (out->has_delivery && !stmt_bytes(st, 2, out->delivery, sizeof out->delivery)) ||
        !clock_from_iso(received.p, received.n, &out->received_ms))
        return E_CORRUPT;
    return 1;
}

static int header_of(struct tempbox *t, uint64_t seq, uint8_t header[SEALED_HEADER_BYTES],
                     uint8_t link[SEALED_LINK_BYTES])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, "SELECT header, chain FROM record WHERE seq = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, seq);
    if ((r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_NOTFOUND;
    return stmt_bytes(st, 0, header, SEALED_HEADER_BYTES) && stmt_bytes(st, 1, link, SEALED_LINK_BYTES)
               ? 0
               : E_CORRUPT;
}

int tempbox_key_generation(struct tempbox *t, uint64_t seq, uint32_t *out)
{
    uint8_t header[SEALED_HEADER_BYTES], link[SEALED_LINK_BYTES];
    int r = header_of(t, seq, header, link);

    return r < 0 ? r : sealed_key_generation(str_of(header, sizeof header), out);
}

/* The link before is that of the record before, or, when that was drained already, unknown: then this
 * record's own link is taken as it stands (the pages are authenticated under the outer key). */
int tempbox_verify(struct tempbox *t, uint64_t seq)
{
    uint8_t header[SEALED_HEADER_BYTES], link[SEALED_LINK_BYTES], before[SEALED_LINK_BYTES],
        ignored[SEALED_HEADER_BYTES];
    struct sealed_context c;
    struct temp_record rec;
    uint32_t generation;
    int r;

    if ((r = header_of(t, seq, header, link)) < 0 || (r = tempbox_next(t, seq - 1, &rec)) < 0)
        return r;
    if (seq == 1)
        sealed_chain_start(t->keys.chain, t->id, t->generation, before);
    else if ((r = header_of(t, seq - 1, ignored, before)) == E_NOTFOUND)
        return 0;
    if (r < 0 || (r = sealed_key_generation(str_of(header, sizeof header), &generation)) < 0)
        return r;
    context_of(t, &rec, generation, &c);
    sealed_chain_next(t->keys.chain, before, &c, header, before);
    return bytes_same(before, link, sizeof link) ? 0 : E_CORRUPT;
}

int tempbox_head(struct tempbox *t, uint64_t *seq_out, uint8_t link_out[SEALED_LINK_BYTES])
{
    return last_of(t, seq_out, link_out);
}

int tempbox_link(struct tempbox *t, uint64_t seq, uint8_t link_out[SEALED_LINK_BYTES])
{
    uint8_t ignored[SEALED_HEADER_BYTES];

    return header_of(t, seq, ignored, link_out);
}

struct unseal {
    struct sealed s;
    struct spool *to;
    struct arrival *arrival; /* NULL: it was read */
    struct buf plain;
};

static int unseal_row(void *ctx, struct str row)
{
    struct unseal *u = ctx;

    while (row.n) {
        struct str chunk = str_slice(row, 0, SEALED_FULL), out;
        size_t skip = 0;
        int r;

        buf_clear(&u->plain);
        if ((r = sealed_pull(&u->s, chunk, &u->plain)) < 0)
            return r;
        out = buf_str(&u->plain);
        if (u->arrival && (r = arrival_head_read(out, u->arrival, &skip)) < 0)
            return r;
        u->arrival = NULL;
        if ((r = spool_append(u->to, str_skip(out, skip))) < 0)
            return r;
        row = str_skip(row, chunk.n);
    }
    return 0;
}

/* Each row of a record to `take`. */
static int rows_each(struct tempbox *t, uint64_t seq, int (*take)(void *ctx, struct str row), void *ctx)
{
    static const char sql[] = "SELECT data FROM record_data WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, sql, &st), e;

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, seq << ROW_SHIFT);
    stmt_bind_u64(st, 2, seq << ROW_SHIFT | UINT16_MAX);
    while ((r = stmt_step(st)) > 0)
        if ((e = take(ctx, stmt_str(st, 0))) < 0)
            return e;
    return r;
}

static int context_read(struct tempbox *t, const struct temp_record *rec, uint8_t header[SEALED_HEADER_BYTES],
                        struct sealed_context *out)
{
    uint8_t link[SEALED_LINK_BYTES];
    uint32_t generation;
    int r;

    if ((r = header_of(t, rec->seq, header, link)) < 0 ||
        (r = sealed_key_generation(str_of(header, SEALED_HEADER_BYTES), &generation)) < 0)
        return r;
    context_of(t, rec, generation, out);
    return 0;
}

int tempbox_unseal(struct tempbox *t, const struct temp_record *rec, const uint8_t seed[XWING_SEED_BYTES],
                   struct arrival *arrival_out, struct spool *to)
{
    struct unseal u = { .to = to, .arrival = arrival_out, .plain = { .max = SEALED_CHUNK_MAX } };
    uint8_t header[SEALED_HEADER_BYTES];
    struct sealed_context c;
    int r;

    if ((r = context_read(t, rec, header, &c)) < 0)
        return r;
    if ((r = sealed_open_next(&u.s, seed, &c, str_of(header, sizeof header), &t->opened)) == 0 &&
        (r = rows_each(t, rec->seq, unseal_row, &u)) == 0 && !sealed_complete(&u.s))
        r = E_CORRUPT;
    sealed_release(&u.s);
    buf_release(&u.plain);
    return r;
}

static int take_row(void *ctx, struct str row)
{
    return buf_puts(ctx, row);
}

int tempbox_take(struct tempbox *t, const struct temp_record *rec, struct temp_sealed *out)
{
    int r;

    if (rec->bytes > TEMP_SEALED_MAX)
        return E_TOO_BIG;
    out->chunks.max =
        TEMP_SEALED_MAX + ARRIVAL_HEAD_MAX + (TEMP_SEALED_MAX / SEALED_CHUNK_MAX + 2) * SEALED_OVERHEAD_BYTES;
    if ((r = context_read(t, rec, out->header, &out->context)) < 0)
        return r;
    r = rows_each(t, rec->seq, take_row, &out->chunks);
    return r == E_LIMIT ? E_CORRUPT : r; /* more than the record says */
}

int temp_sealed_open(const struct temp_sealed *s, const uint8_t seed[XWING_SEED_BYTES],
                     struct sealed_opened *last, struct arrival *arrival_out, struct spool *to)
{
    struct unseal u = { .to = to, .arrival = arrival_out, .plain = { .max = SEALED_CHUNK_MAX } };
    int r = sealed_open_next(&u.s, seed, &s->context, str_of(s->header, sizeof s->header), last);

    if (r == 0 && (r = unseal_row(&u, buf_str(&s->chunks))) == 0 && !sealed_complete(&u.s))
        r = E_CORRUPT;
    sealed_release(&u.s);
    buf_release(&u.plain);
    return r;
}

void temp_sealed_release(struct temp_sealed *s)
{
    buf_release(&s->chunks);
    bytes_wipe(s, sizeof *s);
}

static int delete_range(struct tempbox *t, const char *sql, uint64_t a, uint64_t b)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(t->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, a);
    stmt_bind_u64(st, 2, b);
    return stmt_run(st);
}

int tempbox_delete(struct tempbox *t, uint64_t seq)
{
    uint8_t link[SEALED_LINK_BYTES];
    uint64_t last = 0;
    int r = last_of(t, &last, link);

    t->counted = false;
    if (r == 0 && last == seq)
        r = last_set(t, seq, link); /* the chain goes on from here */
    if (r < 0)
        return r;
    r = delete_range(t, "DELETE FROM record_data WHERE id BETWEEN ?1 AND ?2", seq << ROW_SHIFT,
                     seq << ROW_SHIFT | UINT16_MAX);

    return r < 0 ? r : delete_range(t, "DELETE FROM record WHERE seq BETWEEN ?1 AND ?2", seq, seq);
}

int tempbox_count(struct tempbox *t, uint64_t *out)
{
    int64_t n = 0;
    int r = db_get_i64(t->db, "SELECT count(*) FROM record", &n);

    *out = (uint64_t)n;
    return r;
}

int tempbox_used(struct tempbox *t, uint64_t *bytes_out, uint64_t *messages_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r;

    if (!t->counted) {
        if ((r = stmt_get(t->db, "SELECT coalesce(sum(bytes), 0), count(*) FROM record", &st)) < 0 ||
            (r = stmt_step(st)) < 0)
            return r;
        t->used_bytes = stmt_u64(st, 0);
        t->used_messages = stmt_u64(st, 1);
        t->counted = true;
    }
    *bytes_out = t->used_bytes;
    *messages_out = t->used_messages;
    return 0;
}
