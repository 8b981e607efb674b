/* Power is lost at every sync point of exchanging the server key. Whoever starts next ends the exchange, and
 * then exactly one key opens everything: every file, every waiting message, every label. */
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/crypto/carried.h"
#include "src/common/rotation.h"
#include "src/store/keys.h"
#include "src/store/notes.h"
#include "test/fault/faultfs.h"
#include "test/fault/replays.h"
#include "test/fault/store_disk.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEDS 2u /* what was not synced is lost whole, and kept whole; FAULT_REPLAYS asks for mixtures too */

static char folder[64], root[128];
static uint8_t first_key[KEY_BYTES];
static uint8_t first_subkeys[SUBKEY_PURPOSES][KEY_BYTES];
static struct world waiting;

/* ---- a data folder under `first_key` -------------------------------------------------------------- */

static void key_file_of(const char *at, char out[200])
{
    snprintf(out, 200, "%s/server.key", at);
}

static void key_file_put(const char *at, const uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    char path[200];

    key_file_of(at, path);
    CHECK(server_key_text(key, &text) == 0 && file_replace(AT_FDCWD, path, buf_str(&text)) == 0);
}

static int key_file_get(const char *at, uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    char path[200];
    int r;

    key_file_of(at, path);
    return (r = file_read(AT_FDCWD, path, &text)) < 0 ? r : server_key_parse(buf_str(&text), key);
}

static void directory_make(const struct disk *d)
{
    char path[300];
    struct db *db = NULL;

    snprintf(path, sizeof path, "%sdirectory.sqlite", d->prefix);
    CHECK(db_open(path, first_subkeys[SUBKEY_DIRECTORY_DB], &(struct db_options){ .flags = DB_CREATE },
                  &db) == 0 &&
          db_run(db, "CREATE TABLE domain (id INTEGER PRIMARY KEY, name TEXT) STRICT") == 0 &&
          db_run(db, "INSERT INTO domain VALUES (7, 'example.test')") == 0 && db_close(&db) == 0);
}

static void notes_make(const struct disk *d)
{
    struct note n = { .generation = 5, .seq = 9 };
    struct notes *notes = NULL;

    CHECK(notes_open(&d->files, first_subkeys[SUBKEY_ROLLBACK_MAC], &notes) == 0);
    notes_put(notes, secrets.id[0], &n);
    CHECK(notes_close(&notes) == 0);
}

/* Two mailboxes with waiting mail; the second one also had some when it was set aside. */
static void temporary_make(const struct disk *d)
{
    struct tempbox *t = NULL;

    world_clear(&waiting);
    for (unsigned m = 0; m < 2; m++) {
        CHECK(tempbox_open(&d->files, secrets.id[m], &secrets.temp, true, &t) == 0 && tempbox_begin(t) == 0);
        for (unsigned n = 1; n < 9; n++) {
            CHECK(temp_put(t, 10 * m + n, n % 2) >= 0);
            waiting.at[TEMP_A + m][10 * m + n] = 0;
        }
        CHECK(tempbox_commit(t) == 0 && tempbox_close(&t) == 0);
    }
}

static void aside_make(const struct disk *d)
{
    char path[FILES_PATH_MAX], aside[FILES_PATH_MAX + 32];
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(4) };
    uint64_t g = 0;

    CHECK(files_temp_list(&d->files, secrets.id[1], &g, 1) == 1);
    files_temp_path(secrets.id[1], g, path);
    snprintf(aside, sizeof aside, "%s.aside-20260102", path);
    CHECK(file_read(d->files.dir, path, &bytes) == 0 &&
          file_replace(d->files.dir, aside, buf_str(&bytes)) == 0);
    files_path(secrets.id[0], FILES_KEYS, path);
    snprintf(aside, sizeof aside, "%s.aside-20260102", path);
    buf_clear(&bytes);
    CHECK(file_read(d->files.dir, path, &bytes) == 0 &&
          file_replace(d->files.dir, aside, buf_str(&bytes)) == 0);
    snprintf(aside, sizeof aside, "%s.0123456789abcdef.tmp", path);
    CHECK(file_replace(d->files.dir, aside, buf_str(&bytes)) == 0);
}

