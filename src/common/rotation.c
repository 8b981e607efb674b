#include "src/common/rotation.h"
#include "lib/base/arena.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/crypto/carried.h"
#include "lib/crypto/keyfile.h"
#include "lib/db/rekey.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CARRIED        "server-key.carried"
#define JOURNAL        "server-key.rotation"
#define MAGIC          "LLRO\x01\x00\x00\x00"
#define MAGIC_BYTES    8u
#define JOURNAL_BYTES  (MAGIC_BYTES + BOX_KEY_BYTES)
#define NAME_LEN       24u /* of a mailbox: the start of each of its files' names */
#define KEY_PATH_BYTES 4096u
#define SECRET_MAX     KIB(8)

/* What a visitor of one file does: look, or change. */
struct doing {
    int (*database)(const char *path, const uint8_t *old_key, const uint8_t *new_key);
    int (*keys)(struct rotation *r, const char *path);
    bool changes;
};

/* ---- subkeys ---- */

int server_subkeys(int dir, const uint8_t key[KEY_BYTES], uint8_t out[SUBKEY_PURPOSES][KEY_BYTES])
{
    CLEANUP(buf_release) struct buf file = { .max = CARRIED_BYTES_MAX };
    int r = file_read(dir, CARRIED, &file);

    for (int p = 0; p < SUBKEY_PURPOSES; p++)
        subkey_derive(key, (enum subkey_purpose)p, out[p]);
    if (r == E_NOTFOUND)
        return 0;
    return r < 0 ? r : carried_open(key, buf_str(&file), out);
}

/* ---- one file ---- */

static int database_look(const char *path, const uint8_t *old_key, const uint8_t *new_key UNUSED)
{
    return db_check_file(path, old_key);
}

static int database(struct rotation *r, const struct doing *doing, const char *path,
                    enum subkey_purpose purpose, uint64_t *count)
{
    char full[2 * ROTATION_PATH_MAX];
    uint8_t old_key[KEY_BYTES], new_key[KEY_BYTES];
    int e;

    snprintf(r->at, sizeof r->at, "%s", path);
    snprintf(full, sizeof full, "%s%s", r->prefix, path);
    subkey_derive(r->old_key, purpose, old_key);
    subkey_derive(r->new_key, purpose, new_key);
    e = doing->database(full, old_key, new_key);
    bytes_wipe(old_key, sizeof old_key);
    bytes_wipe(new_key, sizeof new_key);
    if (e >= 0)
        ++*count;
    return e == E_NOTFOUND || e > 0 ? 0 : e;
}

static int keys_load(struct rotation *r, const char *path, struct keyfile **out)
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    unsigned damage = 0;
    int e;

    snprintf(r->at, sizeof r->at, "%s", path);
    if ((e = file_read(r->dir, path, &bytes)) < 0)
        return e;
    return keyfile_parse(buf_str(&bytes), out, &damage);
}

static int keys_look(struct rotation *r, const char *path)
{
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    int e = keys_load(r, path, &kf);

    r->count.key_files += e == 0;
    return e;
}

/* 1: there was a label to seal anew. */
static int label_change(struct rotation *r, struct keyfile *kf, uint16_t id, const uint8_t old_key[KEY_BYTES],
                        const uint8_t new_key[KEY_BYTES])
{
    struct keyfile_label label;
    int e = 0;

    if (keyfile_slot_label(kf, id, old_key, &label) == 0)
        e = (e = keyfile_slot_set_label(kf, id, new_key, &label)) < 0 ? e : 1;
    else if (keyfile_slot_label(kf, id, new_key, &label) < 0)
        r->count.labels_lost++;
    bytes_wipe(&label, sizeof label);
    return e;
}

