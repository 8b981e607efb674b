/* Power is lost at every sync point of restoring a backup, of undoing and of confirming that: whoever starts next finds
 * the mailbox as it was or as it was restored, never anything else, and what is not in place is kept aside. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "src/store/restore.h"
#include "test/fault/faultfs.h"
#include "test/fault/replays.h"
#include "test/fault/store_disk.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SEEDS 2u
#define NOW   INT64_C(1787054400000)

static char folder[64], root[128];
static struct backup_info backup; /* with three messages; the mailbox has five */

enum { BEFORE = 5, BACKED = 3 };

static void message_add(const struct disk *d, unsigned n)
{
    struct mailbox *box = NULL;
    uint32_t uid;

    CHECK(box_open_data(d, &box) == 0 && box_append(box, n, INBOX, 0, &uid) == 0 && mailbox_close(&box) == 0);
}

static struct target *target_of(const struct disk *d)
{
    struct target *t = NULL;
    char full[300];

    snprintf(full, sizeof full, "%sbackups", d->prefix);
    CHECK(target_folder_open(d->files.dir, "backups", full, &t) == 0);
    return t;
}

static void begin(struct disk *d)
{
    struct backup_take b = { .key = secrets.keys.data_key,
                             .generation = secrets.keys.generation,
                             .now_ms = NOW };
    struct mailbox *box = NULL;

    CHECK(file_mkdir(AT_FDCWD, root) == 0);
    disk_open(d, root);
    CHECK(box_make(d, &box) == 0 && mailbox_close(&box) == 0);
    for (unsigned n = 1; n <= BACKED; n++)
        message_add(d, n);
    b.files = &d->files;
    b.target = target_of(d);
    memcpy(b.mailbox, secrets.id[0], sizeof b.mailbox);
    backup_stop_init(&b.stop);
    CHECK(backup_take(&b) == 1);
    backup = b.info;
    target_close(&b.target);
    for (unsigned n = BACKED + 1; n <= BEFORE; n++)
        message_add(d, n);
}

static int place(const struct disk *d)
{
    struct restore_note note = { .at_ms = NOW, .generation = 1 };
    struct backup_stop stop = { .stop = false };
    struct target *t = target_of(d);
    int r = restore_fetch(&d->files, t, &backup, &stop);

    target_close(&t);
    memcpy(note.backup, backup.id, sizeof note.backup);
    if (r == 0)
        r = restore_check_same(&d->files, secrets.id[0], secrets.keys.data_key, &stop);
    return r < 0 ? r : restore_place(&d->files, secrets.id[0], &note);
}

static int count(struct db *db)
{
    int64_t n = -1;

    return db_verify(db, NULL) < 0 || db_get_i64(db, "SELECT count(*) FROM message", &n) < 0 ? -1 : (int)n;
}

/* Messages in a file beside the mailbox; -1: it is not there, or not whole. */
static int messages_in(const struct disk *d, enum files_kind kind)
{
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db_options o = { 0 };
    struct db *db = NULL;
    int n = -1;

    files_path(secrets.id[0], kind, path);
    files_full(&d->files, path, full, sizeof full);
    if (faccessat(d->files.dir, path, F_OK, 0) < 0 || db_open(full, secrets.keys.data_key, &o, &db) < 0)
        return -1;
    n = count(db);
    db_close(&db);
    return n;
}

static int64_t uidvalidity_of(const struct disk *d)
{
    struct mailbox *box = NULL;
    int64_t v = -1;

    if (box_open_data(d, &box) == 0 &&
        db_get_i64(mailbox_db(box), "SELECT uidvalidity FROM folder WHERE name = 'INBOX'", &v) < 0)
        v = -1;
    mailbox_close(&box);
    return v;
}

