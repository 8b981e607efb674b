/* Power is lost at every sync point of backups: each backup that is listed is whole and opens, each that was
 * reported is listed, retention keeps what it should, and the next backup clears what was left. */
#include "lib/crypto/filehash.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "src/store/backup.h"
#include "test/fault/faultfs.h"
#include "test/fault/replays.h"
#include "test/fault/store_disk.h"
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY   INT64_C(86400000)
#define SEEDS 2u

static char folder[64], root[128];
static int64_t now_ms;

static struct target *target_of(const struct disk *d)
{
    struct target *t = NULL;
    char full[300];

    snprintf(full, sizeof full, "%sbackups", d->prefix);
    CHECK(target_folder_open(d->files.dir, "backups", full, &t) == 0);
    return t;
}

static int take(const struct disk *d, struct target *t, struct backup_info *out)
{
    struct backup_take b = { .files = &d->files,
                             .target = t,
                             .key = secrets.keys.data_key,
                             .generation = secrets.keys.generation,
                             .now_ms = now_ms,
                             .rule = { 2, 0, 0 } };
    int r;

    memcpy(b.mailbox, secrets.id[0], sizeof b.mailbox);
    backup_stop_init(&b.stop);
    r = backup_take(&b);
    if (out)
        *out = b.info;
    return r;
}

static void message_add(const struct disk *d, unsigned n)
{
    struct mailbox *box = NULL;
    uint32_t uid;

    CHECK(box_open_data(d, &box) == 0 && box_append(box, n, INBOX, 0, &uid) == 0 && mailbox_close(&box) == 0);
}

/* Its bytes are what .info says, it opens under the key, and it has so many messages. -1: not. */
static int messages_of(const struct disk *d, struct target *t, const struct backup_info *i)
{
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(64) };
    struct db_options o = { .flags = DB_READONLY };
    char name[TARGET_NAME_MAX], path[600];
    uint8_t hash[HASH_BYTES];
    struct filehash f;
    struct db *db = NULL;
    int64_t n = -1;

    backup_name(i->mailbox, i->id, ".sqlite", name);
    snprintf(path, sizeof path, "%sbackups/%s", d->prefix, name);
    if (target_get(t, name, 0, MIB(64), &bytes) != (int64_t)i->bytes ||
        backup_info_verify(i, secrets.keys.data_key))
        return -1;
    filehash_begin(&f, i->hashed);
    filehash_add(&f, buf_str(&bytes));
    filehash_end(&f, hash);
    if (memcmp(hash, i->hash, sizeof hash) != 0 || db_open(path, secrets.keys.data_key, &o, &db) < 0)
        return -1;
    if (db_verify(db, NULL) < 0 || db_get_i64(db, "SELECT count(*) FROM message", &n) < 0)
        n = -1;
    db_close(&db);
    return (int)n;
}

static bool keys_there(const struct disk *d, struct target *t)
{
    CLEANUP(buf_release) struct buf here = { .max = MIB(1) }, there = { .max = MIB(1) };
    char name[TARGET_NAME_MAX], path[FILES_PATH_MAX], hex[2 * MAILBOX_ID_LEN + 1];

    hex_encode(secrets.id[0], MAILBOX_ID_LEN, hex);
    snprintf(name, sizeof name, "%s/keys", hex);
    files_path(secrets.id[0], FILES_KEYS, path);
    return target_get(t, name, 0, MIB(1), &there) > 0 && file_read(d->files.dir, path, &here) == 0 &&
           str_eq(buf_str(&here), buf_str(&there));
}

static int count_visit(void *ctx, const char *name UNUSED, uint64_t bytes UNUSED)
{
    ++*(int *)ctx;
    return 0;
}

static int objects_of(struct target *t)
{
    char hex[2 * MAILBOX_ID_LEN + 1];
    int n = 0;

    hex_encode(secrets.id[0], MAILBOX_ID_LEN, hex);
    CHECK(target_list(t, hex, count_visit, &n) == 0);
    return n;
}

static void begin(struct disk *d, struct target **t)
{
    struct mailbox *box = NULL;

    now_ms = INT64_C(1787054400000);
    CHECK(file_mkdir(AT_FDCWD, root) == 0);
    disk_open(d, root);
    CHECK(box_make(d, &box) == 0 && mailbox_close(&box) == 0);
    *t = target_of(d);
}

static void end(struct disk *d, struct target **t)
{
    target_close(t);
    disk_close(d);
    faultfs_remove_tree(root);
}