static int labels_change(struct rotation *r, struct keyfile *kf)
{
    uint8_t old_key[KEY_BYTES], new_key[KEY_BYTES];
    enum password_kind kind;
    uint16_t id;
    int e = 0, changed = 0;

    subkey_derive(r->old_key, SUBKEY_SLOT_NAMES, old_key);
    subkey_derive(r->new_key, SUBKEY_SLOT_NAMES, new_key);
    for (size_t i = 0; e >= 0 && keyfile_slot_at(kf, i, &id, &kind) == 0; i++)
        if ((e = label_change(r, kf, id, old_key, new_key)) > 0)
            changed = 1;
    bytes_wipe(old_key, sizeof old_key);
    bytes_wipe(new_key, sizeof new_key);
    return e < 0 ? e : changed;
}

/* Names and dates of slots stand beside the MAC, not under it: no password is needed. */
static int keys_change(struct rotation *r, const char *path)
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    int e;

    if ((e = keys_load(r, path, &kf)) < 0 || (e = labels_change(r, kf)) < 0)
        return e;
    if (e > 0 &&
        ((e = keyfile_serialize(kf, &bytes)) < 0 || (e = file_replace(r->dir, path, buf_str(&bytes))) < 0))
        return e;
    r->count.key_files++;
    return 0;
}

/* ---- all of them ---- */

/* A -wal that was set aside beside its database has the day behind its own name: SQLite would not find it. */
static int wal_find_home(struct rotation *r, const char *path)
{
    const char *day = strstr(path, "-wal.aside-");
    char home[ROTATION_PATH_MAX];

    snprintf(home, sizeof home, "%.*s%s-wal", (int)(day - path), path, day + strlen("-wal"));
    return file_rename(r->dir, path, home);
}

/* <24 hex>-tmp-<16 hex>.sqlite and <24 hex>.keys, live or set aside; anything else is not ours to read. */
static int mailbox_file(struct rotation *r, const struct doing *doing, const char *path, struct str name)
{
    struct str end = str_skip(name, NAME_LEN);
    ptrdiff_t aside = str_find(end, STR(".aside-"));

    if (doing->changes && str_starts(end, STR(".keys.")) && str_ends(end, STR(".tmp")))
        return file_remove(r->dir, path); /* what a crash left of a replacement: labels under the old key */
    if (doing->changes && str_find(end, STR("-wal.aside-")) >= 0)
        return wal_find_home(r, path);
    if (aside >= 0 && end.n != (size_t)aside + strlen(".aside-YYYYMMDD"))
        return 0; /* a -wal of it, or what an earlier try left beside it */
    if (aside >= 0)
        end = str_slice(end, 0, (size_t)aside);
    if (str_eq_z(end, ".keys"))
        return doing->keys(r, path);
    if (str_starts(end, STR("-tmp-")) && str_ends(end, STR(".sqlite")))
        return database(r, doing, path, SUBKEY_TEMP_OUTER, &r->count.temporaries);
    return 0;
}

/* Names first: files change them under us. -wal files that were set aside come before their databases. */
static int names_of(int dir, const char *folder, bool wals, struct arena *a, const char ***out, size_t *n_out)
{
    int fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    size_t n = 0, max = 0;
    struct dirent *e;

    if (!d) {
        r = error_from_errno(errno);
        fd_close(&fd);
        return r;
    }
    while (r == 0 && (e = readdir(d))) {
        if (e->d_name[0] == '.' || (strstr(e->d_name, "-wal.aside-") != NULL) != wals)
            continue;
        if (n == max) {
            const char **more = ARENA_ARRAY(a, 2 * max + 16, const char *);

            if (!more) {
                r = E_NOMEM;
                break;
            }
            if (n)
                memcpy(more, *out, n * sizeof *more);
            *out = more;
            max = 2 * max + 16;
        }
        if (!((*out)[n++] = arena_dupz(a, str_from(e->d_name))))
            r = E_NOMEM;
    }
    closedir(d);
    *n_out = n;
    return r;
}

