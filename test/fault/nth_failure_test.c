/* The 1st, 2nd, 3rd ... write, sync, open, rename, unlink and allocation fails, in everything the store
 * does to a disk. The error is a clean one, what was acknowledged stays, the next try succeeds without
 * opening anything anew (where the lane would not either), and the files are sound. */
#include "test/fault/store_disk.h"
#include "lib/base/errors.h"
#include "test/fault/faultfs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NTH_MAX 3000u

static char folder[64];
static char root[128], template_root[128];
static struct disk disk;

/* What a scenario works with: opened before anything fails. */
struct hands {
    struct mailbox *box;
    struct tempbox *temp;
    struct keyfile *kf;
    struct keyfile_keys keys;
    bool exchanged;
};

struct scenario {
    const char *name;
    int (*ready)(struct hands *h); /* NULL: nothing */
    int (*run)(struct hands *h);   /* again after an error: goes on where it can */
    void (*expect)(struct world *w);
    int (*transact)(struct hands *h); /* ready, for failing allocations */
    bool whole;                       /* all or nothing: after an error the world is as before or as after */
};

/* ---- what the template holds: messages 1 to 4 in the mailbox, 5 to 7 waiting for it ---------------- */

static void expect_template(struct world *w)
{
    world_clear(w);
    w->at[INBOX][1] = w->at[INBOX][2] = w->at[ARCHIVE][3] = w->at[INBOX][4] = 0;
    w->at[TEMP_A][5] = w->at[TEMP_A][6] = w->at[TEMP_A][7] = 0;
}

static int open_box(struct hands *h)
{
    return box_open_data(&disk, &h->box);
}

/* ---- scenarios ------------------------------------------------------------------------------------- */

/* Three in one transaction, one of them large. */
static int append_run(struct hands *h)
{
    int r = mailbox_begin(h->box);

    for (unsigned n = 12; n < 15 && r == 0; n++)
        if ((r = mailbox_step_begin(h->box)) == 0 &&
            (r = box_put(h->box, n, n == 12 ? ARCHIVE : INBOX, 0, NULL)) == 0)
            r = mailbox_step_keep(h->box);
    if (r < 0 || (r = mailbox_commit(h->box)) < 0)
        mailbox_rollback(h->box);
    return r;
}

static void append_expect(struct world *w)
{
    w->at[ARCHIVE][12] = w->at[INBOX][13] = w->at[INBOX][14] = 0;
}

/* Like actor.c: a temporary mailbox with which something failed is opened anew. */
static int deliver_run(struct hands *h)
{
    int r = h->temp ? 0 : tempbox_open(&disk.files, secrets.id[0], &secrets.temp, true, &h->temp);

    if (r < 0)
        return r;
    r = tempbox_begin(h->temp);
    for (unsigned n = 12; n < 15 && r >= 0; n++)
        if ((r = tempbox_step_begin(h->temp)) == 0 && (r = temp_put(h->temp, n, n != 12)) >= 0)
            r = tempbox_step_keep(h->temp);
    if (r >= 0)
        r = tempbox_commit(h->temp);
    if (r < 0)
        tempbox_close(&h->temp);
    return r;
}

static void deliver_expect(struct world *w)
{
    w->at[TEMP_A][12] = w->at[TEMP_A][13] = w->at[TEMP_A][14] = 0;
}

/* Into a mailbox that never had mail before: the file is made. */
static int first_run(struct hands *h)
{
    int r = h->temp ? 0 : tempbox_open(&disk.files, secrets.id[1], &secrets.temp, true, &h->temp);

    if (r < 0)
        return r;
    if ((r = tempbox_begin(h->temp)) == 0 && (r = temp_put(h->temp, 20, true)) >= 0)
        r = tempbox_commit(h->temp);
    if (r < 0)
        tempbox_close(&h->temp);
    return r;
}

static void first_expect(struct world *w)
{
    w->at[TEMP_B][20] = 0;
}

static int open_temp(struct hands *h)
{
    return tempbox_open(&disk.files, secrets.id[0], &secrets.temp, true, &h->temp);
}

