#include "src/store/mailbox_private.h"
#include "src/store/sql_mailbox.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/db/migrate.h"
#include "lib/db/trigram.h"

#define WAL_FRAME_BYTES 4120u
#define CACHE_WAITS_KIB 2048u

uint64_t mailbox_slice_bytes = MIB(4);

static const struct {
    struct str name;
    int use;
} default_folders[] = {
    { { "INBOX", 5 }, STORE__SPECIAL_USE__USE_NONE }, { { "Drafts", 6 }, STORE__SPECIAL_USE__USE_DRAFTS },
    { { "Sent", 4 }, STORE__SPECIAL_USE__USE_SENT },  { { "Archive", 7 }, STORE__SPECIAL_USE__USE_ARCHIVE },
    { { "Junk", 4 }, STORE__SPECIAL_USE__USE_JUNK },  { { "Trash", 5 }, STORE__SPECIAL_USE__USE_TRASH },
};

/* UIDVALIDITY begins at the time, so that a mailbox made again after a loss does not repeat one. */
static int meta_insert(struct mailbox *box, const struct mailbox_meta *m)
{
    static const char sql[] =
        "INSERT INTO meta (one, mailbox_id, generation, key_state, uidvalidity, changes, "
        "created) VALUES (1, ?1, ?2, ?3, ?4, 0, ?5)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char now[CLOCK_ISO_LEN + 1];
    int64_t ms = clock_wall_ms();
    int r = stmt_get(box->db, sql, &st);

    if (r < 0)
        return r;
    clock_iso(ms, now);
    stmt_bind_blob(st, 1, str_of(m->id, sizeof m->id));
    stmt_bind_u64(st, 2, m->generation);
    stmt_bind_blob(st, 3, m->key_state.n ? buf_str(&m->key_state) : STR(""));
    stmt_bind_i64(st, 4, (ms / 1000) & 0x7fffffff ? (ms / 1000) & 0x7fffffff : 1);
    stmt_bind_str(st, 5, str_of(now, CLOCK_ISO_LEN));
    return stmt_run(st);
}

static int fill_new(struct mailbox *box, const struct mailbox_meta *m)
{
    int64_t rows = 0;
    int r;

    if ((r = db_get_i64(box->db, "SELECT count(*) FROM meta", &rows)) < 0 || rows)
        return r;
    if ((r = mailbox_begin(box)) < 0 || (r = meta_insert(box, m)) < 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(default_folders); i++)
        if ((r = folder_make(box, default_folders[i].name, default_folders[i].use, true)) < 0)
            return r;
    r = mailbox_commit(box);
    mailbox_changes_take(box, NULL, 0);
    happenings_free(mailbox_happenings_take(box));
    return r;
}

static int settle(struct mailbox *box, const struct mailbox_options *o, const struct mailbox_meta *m)
{
    int64_t rows = 0;
    int r;

    if (box->reader || (o->flags & MAILBOX_AGAIN))
        return 0;
    if ((r = migrate_run(box->db, &sql_mailbox, o->why)) < 0)
        return r;
    if (o->flags & MAILBOX_CREATE)
        return fill_new(box, m);
    if ((r = db_get_i64(box->db, "SELECT count(*) FROM meta", &rows)) < 0)
        return r;
    return rows == 1 ? 0 : E_CORRUPT;
}

int mailbox_open(const char *path, const uint8_t key[DB_KEY_BYTES], const struct mailbox_options *o,
                 const struct mailbox_meta *meta, struct mailbox **box_out)
{
    struct mailbox *box = calloc(1, sizeof *box);
    struct db_options opt = { .cache_kib = o->cache_kib, .vfs = o->vfs, .error = o->error };
    int r;

    if (!box)
        return E_NOMEM;
    box->reader = (o->flags & MAILBOX_READER) != 0;
    box->large_cache = o->cache_kib > CACHE_WAITS_KIB;
    opt.flags = (o->flags & MAILBOX_CREATE ? (uint32_t)DB_CREATE : 0) |
                (o->flags & MAILBOX_COUNT_WAL ? (uint32_t)DB_COUNT_WAL : 0) |
                (box->reader ? (uint32_t)DB_READONLY : 0);
    if ((r = db_open(path, key, &opt, &box->db)) < 0 ||
        (!box->reader && (r = db_trigrams_once(box->db)) < 0) || (r = settle(box, o, meta)) < 0) {
        if (box->db && o->error && db_error_detail(box->db)->code)
            *o->error = *db_error_detail(box->db);
        mailbox_close(&box);
        return r;
    }
    *box_out = box;
    return 0;
}

