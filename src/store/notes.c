#include "src/store/notes.h"
#include "lib/base/errors.h"
#include "lib/base/idmap.h"
#include "lib/db/migrate.h"
#include "src/store/sql_notes.h"
#include <pthread.h>

#define PENDING_MAX 100000u

struct pending {
    uint8_t id[MAILBOX_ID_LEN];
    struct note note;
};

struct notes {
    pthread_mutex_t lock;
    struct db *db;
    struct idmap pending; /* struct pending, by key_of */
};

/* Mailbox ids are random, and a mailbox has few generations: two notes under one number do not happen,
 * and if they did, the later one would be kept. */
static uint64_t key_of(const uint8_t id[MAILBOX_ID_LEN], uint64_t generation)
{
    uint64_t k;

    memcpy(&k, id, sizeof k);
    k ^= generation;
    return k ? k : 1;
}

int notes_open(const struct files *f, const uint8_t key[KEY_BYTES], struct notes **out)
{
    struct db_options opt = { .flags = DB_CREATE, .cache_kib = 128, .statements = 8 };
    struct notes *n = calloc(1, sizeof *n);
    char full[2 * FILES_PATH_MAX];
    int r;

    if (!n)
        return E_NOMEM;
    pthread_mutex_init(&n->lock, NULL);
    files_full(f, "notes.sqlite", full, sizeof full);
    if ((r = db_open(full, key, &opt, &n->db)) < 0 || (r = migrate_run(n->db, &sql_notes, NULL)) < 0) {
        notes_close(&n);
        return r;
    }
    *out = n;
    return 0;
}

static void pending_drop(struct notes *n, uint64_t key)
{
    free(idmap_take(&n->pending, key));
}

int notes_close(struct notes **np)
{
    struct notes *n = *np;
    uint64_t key;
    int r, c;

    *np = NULL;
    if (!n)
        return 0;
    r = n->db ? notes_flush(n) : 0;
    while (idmap_any(&n->pending, &key))
        pending_drop(n, key);
    idmap_release(&n->pending);
    c = n->db ? db_close(&n->db) : 0;
    pthread_mutex_destroy(&n->lock);
    free(n);
    return r < 0 ? r : c;
}

void notes_put(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], const struct note *note)
{
    uint64_t key = key_of(id, note->generation);
    struct pending *p;

    pthread_mutex_lock(&n->lock);
    p = idmap_get(&n->pending, key);
    if (!p && n->pending.n < PENDING_MAX && (p = calloc(1, sizeof *p)) != NULL &&
        idmap_put(&n->pending, key, p) < 0) {
        free(p);
        p = NULL;
    }
    if (p) {
        memcpy(p->id, id, MAILBOX_ID_LEN);
        p->note = *note;
    }
    pthread_mutex_unlock(&n->lock);
}

static int row_get(struct notes *n, const uint8_t *id, uint64_t generation, struct note *out)
{
    static const char sql[] = "SELECT seq, link FROM note WHERE mailbox_id = ?1 AND generation = ?2";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(n->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(id, MAILBOX_ID_LEN));
    stmt_bind_u64(st, 2, generation);
    if ((r = stmt_step(st)) <= 0)
        return r;
    out->generation = generation;
    out->seq = stmt_u64(st, 0);
    return stmt_bytes(st, 1, out->link, sizeof out->link) ? 1 : E_CORRUPT;
}

int notes_get(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], uint64_t generation, struct note *out)
{
    const struct pending *p;
    int r = 1;

    pthread_mutex_lock(&n->lock);
    p = idmap_get(&n->pending, key_of(id, generation));
    if (p && memcmp(p->id, id, MAILBOX_ID_LEN) == 0)
        *out = p->note;
    else
        r = row_get(n, id, generation, out);
    pthread_mutex_unlock(&n->lock);
    return r;
}

static int rows_of(struct notes *n, const uint8_t *id, uint64_t *out, size_t max)
{
    static const char sql[] =
        "SELECT generation FROM note WHERE mailbox_id = ?1 AND generation > 0 ORDER BY generation";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(n->db, sql, &st);
    size_t found = 0;

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(id, MAILBOX_ID_LEN));
    while (found < max && (r = stmt_step(st)) > 0)
        out[found++] = stmt_u64(st, 0);
    return r < 0 ? r : (int)found;
}

int notes_temps(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], uint64_t *out, size_t max)
{
    int r;

    pthread_mutex_lock(&n->lock);
    r = rows_of(n, id, out, max); /* what was not written yet is not missed either */
    pthread_mutex_unlock(&n->lock);
    return r;
}

static int run2(struct notes *n, const char *sql, const uint8_t *id, uint64_t generation)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(n->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(id, MAILBOX_ID_LEN));
    stmt_bind_u64(st, 2, generation);
    return stmt_run(st);
}

int notes_forget(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], uint64_t generation)
{
    static const char sql[] = "DELETE FROM note WHERE mailbox_id = ?1 AND generation = ?2";
    struct note ignored;
    int r;

    pthread_mutex_lock(&n->lock);
    pending_drop(n, key_of(id, generation));
    if ((r = row_get(n, id, generation, &ignored)) != 0) /* most were never written: no sync for those */
        r = run2(n, sql, id, generation);
    pthread_mutex_unlock(&n->lock);
    return r;
}

int notes_forget_mailbox(struct notes *n, const uint8_t id[MAILBOX_ID_LEN])
{
    static const char sql[] = "DELETE FROM note WHERE mailbox_id = ?1 AND generation >= ?2";
    uint64_t *keys;
    size_t count = 0;
    int r;

    pthread_mutex_lock(&n->lock);
    keys = idmap_ids(&n->pending, &count);
    for (size_t i = 0; i < count; i++)
        if (memcmp(((struct pending *)idmap_get(&n->pending, keys[i]))->id, id, MAILBOX_ID_LEN) == 0)
            pending_drop(n, keys[i]);
    free(keys);
    r = run2(n, sql, id, 0);
    pthread_mutex_unlock(&n->lock);
    return r;
}

static int row_put(struct notes *n, const struct pending *p)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO note (mailbox_id, generation, seq, link) VALUES (?1, ?2, ?3, ?4)";
    CLEANUP(stmt_release) struct stmt *st = NULL;
    int r = stmt_get(n->db, sql, &st);

    if (r < 0)
        return r;
    stmt_bind_blob(st, 1, str_of(p->id, MAILBOX_ID_LEN));
    stmt_bind_u64(st, 2, p->note.generation);
    stmt_bind_u64(st, 3, p->note.seq);
    stmt_bind_blob(st, 4, str_of(p->note.link, SEALED_LINK_BYTES));
    return stmt_run(st);
}

static int flush(struct notes *n)
{
    CLEANUP(txn_end) struct txn txn = { 0 };
    size_t count = 0;
    uint64_t *keys = idmap_ids(&n->pending, &count);
    int r = count ? keys ? txn_begin(&txn, n->db) : E_NOMEM : 0;

    for (size_t i = 0; i < count && r >= 0 && keys; i++)
        r = row_put(n, idmap_get(&n->pending, keys[i]));
    if (count && r == 0 && (r = txn_commit(&txn)) == 0)
        for (size_t i = 0; i < count; i++)
            pending_drop(n, keys[i]);
    free(keys);
    return r;
}

int notes_flush(struct notes *n)
{
    int r = 0;

    pthread_mutex_lock(&n->lock);
    if (n->pending.n)
        r = flush(n);
    pthread_mutex_unlock(&n->lock);
    return r;
}
