#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/db/db.h"
#include "src/store/shipbase.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bases of files that are too large to go whole, taken while somebody writes; packs sorted out by mailbox; what goes by age. */

static char dir[64], prefix[80];
static struct files files = { .dir = -1 };
static const uint8_t id[MAILBOX_ID_LEN] = { 0xab, 1, 2 }, gone[MAILBOX_ID_LEN] = { 0xcd, 7 };
static const uint8_t data_key[KEY_BYTES] = { 5 }, mac_key[KEY_BYTES] = { 9 };
static struct target *target;
static struct ship *ship;
static int64_t now_ms;

struct moment {
    int64_t ms, rows, sum;
};

static int setup(void **state)
{
    char path[128];

    (void)state;
    snprintf(dir, sizeof dir, "/tmp/letterlock-test-XXXXXX");
    if (!mkdtemp(dir) || (files.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return -1;
    snprintf(prefix, sizeof prefix, "%s/", dir);
    files.prefix = prefix;
    snprintf(path, sizeof path, "%s/target", dir);
    now_ms = clock_wall_ms();
    clock_fake(now_ms);
    return crypto_init() < 0 || target_folder_open(files.dir, "target", path, &target) < 0 ||
                   files_folder(&files, id) < 0
               ? -1
               : files_folder(&files, gone);
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    clock_real();
    target_close(&target);
    close(files.dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void start(void)
{
    struct ship_options o = { .files = &files, .key = mac_key, .spool_max_bytes = GIB(1) };

    CHECK(ship_open(&o, &ship) == 0 && ship_log_note(ship) == 0);
}

static struct db *mail_open(const uint8_t *mailbox)
{
    struct db_options o = { .flags = DB_CREATE | DB_COUNT_WAL, .cache_kib = 64 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;

    files_path(mailbox, FILES_MAILBOX, path);
    files_full(&files, path, full, sizeof full);
    CHECK(db_open(full, data_key, &o, &db) == 0);
    CHECK(db_run(db, "CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB, n INTEGER)") == 0);
    return db;
}

static void sums(struct db *db, struct moment *m)
{
    CHECK(db_get_i64(db, "SELECT count(*) FROM t", &m->rows) == 0);
    CHECK(db_get_i64(db, "SELECT coalesce(sum(n * length(v) + k), 0) FROM t", &m->sum) == 0);
}

static struct moment change(struct db *db)
{
    struct moment m = { 0 };

    clock_fake(now_ms += 10);
    CHECK(db_run(db, "INSERT INTO t (v, n) VALUES (randomblob(20000), abs(random()) % 1000)") == 0);
    sums(db, &m);
    m.ms = now_ms;
    clock_fake(now_ms += 10);
    return m;
}

static void is_had(struct moment want)
{
    struct ship_back b = {
        .key = mac_key, .target = target, .ship = ship, .files = &files, .at_ms = want.ms
    };
    struct db_options o = { .cache_kib = 64 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct moment m = { 0 };
    struct db *db = NULL;

    memcpy(b.mailbox, id, sizeof id);
    CHECK(ship_back(&b) == 0);
    files_path(id, FILES_RESTORE, path);
    files_full(&files, path, full, sizeof full);
    CHECK(db_open(full, data_key, &o, &db) == 0);
    CHECK(db_verify(db, NULL) == 0);
    sums(db, &m);
    CHECK(m.rows == want.rows && m.sum == want.sum);
    CHECK(db_close(&db) == 0);
    ship_back_drop(&files, id);
}

static int had(int64_t at_ms)
{
    struct ship_back b = { .key = mac_key, .target = target, .ship = ship, .files = &files, .at_ms = at_ms };
    int r;

    memcpy(b.mailbox, id, sizeof id);
    r = ship_back(&b);
    ship_back_drop(&files, id);
    return r;
}

static size_t objects(const char *folder, const char *end)
{
    char path[100];
    const struct dirent *e;
    size_t n = 0;
    DIR *d;

    snprintf(path, sizeof path, "%s/target/%s", dir, folder);
    d = opendir(path);
    while (d && (e = readdir(d)) != NULL)
        n += str_ends(str_from(e->d_name), str_from(end));
    if (d)
        closedir(d);
    return n;
}

static void send_all(void)
{
    int r;

    CHECK(ship_tick(ship) == 0);
    while ((r = ship_send(ship, target, NULL, NULL, NULL)) == 1)
        ;
    CHECK(r == 0);
}

static void test_bases(void **state)
{
    struct moment m[40];
    uint8_t which[MAILBOX_ID_LEN] = { 0 };
    struct ship_at at;
    uint64_t bytes = 0;
    struct db *db;
    size_t n = 0;

    (void)state;
    db = mail_open(id);
    for (int i = 0; i < 90; i++) /* nothing is shipped yet, and it is too large to go whole */
        change(db);
    CHECK(db_close(&db) == 0);
    start();
    db = mail_open(id);
    CHECK(ship_tick(ship) == 0);
    m[n++] = change(db);
    CHECK(ship_tick(ship) == 0);
    CHECK(ship_look(ship, id, &at) == 0 && at.chain && !at.based_ms);
    CHECK(had(now_ms) == E_GONE);
    CHECK(ship_wants_base(ship, now_ms, 1000000, which) && memcmp(which, id, sizeof id) == 0);
    CHECK(db_checkpoint(db, DB_PASSIVE, NULL) == 0);
    m[n++] = change(db);
    CHECK(ship_base_take(ship, target, id, NULL, &bytes) == 1 && bytes > SHIP_INLINE_MAX);
    clock_fake(now_ms += 10);
    CHECK(!ship_wants_base(ship, now_ms, 1000000, which));
    for (int i = 0; i < 10; i++) {
        m[n++] = change(db);
        if (i == 3)
            CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0);
        if (i == 7)
            send_all();
    }
    send_all();
    for (size_t i = 2; i < n; i++)
        is_had(m[i]);
    CHECK(had(m[0].ms) == E_GONE);
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
    start(); /* closed: the file is its own copy */
    CHECK(ship_base_take(ship, target, id, NULL, &bytes) == 1);
    is_had(m[n - 1]);
    ship_close(&ship);
}

static void test_repack(void **state)
{
    struct moment m[60];
    struct db *db, *other;
    char own[TARGET_NAME_MAX], shared[64], removed[TARGET_NAME_MAX];
    int64_t since;
    size_t n = 0, was;

    (void)state;
    ship_folder_of(id, own);
    ship_folder_of(gone, removed);
    start();
    snprintf(shared, sizeof shared, "ship-%016llx", (unsigned long long)ship_log(ship));
    db = mail_open(id);
    other = mail_open(gone);
    CHECK(ship_tick(ship) == 0);
    for (int i = 0; i < 10; i++) {
        m[n++] = change(db);
        change(other);
        CHECK(ship_tick(ship) == 0);
    }
    send_all();
    CHECK(objects(shared, ".pack") >= 10);
    CHECK(ship_purge(ship, target, gone, NULL, NULL) >= 0);
    CHECK(ship_repack(ship, target, NULL) >= 10);
    CHECK(objects(shared, ".pack") == 0 && objects(own, ".pack") == 1 && objects(removed, ".pack") == 0);
    CHECK(ship_repacked_ms(ship) > 0);
    for (size_t i = 1; i < n; i++)
        is_had(m[i]);
    since = now_ms;
    for (int i = 0; i < 5; i++) { /* of a later day, with a copy of its own */
        if (i == 2) {
            uint64_t bytes;

            CHECK(db_checkpoint(db, DB_TRUNCATE, NULL) == 0); /* else all of the -wal belongs to the copy */
            CHECK(ship_base_take(ship, target, id, NULL, &bytes) == 1);
            clock_fake(now_ms += 10);
            since = now_ms;
        }
        m[n++] = change(db);
        send_all();
        CHECK(ship_repack(ship, target, NULL) == 1);
    }
    was = objects(own, ".pack");
    CHECK(was == 6);
    for (size_t i = 1; i < n; i++)
        is_had(m[i]);
    CHECK(ship_retain(ship, target, since, NULL) > 0);
    CHECK(objects(own, ".pack") < was && objects(own, ".pack") >= 3);
    for (size_t i = n - 3; i < n; i++)
        is_had(m[i]);
    CHECK(had(m[1].ms) < 0);
    CHECK(ship_repack(ship, target, NULL) == 0);
    CHECK(db_close(&db) == 0 && db_close(&other) == 0);
    ship_close(&ship);
}

/* One in the middle is missing: it is told, and what came before stays good. */
static void test_missing(void **state)
{
    struct moment m[20];
    char name[TARGET_NAME_MAX];
    struct db *db;
    size_t n = 0;

    (void)state;
    start();
    db = mail_open(id);
    CHECK(ship_tick(ship) == 0);
    for (int i = 0; i < 12; i++) {
        m[n++] = change(db);
        send_all();
    }
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
    start();
    send_all();
    ship_pack_name(ship_log(ship), 7, name);
    CHECK(target_delete(target, name) == 0);
    CHECK(ship_repack(ship, target, NULL) == E_CORRUPT);
    is_had(m[3]);
    CHECK(had(now_ms) == E_CORRUPT);
    ship_close(&ship);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