static int mailbox_folder(struct rotation *r, const struct doing *doing, const char *folder, bool wals)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(64) };
    const char **names = NULL;
    size_t n = 0;
    int e = names_of(r->dir, folder, wals, &a, &names, &n);

    for (size_t i = 0; i < n && e >= 0; i++) {
        char path[ROTATION_PATH_MAX];

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        e = mailbox_file(r, doing, path, str_from(names[i]));
    }
    return e == E_NOTFOUND ? 0 : e;
}

static int mailboxes(struct rotation *r, const struct doing *doing)
{
    int e = 0;

    for (int i = 0; i < 256 && e >= 0; i++) {
        char folder[32];

        snprintf(folder, sizeof folder, "mailboxes/%02x", i);
        if (doing->changes)
            e = mailbox_folder(r, doing, folder, true);
        if (e >= 0)
            e = mailbox_folder(r, doing, folder, false);
    }
    return e;
}

/* ---- single secrets inside the queue: a box of their own under the pages ---- */

struct secret_keys {
    uint8_t page_old[KEY_BYTES], page_new[KEY_BYTES], old_key[KEY_BYTES], new_key[KEY_BYTES];
};

/* Where they stand. `find` gives id, what names it to its box (in two parts), and the box. */
static const struct secret_table {
    const char *label, *exists, *find, *put;
} secret_tables[] = {
    { "dkim", "SELECT count(*) FROM sqlite_schema WHERE name = 'dkim_key'",
      "SELECT id, domain, selector, private FROM dkim_key WHERE id > ?1 ORDER BY id LIMIT 1",
      "UPDATE dkim_key SET private = ?2 WHERE id = ?1" },
    { "webhook", "SELECT count(*) FROM sqlite_schema WHERE name = 'webhook_key'",
      "SELECT id, domain, '', private FROM webhook_key WHERE id > ?1 ORDER BY id LIMIT 1",
      "UPDATE webhook_key SET private = ?2 WHERE id = ?1" },
};

/* One key that signs, which is under the old secret, or the new one already. */
static int secret_change(struct db *db, const struct secret_keys *k, const struct secret_table *table,
                         struct stmt *row, struct str ad)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    uint8_t plain[SECRET_MAX], box[SECRET_MAX + BOX_OVERHEAD_BYTES];
    struct str old_box = stmt_str(row, 3);
    size_t n = old_box.n - BOX_OVERHEAD_BYTES;
    int e;

    if (old_box.n <= BOX_OVERHEAD_BYTES || n > sizeof plain)
        return E_CORRUPT;
    if (box_open(k->old_key, ad, old_box, plain) < 0)
        return box_open(k->new_key, ad, old_box, plain); /* an earlier try came so far */
    box_seal(k->new_key, ad, str_of(plain, n), box);
    bytes_wipe(plain, sizeof plain);
    if ((e = stmt_get(db, table->put, &st)) < 0)
        return e;
    stmt_bind_i64(st, 1, stmt_i64(row, 0));
    stmt_bind_blob(st, 2, str_of(box, n + BOX_OVERHEAD_BYTES));
    return stmt_run(st);
}

static int secrets_rewrite(struct db *db, const struct secret_keys *k, const struct secret_table *table)
{
    CLEANUP(stmt_release) struct stmt *st = NULL;
    CLEANUP(txn_end) struct txn t = { 0 };
    int64_t id = 0;
    char ad[512];
    int e;

    if ((e = stmt_get(db, table->find, &st)) < 0 || (e = txn_begin(&t, db)) < 0)
        return e;
    for (;;) {
        stmt_reset(st);
        stmt_bind_i64(st, 1, id);
        if ((e = stmt_step(st)) <= 0)
            break;
        id = stmt_i64(st, 0);
        snprintf(ad, sizeof ad, "%s %.*s %.*s", table->label, STR_ARG(stmt_str(st, 1)),
                 STR_ARG(stmt_str(st, 2)));
        if ((e = secret_change(db, k, table, st, str_from(ad))) < 0)
            break;
    }
    stmt_reset(st);
    return e < 0 ? e : txn_commit(&t);
}