static void test_backups(void **state UNUSED)
{
    struct backup_info one, two, *list = NULL;
    struct target *t;
    struct disk d;

    begin(&d, &t);
    CHECK(backup_list(t, secrets.id[0], &list) == 0);
    free(list);
    message_add(&d, 1);
    CHECK(take(&d, t, &one) == 1 && messages_of(&d, t, &one) == 1 && keys_there(&d, t) && objects_of(t) == 3);
    now_ms += DAY;
    CHECK(take(&d, t, &two) == 0 && memcmp(two.id, one.id, sizeof one.id) == 0); /* nothing has changed */
    message_add(&d, 2);
    CHECK(take(&d, t, &two) == 1 && messages_of(&d, t, &two) == 2 && objects_of(t) == 5);
    for (unsigned n = 3; n < 6; n++) {
        now_ms += DAY;
        message_add(&d, n);
        CHECK(take(&d, t, &two) == 1);
    }
    CHECK(backup_list(t, secrets.id[0], &list) == 2 && messages_of(&d, t, &list[0]) == 5 &&
          messages_of(&d, t, &list[1]) == 4 && objects_of(t) == 5);
    CHECK(backup_find(t, secrets.id[0], list[1].id, &one) == 0 && one.taken_ms == now_ms - DAY);
    free(list);
    CHECK(backup_keys_put(t, &d.files, secrets.id[0]) == 0);
    CHECK(keyfile_slot_set_label(secrets.kf, 1, secrets.label,
                                 &(struct keyfile_label){ .name = "another" }) == 0 &&
          keys_save(&d.files, secrets.kf) == 0 && !keys_there(&d, t));
    CHECK(backup_keys_put_all(t, &d.files) == 1 && keys_there(&d, t));
    CHECK(backup_remove_all(t, secrets.id[0], NULL, NULL) == 5 && objects_of(t) == 0);
    CHECK(backup_keys_put(t, &d.files, secrets.id[0]) == 0 && objects_of(t) == 0); /* without backups: none */
    end(&d, &t);
}

static void test_refuses(void **state UNUSED)
{
    struct keyfile *other = NULL, *own = secrets.kf;
    struct keyfile_keys keys = { 0 };
    uint16_t slot;
    struct target *t;
    struct disk d;
    char path[FILES_PATH_MAX];
    int fd;

    begin(&d, &t);
    message_add(&d, 1);
    /* `.keys` of another data key: a backup that nobody could open */
    CHECK(keyfile_new(secrets.id[0], &other, &keys) == 0 &&
          keyfile_slot_add(other, &keys, &secrets.password, PASSWORD_COST_DEFAULT, secrets.label,
                           &(struct keyfile_label){ .name = "x" }, &slot) == 0);
    CHECK(keys_save(&d.files, other) == 0 && take(&d, t, NULL) == E_CORRUPT && objects_of(t) == 0);
    CHECK(keys_save(&d.files, own) == 0 && take(&d, t, NULL) == 1);
    keyfile_free(&other);
    keyfile_keys_release(&keys);
    /* a damaged page: no backup of it, and the good one stays */
    message_add(&d, 2);
    files_path(secrets.id[0], FILES_MAILBOX, path);
    fd = openat(d.files.dir, path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, "damage", 6, 4096 * 30 + 99) == 6 && close(fd) == 0);
    CHECK(take(&d, t, NULL) == E_CORRUPT && objects_of(t) == 3);
    end(&d, &t);
}

/* A folder that says of itself what the test wants. */
static struct target_ops hooked;
static const struct target_ops *plain;
static uint64_t room;
static bool infos_away;

static int stage_with_room(struct target *t, const char *name, char path_out[TARGET_PATH_MAX],
                           uint64_t *room_out)
{
    int r = plain->stage(t, name, path_out, room_out);

    *room_out = room;
    return r;
}

static int64_t read_or_not(struct target *t, const char *name, uint64_t at, uint64_t max, target_take *take_,
                           void *ctx)
{
    if (infos_away && str_ends(str_from(name), STR(".info")))
        return E_UNAVAIL;
    return plain->read(t, name, at, max, take_, ctx);
}

static void hook(struct target *t)
{
    plain = t->ops;
    hooked = *plain;
    hooked.stage = stage_with_room;
    hooked.read = read_or_not;
    t->ops = &hooked;
    room = UINT64_MAX;
    infos_away = false;
}

/* Before anything is written: as much as the file has, and a little. */
static void test_room(void **state UNUSED)
{
    char path[FILES_PATH_MAX];
    struct target *t;
    struct stat st;
    struct disk d;

    begin(&d, &t);
    message_add(&d, 1);
    hook(t);
    files_path(secrets.id[0], FILES_MAILBOX, path);
    CHECK(fstatat(d.files.dir, path, &st, 0) == 0);
    room = (uint64_t)st.st_size;
    CHECK(take(&d, t, NULL) == E_FULL && objects_of(t) == 1); /* `.keys` went first, and nothing is staged */
    room += MIB(1);
    CHECK(take(&d, t, NULL) == 1 && objects_of(t) == 3);
    end(&d, &t);
}

