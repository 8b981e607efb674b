/* Power is lost at every sync point of delivering, appending, draining and changing keys. What was
 * acknowledged is there afterwards, once, with every byte; what was not is there whole or not at all. */
#include "test/fault/store_disk.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "test/fault/faultfs.h"
#include "test/fault/replays.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX     96u
#define SLOTS_TRIED   6u
#define REPLAYS_LEAST (200u / FAULT_SHARE)

/* What was acknowledged, step by step. history[k]: after k acknowledgements. */
struct entry {
    struct world world;
    unsigned slots;                    /* bit per password that opens */
    uint8_t states[2][KEYSTATE_BYTES]; /* what the directory knows */
    size_t nstates;
};

static char folder[64];
static char root[128], template_root[128];
static struct disk disk;
static struct entry now, history[STEPS_MAX];
static size_t steps;
static struct password passwords[SLOTS_TRIED];
static uint16_t slot_ids[SLOTS_TRIED];

/* ---- acknowledging and judging ------------------------------------------------------------------ */

static void acknowledge(void)
{
    CHECK(steps + 1 < STEPS_MAX);
    history[++steps] = now;
    faultfs_ack(steps);
}

static void begin(const char *from)
{
    faultfs_stop();
    disk_close(&disk);
    faultfs_remove_tree(root);
    if (from)
        disk_copy(from, root);
    else
        CHECK(mkdir(root, 0700) == 0);
    steps = 0;
    world_clear(&now.world);
    now.slots = 0;
    now.nstates = 0;
    history[0] = now;
    disk_open(&disk, root);
    faultfs_start(root);
}

static void end(void)
{
    faultfs_stop();
    disk_close(&disk);
}

struct seen {
    size_t lost; /* replays in which something was not as promised */
    char first[200];
};

static void blame(struct seen *s, size_t point, const char *what, int r)
{
    if (s->lost++ == 0)
        snprintf(s->first, sizeof s->first, "point %zu: %s: %s", point, what,
                 r < 0 ? error_name(r) : "another world");
}

/* The acknowledged state, or the one that was under way. */
static bool world_allowed(const struct world *w, size_t acked)
{
    return world_same(w, &history[acked].world) ||
           (acked < steps && world_same(w, &history[acked + 1].world));
}

typedef void check_fn(const char *root, size_t point, void *ctx);

static void replay(const char *name, check_fn *check)
{
    struct seen seen = { 0 };
    size_t points = faultfs_points(), each = replays_each((REPLAYS_LEAST + points - 1) / points);
    size_t n = faultfs_replay(folder, each, check, &seen);

    print_message("%s: %zu replays at %zu points, %zu seeds each, %zu acknowledgements: %zu bad%s%s\n", name,
                  n, points, each, steps, seen.lost, seen.lost ? "; first: " : "", seen.first);
    replays_tell(name, n, each);
    CHECK(n >= REPLAYS_LEAST && seen.lost == 0);
}

/* A workload with a sync left out: we must notice. */
static void teeth(const char *name, check_fn *check)
{
    struct seen seen = { 0 };

    faultfs_replay(folder, 1, check, &seen);
    print_message("%s with a sync left out: %zu bad, first: %s\n", name, seen.lost, seen.first);
    CHECK(seen.lost > 0);
}

static size_t acked_at(size_t point)
{
    uint64_t v = 0;

    faultfs_acked(point, &v);
    return (size_t)v;
}

/* ---- deliver: sealed, into temporary mailboxes --------------------------------------------------- */

struct letter {
    unsigned n;
    bool undone; /* its step fails: the others of its transaction do not mind */
};

static void deliver(struct tempbox *t, unsigned mailbox, const struct letter *v, size_t n)
{
    CHECK(tempbox_begin(t) == 0);
    for (size_t i = 0; i < n; i++) {
        CHECK(tempbox_step_begin(t) == 0 && temp_put(t, v[i].n, v[i].n % 3 != 0) >= 0);
        if (v[i].undone) {
            tempbox_step_undo(t);
        } else {
            CHECK(tempbox_step_keep(t) == 0);
            now.world.at[TEMP_A + mailbox][v[i].n] = 0;
        }
    }
    CHECK(tempbox_commit(t) == 0);
    acknowledge();
}