static void folder_make(void)
{
    struct disk d;

    CHECK(mkdir(root, 0700) == 0);
    disk_open(&d, root);
    rand_bytes(first_key, sizeof first_key);
    key_file_put(root, first_key);
    CHECK(server_subkeys(d.files.dir, first_key, first_subkeys) == 0);
    memcpy(secrets.temp.outer, first_subkeys[SUBKEY_TEMP_OUTER], KEY_BYTES);
    memcpy(secrets.temp.chain, first_subkeys[SUBKEY_SEALED_CHAIN_MAC], KEY_BYTES);
    memcpy(secrets.label, first_subkeys[SUBKEY_SLOT_NAMES], KEY_BYTES);
    CHECK(keyfile_slot_set_label(secrets.kf, 1, secrets.label, &(struct keyfile_label){ .name = "Phone" }) ==
          0);
    directory_make(&d);
    notes_make(&d);
    temporary_make(&d);
    CHECK(keys_save(&d.files, secrets.kf) == 0);
    aside_make(&d);
    disk_close(&d);
}

/* ---- exchanging ----------------------------------------------------------------------------------- */

static int all_files(struct rotation *r)
{
    int e = 0;

    for (int p = 0; p < ROTATION_PARTS && e == 0; p++)
        e = rotation_files(r, (enum rotation_part)p);
    return e;
}

/* As a start does: end what was begun. 0 or E_*; key_out is the one that counts. */
static int start(const struct disk *d, const char *at, uint8_t key_out[KEY_BYTES])
{
    struct rotation r = { .dir = d->files.dir, .prefix = d->prefix };
    char path[200];
    int e = key_file_get(at, key_out);

    key_file_of(at, path);
    if (e < 0 || (e = rotation_find(&r, path, key_out)) <= 0)
        return e;
    if ((e = all_files(&r)) == 0 && (e = rotation_end(&r, path)) == 0)
        memcpy(key_out, r.new_key, KEY_BYTES);
    if (e < 0)
        print_message("%s: %s\n", r.at, error_name(e));
    return e;
}

/* ---- judging -------------------------------------------------------------------------------------- */

struct seen {
    size_t bad, rotated, not_rotated;
    char first[200];
};

static void blame(struct seen *s, size_t point, const char *what, int r)
{
    if (s->bad++ == 0)
        snprintf(s->first, sizeof s->first, "point %zu: %s: %s", point, what,
                 r < 0 ? error_name(r) : "wrong");
}

static int directory_read(const struct disk *d, const uint8_t key[KEY_BYTES])
{
    struct db *db = NULL;
    char path[300];
    int64_t n = 0;
    int r;

    snprintf(path, sizeof path, "%sdirectory.sqlite", d->prefix);
    if ((r = db_open(path, key, &(struct db_options){ 0 }, &db)) < 0)
        return r;
    r = db_get_i64(db, "SELECT count(*) FROM domain WHERE id = 7 AND name = 'example.test'", &n);
    db_close(&db);
    return r < 0 ? r : n == 1 ? 0 : E_CORRUPT;
}

static int notes_read(const struct disk *d, const uint8_t key[KEY_BYTES])
{
    struct notes *notes = NULL;
    struct note n;
    int r;

    if ((r = notes_open(&d->files, key, &notes)) < 0)
        return r;
    r = notes_get(notes, secrets.id[0], 5, &n);
    notes_close(&notes);
    return r < 0 ? r : r == 1 && n.seq == 9 ? 0 : E_CORRUPT;
}

static int label_read(const struct disk *d, const char *end, const uint8_t key[KEY_BYTES])
{
    CLEANUP(buf_release) struct buf bytes = { .max = KEYFILE_BYTES_MAX };
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    struct keyfile_label label;
    char path[FILES_PATH_MAX], full[FILES_PATH_MAX + 32];
    unsigned damage = 0;
    int r;

    files_path(secrets.id[0], FILES_KEYS, path);
    snprintf(full, sizeof full, "%s%s", path, end);
    if ((r = file_read(d->files.dir, full, &bytes)) < 0 ||
        (r = keyfile_parse(buf_str(&bytes), &kf, &damage)) < 0 ||
        (r = keyfile_slot_label(kf, 1, key, &label)) < 0)
        return r;
    return damage == 0 && strcmp(label.name, "Phone") == 0 ? 0 : E_CORRUPT;
}