static int open_both(struct hands *h)
{
    int r = open_box(h);

    return r < 0 ? r : open_temp(h);
}

static int drain_run(struct hands *h)
{
    uint64_t kept = 0;
    int r = h->temp ? drain_one(h->box, &h->temp, 2, &kept, NULL, NULL) : 0;

    if (r < 0)
        tempbox_close(&h->temp);
    else
        r = drain_all(&disk, h->box, 2, &kept, NULL, NULL);

    return r < 0 ? r : kept ? E_BUG : 0;
}

static void drain_expect(struct world *w)
{
    for (size_t n = 5; n <= 7; n++) {
        w->at[TEMP_A][n] = ABSENT;
        w->at[INBOX][n] = 0;
    }
}

static int expunge_run(struct hands *h)
{
    return box_expunge(h->box, INBOX, 2); /* the second that was put there: 2 */
}

static void expunge_expect(struct world *w)
{
    w->at[INBOX][2] = ABSENT;
}

static int keys_ready(struct hands *h)
{
    struct mailbox_options o = { 0 };
    uint32_t generation;
    int r = keys_load(&disk.files, secrets.id[0], &h->kf);

    if (r < 0 || (r = keyfile_open(h->kf, &secrets.password, &h->keys)) < 0 ||
        (r = keybox_open(&disk.files, h->kf, &h->keys, &o, &h->box, &generation)) < 0)
        return r;
    h->exchanged = keyfile_generation(h->kf) > 1; /* the rotation had come that far */
    return (r = keybox_settle(h->box, h->kf, generation, secrets.mac)) < 0 ? r : 0;
}

static struct password further; /* one that was added */

static int slot_run(struct hands *h)
{
    struct keyfile_label label = { .name = "further" };
    uint16_t slot;
    int r;

    if (keyfile_slot_count(h->kf) == 1) {
        password_generate(keyfile_next_slot(h->kf), &further);
        if ((r = keyfile_slot_add(h->kf, &h->keys, &further, PASSWORD_COST_DEFAULT, secrets.label, &label,
                                  &slot)) < 0)
            return r;
    }
    if ((r = keys_save(&disk.files, h->kf)) < 0)
        return r;
    return keybox_settle(h->box, h->kf, h->keys.generation, secrets.mac);
}

/* The whole walk; after an error from where `.keys` and the file say. */
static int rotate_run(struct hands *h)
{
    struct mailbox_options o = { 0 };
    uint32_t generation;
    int r = mailbox_close(&h->box);

    if (r < 0)
        return r;
    if (!h->exchanged) {
        if ((!keyfile_next_generation(h->kf) && (r = keyfile_rotate_begin(h->kf, &h->keys)) < 0) ||
            (r = keys_save(&disk.files, h->kf)) < 0 ||
            (r = keybox_exchange(&disk.files, h->kf, &h->keys)) < 0 ||
            (r = keyfile_rotate_finish(h->kf, &h->keys)) < 0)
            return r;
        h->exchanged = true;
    }
    if ((r = keys_save(&disk.files, h->kf)) < 0 ||
        (r = keybox_open(&disk.files, h->kf, &h->keys, &o, &h->box, &generation)) < 0)
        return r;
    return keybox_settle(h->box, h->kf, generation, secrets.mac);
}

static void same_expect(struct world *w)
{
    (void)w;
}

static int nothing_ready(struct hands *h UNUSED)
{
    return 0;
}

static const struct scenario scenarios[] = {
    { "append", open_box, append_run, append_expect, open_box, true },
    { "expunge", open_box, expunge_run, expunge_expect, open_box, true },
    { "deliver", NULL, deliver_run, deliver_expect, open_temp, true },
    { "first delivery", NULL, first_run, first_expect, nothing_ready, true },
    { "drain", open_box, drain_run, drain_expect, open_both, false },
    { "slot", keys_ready, slot_run, same_expect, keys_ready, true },
    { "rotation", keys_ready, rotate_run, same_expect, keys_ready, true },
};

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

