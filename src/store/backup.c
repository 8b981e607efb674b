#include "src/store/backup.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/db/page_copy.h"
#include "src/store/beside.h"
#include "src/store/keybox.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INFO_MAX    KIB(4)
#define SPARE_BYTES MIB(1)
#define PAGE_BYTES  4096u
#define SLICE_BYTES KIB(256)
#define FOLDER_LEN  (2 * MAILBOX_ID_LEN)
#define PAGED_TRIES 3 /* a -wal that all begin anew while they copy */

/* ---- names ------------------------------------------------------------------------------------- */

static void folder_name(const uint8_t mailbox[MAILBOX_ID_LEN], char out[FOLDER_LEN + 1])
{
    hex_encode(mailbox, MAILBOX_ID_LEN, out);
}

void backup_name(const uint8_t mailbox[MAILBOX_ID_LEN], const uint8_t id[BACKUP_ID_LEN], const char *end,
                 char out[TARGET_NAME_MAX])
{
    char folder[FOLDER_LEN + 1], text[BACKUP_TEXT_LEN + 1];

    folder_name(mailbox, folder);
    backup_id_text(id, text);
    snprintf(out, TARGET_NAME_MAX, "%s/%s%s", folder, text, end);
}

static void keys_name(const uint8_t mailbox[MAILBOX_ID_LEN], char out[TARGET_NAME_MAX])
{
    char folder[FOLDER_LEN + 1];

    folder_name(mailbox, folder);
    snprintf(out, TARGET_NAME_MAX, "%s/keys", folder);
}

/* ---- stopping ---------------------------------------------------------------------------------- */

void backup_stop_init(struct backup_stop *s)
{
    *s = (struct backup_stop){ .stop = false };
    pthread_mutex_init(&s->lock, NULL);
}

void backup_stop_now(struct backup_stop *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    if (s->db)
        db_interrupt(s->db);
    pthread_mutex_unlock(&s->lock);
}

/* NULL: nothing runs. E_CANCELED when it is to stop. */
static int running(struct backup_stop *s, struct db *db)
{
    int r;

    pthread_mutex_lock(&s->lock);
    s->db = db;
    r = s->stop ? E_CANCELED : 0;
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* ---- which there are --------------------------------------------------------------------------- */

struct listing {
    struct target *target;
    const uint8_t *mailbox;
    struct backup_info *list;
    size_t n;
};

static int info_load(struct target *t, const char *name, struct backup_info *out)
{
    CLEANUP(buf_release) struct buf text = { .max = INFO_MAX };
    int64_t n = target_get(t, name, 0, INFO_MAX, &text);

    return n < 0 ? (int)n : backup_info_parse(buf_str(&text), out);
}

static int list_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct listing *l = ctx;
    char want[TARGET_NAME_MAX];
    struct backup_info *i = &l->list[l->n];
    int r;

    if (l->n == BACKUPS_MAX || !str_ends(str_from(name), STR(".info")))
        return 0;
    if ((r = info_load(l->target, name, i)) <
        0) /* damaged, or of a newer program; but not: away for a moment */
        return r == E_CORRUPT || r == E_VERSION || r == E_NOTFOUND || r == E_LIMIT ? 0 : r;
    backup_name(l->mailbox, i->id, ".info", want); /* it is of this mailbox, and of no other backup */
    if (strcmp(name, want) == 0 && memcmp(i->mailbox, l->mailbox, MAILBOX_ID_LEN) == 0)
        l->n++;
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct backup_info *x = a, *y = b;

    return x->taken_ms != y->taken_ms ? (x->taken_ms < y->taken_ms ? 1 : -1)
                                      : memcmp(x->id, y->id, sizeof x->id);
}

int backup_list(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], struct backup_info **out)
{
    struct listing l = { .target = t, .mailbox = mailbox };
    char folder[FOLDER_LEN + 1];
    int r;

    if (!(l.list = calloc(BACKUPS_MAX, sizeof *l.list)))
        return E_NOMEM;
    folder_name(mailbox, folder);
    if ((r = target_list(t, folder, list_visit, &l)) < 0) {
        free(l.list);
        return r;
    }
    qsort(l.list, l.n, sizeof *l.list, newest_first);
    *out = l.list;
    return (int)l.n;
}

int backup_find(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], const uint8_t id[BACKUP_ID_LEN],
                struct backup_info *out)
{
    char name[TARGET_NAME_MAX];
    int r;

