#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/db/db.h"
#include "src/store/shipbase.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Everything at once, as in the role: two who write and close, one who ticks, one who sends, one who makes bases and sorts
 * packs out, one who looks. What they leave is what was written last. Under ThreadSanitizer it says who reads what another
 * one writes. */

#define COMMITS 120

static char dir[64], prefix[80];
static struct files files = { .dir = -1 };
static const uint8_t mac_key[KEY_BYTES] = { 9 }, data_key[KEY_BYTES] = { 5 };
static const uint8_t ids[2][MAILBOX_ID_LEN] = { { 0xab, 1 }, { 0xab, 2 } };
static struct target *target;
static struct ship *ship;
static bool over;
static int64_t rows[2];

/* A failing CHECK belongs to the main thread: of others it ends the process. */
#define MUST(expr)                                                             \
    do {                                                                       \
        if (!(expr)) {                                                         \
            print_error("%s:%d: MUST(%s) fails\n", __FILE__, __LINE__, #expr); \
            abort();                                                           \
        }                                                                      \
    } while (0)

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
    return crypto_init() < 0 || target_folder_open(files.dir, "target", path, &target) < 0
               ? -1
               : files_folder(&files, ids[0]);
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    target_close(&target);
    fd_close(&files.dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct db *mail_open(size_t i, enum files_kind kind)
{
    struct db_options o = { .flags = DB_CREATE | DB_COUNT_WAL, .cache_kib = 64 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;

    files_path(ids[i], kind, path);
    files_full(&files, path, full, sizeof full);
    MUST(!(db_open(full, data_key, &o, &db) < 0 ||
           db_run(db, "CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB)") < 0));
    return db;
}

static void *write_on(void *arg)
{
    size_t i = arg == &rows[1];
    struct db *db = mail_open(i, FILES_MAILBOX);

    for (int k = 0; k < COMMITS; k++) {
        MUST(!(db_run(db, "INSERT INTO t (v) VALUES (randomblob(20000))") < 0));
        MUST(!(k % 15 == 7 && db_checkpoint(db, k % 2 ? DB_TRUNCATE : DB_PASSIVE, NULL) < 0));
        if (k % 40 == 39) {
            MUST(!(db_close(&db) < 0));
            db = mail_open(i, FILES_MAILBOX);
        }
    }
    MUST(!(db_get_i64(db, "SELECT count(*) FROM t", &rows[i]) < 0 || db_close(&db) < 0));
    return NULL;
}

static bool go_on(void)
{
    usleep(500);
    return !__atomic_load_n(&over, __ATOMIC_RELAXED);
}

static void *tick_on(void *arg UNUSED)
{
    do
        MUST(!(ship_tick(ship) < 0));
    while (go_on());
    return NULL;
}

static void *send_on(void *arg UNUSED)
{
    do
        while (ship_send(ship, target, NULL, NULL, &over) == 1)
            ;
    while (go_on());
    return NULL;
}

static void *tend_on(void *arg UNUSED)
{
    uint8_t which[MAILBOX_ID_LEN] = { 0 };
    uint64_t bytes;

    do {
        MUST(!(ship_wants_base(ship, clock_wall_ms(), 20, which) &&
               ship_base_take(ship, target, which, NULL, &bytes) < 0));
        MUST(!(ship_repack(ship, target, NULL) < 0));
    } while (go_on());
    return NULL;
}

static void *look_on(void *arg UNUSED)
{
    struct ship_figures f;
    struct ship_at at;

    do {
        ship_get_figures(ship, &f);
        MUST(!(f.gaps || (ship_look(ship, ids[0], &at) < 0 && ship_settle(ship, ids[1]) < 0)));
    } while (go_on());
    return NULL;
}

static void is_whole(size_t i)
{
    struct ship_back b = {
        .key = mac_key, .target = target, .ship = ship, .files = &files, .at_ms = clock_wall_ms()
    };
    struct db *db;
    int64_t n = 0;

    memcpy(b.mailbox, ids[i], MAILBOX_ID_LEN);
    CHECK(ship_settle(ship, ids[i]) == 0);
    CHECK(ship_back(&b) == 0);
    db = mail_open(i, FILES_RESTORE);
    CHECK(db_verify(db, NULL) == 0);
    CHECK(db_get_i64(db, "SELECT count(*) FROM t", &n) == 0 && n == rows[i]);
    CHECK(db_close(&db) == 0);
    ship_back_drop(&files, ids[i]);
}

static void test_threads(void **state)
{
    void *(*const others[])(void *) = { tick_on, send_on, tend_on, look_on };
    struct ship_options o = { .files = &files, .key = mac_key, .spool_max_bytes = GIB(1) };
    pthread_t writers[2], t[ARRAY_LEN(others)];

    (void)state;
    CHECK(ship_open(&o, &ship) == 0 && ship_log_note(ship) == 0);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        CHECK(pthread_create(&t[i], NULL, others[i], NULL) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(pthread_create(&writers[i], NULL, write_on, &rows[i]) == 0);
    for (size_t i = 0; i < 2; i++)
        CHECK(pthread_join(writers[i], NULL) == 0);
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    for (size_t i = 0; i < 2; i++)
        is_whole(i);
    ship_close(&ship);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