static int secrets_change(struct rotation *r, const char *path)
{
    struct db_options opt = { 0 };
    struct secret_keys k;
    struct db *db = NULL;
    char full[2 * ROTATION_PATH_MAX];
    int e;

    snprintf(r->at, sizeof r->at, "%s", path);
    snprintf(full, sizeof full, "%s%s", r->prefix, path);
    subkey_derive(r->old_key, SUBKEY_QUEUE_DB, k.page_old);
    subkey_derive(r->new_key, SUBKEY_QUEUE_DB, k.page_new);
    subkey_derive(r->old_key, SUBKEY_QUEUE_SECRETS, k.old_key);
    subkey_derive(r->new_key, SUBKEY_QUEUE_SECRETS, k.new_key);
    if ((e = db_open(full, k.page_old, &opt, &db)) == E_CORRUPT)
        e = db_open(full, k.page_new, &opt, &db);
    for (size_t i = 0; i < ARRAY_LEN(secret_tables) && e == 0; i++) {
        int64_t tables = 0;

        if ((e = db_get_i64(db, secret_tables[i].exists, &tables)) == 0 && tables > 0)
            e = secrets_rewrite(db, &k, &secret_tables[i]);
    }
    db_close(&db);
    bytes_wipe(&k, sizeof k);
    return e == E_NOTFOUND ? 0 : e;
}

static int queue_part(struct rotation *r, const struct doing *doing)
{
    int e = doing->changes ? secrets_change(r, "queue.sqlite") : 0;

    return e < 0 ? e : database(r, doing, "queue.sqlite", SUBKEY_QUEUE_DB, &r->count.databases);
}

static int part_do(struct rotation *r, const struct doing *doing, enum rotation_part part)
{
    int e;

    r->count = (struct rotation_count){ 0 };
    if (part == ROTATION_DIRECTORY)
        return database(r, doing, "directory.sqlite", SUBKEY_DIRECTORY_DB, &r->count.databases);
    if (part == ROTATION_QUEUE)
        return queue_part(r, doing);
    if (part == ROTATION_JOURNAL)
        return database(r, doing, "journal.sqlite", SUBKEY_JOURNAL_DB, &r->count.databases);
    if ((e = database(r, doing, "notes.sqlite", SUBKEY_ROLLBACK_MAC, &r->count.databases)) < 0)
        return e;
    return mailboxes(r, doing);
}

int rotation_check(struct rotation *r, enum rotation_part part)
{
    static const struct doing look = { database_look, keys_look, false };

    return part_do(r, &look, part);
}

int rotation_files(struct rotation *r, enum rotation_part part)
{
    static const struct doing change = { db_rekey, keys_change, true };

    return part_do(r, &change, part);
}

/* ---- the keys themselves ---- */

static void next_path(const char *key_file, char out[KEY_PATH_BYTES])
{
    snprintf(out, KEY_PATH_BYTES, "%s.next", key_file);
}

static void journal_key(const uint8_t new_key[KEY_BYTES], uint8_t out[KEY_BYTES])
{
    kdf(out, new_key, "letterlock rotation v1", STR_NONE);
}

/* As the key file is: another user's stays his. */
static int next_write(const char *key_file, struct str text)
{
    char next[KEY_PATH_BYTES];
    struct stat st;
    int e;

    next_path(key_file, next);
    if (stat(key_file, &st) < 0)
        return error_from_errno(errno);
    if ((e = file_replace(AT_FDCWD, next, text)) < 0)
        return e;
    return geteuid() == 0 && st.st_uid != 0 && lchown(next, st.st_uid, st.st_gid) < 0
               ? error_from_errno(errno)
               : 0;
}

static int journal_write(const struct rotation *r)
{
    uint8_t p[JOURNAL_BYTES] = MAGIC, key[KEY_BYTES];

    journal_key(r->new_key, key);
    box_seal(key, STR(MAGIC), str_of(r->old_key, KEY_BYTES), p + MAGIC_BYTES);
    bytes_wipe(key, sizeof key);
    return file_replace(r->dir, JOURNAL, str_of(p, sizeof p));
}