    backup_name(mailbox, id, ".info", name);
    if ((r = info_load(t, name, out)) < 0)
        return r;
    return memcmp(out->id, id, BACKUP_ID_LEN) == 0 && memcmp(out->mailbox, mailbox, MAILBOX_ID_LEN) == 0
               ? 0
               : E_CORRUPT;
}

/* ---- keys -------------------------------------------------------------------------------------- */

static pthread_mutex_t keys_lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock from reading to writing: what is written last was read last. */
static int keys_exchange(struct target *t, const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                         bool first)
{
    CLEANUP(buf_release) struct buf here = { .max = KEYFILE_BYTES_MAX }, there = { .max = KEYFILE_BYTES_MAX };
    char path[FILES_PATH_MAX], name[TARGET_NAME_MAX];
    int64_t n;
    int r;

    files_path(mailbox, FILES_KEYS, path);
    keys_name(mailbox, name);
    n = target_get(t, name, 0, KEYFILE_BYTES_MAX, &there);
    if (n < 0 && !(n == E_NOTFOUND && first))
        return n == E_NOTFOUND ? 0 : (int)n;
    if ((r = file_read(f->dir, path, &here)) < 0)
        return r;
    if (n >= 0 && str_eq(buf_str(&here), buf_str(&there)))
        return 0;
    return (r = target_replace(t, name, buf_str(&here))) < 0 ? r : 1;
}

int backup_keys_put(struct target *t, const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    int r;

    pthread_mutex_lock(&keys_lock);
    r = keys_exchange(t, f, mailbox, false);
    pthread_mutex_unlock(&keys_lock);
    return r;
}

int backup_keys_put_first(struct target *t, const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    int r;

    pthread_mutex_lock(&keys_lock);
    r = keys_exchange(t, f, mailbox, true);
    pthread_mutex_unlock(&keys_lock);
    return r;
}

int backup_keys_get(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], struct buf *out)
{
    char name[TARGET_NAME_MAX];
    int64_t n;

    keys_name(mailbox, name);
    return (n = target_get(t, name, 0, KEYFILE_BYTES_MAX, out)) < 0 ? (int)n : 0;
}

struct put_all {
    struct target *target;
    const struct files *files;
    int replaced;
};

static int put_all_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct put_all *p = ctx;
    uint8_t id[MAILBOX_ID_LEN];
    int r;

    if (!hex_decode(str_from(name), id, sizeof id))
        return 0;
    r = backup_keys_put(p->target, p->files, id);
    p->replaced += r > 0;
    return r == E_NOTFOUND ? 0 : r; /* the mailbox is not here: its backups stay */
}

int backup_keys_put_all(struct target *t, const struct files *f)
{
    struct put_all p = { t, f, 0 };
    int r = target_list(t, "", put_all_visit, &p);

    return r < 0 ? r : p.replaced;
}

/* Is `.keys` here the one that this data key opens? A backup without it would be lost. */
static int keys_belong(struct backup_take *b)
{
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    struct keyfile_keys keys = { 0 };
    enum password_kind kind;
    uint16_t slot;
    int r;

    if ((r = keys_load(b->files, b->mailbox, &kf)) < 0 || (r = keyfile_slot_at(kf, 0, &slot, &kind)) < 0)
        return r;
    r = keyfile_open_key(kf, b->generation, b->key, slot, &keys);
    keyfile_keys_release(&keys);
    return r == E_AUTH ? E_CORRUPT : r;
}

static int keys_put_first(struct backup_take *b)
{
    int r = keys_belong(b);

    if (r < 0)
        return r == E_STALE ? E_BUSY : r; /* rotated just now */
    pthread_mutex_lock(&keys_lock);
    r = keys_exchange(b->target, b->files, b->mailbox, true);
    pthread_mutex_unlock(&keys_lock);
    return r < 0 ? r : 0;
}

/* ---- taking one -------------------------------------------------------------------------------- */

static int source_open(struct backup_take *b, struct db **out)
{
    struct db_options o = { .flags = b->attached ? (uint32_t)DB_OWN_CHECKPOINTS : 0,
                            .cache_kib = 2048,
                            .statements = 8,
                            .error = &b->error };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];

    files_path(b->mailbox, FILES_MAILBOX, path);
    files_full(b->files, path, full, sizeof full);
    return db_open(full, b->key, &o, out);
}

static int failed(struct backup_take *b, struct db *db, int r)
{
    if (r < 0 && db && db_error_detail(db)->code)
        b->error = *db_error_detail(db);
    return r;
}