static int aside_read(const struct disk *d, const uint8_t key[KEY_BYTES])
{
    char path[FILES_PATH_MAX], full[4 * FILES_PATH_MAX];
    struct db *db = NULL;
    uint64_t g = 0;
    int r = files_temp_list(&d->files, secrets.id[1], &g, 1);

    if (r != 1)
        return r < 0 ? r : E_NOTFOUND;
    files_temp_path(secrets.id[1], g, path);
    snprintf(full, sizeof full, "%s%s.aside-20260102", d->prefix, path);
    r = db_open(full, key, &(struct db_options){ 0 }, &db);
    db_close(&db);
    return r;
}

/* Nothing of this folder opens under these subkeys. */
static bool nothing_opens(const struct disk *d, const uint8_t sub[SUBKEY_PURPOSES][KEY_BYTES])
{
    struct tempbox_keys k;
    struct tempbox *t = NULL;

    memcpy(k.outer, sub[SUBKEY_TEMP_OUTER], KEY_BYTES);
    memcpy(k.chain, sub[SUBKEY_SEALED_CHAIN_MAC], KEY_BYTES);
    return directory_read(d, sub[SUBKEY_DIRECTORY_DB]) < 0 && notes_read(d, sub[SUBKEY_ROLLBACK_MAC]) < 0 &&
           tempbox_open(&d->files, secrets.id[0], &k, false, &t) < 0 &&
           tempbox_open(&d->files, secrets.id[1], &k, false, &t) < 0 &&
           aside_read(d, sub[SUBKEY_TEMP_OUTER]) < 0 && label_read(d, "", sub[SUBKEY_SLOT_NAMES]) < 0 &&
           label_read(d, ".aside-20260102", sub[SUBKEY_SLOT_NAMES]) < 0;
}

static bool carried_held(const uint8_t sub[SUBKEY_PURPOSES][KEY_BYTES])
{
    for (int p = 0; p < SUBKEY_PURPOSES; p++)
        if (subkey_is_carried((enum subkey_purpose)p) && memcmp(sub[p], first_subkeys[p], KEY_BYTES) != 0)
            return false;
    return true;
}