static void empty(struct tempbox *t, unsigned mailbox)
{
    struct temp_record rec;

    CHECK(tempbox_begin(t) == 0);
    while (tempbox_next(t, 0, &rec) > 0)
        CHECK(tempbox_delete(t, rec.seq) == 0);
    CHECK(tempbox_commit(t) == 0);
    for (size_t n = 0; n < MESSAGES_MAX; n++)
        now.world.at[TEMP_A + mailbox][n] = ABSENT;
    acknowledge();
}

#define DELIVER(t, mailbox, ...)                                \
    deliver(t, mailbox, (const struct letter[]){ __VA_ARGS__ }, \
            sizeof((const struct letter[]){ __VA_ARGS__ }) / sizeof(struct letter))

static void reopen(struct tempbox **t, unsigned mailbox, const char *sync)
{
    CHECK(tempbox_close(t) == 0);
    CHECK(tempbox_open(&disk.files, secrets.id[mailbox], &secrets.temp, true, t) == 0);
    if (sync)
        CHECK(db_run(tempbox_db(*t), sync) == 0);
}

static void deliver_workload(const char *sync)
{
    struct tempbox *a = NULL, *b = NULL;

    begin(NULL);
    reopen(&a, 0, sync);
    DELIVER(a, 0, { 1 }, { 2 }, { 3 });
    reopen(&b, 1, sync);
    DELIVER(a, 0, { 4 }, { 6, true }, { 5 });
    DELIVER(b, 1, { 6 });
    DELIVER(a, 0, { 1 }, { 7 }); /* the first of them for the second time */
    reopen(&a, 0, sync);
    DELIVER(b, 1, { 8 }, { 9 });
    DELIVER(a, 0, { 13 });
    empty(a, 0);
    CHECK(tempbox_remove(&a) == 0); /* the next one has another generation */
    reopen(&a, 0, sync);
    DELIVER(a, 0, { 10 }, { 11 });
    CHECK(db_checkpoint(tempbox_db(a), DB_TRUNCATE, NULL) == 0);
    DELIVER(a, 0, { 12 });
    CHECK(tempbox_close(&a) == 0 && tempbox_close(&b) == 0);
    acknowledge();
    end();
}

static void deliver_check(const char *at, size_t point, void *ctx)
{
    struct world w;
    struct tempbox *t = NULL;
    struct disk d;
    int r;

    world_clear(&w);
    disk_open(&d, at);
    if ((r = temps_read(&d, 0, &w)) < 0 || (r = temps_read(&d, 1, &w)) < 0)
        blame(ctx, point, "reading", r);
    else if (!world_allowed(&w, acked_at(point)))
        blame(ctx, point, "messages", 0);
    else if ((r = tempbox_open(&d.files, secrets.id[0], &secrets.temp, true, &t)) < 0 ||
             (r = tempbox_begin(t)) < 0 || (r = temp_put(t, 40, false)) < 0 || (r = tempbox_commit(t)) < 0)
        blame(ctx, point, "the next delivery", r);
    tempbox_close(&t);
    disk_close(&d);
}

static void test_deliver(void **state)
{
    (void)state;
    deliver_workload(NULL);
    replay("deliver", deliver_check);
    deliver_workload("PRAGMA synchronous=NORMAL");
    teeth("deliver", deliver_check);
}

/* ---- append, flags, copy, move, expunge ---------------------------------------------------------- */

static uint32_t append(struct mailbox *box, unsigned n, enum place to, uint32_t flags)
{
    uint32_t uid = 0;

    CHECK(box_append(box, n, to, flags, &uid) == 0 && uid);
    now.world.at[to][n] = (int16_t)flags;
    acknowledge();
    return uid;
}

static void flag(struct mailbox *box, unsigned n, enum place in, uint32_t uid, uint32_t flags)
{
    CHECK(box_flag(box, in, uid, flags) == 0);
    now.world.at[in][n] = (int16_t)flags;
    acknowledge();
}

static uint32_t copy(struct mailbox *box, unsigned n, enum place from, uint32_t uid, enum place to, bool move)
{
    uint32_t got = 0;

    CHECK(box_copy(box, from, uid, to, move, &got) == 0 && got);
    now.world.at[to][n] = now.world.at[from][n];
    if (move)
        now.world.at[from][n] = ABSENT;
    acknowledge();
    return got;
}