static int renew(const struct disk *d)
{
    struct restore_note note;
    struct mailbox *box = NULL;
    int r;

    if ((r = box_open_data(d, &box)) < 0 || (r = mailbox_begin(box)) < 0 ||
        (r = mailbox_renew(box, NOW + 5)) < 0 || (r = mailbox_commit(box)) < 0)
        return r;
    if ((r = mailbox_close(&box)) < 0 || (r = restore_note_get(&d->files, secrets.id[0], &note)) < 0)
        return r;
    note.step = RESTORE_RENEWED;
    return restore_note_put(&d->files, secrets.id[0], &note);
}

static int aside_count(const struct disk *d)
{
    char path[300];
    const struct dirent *e;
    int n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "%smailboxes/%02x", d->prefix, secrets.id[0][0]);
    CHECK((dir = opendir(path)) != NULL);
    while ((e = readdir(dir)) != NULL)
        n += strstr(e->d_name, "-undone-") != NULL;
    closedir(dir);
    return n;
}

static void found(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN] UNUSED, const struct restore_note *n,
                  bool went_on UNUSED)
{
    *(struct restore_note *)ctx = *n;
}

static void test_restore(void **state UNUSED)
{
    struct restore_note note;
    int64_t was;
    struct disk d;

    begin(&d);
    was = uidvalidity_of(&d);
    CHECK(restore_undo(&d.files, secrets.id[0], NOW) == E_NOTFOUND &&
          restore_confirm(&d.files, secrets.id[0]) == E_NOTFOUND);
    CHECK(place(&d) == 0 && messages_in(&d, FILES_MAILBOX) == BACKED &&
          messages_in(&d, FILES_BEFORE) == BEFORE);
    CHECK(restore_note_get(&d.files, secrets.id[0], &note) == 1 && note.step == RESTORE_PLACED &&
          memcmp(note.backup, backup.id, sizeof note.backup) == 0);
    CHECK(restore_confirm(&d.files, secrets.id[0]) ==
          E_BUSY); /* not opened yet: its UIDs would be taken for the old ones */
    CHECK(place(&d) == E_EXISTS && messages_in(&d, FILES_BEFORE) == BEFORE);
    CHECK(renew(&d) == 0 && uidvalidity_of(&d) > was);
    message_add(&d, 9);
    CHECK(restore_undo(&d.files, secrets.id[0], NOW + 9) == 0 && messages_in(&d, FILES_MAILBOX) == BEFORE);
    CHECK(uidvalidity_of(&d) == was && messages_in(&d, FILES_BEFORE) < 0 && aside_count(&d) == 1);
    CHECK(place(&d) == 0 && renew(&d) == 0 && restore_confirm(&d.files, secrets.id[0]) == 0);
    CHECK(messages_in(&d, FILES_MAILBOX) == BACKED && messages_in(&d, FILES_BEFORE) < 0);
    CHECK(restore_note_get(&d.files, secrets.id[0], &note) == 0);
    disk_close(&d);
    faultfs_remove_tree(root);
}