int mailbox_open_memory(struct mailbox **box_out)
{
    struct mailbox *box = calloc(1, sizeof *box);
    struct mailbox_options o = { .flags = MAILBOX_CREATE };
    struct mailbox_meta m = { .generation = 1 };
    int r;

    if (!box)
        return E_NOMEM;
    if ((r = db_open_memory(&box->db)) < 0 || (r = db_trigrams_once(box->db)) < 0 ||
        (r = settle(box, &o, &m)) < 0) {
        mailbox_close(&box);
        return r;
    }
    *box_out = box;
    return 0;
}

static int commit_all(struct mailbox *box);

int mailbox_close(struct mailbox **boxp)
{
    struct mailbox *box = *boxp;
    int r = 0;

    *boxp = NULL;
    if (!box)
        return 0;
    mailbox_rollback(box);
    if (box->nclaims && mailbox_begin(box) == 0 && commit_all(box) < 0)
        mailbox_rollback(box);
    refs_forget(box);
    if (box->db)
        r = db_close(&box->db);
    explicit_bzero(box, sizeof *box);
    free(box);
    chunk_forget();
    return r;
}

int mailbox_settle(struct mailbox *box)
{
    int r;

    if (!box->nclaims)
        return 0;
    if ((r = mailbox_begin(box)) < 0 || (r = commit_all(box)) < 0) {
        mailbox_rollback(box);
        return r;
    }
    box->nclaims = 0;
    return 0;
}

struct db *mailbox_db(struct mailbox *box)
{
    return box->db;
}

uint32_t mailbox_wal_frames(struct mailbox *box)
{
    return db_wal_frames(box->db);
}

int mailbox_checkpoint(struct mailbox *box, uint32_t *left_out)
{
    int r;

    db_busy_ms(box->db, 50);
    r = db_checkpoint(box->db, DB_TRUNCATE, left_out);
    db_busy_ms(box->db, DB_BUSY_MS);
    return r;
}

void mailbox_shed(struct mailbox *box)
{
    refs_forget(box);
    db_shed(box->db);
}

size_t mailbox_cache_bytes(struct mailbox *box)
{
    return db_cache_bytes(box->db);
}

int mailbox_meta_get(struct mailbox *box, struct mailbox_meta *out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT mailbox_id, generation, key_state FROM meta", &st);

    if (r < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    if (!stmt_bytes(st, 0, out->id, sizeof out->id))
        return E_CORRUPT;
    out->generation = stmt_u64(st, 1);
    buf_clear(&out->key_state);
    return buf_puts(&out->key_state, stmt_str(st, 2));
}

int mailbox_commits(struct mailbox *box, uint64_t *out)
{
    int64_t n = 0;
    int r = db_get_i64(box->db, MAILBOX_COMMITS, &n);

    *out = (uint64_t)n;
    return r;
}

int mailbox_meta_set(struct mailbox *box, uint64_t generation, struct str key_state)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "UPDATE meta SET generation = ?1, key_state = ?2", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, generation);
    stmt_bind_blob(st, 2, key_state);
    return stmt_run(st);
}

/* ---- transactions ----------------------------------------------------------------------------- */

int mailbox_begin(struct mailbox *box)
{
    assert(!box->txn.db && !box->reader);
    box->rows_before = db_total_changes(box->db);
    box->counted = false;
    box->pages_before = db_pages_written(box->db);
    return txn_begin(&box->txn, box->db);
}

/* What waits in the cache is not counted: 2 MiB at most, or it is written now. What cannot be shows at the commit. */
bool mailbox_slice_full(struct mailbox *box)
{
    if (box->large_cache)
        (void)!db_cache_flush(box->db);
    return (uint32_t)(db_pages_written(box->db) - box->pages_before) * (uint64_t)WAL_FRAME_BYTES >=
           mailbox_slice_bytes;
}

bool mailbox_drops_take(struct mailbox *box)
{
    bool any = box->drops;

    box->drops = false;
    return any;
}

/* The same moment for all that is as old: what was noted before counts no more, whether it is there or not. */
static void iso_before(int64_t keep_ms, char out[CLOCK_ISO_LEN + 1])
{
    clock_iso(clock_wall_ms() - keep_ms, out);
}

/* Ids are as good as random, so what is old lies everywhere: an index by time would be a page more in every
 * commit. A slice of them is looked through each minute in which something is written, which one the time says.
 * The same for message ids of threads of which no email is left. */