static void stranger_put(struct target *t, unsigned n, const char *text)
{
    char name[TARGET_NAME_MAX];
    uint8_t id[BACKUP_ID_LEN] = { (uint8_t)n };

    backup_name(secrets.id[0], id, ".info", name);
    CHECK(target_replace(t, name, str_from(text)) == 0);
    backup_name(secrets.id[0], id, ".sqlite", name);
    CHECK(target_replace(t, name, STR("whatever")) == 0);
}

/* What cannot be read for a moment, or is of a newer program, is no rubbish; what somebody else put there neither counts nor
 * makes ours go. */
static void test_strangers(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(4) };
    struct backup_info one, two, fake = { .taken_ms = INT64_C(1) << 45, .generation = 1 };
    static const uint8_t no_key[KEY_BYTES];
    struct target *t;
    struct disk d;

    begin(&d, &t);
    message_add(&d, 1);
    hook(t);
    CHECK(take(&d, t, &one) == 1 && objects_of(t) == 3);
    message_add(&d, 2);
    infos_away = true;
    CHECK(take(&d, t, NULL) == E_UNAVAIL && objects_of(t) == 3);
    infos_away = false;
    stranger_put(t, 1, "letterlock backup 77\nof a newer program\n");
    for (unsigned n = 2; n < 6; n++) { /* the newest of all, as many as are kept */
        fake.id[0] = (uint8_t)n;
        memcpy(fake.mailbox, secrets.id[0], sizeof fake.mailbox);
        fake.generation = secrets.keys.generation;
        buf_clear(&text);
        CHECK(backup_info_text(&fake, no_key, n % 2 ? no_key : NULL, &text) == 0);
        stranger_put(t, n, buf_z(&text));
    }
    now_ms += DAY;
    CHECK(take(&d, t, &two) == 1 && two.changes > one.changes);
    CHECK(objects_of(t) == 1 + 2 * 2 + 2 * 5 && messages_of(&d, t, &one) == 1 &&
          messages_of(&d, t, &two) == 2);
    CHECK(take(&d, t, &one) == 0 && memcmp(one.id, two.id, sizeof one.id) == 0);
    end(&d, &t);
}

struct seen {
    size_t bad, none, some;
    char first[200];
};

static void blame(struct seen *s, size_t point, const char *what, int r)
{
    if (s->bad++ == 0)
        snprintf(s->first, sizeof s->first, "point %zu: %s: %d", point, what, r);
}

static void check(const char *at, size_t point, void *ctx)
{
    struct backup_info *list = NULL;
    struct seen *s = ctx;
    uint64_t told = 0;
    struct target *t;
    struct disk d;
    int n, r, newest = 0;

    disk_open(&d, at);
    t = target_of(&d);
    if ((n = backup_list(t, secrets.id[0], &list)) < 0)
        blame(s, point, "list", n);
    for (int i = 0; i < n; i++) {
        if ((r = messages_of(&d, t, &list[i])) < 1)
            blame(s, point, "a listed backup", r);
        newest = i == 0 ? r : newest;
    }
    free(list);
    faultfs_acked(point, &told);
    if (newest < (int)told)
        blame(s, point, "a reported backup is not there", newest);
    if (n > 0 && !keys_there(&d, t))
        blame(s, point, "keys", 0);
    now_ms = INT64_C(1787054400000) + 30 * DAY;
    r = take(&d, t, NULL);
    if (r < 0 || (n = backup_list(t, secrets.id[0], &list)) < 1)
        blame(s, point, "the next backup", r);
    else if (free(list), objects_of(t) != 1 + 2 * n)
        blame(s, point, "something is left", objects_of(t));
    s->none += told == 0;
    s->some += told > 0;
    target_close(&t);
    disk_close(&d);
}

static void test_power_loss(void **state UNUSED)
{
    struct seen seen = { 0 };
    struct target *t;
    struct disk d;
    size_t n;

    begin(&d, &t);
    message_add(&d, 1);
    faultfs_start(root);
    for (unsigned i = 2; i < 5; i++, now_ms += DAY) { /* two are kept: the third one removes the first */
        CHECK(take(&d, t, NULL) == 1);
        faultfs_ack(i - 1);
        message_add(&d, i);
    }
    faultfs_stop();
    target_close(&t);
    disk_close(&d);
    n = faultfs_replay(folder, replays_each(SEEDS), check, &seen);
    print_message("backups: %zu replays at %zu points, %zu bad%s%s\n", n, faultfs_points(), seen.bad,
                  seen.bad ? "; first: " : "", seen.first);
    replays_tell("backup", n, replays_each(SEEDS));
    CHECK(n >= 50 && seen.bad == 0 && seen.none && seen.some);
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
        cmocka_unit_test(test_backups),   cmocka_unit_test(test_refuses),    cmocka_unit_test(test_room),
        cmocka_unit_test(test_strangers), cmocka_unit_test(test_power_loss),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