static int pages_run(void *ctx)
{
    return page_copy_run(ctx);
}

/* The snapshot's own pages, by two threads. E_STALE: not this way; E_BUSY: once more. */
static int pages_copy(struct backup_take *b, struct db *snapshot, const char *path)
{
    struct page_copy *c = NULL;
    struct beside *other;
    int ran, ended, r = page_copy_begin(snapshot, b->key, path, &b->stop.stop, &c);

    if (r < 0)
        return r;
    other = beside_begin(b->beside, pages_run, c);
    r = page_copy_run(c);
    ran = beside_end(&other, pages_run, c);
    ended = page_copy_end(&c); /* which knows it all, and may know better */
    return ended < 0 ? ended : r < 0 ? r : ran;
}

/* Row by row, what is free left out, on a handle of its own. */
static int rows_copy(struct backup_take *b, const char *path)
{
    struct db *db = NULL;
    int r = source_open(b, &db), c;

    if (r < 0)
        return r;
    if ((r = running(&b->stop, db)) == 0)
        r = db_copy(db, path, b->key);
    if (running(&b->stop, NULL) < 0)
        r = E_CANCELED;
    failed(b, db, r);
    c = db_close(&db);
    return r < 0 ? r : c;
}

static int copy_make(struct backup_take *b, struct db *snapshot, const char *path, uint64_t room)
{
    int64_t pages = 0;
    int r = failed(b, snapshot, db_get_i64(snapshot, "PRAGMA page_count", &pages));

    if (r < 0 || room < (uint64_t)pages * PAGE_BYTES + SPARE_BYTES)
        return r < 0 ? r : E_FULL;
    b->paged = true;
    r = E_BUSY;
    for (int i = 0; i < PAGED_TRIES && r == E_BUSY; i++)
        r = pages_copy(b, snapshot, path);
    if (r != E_STALE && r != E_BUSY)
        return r;
    b->paged = false;
    return rows_copy(b, path);
}

static int copy_is_of(struct db *copy, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t id[MAILBOX_ID_LEN];
    int r;

    if ((r = stmt_get(copy, "SELECT mailbox_id FROM meta", &st)) < 0 || (r = stmt_step(st)) <= 0)
        return r < 0 ? r : E_CORRUPT;
    return stmt_bytes(st, 0, id, sizeof id) && memcmp(id, mailbox, sizeof id) == 0 ? 0 : E_CORRUPT;
}

/* Opened anew, every page read under its key; and, row by row and of the same moment as our snapshot, which nobody may
 * have written behind, it has as much of everything. */
static int copy_check(struct backup_take *b, struct db *snapshot, uint64_t changes, const char *path)
{
    struct db_options o = { .flags = DB_READONLY, .cache_kib = 2048, .statements = 8, .error = &b->error };
    struct db *copy = NULL;
    int64_t now = 0;
    int r = db_open(path, b->key, &o, &copy), c;

    if (r < 0)
        return r;
    if ((r = running(&b->stop, copy)) == 0 && (r = db_verify(copy, NULL)) == 0 &&
        (r = copy_is_of(copy, b->mailbox)) == 0 && (r = db_get_i64(copy, MAILBOX_COMMITS, &now)) == 0 &&
        (uint64_t)now == changes && !b->paged)
        r = keybox_compare(snapshot, copy); /* VACUUM goes row by row; who copies pages leaves none out */
    b->info.changes = (uint64_t)now;
    failed(b, copy, r);
    if (running(&b->stop, NULL) < 0)
        r = E_CANCELED;
    c = db_close(&copy);
    return r < 0 ? r : c;
}

/* On its way to the disk, and hashed, by another thread while it is checked on ours: nobody writes to it any more. */
struct hashing {
    struct backup_take *b;
    const char *path;
};