static int prune(struct mailbox *box)
{
    static const struct {
        const char *sql;
        int64_t keep_ms;
        unsigned slices; /* a power of two, at most 65536 */
    } old[] = {
        { "DELETE FROM operation WHERE id >= ?1 AND id < ?2 AND at < ?3", MAILBOX_OPERATION_MS, 8 },
        { "DELETE FROM delivery WHERE id >= ?1 AND id < ?2 AND at < ?3", MAILBOX_DELIVERY_MS, 64 },
        { "DELETE FROM thread_ref WHERE ref >= ?1 AND ref < ?2 AND ?3 <> '' "
          "AND NOT EXISTS (SELECT 1 FROM email_by_thread t WHERE t.thread_id = thread_ref.thread_id) "
          "AND NOT EXISTS (SELECT 1 FROM email WHERE id > (SELECT indexed_upto FROM meta)) "
          "AND NOT EXISTS (SELECT 1 FROM unindexed WHERE state = 0)",
          0, 1024 },
    };
    int64_t now = clock_mono_ms(), minute = clock_wall_ms() / 60000;
    int r = 0;

    if (box->pruned_ms && now - box->pruned_ms < 60000)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(old) && r >= 0; i++) {
        CLEANUP(stmt_release) struct stmt *st = NULL;
        unsigned each = 65536 / old[i].slices, first = (unsigned)minute % old[i].slices * each,
                 last = first + each - 1;
        uint8_t from[2] = { (uint8_t)(first >> 8), (uint8_t)first };
        uint8_t to[MAILBOX_DELIVERY_ID_LEN + 1]; /* longer than any id */
        char before[CLOCK_ISO_LEN + 1];

        memset(to, 0xff, sizeof to);
        to[0] = (uint8_t)(last >> 8);
        to[1] = (uint8_t)last;
        iso_before(old[i].keep_ms, before);
        if ((r = stmt_get(box->db, old[i].sql, &st)) < 0)
            break;
        stmt_bind_blob(st, 1, str_of(from, first ? 2 : 0));
        stmt_bind_blob(st, 2, str_of(to, sizeof to));
        stmt_bind_str(st, 3, str_of(before, CLOCK_ISO_LEN));
        r = stmt_run(st);
    }
    box->pruned_ms = now ? now : 1;
    return r;
}

static int commit_all(struct mailbox *box)
{
    int r;

    assert(box->txn.db && !box->step.db);
    if ((r = recent_flush(box)) < 0 ||
        (!box->counted && (r = db_run(box->db, "UPDATE meta SET changes = changes + 1")) < 0))
        return r;
    return txn_commit(&box->txn);
}

/* Flags that were set already, a delivery that came before: what changed nothing costs no sync. */
int mailbox_commit(struct mailbox *box)
{
    int r = prune(box);

    if (r == 0 && db_total_changes(box->db) == box->rows_before)
        txn_end(&box->txn);
    else if (r == 0)
        r = commit_all(box);
    return r;
}

void mailbox_rollback(struct mailbox *box)
{
    savepoint_end(&box->step);
    txn_end(&box->txn);
    box->nchanges = 0;
    box->counted = box->sums.known = false;
    refs_forget(box);
    happenings_undo(box, 0);
}

void mailbox_step_bare(struct mailbox *box)
{
    assert(box->txn.db);
    box->nchanges_step = box->nchanges;
    box->nhappenings_step = box->nhappenings;
    refs_step(box);
    mailbox_by(box, NULL);
}

int mailbox_step_begin(struct mailbox *box)
{
    mailbox_step_bare(box);
    return savepoint_begin(&box->step, box->db);
}

int mailbox_step_keep(struct mailbox *box)
{
    return savepoint_keep(&box->step);
}

void mailbox_step_undo(struct mailbox *box)
{
    savepoint_end(&box->step);
    box->nchanges = size_min(box->nchanges, box->nchanges_step);
    box->counted = box->sums.known = false; /* what was raised before is counted once more, by meta */
    refs_undo(box);
    happenings_undo(box, box->nhappenings_step);
}

size_t mailbox_changes_take(struct mailbox *box, struct mailbox_change *out, size_t max)
{
    size_t n = size_min(box->nchanges, max);

    if (n)
        memcpy(out, box->changes, n * sizeof *out);
    box->nchanges = 0;
    mailbox_by(box, NULL);
    return n;
}

/* ---- object ids ------------------------------------------------------------------------------- */

/* Six bytes of time and six at random: unique, and the index grows at its end. */
void object_id_make(uint8_t out[12])
{
    uint64_t ms = (uint64_t)clock_wall_ms();

    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)(ms >> (8 * (5 - i)));
    rand_bytes(out + 6, 6);
}

struct str object_id_text(struct arena *a, char kind, struct str id)
{
    char *p = id.n == 12 ? arena_alloc(a, 26) : NULL;

    if (!p)
        return STR_NONE;
    p[0] = kind;
    hex_encode(id.p, 12, p + 1);
    return str_of(p, 25);
}

bool object_id_parse(struct str text, char kind, uint8_t out[12])
{
    return text.n == 25 && text.p[0] == kind && hex_decode(str_skip(text, 1), out, 12);
}

/* ---- recent ----------------------------------------------------------------------------------- */

