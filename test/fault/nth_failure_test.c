/* The 1st, 2nd, 3rd ... write, sync, open, rename, unlink and allocation fails, in everything the store
 * does to a disk. The error is a clean one, what was acknowledged stays, the next try succeeds without
 * opening anything anew (where the lane would not either), and the files are sound. */
#include "test/fault/scenarios.h"
#include "lib/base/errors.h"
#include "test/fault/faultfs.h"
#include "test/fault/heap.h"
#include "test/fault/replays.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NTH_MAX         3000u
#define ALLOCATIONS_MAX 100000u

static char folder[64];
static char root[128], template_root[128];

/* ---- judging ----------------------------------------------------------------------------------------- */

static void begin(int (*ready)(struct hands *h), struct hands *h)
{
    faultfs_stop();
    disk_close(&disk);
    faultfs_remove_tree(root);
    disk_copy(template_root, root);
    disk_open(&disk, root);
    memset(h, 0, sizeof *h);
    CHECK(!ready || ready(h) == 0);
    faultfs_start(root);
}

/* Opened anew, by today's password: everything that is there. */
static void read_all(struct world *w)
{
    struct mailbox_options o = { 0 };
    struct hands h = { 0 };
    uint32_t generation;

    world_clear(w);
    CHECK(keys_load(&disk.files, secrets.id[0], &h.kf) == 0);
    CHECK(keyfile_open(h.kf, &secrets.password, &h.keys) == 0);
    CHECK(keybox_open(&disk.files, h.kf, &h.keys, &o, &h.box, &generation) == 0);
    CHECK(keybox_settle(h.box, h.kf, generation, secrets.mac) >= 0);
    CHECK(box_sound(h.box) == 0 && box_read(h.box, w) == 0);
    CHECK(temps_read(&disk, 0, w) == 0 && temps_read(&disk, 1, w) == 0);
    hands_release(&h);
}

static void check_world(const struct scenario *s, bool done)
{
    struct world before, after, w;

    template_expect(&before);
    after = before;
    s->expect(&after);
    read_all(&w);
    if (done)
        CHECK(world_same(&w, &after));
    else if (s->whole)
        CHECK(world_same(&w, &before) || world_same(&w, &after));
    else /* half drained: each in one place, or in both until the drain's next try */
        CHECK(world_count(&w) >= world_count(&before));
}

static bool is_clean(int r)
{
    if (r >= 0 || r == E_IO || r == E_FULL || r == E_NOMEM || r == E_BUSY || r == E_LIMIT)
        return true;
    print_error("%s\n", error_name(r));
    return false;
}

/* ---- failing calls ------------------------------------------------------------------------------------- */

static const struct trouble {
    const char *name;
    unsigned calls;
    int err;
    bool for_good;
} troubles[] = {
    { "write EIO", FAULT_WRITE, EIO, false },
    { "full disk", FAULT_WRITE | FAULT_TRUNCATE, ENOSPC, true },
    { "sync EIO", FAULT_SYNC, EIO, false },
    { "open EMFILE", FAULT_OPEN, EMFILE, false },
    { "rename EIO", FAULT_RENAME, EIO, false },
    { "unlink EIO", FAULT_UNLINK, EIO, false },
    { "truncate EIO", FAULT_TRUNCATE, EIO, false },
    { "mkdir ENOSPC", FAULT_MKDIR, ENOSPC, false },
};

/* Every one in the beginning, then ever fewer, unless all are asked for. */
static size_t next_of(size_t n, size_t every)
{
    return getenv("FAULT_REPLAYS") || n < every ? n + 1 : n + n / (every / 2);
}

/* True when there was an nth call to fail. */
static bool fail_nth(const struct scenario *s, const struct trouble *t, size_t n)
{
    struct hands h;
    bool failed;
    int r;

    begin(s->ready, &h);
    faultfs_fail(t->calls, n, t->err, t->for_good);
    r = s->run(&h);
    failed = faultfs_failures() > 0;
    faultfs_fail(0, 0, 0, false);
    CHECK(is_clean(r));
    if (t->err == ENOSPC && r < 0)
        CHECK(r == E_FULL);
    if (r < 0) {
        if (n % 2) { /* the store dies here: what does the next one find? */
            hands_drop(&h);
            check_world(s, false);
            CHECK(!s->ready || s->ready(&h) == 0);
        }
        CHECK((r = s->run(&h)) >= 0); /* the next try */
    }
    hands_release(&h);
    check_world(s, true);
    faultfs_stop();
    return failed;
}

/* FAULT_SCENARIO=move: this one alone, and FAULT_FROM=1846 from there on, to repeat what was found. */
static bool is_asked(const struct scenario *s)
{
    const char *only = getenv("FAULT_SCENARIO");

    return !only || strcmp(only, s->name) == 0;
}

static size_t first_n(void)
{
    const char *z = getenv("FAULT_FROM");
    uint64_t n = 1;

    return z && str_to_u64(str_from(z), &n) && n ? (size_t)n : 1;
}