int rotation_begin(struct rotation *r, const char *key_file)
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    int e;

    rand_bytes(r->new_key, sizeof r->new_key);
    if ((e = server_key_text(r->new_key, &text)) < 0 || (e = next_write(key_file, buf_str(&text))) < 0)
        return e;
    return journal_write(r);
}

/* Does this key open the journal? Then r has both. */
static int journal_open(struct rotation *r, struct str bytes, const uint8_t new_key[KEY_BYTES])
{
    uint8_t key[KEY_BYTES];
    int e;

    if (bytes.n != JOURNAL_BYTES || memcmp(bytes.p, MAGIC, MAGIC_BYTES) != 0)
        return E_CORRUPT;
    journal_key(new_key, key);
    e = box_open(key, STR(MAGIC), str_skip(bytes, MAGIC_BYTES), r->old_key);
    bytes_wipe(key, sizeof key);
    if (e < 0)
        return E_AUTH;
    if (r->new_key != new_key)
        memcpy(r->new_key, new_key, KEY_BYTES);
    return 1;
}

static int next_read(const char *key_file, uint8_t key_out[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    char next[KEY_PATH_BYTES];
    int e;

    next_path(key_file, next);
    return (e = file_read(AT_FDCWD, next, &text)) < 0 ? e : server_key_parse(buf_str(&text), key_out);
}

static int next_forget(const char *key_file)
{
    char next[KEY_PATH_BYTES];
    int e;

    next_path(key_file, next);
    e = file_remove(AT_FDCWD, next);
    return e == E_NOTFOUND ? 0 : e;
}

int rotation_find(struct rotation *r, const char *key_file, const uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf journal = { .max = KIB(1) };
    uint8_t next[KEY_BYTES];
    int e = file_read(r->dir, JOURNAL, &journal);

    if (e == E_NOTFOUND) /* nothing was begun: what may lie there never closed anything */
        return next_forget(key_file);
    if (e < 0)
        return e;
    if ((e = journal_open(r, buf_str(&journal), key)) > 0)
        return 1; /* the key file has the new one already */
    if (e != E_AUTH || next_read(key_file, next) < 0)
        return e;
    e = journal_open(r, buf_str(&journal), next);
    bytes_wipe(next, sizeof next);
    return e > 0 && !bytes_same(r->old_key, key, KEY_BYTES) ? E_AUTH : e;
}

static int carried_change(struct rotation *r)
{
    CLEANUP(buf_release) struct buf file = { .max = CARRIED_BYTES_MAX };
    uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES];
    int e;

    snprintf(r->at, sizeof r->at, "%s", CARRIED);
    /* Under the new key there is either no file, which says nothing, or the one that is wanted. */
    if (faccessat(r->dir, CARRIED, F_OK, 0) == 0 && server_subkeys(r->dir, r->new_key, subkeys) == 0)
        e = 0;
    else if ((e = server_subkeys(r->dir, r->old_key, subkeys)) == 0 &&
             (e = carried_seal(r->new_key, (const uint8_t(*)[KEY_BYTES])subkeys, &file)) == 0)
        e = file_replace(r->dir, CARRIED, buf_str(&file));
    bytes_wipe(subkeys, sizeof subkeys);
    return e;
}

int rotation_end(struct rotation *r, const char *key_file)
{
    char next[KEY_PATH_BYTES];
    int e;

    next_path(key_file, next);
    if ((e = carried_change(r)) < 0)
        return e;
    snprintf(r->at, sizeof r->at, "%.400s", key_file);
    e = file_rename(AT_FDCWD, next, key_file);
    if (e < 0 && e != E_NOTFOUND) /* renamed already */
        return e;
    snprintf(r->at, sizeof r->at, "%s", JOURNAL);
    return file_remove(r->dir, JOURNAL);
}