static void hands_release(struct hands *h)
{
    CHECK(mailbox_close(&h->box) == 0 && tempbox_close(&h->temp) == 0);
    keyfile_free(&h->kf);
    keyfile_keys_release(&h->keys);
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

    expect_template(&before);
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
    return r >= 0 || r == E_IO || r == E_FULL || r == E_NOMEM || r == E_BUSY || r == E_LIMIT;
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
    return getenv("FAULT_REPLAYS") || n < every ? n + 1 : n + n / 8;
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
            struct world w;

            mailbox_close(&h.box);
            tempbox_close(&h.temp);
            keyfile_free(&h.kf);
            keyfile_keys_release(&h.keys);
            check_world(s, false);
            world_clear(&w);
            memset(&h, 0, sizeof h);
            CHECK(!s->ready || s->ready(&h) == 0);
        }
        CHECK((r = s->run(&h)) >= 0); /* the next try */
    }
    hands_release(&h);
    check_world(s, true);
    faultfs_stop();
    return failed;
}

static void test_calls(void **state)
{
    char name[96];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        size_t total = 0;

        for (size_t k = 0; k < ARRAY_LEN(troubles); k++) {
            size_t n = 1;

            for (; n < NTH_MAX; n = next_of(n, 16), total++) {
                snprintf(name, sizeof name, "%s, %s, number %zu", scenarios[i].name, troubles[k].name, n);
                check_case = name;
                if (!fail_nth(&scenarios[i], &troubles[k], n))
                    break;
            }
            CHECK(n < NTH_MAX);
        }
        print_message("%s: %zu calls failed\n", scenarios[i].name, total);
        CHECK(total > 5);
    }
    check_case = "";
}

/* ---- failing allocations ------------------------------------------------------------------------------- */

static void test_allocations(void **state)
{
    char name[96];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        size_t n = 1, failures = 0;
        bool reached = true;

        for (; reached && n < 40000; n = next_of(n, 50)) {
            struct hands h;
            int r;

            snprintf(name, sizeof name, "%s, allocation %zu", scenarios[i].name, n);
            check_case = name;
            begin(scenarios[i].transact, &h);
            db_test_fail_allocation((int)n);
            r = scenarios[i].run(&h);
            reached = db_test_fail_allocation(0);
            CHECK(is_clean(r));
            failures += r < 0;
            if (r < 0)
                CHECK((r = scenarios[i].run(&h)) >= 0);
            hands_release(&h);
            if (n % 8 == 0 || !reached)
                check_world(&scenarios[i], true);
        }
        print_message("%s: %zu allocations failed\n", scenarios[i].name, failures);
        CHECK(!reached && failures > 10);
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
    begin(open_box, &h);
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
    expect_template(&want);
    for (size_t i = 0; i < 3; i++)
        want.at[INBOX][22 + i] = want.at[TEMP_B][30 + i] = 0;
    read_all(&w);
    CHECK(world_same(&w, &want));
    faultfs_stop();
}

/* ---- */

static int setup(void **state)
{
    struct mailbox *box = NULL;
    struct tempbox *t = NULL;

    (void)state;
    CHECK(scratch_make(folder, sizeof folder) == 0);
    snprintf(root, sizeof root, "%s/disk", folder);
    snprintf(template_root, sizeof template_root, "%s/template", folder);
    secrets_make();
    CHECK(mkdir(template_root, 0700) == 0);
    disk_open(&disk, template_root);
    CHECK(box_make(&disk, &box) == 0);
    for (unsigned n = 1; n <= 4; n++)
        CHECK(box_append(box, n, n == 3 ? ARCHIVE : INBOX, 0, NULL) == 0);
    CHECK(mailbox_close(&box) == 0);
    CHECK(tempbox_open(&disk.files, secrets.id[0], &secrets.temp, true, &t) == 0 && tempbox_begin(t) == 0);
    for (unsigned n = 5; n <= 7; n++)
        CHECK(temp_put(t, n, n != 6) == 0);
    CHECK(tempbox_commit(t) == 0 && tempbox_close(&t) == 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    faultfs_stop();
    disk_close(&disk);
    secrets_release();
    password_release(&further);
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