static const struct recent_claim *claim_of(const struct mailbox *box, uint64_t folder_id)
{
    for (size_t i = 0; i < box->nclaims; i++)
        if (box->claims[i].folder_id == folder_id)
            return &box->claims[i];
    return NULL;
}

uint32_t recent_first(const struct mailbox *box, const struct folder *f)
{
    const struct recent_claim *c = claim_of(box, f->id);

    return c && c->uid > f->first_recent ? c->uid : f->first_recent;
}

void recent_claim(struct mailbox *box, const struct folder *f)
{
    const struct recent_claim *c = claim_of(box, f->id);

    if (!c && box->nclaims == CLAIMS_MAX) /* forget the oldest: it is recent once more */
        memmove(box->claims, box->claims + 1, --box->nclaims * sizeof box->claims[0]);
    if (!c)
        c = &box->claims[box->nclaims++];
    *(struct recent_claim *)(uintptr_t)c = (struct recent_claim){ f->id, f->uidnext };
}

int recent_flush(struct mailbox *box)
{
    static const char sql[] =
        "UPDATE folder SET first_recent_uid = ?2 WHERE id = ?1 AND first_recent_uid < ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = 0;

    if (!box->nclaims)
        return 0;
    if ((r = stmt_get(box->db, sql, &st)) < 0)
        return r;
    for (size_t i = 0; i < box->nclaims && r >= 0; i++) {
        stmt_reset(st);
        stmt_bind_u64(st, 1, box->claims[i].folder_id);
        stmt_bind_u64(st, 2, box->claims[i].uid);
        r = stmt_run(st);
    }
    return r; /* the claims stay: they are right whether this transaction commits or not */
}

/* ---- exactly once ----------------------------------------------------------------------------- */

int mailbox_operation_find(struct mailbox *box, struct str id, uint32_t op, struct buf *result)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char since[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, "SELECT op, result FROM operation WHERE id = ?1 AND at >= ?2", &st);

    if (r < 0)
        return r;
    iso_before(MAILBOX_OPERATION_MS, since);
    stmt_bind_blob(st, 1, id);
    stmt_bind_str(st, 2, str_of(since, CLOCK_ISO_LEN));
    if ((r = stmt_step(st)) <= 0)
        return r;
    if (stmt_u64(st, 0) != op)
        return E_DENIED;
    return (r = buf_puts(result, stmt_str(st, 1))) < 0 ? r : 1;
}

int mailbox_operation_note(struct mailbox *box, struct str id, uint32_t op, struct str result)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char now[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, "INSERT OR REPLACE INTO operation VALUES (?1, ?2, ?3, ?4)", &st);

    if (r < 0)
        return r;
    clock_iso(clock_wall_ms(), now);
    stmt_bind_blob(st, 1, id);
    stmt_bind_i64(st, 2, op);
    stmt_bind_str(st, 3, str_of(now, CLOCK_ISO_LEN));
    stmt_bind_blob(st, 4, result.n ? result : STR(""));
    return stmt_run(st);
}

int mailbox_delivery_find(struct mailbox *box, struct str id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char since[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, "SELECT 1 FROM delivery WHERE id = ?1 AND at >= ?2", &st);

    if (r < 0)
        return r;
    iso_before(MAILBOX_DELIVERY_MS, since);
    stmt_bind_blob(st, 1, id);
    stmt_bind_str(st, 2, str_of(since, CLOCK_ISO_LEN));
    return stmt_step(st);
}

int mailbox_delivery_note(struct mailbox *box, struct str id)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    char now[CLOCK_ISO_LEN + 1];
    int r = stmt_get(box->db, "INSERT OR REPLACE INTO delivery VALUES (?1, ?2)", &st);

    if (r < 0)
        return r;
    clock_iso(clock_wall_ms(), now);
    stmt_bind_blob(st, 1, id);
    stmt_bind_str(st, 2, str_of(now, CLOCK_ISO_LEN));
    return stmt_run(st);
}

int mailbox_drained_get(struct mailbox *box, uint64_t file_generation, uint64_t *seq_out)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db, "SELECT seq FROM drained WHERE file_generation = ?1", &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, file_generation);
    if ((r = stmt_step(st)) < 0)
        return r;
    *seq_out = r ? stmt_u64(st, 0) : 0;
    return 0;
}

int mailbox_drained_set(struct mailbox *box, uint64_t file_generation, uint64_t seq)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(box->db,
                     seq ? "INSERT OR REPLACE INTO drained VALUES (?1, ?2)"
                         : "DELETE FROM drained WHERE file_generation = ?1",
                     &st);

    if (r < 0)
        return r;
    stmt_bind_u64(st, 1, file_generation);
    if (seq)
        stmt_bind_u64(st, 2, seq);
    return stmt_run(st);
}