static void expunge(struct mailbox *box, unsigned n, enum place in, uint32_t uid)
{
    CHECK(box_expunge(box, in, uid) == 0);
    now.world.at[in][n] = ABSENT;
    acknowledge();
}

/* Several in one transaction, one of which fails alone. */
static void append_group(struct mailbox *box, unsigned first, unsigned n)
{
    CHECK(mailbox_begin(box) == 0);
    for (unsigned i = first; i < first + n; i++) {
        CHECK(mailbox_step_begin(box) == 0 && box_put(box, i, INBOX, 0, NULL) == 0);
        if (i == first + 1) {
            mailbox_step_undo(box);
            continue;
        }
        CHECK(mailbox_step_keep(box) == 0);
        now.world.at[INBOX][i] = 0;
    }
    CHECK(mailbox_commit(box) == 0);
    acknowledge();
}

static void append_workload(const char *sync)
{
    Store__FolderRequest q = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct mailbox *box = NULL;
    uint32_t one, two, three, four;

    begin(template_root);
    CHECK(box_open_data(&disk, &box) == 0);
    if (sync)
        CHECK(db_run(mailbox_db(box), sync) == 0);
    one = append(box, 1, INBOX, 0);
    two = append(box, 2, ARCHIVE, STORE__FLAG__SEEN);
    q.name = str_pb(STR("Work"));
    CHECK(mailbox_begin(box) == 0 && mailbox_folder_create(box, &a, &q, &out) == 0 &&
          mailbox_commit(box) == 0);
    three = append(box, 3, WORK, 0);
    append_group(box, 20, 4);
    flag(box, 1, INBOX, one, STORE__FLAG__SEEN | STORE__FLAG__FLAGGED);
    copy(box, 1, INBOX, one, ARCHIVE, false);
    four = append(box, 6, INBOX, 0);
    expunge(box, 1, INBOX, one); /* its copy keeps the email */
    copy(box, 2, ARCHIVE, two, TRASH, true);
    CHECK(db_checkpoint(mailbox_db(box), DB_TRUNCATE, NULL) == 0);
    expunge(box, 3, WORK, three);
    expunge(box, 6, INBOX, four);
    append(box, 13, WORK, 0);
    CHECK(mailbox_close(&box) == 0);
    CHECK(box_open_data(&disk, &box) == 0);
    append(box, 5, INBOX, 0);
    CHECK(mailbox_close(&box) == 0);
    end();
}

static void append_check(const char *at, size_t point, void *ctx)
{
    struct mailbox *box = NULL;
    struct world w;
    struct disk d;
    int r;

    world_clear(&w);
    disk_open(&d, at);
    if ((r = box_open_data(&d, &box)) < 0 || (r = box_sound(box)) < 0)
        blame(ctx, point, "opening", r);
    else if ((r = box_read(box, &w)) < 0)
        blame(ctx, point, "reading", r);
    else if (!world_allowed(&w, acked_at(point)))
        blame(ctx, point, "messages", 0);
    else if ((r = box_append(box, 40, INBOX, 0, NULL)) < 0)
        blame(ctx, point, "the next append", r);
    mailbox_close(&box);
    disk_close(&d);
}

static void test_append(void **state)
{
    (void)state;
    append_workload(NULL);
    replay("append", append_check);
    append_workload("PRAGMA synchronous=NORMAL");
    teeth("append", append_check);
}

/* ---- drain: the world is what a drain to the end makes of it --------------------------------------- */

static void deliver_inbox(struct tempbox *t, unsigned first, unsigned last)
{
    CHECK(tempbox_begin(t) == 0);
    for (unsigned i = first; i <= last; i++) {
        CHECK(temp_put(t, i, i % 3 != 0) >= 0);
        now.world.at[INBOX][i] = 0;
    }
    CHECK(tempbox_commit(t) == 0);
    acknowledge();
}

/* Someone reads and deletes while it drains, and mail comes in beside it. */
static void meanwhile(void *ctx)
{
    struct mailbox *box = ctx;
    static unsigned turn;

    if (turn++ == 0)
        expunge(box, 1, INBOX, 1);
    if (now.world.at[INBOX][30] == ABSENT)
        append(box, 30, INBOX, 0);
}