static bool left_behind(const struct disk *d)
{
    static const char *const names[] = { "server.key.next", "server-key.rotation" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (faccessat(d->files.dir, names[i], F_OK, 0) == 0)
            return true;
    return false;
}

static void open_everything(const struct disk *d, const uint8_t key[KEY_BYTES], size_t point, struct seen *s)
{
    uint8_t sub[SUBKEY_PURPOSES][KEY_BYTES];
    struct world w;
    int r;

    world_clear(&w);
    if ((r = server_subkeys(d->files.dir, key, sub)) < 0)
        blame(s, point, "carried subkeys", r);
    memcpy(secrets.temp.outer, sub[SUBKEY_TEMP_OUTER], KEY_BYTES);
    memcpy(secrets.temp.chain, sub[SUBKEY_SEALED_CHAIN_MAC], KEY_BYTES);
    if (!carried_held((const uint8_t(*)[KEY_BYTES])sub))
        blame(s, point, "a carried subkey", 0);
    if ((r = directory_read(d, sub[SUBKEY_DIRECTORY_DB])) < 0)
        blame(s, point, "directory", r);
    if ((r = notes_read(d, sub[SUBKEY_ROLLBACK_MAC])) < 0)
        blame(s, point, "notes", r);
    if ((r = temps_read(d, 0, &w)) < 0 || (r = temps_read(d, 1, &w)) < 0 || !world_same(&w, &waiting))
        blame(s, point, "waiting mail", r);
    if ((r = aside_read(d, sub[SUBKEY_TEMP_OUTER])) < 0)
        blame(s, point, "what was set aside", r);
    if ((r = label_read(d, "", sub[SUBKEY_SLOT_NAMES])) < 0 ||
        (r = label_read(d, ".aside-20260102", sub[SUBKEY_SLOT_NAMES])) < 0)
        blame(s, point, "label", r);
}

static void check(const char *at, size_t point, void *ctx)
{
    uint8_t key[KEY_BYTES], now[KEY_BYTES];
    struct seen *s = ctx;
    struct disk d;
    int r;

    disk_open(&d, at);
    if ((r = start(&d, at, key)) < 0)
        blame(s, point, "starting", r);
    else if (left_behind(&d) || key_file_get(at, now) < 0 || memcmp(now, key, KEY_BYTES) != 0)
        blame(s, point, "what it left behind", 0);
    else {
        bool same = memcmp(key, first_key, KEY_BYTES) == 0;

        open_everything(&d, key, point, s);
        if (!same && !nothing_opens(&d, (const uint8_t(*)[KEY_BYTES])first_subkeys))
            blame(s, point, "the old key opens something", 0);
        s->rotated += !same;
        s->not_rotated += same;
        if (same && faultfs_acked(point, NULL) > 0)
            blame(s, point, "it was done, and is not", 0);
    }
    disk_close(&d);
}

static void test_power_loss(void **state UNUSED)
{
    struct rotation r;
    struct seen seen = { 0 };
    struct disk d;
    char path[200];
    size_t n;

    folder_make();
    disk_open(&d, root);
    key_file_of(root, path);
    r = (struct rotation){ .dir = d.files.dir, .prefix = d.prefix };
    memcpy(r.old_key, first_key, KEY_BYTES);
    faultfs_start(root);
    CHECK(rotation_check(&r, ROTATION_DIRECTORY) == 0 && rotation_check(&r, ROTATION_STORE) == 0);
    CHECK(r.count.databases == 1 && r.count.temporaries == 3 && r.count.key_files == 2);
    CHECK(rotation_begin(&r, path) == 0 && all_files(&r) == 0 && rotation_end(&r, path) == 0);
    CHECK(r.count.labels_lost == 0);
    faultfs_ack(1);
    faultfs_stop();
    disk_close(&d);
    n = faultfs_replay(folder, replays_each(SEEDS), check, &seen);
    print_message("exchange: %zu replays at %zu points: %zu before it, %zu after; %zu bad%s%s\n", n,
                  faultfs_points(), seen.not_rotated, seen.rotated, seen.bad, seen.bad ? "; first: " : "",
                  seen.first);
    replays_tell("server key", n, replays_each(SEEDS));
    CHECK(n >= 200 && seen.bad == 0 && seen.rotated && seen.not_rotated);
    faultfs_remove_tree(root);
}

/* ---- what stops it --------------------------------------------------------------------------------- */

static void test_refuses_what_is_damaged(void **state UNUSED)
{
    struct rotation r;
    struct disk d;
    uint8_t other[KEY_BYTES];
    char path[200];
    int fd;

    folder_make();
    disk_open(&d, root);
    key_file_of(root, path);
    r = (struct rotation){ .dir = d.files.dir, .prefix = d.prefix };
    memcpy(r.old_key, first_key, KEY_BYTES);
    CHECK(rotation_find(&r, path, first_key) == 0);
    fd = openat(d.files.dir, "notes.sqlite", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, "damage", 6, 5000) == 6 && close(fd) == 0);
    CHECK(rotation_check(&r, ROTATION_STORE) == E_CORRUPT && strcmp(r.at, "notes.sqlite") == 0);
    CHECK(!left_behind(&d));
    /* begun, and then somebody puts in a third key */
    CHECK(rotation_begin(&r, path) == 0);
    rand_bytes(other, sizeof other);
    CHECK(rotation_find(&r, path, other) == E_AUTH);
    CHECK(rotation_find(&r, path, first_key) == 1 && memcmp(r.old_key, first_key, KEY_BYTES) == 0);
    disk_close(&d);
    faultfs_remove_tree(root);
}

static int setup(void **state UNUSED)
{
    CHECK(scratch_make(folder, sizeof folder) == 0 && db_init() == 0);
    snprintf(root, sizeof root, "%s/data", folder);
    secrets_make();
    return 0;
}

static int teardown(void **state UNUSED)
{
    secrets_release();
    faultfs_remove_tree(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_loss),
        cmocka_unit_test(test_refuses_what_is_damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