static size_t fail_calls(const struct scenario *s)
{
    size_t total = 0;
    char name[96];

    for (size_t k = 0; k < ARRAY_LEN(troubles); k++) {
        size_t n = first_n(), runs = 0;

        for (; n < NTH_MAX; n = next_of(n, FAULT_SHARE > 1 ? 8 : 16), runs++) {
            snprintf(name, sizeof name, "%s, %s, number %zu", s->name, troubles[k].name, n);
            check_case = name;
            if (!fail_nth(s, &troubles[k], n))
                break;
        }
        CHECK(n < NTH_MAX);
        total += runs;
        runs_tell(troubles[k].name, s->name, runs, "");
    }
    return total;
}

static void test_calls(void **state UNUSED)
{
    for (size_t i = 0; i < scenarios_n; i++)
        if (is_asked(&scenarios[i]))
            CHECK(fail_calls(&scenarios[i]) > 5 || getenv("FAULT_FROM"));
    check_case = "";
}

/* ---- failing allocations ------------------------------------------------------------------------------- */

static void sqlite_fail(size_t n)
{
    db_test_fail_allocation((int)n);
}

static bool sqlite_failed(void)
{
    return db_test_fail_allocation(0);
}

/* SQLite's own, which reach it whatever stands below; and whatever anybody asks of malloc. */
static const struct shortage {
    const char *name;
    void (*begin)(size_t n);
    bool (*failed)(void);
} shortages[] = {
    { "SQLite's allocation", sqlite_fail, sqlite_failed },
    { "allocation", heap_fail, heap_failed },
};

/* True when there was an nth allocation to fail; *failures grows when somebody minded. */
static bool starve(const struct scenario *s, const struct shortage *k, size_t n, size_t *failures)
{
    struct hands h;
    bool reached;
    int r;

    begin(s->transact, &h);
    faultfs_stop(); /* it needs memory too */
    k->begin(n);
    r = s->run(&h);
    reached = k->failed();
    CHECK(is_clean(r));
    *failures += r < 0;
    if (r < 0)
        CHECK((r = s->run(&h)) >= 0);
    hands_release(&h);
    if (n % 8 == 0 || !reached)
        check_world(s, true);
    return reached;
}

static void test_allocations(void **state UNUSED)
{
    char name[96];

    for (size_t k = 0; k < ARRAY_LEN(shortages); k++) {
        if (shortages[k].begin == heap_fail && !heap_can()) {
            print_message("SKIPPED: malloc does not fail under a sanitizer\n");
            continue;
        }
        for (size_t i = 0; i < scenarios_n; i++) {
            size_t n = first_n(), failures = 0, runs = 0;

            if (!is_asked(&scenarios[i]))
                continue;
            for (; n < ALLOCATIONS_MAX; n = next_of(n, 12), runs++) {
                snprintf(name, sizeof name, "%s, %s %zu", scenarios[i].name, shortages[k].name, n);
                check_case = name;
                if (!starve(&scenarios[i], &shortages[k], n, &failures))
                    break;
            }
            runs_tell(shortages[k].name, scenarios[i].name, runs, "");
            CHECK(n < ALLOCATIONS_MAX && failures > 10);
        }
    }
    check_case = "";
    faultfs_stop();
}

/* ---- a full disk that has space again -------------------------------------------------------------------- */

static void test_full(void **state)
{
    struct hands h;
    struct world w, want;
    uint32_t uid;

    (void)state;
    begin(scenarios[0].ready, &h); /* opens the mailbox */
    CHECK(tempbox_open(&disk.files, secrets.id[1], &secrets.temp, true, &h.temp) == 0);
    for (int i = 0; i < 3; i++) { /* the same handles all the time */
        faultfs_fail(FAULT_WRITE | FAULT_TRUNCATE, 1, ENOSPC, true);
        CHECK(box_append(h.box, 20, INBOX, 0, &uid) == E_FULL);
        CHECK(box_expunge(h.box, INBOX, 1) == E_FULL);
        CHECK(tempbox_begin(h.temp) == 0 && temp_put(h.temp, 21, true) == 0 &&
              tempbox_commit(h.temp) == E_FULL);
        tempbox_rollback(h.temp);
        CHECK(keys_save(&disk.files, secrets.kf) == E_FULL);
        world_clear(&w);
        CHECK(box_read(h.box, &w) == 0 && world_count(&w) == 4 + (size_t)i); /* reading goes on */
        faultfs_fail(0, 0, 0, false);
        CHECK(box_append(h.box, 22 + (unsigned)i, INBOX, 0, &uid) == 0);
        CHECK(tempbox_begin(h.temp) == 0 && temp_put(h.temp, 30 + (unsigned)i, true) == 0 &&
              tempbox_commit(h.temp) == 0);
        CHECK(keys_save(&disk.files, secrets.kf) == 0);
    }
    hands_release(&h);
    template_expect(&want);
    for (size_t i = 0; i < 3; i++)
        want.at[INBOX][22 + i] = want.at[TEMP_B][30 + i] = 0;
    read_all(&w);
    CHECK(world_same(&w, &want));
    faultfs_stop();
}

/* ---- */

static int setup(void **state UNUSED)
{
    CHECK(scratch_make(folder, sizeof folder) == 0);
    snprintf(root, sizeof root, "%s/disk", folder);
    snprintf(template_root, sizeof template_root, "%s/template", folder);
    secrets_make();
    CHECK(mkdir(template_root, 0700) == 0);
    template_make(template_root);
    return 0;
}

static int teardown(void **state UNUSED)
{
    faultfs_stop();
    disk_close(&disk);
    secrets_release();
    scenarios_release();
    faultfs_remove_tree(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