static void drain_workload(const char *sync)
{
    struct tempbox *t = NULL;
    struct mailbox *box = NULL;
    uint64_t kept = 1;

    begin(template_root);
    CHECK(tempbox_open(&disk.files, secrets.id[0], &secrets.temp, true, &t) == 0);
    deliver_inbox(t, 1, 3);
    deliver_inbox(t, 4, 6);
    CHECK(tempbox_close(&t) == 0);
    /* A second file: one message of the first again, and new ones. */
    CHECK(tempbox_open_generation(&disk.files, secrets.id[0], &secrets.temp, UINT64_C(0x7000000000000000),
                                  &t) == 0);
    deliver_inbox(t, 5, 8);
    CHECK(tempbox_close(&t) == 0);

    CHECK(box_open_data(&disk, &box) == 0);
    if (sync)
        CHECK(db_run(mailbox_db(box), sync) == 0);
    CHECK(drain_all(&disk, box, 2, &kept, meanwhile, box) == 0 && kept == 0);
    acknowledge();
    CHECK(mailbox_close(&box) == 0);

    CHECK(tempbox_open(&disk.files, secrets.id[0], &secrets.temp, true, &t) == 0);
    deliver_inbox(t, 9, 10);
    CHECK(tempbox_close(&t) == 0);
    CHECK(box_open_data(&disk, &box) == 0);
    CHECK(drain_all(&disk, box, 8, &kept, NULL, NULL) == 0 && kept == 0);
    CHECK(mailbox_close(&box) == 0);
    end();
}

static int drain_judge(struct disk *d, struct mailbox *box, struct world *w)
{
    uint64_t kept = 0, files[8];
    int r;

    if ((r = drain_all(d, box, 3, &kept, NULL, NULL)) < 0 || kept)
        return kept ? E_CORRUPT : r;
    if ((r = files_temp_list(&d->files, secrets.id[0], files, ARRAY_LEN(files))) != 0)
        return r < 0 ? r : E_BUSY;
    return (r = box_sound(box)) < 0 ? r : box_read(box, w);
}

static void drain_check(const char *at, size_t point, void *ctx)
{
    struct mailbox *box = NULL;
    struct world w, before;
    struct disk d;
    int r;

    world_clear(&w);
    world_clear(&before);
    disk_open(&d, at);
    if ((r = temps_read(&d, 0, &before)) < 0 && r != E_EXISTS) /* the second file holds one twice by design */
        blame(ctx, point, "temporary mailboxes", r);
    else if ((r = box_open_data(&d, &box)) < 0 || (r = box_read(box, &before)) < 0)
        blame(ctx, point, "opening", r);
    else if ((r = drain_judge(&d, box, &w)) < 0)
        blame(ctx, point, "draining again", r);
    else if (!world_allowed(&w, acked_at(point)))
        blame(ctx, point, "messages", 0);
    mailbox_close(&box);
    disk_close(&d);
}

static void test_drain(void **state)
{
    (void)state;
    drain_workload(NULL);
    replay("drain", drain_check);
    drain_workload("PRAGMA synchronous=NORMAL"); /* deleted from where it was before it is safe where it is */
    teeth("drain", drain_check);
}

/* ---- keys ------------------------------------------------------------------------------------------ */

struct owner {
    struct keyfile *kf;
    struct keyfile_keys keys;
    struct mailbox *box; /* open, or NULL */
};

/* The directory: first both states are right, then the new one alone. */
static void directory_prepare(const struct keyfile *kf)
{
    keys_state(kf, secrets.mac, now.states[1]);
    now.nstates = 2;
    acknowledge();
}

static void directory_commit(void)
{
    memcpy(now.states[0], now.states[1], KEYSTATE_BYTES);
    now.nstates = 1;
    acknowledge();
}

static void keys_put(struct owner *o)
{
    directory_prepare(o->kf);
    CHECK(keys_save(&disk.files, o->kf) == 0);
    acknowledge();
    if (o->box)
        CHECK(keybox_settle(o->box, o->kf, o->keys.generation, secrets.mac) >= 0);
    directory_commit();
}

static void slot_add(struct owner *o, size_t i)
{
    struct keyfile_label label = { .name = "further" };

    password_generate(keyfile_next_slot(o->kf), &passwords[i]);
    CHECK(keyfile_slot_add(o->kf, &o->keys, &passwords[i], PASSWORD_COST_DEFAULT, secrets.label, &label,
                           &slot_ids[i]) == 0);
}