static int copy_hash(void *ctx)
{
    const struct hashing *h = ctx;
    struct backup_take *b = h->b;
    CLEANUP(fd_close)
    int fd = file_ops()->openat(AT_FDCWD, h->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    char *slice = fd >= 0 ? malloc(SLICE_BYTES) : NULL;
    struct filehash hash;
    ssize_t n = -1;

    if (slice && file_ops()->fsync(fd) < 0) {
        free(slice);
        return error_from_errno(errno);
    }
    filehash_begin(&hash, b->info.hashed);
    b->info.bytes = 0;
    while (slice && (n = read(fd, slice, SLICE_BYTES)) > 0) {
        filehash_add(&hash, str_of(slice, (size_t)n));
        b->info.bytes += (uint64_t)n;
        if (__atomic_load_n(&b->stop.stop, __ATOMIC_RELAXED))
            break;
    }
    filehash_end(&hash, b->info.hash);
    free(slice);
    return n == 0 ? 0 : n > 0 ? E_CANCELED : fd >= 0 && !slice ? E_NOMEM : E_IO;
}

static int copy_check_and_hash(struct backup_take *b, struct db *snapshot, uint64_t changes, const char *path)
{
    struct hashing h = { b, path };
    struct beside *other = beside_begin(b->beside, copy_hash, &h);
    int r = copy_check(b, snapshot, changes, path), hashed = beside_end(&other, copy_hash, &h);

    return r < 0 ? r : hashed;
}

static int put(struct backup_take *b, const char *name)
{
    CLEANUP(buf_release) struct buf text = { .max = INFO_MAX };
    char info[TARGET_NAME_MAX];
    int r;

    backup_name(b->mailbox, b->info.id, ".info", info);
    if ((r = backup_info_text(&b->info, b->key, b->service, &text)) < 0 ||
        (r = target_put(b->target, name, &b->stop.stop)) < 0)
        return r;
    return target_replace(b->target, info, buf_str(&text));
}

static int take(struct backup_take *b, struct db *snapshot, uint64_t changes)
{
    char path[TARGET_PATH_MAX], name[TARGET_NAME_MAX];
    uint64_t room = 0;
    int r;

    backup_name(b->mailbox, b->info.id, ".sqlite", name);
    if ((r = keys_put_first(b)) < 0 || (r = target_stage(b->target, name, path, &room)) < 0)
        return r;
    if ((r = copy_make(b, snapshot, path, room)) < 0 ||
        (r = copy_check_and_hash(b, snapshot, changes, path)) < 0 || (r = put(b, name)) < 0)
        target_unstage(b->target, name);
    return r;
}

/* ---- which stay -------------------------------------------------------------------------------- */

/* Those that count: what is newest, and what is too old, nobody else says. */
static bool counts(struct backup_take *b, const struct backup_info *i)
{
    bool data = i->generation == b->generation;
    bool ours =
        (b->service && backup_info_ours(i, b->service)) || (data && backup_info_verify(i, b->key) == 0);

    b->strangers += !ours && (data || i->has_service);
    return ours;
}

static int list_ours(struct backup_take *b, struct backup_info **out)
{
    int n = backup_list(b->target, b->mailbox, out), ours = 0;

    b->strangers = 0;
    for (int i = 0; i < n; i++)
        if (counts(b, &(*out)[i]))
            (*out)[ours++] = (*out)[i];
    return n < 0 ? n : ours;
}

/* Its .info first: whoever still sees that finds the file, and a file without it is cleared some time. */
static int backup_drop(struct target *t, const struct backup_info *i)
{
    static const char *const ends[] = { ".info", ".sqlite" };
    char name[TARGET_NAME_MAX];
    int r = 0;

    for (size_t k = 0; k < ARRAY_LEN(ends) && r == 0; k++) {
        backup_name(i->mailbox, i->id, ends[k], name);
        if ((r = target_delete(t, name)) == E_NOTFOUND)
            r = 0;
    }
    return r;
}

static int prune(struct backup_take *b)
{
    struct backup_info *list = NULL;
    int n = list_ours(b, &list), r = n < 0 ? n : 0;
    int64_t taken[BACKUPS_MAX];
    bool keep[BACKUPS_MAX];

    for (int i = 0; i < n; i++)
        taken[i] = list[i].taken_ms;
    backup_rule_apply(&b->rule, taken, n > 0 ? (size_t)n : 0, keep);
    for (int i = 0; i < n && r == 0; i++)
        if (!keep[i])
            r = backup_drop(b->target, &list[i]);
    free(list);
    return r;
}

struct leftovers {
    struct target *target;
    const struct backup_info *list;
    int n;
};

/* What cannot be understood or asked for now has one, too. */
static bool has_info(struct target *t, struct str file)
{
    CLEANUP(buf_release) struct buf text = { .max = INFO_MAX };
    char info[TARGET_NAME_MAX];

    if (!str_ends(file, STR(".sqlite")))
        return false;
    snprintf(info, sizeof info, "%.*s.info", (int)(file.n - (sizeof ".sqlite" - 1)), file.p);
    return target_get(t, info, 0, 1, &text) != E_NOTFOUND;
}

/* A file without its .info, or what was staged: a crash left it, since one backup of a mailbox runs at a time. */
static int leftover_visit(void *ctx, const char *name, uint64_t bytes UNUSED)
{
    struct leftovers *l = ctx;
    struct str s = str_from(name);
    int r;

    for (int i = 0; i < l->n; i++) {
        char own[TARGET_NAME_MAX];

        backup_name(l->list[i].mailbox, l->list[i].id, ".", own);
        if (str_starts(s, str_from(own)) && !str_ends(s, STR(".part")))
            return 0;
    }
    if (str_ends(s, STR("/keys")) || str_ends(s, STR(".info")) || has_info(l->target, s))
        return 0;
    return (r = target_delete(l->target, name)) == E_NOTFOUND ? 0 : r;
}

static int leftovers_clear(struct backup_take *b, const struct backup_info *list, int n)
{
    struct leftovers l = { b->target, list, n };
    char folder[FOLDER_LEN + 1];
    int r;

    folder_name(b->mailbox, folder);
    r = target_list(b->target, folder, leftover_visit, &l);
    return r < 0 ? r : target_sweep(b->target, folder);
}

/* ---- all of it --------------------------------------------------------------------------------- */

/* 1: there is something new. */
static int look(struct backup_take *b, uint64_t changes)
{
    struct backup_info *list = NULL;
    int n = list_ours(b, &list), r = n < 0 ? n : leftovers_clear(b, list, n);
    bool same = n > 0 && list[0].changes == changes && list[0].generation == b->generation &&
                backup_info_verify(&list[0], b->key) == 0;

    same |= n > 0 && b->min_age_ms && b->now_ms - list[0].taken_ms < b->min_age_ms;
    if (r == 0 && same) {
        b->info = list[0];
        if ((r = backup_keys_put(b->target, b->files, b->mailbox)) >= 0)
            r = prune(b); /* whoever made it may have died before */
    }
    free(list);
    return r < 0 ? r : !same;
}

static void info_begin(struct backup_take *b)
{
    struct backup_info i = { .taken_ms = b->now_ms, .generation = b->generation, .hashed = FILEHASH_SHA256 };

    rand_bytes(i.id, sizeof i.id);
    i.id[6] = (uint8_t)((i.id[6] & 0x0f) | 0x40); /* RFC 9562 5.4 */
    i.id[8] = (uint8_t)((i.id[8] & 0x3f) | 0x80);
    memcpy(i.mailbox, b->mailbox, sizeof i.mailbox);
    b->info = i;
}

int backup_take(struct backup_take *b)
{
    struct db *snapshot = NULL;
    struct txn txn = { 0 };
    int64_t changes = 0;
    int r, c;

    if ((r = source_open(b, &snapshot)) == 0 && (r = txn_begin_read(&txn, snapshot)) == 0 &&
        (r = failed(b, snapshot, db_get_i64(snapshot, MAILBOX_COMMITS, &changes))) == 0 &&
        (r = look(b, (uint64_t)changes)) > 0) {
        info_begin(b);
        if ((r = take(b, snapshot, (uint64_t)changes)) == 0)
            r = (c = prune(b)) < 0 ? c : 1;
    }
    txn_end(&txn);
    if (r > 0 && b->attached && (c = db_checkpoint(snapshot, DB_PASSIVE, NULL)) < 0 && c != E_BUSY)
        r = c; /* what grew while we read goes into the file here, not in the mailbox's lane */
    if (db_close(&snapshot) < 0)
        r = r < 0 ? r : E_IO;
    return r;
}

/* ---- all gone ---------------------------------------------------------------------------------- */

int backup_remove_keys(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], backup_told *told, void *ctx)
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    char name[TARGET_NAME_MAX];
    int64_t n;
    int r;

    keys_name(mailbox, name);
    n = target_get(t, name, 0, KEYFILE_BYTES_MAX, &bytes); /* for the receipt */
    if ((r = target_delete(t, name)) == 0 && told)
        told(ctx, name, n > 0 ? (uint64_t)n : 0);
    return r == E_NOTFOUND ? 0 : r < 0 ? r : 1;
}

int backup_remove_all(struct target *t, const uint8_t mailbox[MAILBOX_ID_LEN], backup_told *told, void *ctx)
{
    int keys = backup_remove_keys(t, mailbox, told, ctx), r;
    char folder[FOLDER_LEN + 1];

    folder_name(mailbox, folder);
    if (keys < 0 || (r = target_purge(t, folder, told, ctx)) < 0)
        return keys < 0 ? keys : r;
    return keys + r;
}