static void test_other_key(void **state UNUSED)
{
    struct restore_note note = { .at_ms = NOW, .generation = 1 };
    struct backup_stop stop = { .stop = false };
    struct db_options o = { 0 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    uint8_t next[KEY_BYTES];
    struct db *db = NULL;
    struct target *t;
    struct disk d;

    begin(&d);
    t = target_of(&d);
    rand_bytes(next, sizeof next);
    CHECK(restore_fetch(&d.files, t, &backup, &stop) == 0);
    CHECK(restore_check(&d.files, secrets.id[0], FILES_RESTORE, next, NULL) == E_CORRUPT);
    CHECK(restore_check_same(&d.files, secrets.id[0], next, &stop) == E_CORRUPT);
    CHECK(restore_check_same(&d.files, secrets.id[0], secrets.keys.data_key, &stop) == 0);
    CHECK(restore_check(&d.files, secrets.id[0], FILES_RESTORE, secrets.keys.data_key, next) == 0);
    CHECK(restore_place(&d.files, secrets.id[0], &note) == 0);
    files_path(secrets.id[0], FILES_MAILBOX, path);
    files_full(&d.files, path, full, sizeof full);
    CHECK(db_open(full, next, &o, &db) == 0 && count(db) == BACKED && db_close(&db) == 0);
    backup.hash[3] ^= 1;
    CHECK(restore_fetch(&d.files, t, &backup, &stop) == E_CORRUPT && messages_in(&d, FILES_RESTORE) < 0);
    target_close(&t);
    disk_close(&d);
    faultfs_remove_tree(root);
}

/* ---- power --------------------------------------------------------------------------------------- */

struct seen {
    size_t bad, old, restored;
    char first[200];
};

static void blame(struct seen *s, size_t point, const char *what, int r)
{
    if (s->bad++ == 0)
        snprintf(s->first, sizeof s->first, "point %zu: %s: %d", point, what, r);
}

/* Told so far: 0 nothing, 1 placed, 2 renewed, 3 undone, 4 placed again, 5 renewed, 6 confirmed. */
static void check(const char *at, size_t point, void *ctx)
{
    struct restore_note note = { .step = RESTORE_NONE };
    struct seen *s = ctx;
    uint64_t told = 0;
    struct disk d;
    int r, live, before;

    disk_open(&d, at);
    if ((r = restore_forward_all(&d.files, NOW + 99, found, &note)) < 0)
        blame(s, point, "start", r);
    live = messages_in(&d, FILES_MAILBOX);
    before = messages_in(&d, FILES_BEFORE);
    faultfs_acked(point, &told);
    if (live != BACKED && live != BEFORE)
        blame(s, point, "neither the one nor the other", live);
    if (note.step == RESTORE_PLACING || note.step == RESTORE_UNDOING)
        note.step = RESTORE_NONE; /* `found` hears of undoing that went on to its end */
    if (live == BEFORE && note.step != RESTORE_NONE)
        blame(s, point, "a note of nothing", (int)note.step);
    if (live == BACKED && before != BEFORE && told < 5)
        blame(s, point, "what was there is lost", before);
    if (live == BACKED && note.step == RESTORE_NONE && told < 5)
        blame(s, point, "restored, and nobody knows", 0);
    if ((told == 1 || told == 2) && live != BACKED && told == 1)
        blame(s, point, "told that it was restored", live);
    if (told == 3 && live != BEFORE && note.step == RESTORE_NONE)
        blame(s, point, "told that it was undone", live);
    if (told >= 4 && live != BACKED)
        blame(s, point, "told that it was restored again", live);
    if (live == BACKED && note.step == RESTORE_PLACED && (renew(&d) < 0))
        blame(s, point, "renewing", 0);
    s->old += live == BEFORE;
    s->restored += live == BACKED;
    disk_close(&d);
}

static void test_power_loss(void **state UNUSED)
{
    struct seen seen = { 0 };
    struct disk d;
    size_t n;

    begin(&d);
    faultfs_start(root);
    CHECK(place(&d) == 0);
    faultfs_ack(1);
    CHECK(renew(&d) == 0);
    faultfs_ack(2);
    CHECK(restore_undo(&d.files, secrets.id[0], NOW + 9) == 0);
    faultfs_ack(3);
    CHECK(place(&d) == 0);
    faultfs_ack(4);
    CHECK(renew(&d) == 0);
    faultfs_ack(5);
    CHECK(restore_confirm(&d.files, secrets.id[0]) == 0);
    faultfs_ack(6);
    faultfs_stop();
    disk_close(&d);
    n = faultfs_replay(folder, replays_each(SEEDS), check, &seen);
    print_message("restore: %zu replays at %zu points: %zu as before, %zu restored; %zu bad%s%s\n", n,
                  faultfs_points(), seen.old, seen.restored, seen.bad, seen.bad ? "; first: " : "",
                  seen.first);
    replays_tell("restore", n, replays_each(SEEDS));
    CHECK(n >= 50 && seen.bad == 0 && seen.old && seen.restored);
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
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_other_key),
        cmocka_unit_test(test_power_loss),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