static void add(struct owner *o, size_t i)
{
    slot_add(o, i);
    now.slots |= 1u << i;
    directory_prepare(o->kf);
    history[steps].slots = now.slots & ~(1u << i); /* prepared: not yet told to anyone */
    CHECK(keys_save(&disk.files, o->kf) == 0);
    acknowledge();
    CHECK(keybox_settle(o->box, o->kf, o->keys.generation, secrets.mac) >= 0);
    directory_commit();
}

static void slot_drop(struct owner *o, size_t i)
{
    CHECK(keyfile_slot_revoke(o->kf, &o->keys, slot_ids[i]) == 0);
    directory_prepare(o->kf);
    CHECK(keys_save(&disk.files, o->kf) == 0);
    now.slots &= ~(1u << i);
    acknowledge();
    CHECK(keybox_settle(o->box, o->kf, o->keys.generation, secrets.mac) >= 0);
    directory_commit();
}

static int owner_open(const struct disk *d, struct owner *o)
{
    struct mailbox_options opt = { 0 };
    uint32_t generation = 0;
    int r = keybox_open(&d->files, o->kf, &o->keys, &opt, &o->box, &generation);

    return r < 0 ? r : keybox_settle(o->box, o->kf, generation, secrets.mac);
}

/* As KEY_ROTATE walks it: `.keys` with both, the file exchanged, `.keys` with the new one. */
static void rotate(struct owner *o)
{
    CHECK(mailbox_close(&o->box) == 0);
    CHECK(keyfile_rotate_begin(o->kf, &o->keys) == 0);
    keys_put(o);
    CHECK(keybox_exchange(&disk.files, o->kf, &o->keys) == 0);
    CHECK(keyfile_rotate_finish(o->kf, &o->keys) == 0);
    keys_put(o);
    CHECK(owner_open(&disk, o) >= 0);
    acknowledge();
}

static void keys_workload(void)
{
    struct mailbox_meta m = { .generation = 1, .key_state = { .max = KIB(4) } };
    struct mailbox_options opt = { .flags = MAILBOX_CREATE };
    char path[FILES_PATH_MAX], full[2 * FILES_PATH_MAX];
    struct owner o = { 0 };

    begin(NULL);
    CHECK(keyfile_new(secrets.id[0], &o.kf, &o.keys) == 0);
    slot_add(&o, 0);
    keys_state(o.kf, secrets.mac, now.states[0]);
    now.nstates = 1;
    CHECK(buf_append(&m.key_state, now.states[0], KEYSTATE_BYTES) == 0);
    memcpy(m.id, secrets.id[0], sizeof m.id);
    files_path(secrets.id[0], FILES_MAILBOX, path);
    files_full(&disk.files, path, full, sizeof full);
    CHECK(files_folder(&disk.files, secrets.id[0]) == 0 &&
          mailbox_open(full, o.keys.data_key, &opt, &m, &o.box) == 0);
    CHECK(keys_save(&disk.files, o.kf) == 0);
    now.slots = 1;
    acknowledge();
    append(o.box, 1, INBOX, 0);
    add(&o, 1);
    add(&o, 2);
    slot_drop(&o, 0);
    append(o.box, 6, ARCHIVE, 0);
    rotate(&o);
    append(o.box, 2, INBOX, 0);
    add(&o, 3);
    rotate(&o);
    slot_drop(&o, 1);
    append(o.box, 3, INBOX, 0);
    CHECK(mailbox_close(&o.box) == 0);
    keyfile_free(&o.kf);
    keyfile_keys_release(&o.keys);
    buf_release(&m.key_state);
    end();
}

static unsigned slots_that_open(const struct keyfile *kf, struct keyfile_keys *keys_out, int *r_out)
{
    unsigned slots = 0;

    for (size_t i = 0; i < SLOTS_TRIED; i++) {
        struct keyfile_keys keys;
        int r = passwords[i].n ? keyfile_open(kf, &passwords[i], &keys) : E_AUTH;

        if (r == 0) {
            slots |= 1u << i;
            *keys_out = keys;
            keyfile_keys_release(&keys);
        } else if (r != E_AUTH) {
            *r_out = r;
        }
    }
    return slots;
}

