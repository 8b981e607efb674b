#include "lib/base/test.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/db/db.h"
#include "src/store/shipbase.h"
#include "src/store/ship_private.h"
#include "src/store/shipmemory.h"
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A history is made by children that end without a word, as kill -9 ends a store; what they committed, and when, stands
 * in memory that they share. Another child looks whether each moment can be had again. */

static char dir[64], prefix[80];
static struct files files = { .dir = -1 };
static const uint8_t id[MAILBOX_ID_LEN] = { 0xab, 1, 2 }, other[MAILBOX_ID_LEN] = { 0xab, 7 };
static const uint8_t data_key[KEY_BYTES] = { 5 }, mac_key[KEY_BYTES] = { 9 };
static struct target *target;
static struct ship *ship;

#define MOMENTS_MAX 4000
static struct history {
    size_t n;
    struct moment {
        int64_t ms, rows, sum;
    } m[MOMENTS_MAX];
    int64_t clock_ms;
    uint64_t chance; /* of all processes: SplitMix64 */
} * history;

/* What happens here is chance, and can be had again: SHIP_SEED=… (sizes and order; threads and nonces are as they are). */
static uint64_t seed;

static uint64_t rand_below(uint64_t n)
{
    uint64_t z = history->chance += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % n;
}

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
    history = mmap(NULL, sizeof *history, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    history->clock_ms = clock_wall_ms();
    history->chance = seed;
    return crypto_init() < 0 || target_folder_open(files.dir, "target", path, &target) < 0
               ? -1
               : files_folder(&files, id);
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    target_close(&target);
    fd_close(&files.dir);
    munmap(history, sizeof *history);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* Time goes on by a millisecond or more with each commit. */
static void time_goes(void)
{
    history->clock_ms += 1 + (int64_t)rand_below(20);
    clock_fake(history->clock_ms);
}

static void start(uint64_t spool_max)
{
    struct ship_options o = { .files = &files, .key = mac_key, .spool_max_bytes = spool_max };

    clock_real(); /* files are dated by the real one */
    if (clock_wall_ms() > history->clock_ms)
        history->clock_ms = clock_wall_ms() + 1;
    clock_fake(history->clock_ms);
    CHECK(ship_open(&o, &ship) == 0);
}

static struct db *mail_open(const uint8_t *mailbox)
{
    struct db_options o = { .flags = DB_CREATE | DB_COUNT_WAL, .cache_kib = 64 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;

    files_path(mailbox, FILES_MAILBOX, path);
    files_full(&files, path, full, sizeof full);
    CHECK(db_open(full, data_key, &o, &db) == 0);
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(1 + rand_below(1u << 30)), NULL);
    CHECK(db_run(db, "CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v BLOB, n INTEGER)") == 0);
    return db;
}

static void figures(struct db *db, struct moment *m)
{
    CHECK(db_get_i64(db, "SELECT count(*) FROM t", &m->rows) == 0);
    CHECK(db_get_i64(db, "SELECT coalesce(sum(n * length(v) + k), 0) FROM t", &m->sum) == 0);
}

static void commit_one(struct db *db)
{
    static const char *const changes[] = {
        "INSERT INTO t (v, n) VALUES (randomblob(abs(random()) % 9000), abs(random()) % 1000)",
        "INSERT INTO t (v, n) VALUES (randomblob(abs(random()) % 300), abs(random()) % 1000)",
        "UPDATE t SET n = n + 1, v = randomblob(500) WHERE k % 7 = abs(random()) % 7",
        "DELETE FROM t WHERE k % 5 = abs(random()) % 5",
        "INSERT INTO t (v, n) VALUES (randomblob(200000), 3)",
    };
    struct txn txn = { 0 };
    struct moment m = { 0 };

    time_goes();
    CHECK(txn_begin(&txn, db) == 0);
    for (uint64_t i = rand_below(4); i < 4; i++)
        CHECK(db_run(db, changes[rand_below(20) == 0 ? 4 : rand_below(4)]) == 0);
    CHECK(txn_commit(&txn) == 0);
    txn_end(&txn);
    figures(db, &m);
    m.ms = history->clock_ms;
    if (history->n < MOMENTS_MAX)
        history->m[history->n++] = m;
}

static void checkpoint(const uint8_t *mailbox, enum db_checkpoint how)
{
    struct db_options o = { .flags = DB_OWN_CHECKPOINTS };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;
    int r;

    files_path(mailbox, FILES_MAILBOX, path);
    files_full(&files, path, full, sizeof full);
    CHECK(db_open(full, data_key, &o, &db) == 0);
    r = db_checkpoint(db, how, NULL);
    CHECK(r == 0 || r == E_BUSY);
    CHECK(db_close(&db) == 0);
}

static void busy(size_t commits)
{
    struct db *db = mail_open(id), *quiet = mail_open(other);

    CHECK(db_run(quiet, "INSERT INTO t (v, n) VALUES (randomblob(9000), 1)") == 0);
    for (size_t i = 0; i < commits; i++) {
        commit_one(db);
        switch (rand_below(12)) {
        case 0: checkpoint(id, DB_PASSIVE); break;
        case 1: checkpoint(id, DB_TRUNCATE); break;
        case 2:
            CHECK(db_close(&db) == 0);
            db = mail_open(id);
            break;
        case 3:
        case 4:
        case 5: CHECK(ship_tick(ship) == 0); break;
        case 6:
            while (rand_below(3) && ship_send(ship, target, NULL, NULL, NULL) == 1)
                ;
            break;
        }
    }
    if (rand_below(2)) {
        CHECK(db_close(&db) == 0);
        CHECK(db_close(&quiet) == 0);
    }
}

static bool remember; /* indexes of shared packs are read once */

static int back(int64_t at_ms, struct moment *out)
{
    struct ship_back b = {
        .key = mac_key, .target = target, .ship = ship, .files = &files, .at_ms = at_ms, .remember = remember
    };
    struct db_options o = { .cache_kib = 64 };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct db *db = NULL;
    int r;

    memcpy(b.mailbox, id, sizeof id);
    if ((r = ship_back(&b)) < 0)
        return r;
    files_path(id, FILES_RESTORE, path);
    files_full(&files, path, full, sizeof full);
    CHECK(db_open(full, data_key, &o, &db) == 0);
    CHECK(db_verify(db, NULL) == 0);
    figures(db, out);
    CHECK(db_close(&db) == 0);
    ship_back_drop(&files, id);
    return 0;
}

/* In a process of its own, which ends as it likes. */
static void in_child(void (*run)(void))
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        run();
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_life(void)
{
    start(GIB(1));
    busy(40);
    if (rand_below(3) == 0)
        CHECK(ship_settle(ship, id) == 0);
}

static bool was_ever(const struct moment *m)
{
    for (size_t i = 0; i < history->n; i++)
        if (history->m[i].rows == m->rows && history->m[i].sum == m->sum)
            return true;
    return false;
}

static void look_back(void)
{
    struct ship_figures f;
    int64_t from = 0;
    size_t had = 0;

    start(GIB(1));
    CHECK(ship_tick(ship) == 0);
    ship_get_figures(ship, &f);
    CHECK(f.gaps == 0);
    for (size_t i = 0; i < history->n; i++) {
        struct moment m = { 0 }, want = history->m[i];
        char name[64];
        int r;

        if (i % 7 && i + 1 != history->n && i > 4)
            continue;
        snprintf(name, sizeof name, "moment %zu of %zu", i, history->n);
        check_case = name;
        r = back(want.ms, &m);
        CHECK(r == 0 || (r == E_GONE && had == 0)); /* the first second, before there was a base */
        if (r < 0)
            continue;
        from = from ? from : want.ms;
        had++;
        if (m.rows == want.rows && m.sum == want.sum)
            continue;
        /* What a crash left ungathered in a -wal counts as one commit, of when the file was written last (by the real
         * clock: sooner than the moments' own): a whole one, and how often that is is chance. */
        CHECK(was_ever(&m));
    }
    CHECK(had > history->n / 9);
    CHECK(back(history->clock_ms + 100000000, &(struct moment){ 0 }) == 0);
}

static void test_lives(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        in_child(a_life);
    in_child(look_back);
}

/* Without a crash every single moment is there. */
static void one_life(void)
{
    struct db *db;
    struct moment m;

    start(GIB(1));
    db = mail_open(id);
    CHECK(ship_tick(ship) == 0);
    for (size_t i = 0; i < 160; i++) {
        commit_one(db);
        if (rand_below(20) == 0)
            checkpoint(id, rand_below(2) ? DB_PASSIVE : DB_TRUNCATE);
        if (rand_below(40) == 0) {
            CHECK(db_close(&db) == 0);
            db = mail_open(id);
        }
        if (rand_below(10) == 0)
            CHECK(ship_tick(ship) == 0);
        while (rand_below(20) == 0 && ship_send(ship, target, NULL, NULL, NULL) == 1)
            ;
        if (rand_below(60) == 0) { /* a calm restart */
            CHECK(db_close(&db) == 0);
            ship_close(&ship);
            start(GIB(1));
            db = mail_open(id);
        }
    }
    CHECK(ship_settle(ship, id) == 0);
    for (size_t i = 0; i < history->n; i += 1 + (size_t)rand_below(12)) {
        char name[64];

        snprintf(name, sizeof name, "moment %zu", i);
        check_case = name;
        remember = i % 2; /* it makes no difference */
        CHECK(back(history->m[i].ms, &m) == 0);
        CHECK(m.rows == history->m[i].rows && m.sum == history->m[i].sum);
    }
    remember = false;
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
}

static void send_all(void)
{
    while (ship_send(ship, target, NULL, NULL, NULL) == 1)
        ;
}

/* Many mailboxes, one after the other: the second one reads no index of a shared pack. */
static void many(void)
{
    struct moment m;
    struct db *db;
    uint64_t hits = ship_memory_hits();

    start(GIB(1));
    db = mail_open(id);
    for (int i = 0; i < 5; i++) {
        commit_one(db);
        CHECK(ship_tick(ship) == 0);
    }
    send_all();
    remember = true;
    CHECK(back(history->clock_ms, &m) == 0 && m.sum == history->m[4].sum && ship_memory_hits() == hits);
    CHECK(back(history->clock_ms, &m) == 0 && m.sum == history->m[4].sum && ship_memory_hits() > hits);
    hits = ship_memory_hits(); /* one for each pack that has anything for it */
    ship_memory_forget();
    CHECK(back(history->clock_ms, &m) == 0 && ship_memory_hits() == hits);
    ship_memory_forget();
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
}

static void test_many(void **state)
{
    (void)state;
    in_child(many);
}

static void test_every_moment(void **state)
{
    (void)state;
    in_child(one_life);
}

/* Storage is away: mail goes on, the gap is counted, and what comes after it can be had. */
static void overflow(void)
{
    struct ship_figures f = { 0 };
    struct moment m, lost = { 0 }, late = { 0 };
    struct db *db;

    start(MIB(3));
    db = mail_open(id);
    CHECK(ship_tick(ship) == 0);
    while (!f.full) {
        int r;

        CHECK(history->n < MOMENTS_MAX);
        commit_one(db);
        if (rand_below(10) == 0)
            checkpoint(id, DB_TRUNCATE);
        r = ship_tick(ship);
        ship_get_figures(ship, &f);
        CHECK(r == (f.full ? E_FULL : 0));
    }
    CHECK(f.waiting_bytes <= MIB(3));
    for (int i = 0; i < 20; i++) { /* the -wal begins anew, and nothing of it was confirmed */
        commit_one(db);
        if (i == 10)
            lost = history->m[history->n - 1];
        if (i % 10 == 9)
            checkpoint(id, DB_TRUNCATE);
        CHECK(ship_tick(ship) == E_FULL);
    }
    ship_get_figures(ship, &f);
    CHECK(f.full && f.gaps > 0 && f.waiting_bytes <= MIB(3));
    CHECK(faccessat(files.dir, "ship/state", F_OK, 0) < 0);
    send_all();
    CHECK(ship_tick(ship) == 0);
    for (int i = 0; i < 10; i++) {
        commit_one(db);
        late = history->m[history->n - 1];
        CHECK(ship_tick(ship) == 0);
        send_all();
    }
    ship_get_figures(ship, &f);
    CHECK(!f.full && f.waiting_bytes == 0);
    if (f.unbased == 0) {
        CHECK(back(late.ms, &m) == 0);
        CHECK(m.rows == late.rows && m.sum == late.sum);
    }
    CHECK(back(lost.ms, &m) == E_GONE);
    CHECK(back(history->m[5].ms, &m) == 0 && m.sum == history->m[5].sum);
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
}

static uint64_t spool_bytes(void)
{
    DIR *d = fdopendir(openat(files.dir, "ship", O_RDONLY | O_DIRECTORY));
    const struct dirent *e;
    uint64_t n = 0;

    CHECK(d != NULL);
    while (d && (e = readdir(d)) != NULL) {
        struct stat st;

        if (str_ends(str_from(e->d_name), STR(".pack")) &&
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            n += (uint64_t)st.st_size;
    }
    if (d)
        closedir(d);
    return n;
}

/* The storage is away for 24 hours, by the clock. Mail is taken each minute of them, the spool stays within its bound, the moment
 * that is lost is counted and refused, and when the storage is there again a new base is wanted, and all is as before. */
static void a_day(void)
{
    uint8_t wants[MAILBOX_ID_LEN] = { 0 };
    struct ship_figures f = { 0 };
    struct moment m, before, lost = { 0 }, late = { 0 };
    uint64_t bytes = 0;
    struct db *db;

    start(MIB(4));
    db = mail_open(id);
    for (int i = 0; i < 8; i++) /* too large to go whole */
        CHECK(db_run(db, "INSERT INTO t (v, n) VALUES (randomblob(200000), 3)") == 0);
    checkpoint(id, DB_TRUNCATE);
    CHECK(ship_tick(ship) == 0);
    CHECK(ship_base_take(ship, target, id, NULL, &bytes) == 1 && bytes > SHIP_INLINE_MAX);
    commit_one(db);
    before = history->m[history->n - 1];
    CHECK(ship_tick(ship) == 0);
    send_all();
    ship_get_figures(ship, &f);
    CHECK(f.waiting_packs == 0 && f.unbased == 0 && f.gaps == 0);
    CHECK(ship_state_save(ship) ==
          0); /* once a minute; the other clock stands here. What was sent may go then */
    ship_spool_prune(ship);
    CHECK(spool_bytes() == 0);
    for (int minute = 0; minute < 24 * 60; minute++) {
        int r;

        history->clock_ms += 60000;
        clock_fake(history->clock_ms);
        commit_one(db); /* it checks that each is taken */
        if (minute == 20 * 60)
            lost = history->m[history->n - 1];
        if (minute % 30 == 29)
            checkpoint(id, DB_TRUNCATE);
        r = ship_tick(ship);
        ship_get_figures(ship, &f);
        CHECK(r == (f.full ? E_FULL : 0));
        CHECK(f.waiting_bytes <= MIB(4) && spool_bytes() <= MIB(4));
    }
    CHECK(f.full && f.gaps > 0 && f.behind_ms > INT64_C(23) * 3600000);
    CHECK(history->n > 24 * 60);
    send_all();
    CHECK(ship_tick(ship) == 0);
    CHECK(ship_wants_base(ship, history->clock_ms, INT64_C(7) * 86400000, wants) &&
          memcmp(wants, id, sizeof id) == 0);
    CHECK(ship_base_take(ship, target, id, NULL, &bytes) == 1);
    for (int i = 0; i < 5; i++) {
        commit_one(db);
        late = history->m[history->n - 1];
        CHECK(ship_tick(ship) == 0);
        send_all();
    }
    ship_get_figures(ship, &f);
    CHECK(!f.full && f.waiting_bytes == 0 && f.unbased == 0 && f.behind_ms == 0);
    CHECK(back(late.ms, &m) == 0 && m.rows == late.rows && m.sum == late.sum);
    CHECK(back(before.ms, &m) == 0 && m.sum == before.sum);
    CHECK(back(lost.ms, &m) == E_GONE);
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
}

static void test_a_day(void **state)
{
    (void)state;
    in_child(a_day);
}

static void test_overflow(void **state)
{
    (void)state;
    in_child(overflow);
}

static int damage(const char *path, off_t at)
{
    int fd = openat(files.dir, path, O_RDWR | O_CLOEXEC);
    uint8_t byte;

    if (fd < 0 || pread(fd, &byte, 1, at) != 1)
        return -1;
    byte ^= (uint8_t)(1 + rand_below(255));
    if (pwrite(fd, &byte, 1, at) != 1)
        return -1;
    close(fd);
    return byte;
}

static void tamper(void)
{
    struct moment m;
    struct db *db;
    size_t packs = 0;
    const struct dirent *e;
    char folder[64], path[330], away[340];
    DIR *d;

    start(GIB(1));
    db = mail_open(id);
    CHECK(ship_tick(ship) == 0);
    for (int i = 0; i < 30; i++) {
        commit_one(db);
        CHECK(ship_tick(ship) == 0);
    }
    CHECK(db_close(&db) == 0);
    ship_close(&ship);
    start(GIB(1));
    while (ship_send(ship, target, NULL, NULL, NULL) == 1)
        ;
    CHECK(ship_tick(ship) == 0);
    snprintf(folder, sizeof folder, "target/ship-%016llx", (unsigned long long)ship_log(ship));
    ship_close(&ship);
    CHECK(back(history->clock_ms, &m) == 0 && m.sum == history->m[history->n - 1].sum);
    d = fdopendir(openat(files.dir, folder, O_RDONLY | O_DIRECTORY));
    CHECK(d != NULL);
    while (d && (e = readdir(d)) != NULL) {
        struct stat st;
        off_t at;
        int was;

        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        CHECK(fstatat(files.dir, path, &st, 0) == 0);
        packs++;
        at = (off_t)rand_below((uint64_t)st.st_size);
        {
            int fd = openat(files.dir, path, O_RDWR | O_CLOEXEC);
            uint8_t byte = 0;
            CHECK(pread(fd, &byte, 1, at) == 1);
            was = byte;
            close(fd);
        }
        CHECK(damage(path, at) >= 0);
        CHECK(back(history->clock_ms, &m) < 0);
        {
            int fd = openat(files.dir, path, O_RDWR | O_CLOEXEC);
            uint8_t byte = (uint8_t)was;
            CHECK(pwrite(fd, &byte, 1, at) == 1);
            close(fd);
        }
        if (packs % 5 == 2) { /* one that is missing */
            snprintf(away, sizeof away, "%s.away", path);
            CHECK(renameat(files.dir, path, files.dir, away) == 0);
            CHECK(back(history->clock_ms, &m) < 0 || m.sum != history->m[history->n - 1].sum);
            CHECK(renameat(files.dir, away, files.dir, path) == 0);
        }
    }
    closedir(d);
    CHECK(packs > 20);
    CHECK(back(history->clock_ms, &m) == 0);
}

static void test_tamper(void **state)
{
    (void)state;
    in_child(tamper);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tamper, setup, teardown),
    };

    const char *again = getenv("SHIP_SEED");
    int failed;

    seed = again ? strtoull(again, NULL, 10) : rand_u64() >> 16;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed)
        print_error("again: SHIP_SEED=%llu %s\n", (unsigned long long)seed, argv[0]);
    return failed;
}