static bool state_known(const struct keyfile *kf, const struct entry *e)
{
    ProtobufCBinaryData v[2] = { { KEYSTATE_BYTES, (uint8_t *)(uintptr_t)e->states[0] },
                                 { KEYSTATE_BYTES, (uint8_t *)(uintptr_t)e->states[1] } };
    struct keys_known known = { v, e->nstates, secrets.mac };

    return keys_check(kf, &known) >= 0;
}

/* A rotation that was cut off is taken up by the next one. */
static int rotation_resume(const struct disk *d, struct owner *o)
{
    int r = keyfile_next_generation(o->kf) ? 0 : keyfile_rotate_begin(o->kf, &o->keys);

    if (r < 0 || (r = mailbox_close(&o->box)) < 0 || (r = keys_save(&d->files, o->kf)) < 0 ||
        (r = keybox_exchange(&d->files, o->kf, &o->keys)) < 0 ||
        (r = keyfile_rotate_finish(o->kf, &o->keys)) < 0 || (r = keys_save(&d->files, o->kf)) < 0)
        return r;
    return (r = owner_open(d, o)) < 0 ? r : box_sound(o->box);
}

static void keys_judge(const struct disk *d, struct owner *o, size_t point, struct seen *seen)
{
    size_t k = acked_at(point);
    struct world w, again;
    unsigned slots;
    int r = 0;

    world_clear(&w);
    world_clear(&again);
    slots = slots_that_open(o->kf, &o->keys, &r);
    if (r < 0)
        blame(seen, point, "a password", r);
    else if (slots != history[k].slots && (k == steps || slots != history[k + 1].slots))
        blame(seen, point, "which passwords open", 0);
    else if (!state_known(o->kf, &history[k]) && (k == steps || !state_known(o->kf, &history[k + 1])))
        blame(seen, point, "what the directory knows", 0);
    else if ((r = owner_open(d, o)) < 0 || (r = box_sound(o->box)) < 0)
        blame(seen, point, "opening", r);
    else if ((r = box_read(o->box, &w)) < 0)
        blame(seen, point, "reading", r);
    else if (!world_allowed(&w, k))
        blame(seen, point, "messages", 0);
    else if ((keyfile_next_generation(o->kf) ||
              point % 4 == 0) && /* dear, so not always from the beginning */
             ((r = rotation_resume(d, o)) < 0 || (r = box_read(o->box, &again)) < 0 ||
              !world_same(&w, &again)))
        blame(seen, point, "the next rotation", r);
}

static void keys_check_disk(const char *at, size_t point, void *ctx)
{
    struct owner o = { 0 };
    struct disk d;
    int r;

    if (acked_at(point) == 0)
        return; /* not bound to an alias yet: nobody's */
    disk_open(&d, at);
    if ((r = keys_load(&d.files, secrets.id[0], &o.kf)) < 0)
        blame(ctx, point, ".keys", r);
    else
        keys_judge(&d, &o, point, ctx);
    mailbox_close(&o.box);
    keyfile_free(&o.kf);
    keyfile_keys_release(&o.keys);
    disk_close(&d);
}

static int no_sync(int fd)
{
    (void)fd;
    return 0;
}

static void test_keys(void **state)
{
    struct file_ops lazy = *file_ops();

    (void)state;
    keys_workload();
    replay("slot change", keys_check_disk);
    lazy.fsync = no_sync;
    file_ops_set(&lazy);
    keys_workload();
    file_ops_set(NULL);
    teeth("slot change", keys_check_disk);
}

/* ---- */

static int setup(void **state)
{
    struct mailbox *box = NULL;
    struct disk d;

    (void)state;
    CHECK(scratch_make(folder, sizeof folder) == 0);
    snprintf(root, sizeof root, "%s/disk", folder);
    snprintf(template_root, sizeof template_root, "%s/template", folder);
    disk.files.dir = -1;
    secrets_make();
    CHECK(mkdir(template_root, 0700) == 0);
    disk_open(&d, template_root);
    CHECK(box_make(&d, &box) == 0 && mailbox_close(&box) == 0);
    disk_close(&d);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    faultfs_stop();
    secrets_release();
    faultfs_remove_tree(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deliver),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
