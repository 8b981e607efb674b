#include "test/fault/scenarios.h"
#include "lib/base/errors.h"
#include "src/store/index.h"
#include "src/store/mailbox_private.h"

struct disk disk;

/* ---- what the template holds: messages 1 to 4 in the mailbox, 5 to 7 waiting for it ---------------- */

void template_expect(struct world *w)
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

/* ---- what sessions ask for: the answer is noted in the same transaction, so asking again changes nothing ---- */

typedef int step_fn(struct mailbox *box, struct arena *a);

static int once(struct mailbox *box, step_fn *step)
{
    static const uint8_t operation[16] = { 0xee, 1 };
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf known = { .max = 64 };
    struct str id = str_of(operation, sizeof operation);
    int r = mailbox_begin(box);

    if (r < 0)
        return r;
    if ((r = mailbox_operation_find(box, id, STORE__OP__COPY, &known)) == 0 && (r = step(box, &a)) >= 0)
        r = mailbox_operation_note(box, id, STORE__OP__COPY, STR("done"));
    if (r < 0 || (r = mailbox_commit(box)) < 0)
        mailbox_rollback(box);
    return r;
}

/* What is in INBOX: three messages, two of them with a part. */
static uint32_t all_uids[] = { 1, UINT32_MAX };

static int copy_all(struct mailbox *box, struct arena *a, bool move)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    Store__CopyResponse out = STORE__COPY_RESPONSE__INIT;
    struct folder f;
    int r = folder_by_name(box, STR("INBOX"), &f);

    q.folder_id = f.id;
    q.uid_ranges = all_uids;
    q.n_uid_ranges = 2;
    q.to = str_pb(STR("Trash"));
    q.move = move;
    return r < 0 ? r : mailbox_copy(box, a, &q, &out);
}

static int copy_step(struct mailbox *box, struct arena *a)
{
    return copy_all(box, a, false);
}

static int move_step(struct mailbox *box, struct arena *a)
{
    return copy_all(box, a, true);
}

static int copy_run(struct hands *h)
{
    return once(h->box, copy_step);
}

static int move_run(struct hands *h)
{
    return once(h->box, move_step);
}

static void copy_expect(struct world *w)
{
    w->at[TRASH][1] = w->at[TRASH][2] = w->at[TRASH][4] = 0;
}

static void move_expect(struct world *w)
{
    copy_expect(w);
    w->at[INBOX][1] = w->at[INBOX][2] = w->at[INBOX][4] = ABSENT;
}

/* Two flags and two keywords that nobody used before, on all of them. */
static int flags_step(struct mailbox *box, struct arena *a)
{
    static char later[] = "Later", junk[] = "$Junk";
    char *keywords[] = { later, junk };
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    Store__FlagStoreResponse out = STORE__FLAG_STORE_RESPONSE__INIT;
    struct folder f;
    int r = folder_by_name(box, STR("INBOX"), &f);

    q.folder_id = f.id;
    q.uid_ranges = all_uids;
    q.n_uid_ranges = 2;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    q.flags = STORE__FLAG__SEEN | STORE__FLAG__FLAGGED;
    q.keywords = keywords;
    q.n_keywords = ARRAY_LEN(keywords);
    return r < 0 ? r : mailbox_flag_store(box, a, &q, &out);
}

static int flags_run(struct hands *h)
{
    return once(h->box, flags_step);
}

static void flags_expect(struct world *w)
{
    w->at[INBOX][1] = w->at[INBOX][2] = w->at[INBOX][4] = STORE__FLAG__SEEN | STORE__FLAG__FLAGGED;
}

/* One is made with its parents, one renamed with what is in it, one removed. */
static int folders_step(struct mailbox *box, struct arena *a)
{
    Store__FolderRequest make = STORE__FOLDER_REQUEST__INIT, drop = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;
    Store__RenameRequest rename = STORE__RENAME_REQUEST__INIT;
    Store__SubscribeRequest subscribe = STORE__SUBSCRIBE_REQUEST__INIT;
    int r;

    make.name = str_pb(STR("Plans/2026/autumn"));
    drop.name = str_pb(STR("Trash"));
    rename.from = str_pb(STR("Archive"));
    rename.to = subscribe.name = str_pb(STR("Work"));
    subscribe.subscribed = true;
    if ((r = mailbox_folder_create(box, a, &make, &out)) < 0 || (r = mailbox_folder_delete(box, &drop)) < 0 ||
        (r = mailbox_folder_rename(box, &rename)) < 0)
        return r;
    return mailbox_subscribe(box, &subscribe);
}

static int folders_run(struct hands *h)
{
    return once(h->box, folders_step);
}

static void folders_expect(struct world *w)
{
    w->at[WORK][3] = w->at[ARCHIVE][3];
    w->at[ARCHIVE][3] = ABSENT;
}

/* ---- what is done behind them ------------------------------------------------------------------------ */

static int index_run(struct hands *h)
{
    uint64_t waiting = 0;
    int r = mailbox_begin(h->box);

    if (r < 0 || (r = mailbox_index_step(h->box, INT32_MAX)) < 0 || (r = mailbox_commit(h->box)) < 0) {
        mailbox_rollback(h->box);
        return r;
    }
    return (r = mailbox_index_waiting(h->box, &waiting)) < 0 ? r : waiting ? E_BUG : 0;
}

/* Something in the -wal, and then it goes into the file. */
static int checkpoint_run(struct hands *h)
{
    uint32_t left = 1;
    int r = box_append(h->box, 13, WORK, 0, NULL);

    return r < 0 || (r = mailbox_checkpoint(h->box, &left)) < 0 ? r : left ? E_BUG : 0;
}

static int checkpoint_ready(struct hands *h)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Store__FolderRequest make = STORE__FOLDER_REQUEST__INIT;
    Store__FoldersResponse out = STORE__FOLDERS_RESPONSE__INIT;
    int r = open_box(h);

    make.name = str_pb(STR("Work"));
    if (r < 0 || (r = mailbox_begin(h->box)) < 0 ||
        ((r = mailbox_folder_create(h->box, &a, &make, &out)) < 0 && r != E_EXISTS))
        return r;
    return mailbox_commit(h->box);
}

static void checkpoint_expect(struct world *w)
{
    w->at[WORK][13] = 0;
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

const struct scenario scenarios[] = {
    { "append", open_box, append_run, append_expect, open_box, true },
    { "expunge", open_box, expunge_run, expunge_expect, open_box, true },
    { "copy", open_box, copy_run, copy_expect, open_box, true },
    { "move", open_box, move_run, move_expect, open_box, true },
    { "flags", open_box, flags_run, flags_expect, open_box, true },
    { "folders", open_box, folders_run, folders_expect, open_box, true },
    { "index", open_box, index_run, same_expect, open_box, true },
    { "checkpoint", checkpoint_ready, checkpoint_run, checkpoint_expect, checkpoint_ready, true },
    { "deliver", NULL, deliver_run, deliver_expect, open_temp, true },
    { "first delivery", NULL, first_run, first_expect, nothing_ready, true },
    { "drain", open_box, drain_run, drain_expect, open_both, false },
    { "password", keys_ready, slot_run, same_expect, keys_ready, true },
    { "rotate", keys_ready, rotate_run, same_expect, keys_ready, true },
};
const size_t scenarios_n = ARRAY_LEN(scenarios);

/* ---- the template ------------------------------------------------------------------------------------ */

void template_make(const char *root)
{
    struct mailbox *box = NULL;
    struct tempbox *t = NULL;

    for (unsigned n = 0; n < MESSAGES_MAX; n++)
        message_text(n); /* no memory of the test's own is asked for later */
    disk_open(&disk, root);
    CHECK(box_make(&disk, &box) == 0);
    for (unsigned n = 1; n <= 4; n++)
        CHECK(box_append(box, n, n == 3 ? ARCHIVE : INBOX, 0, NULL) == 0);
    CHECK(mailbox_close(&box) == 0);
    CHECK(tempbox_open(&disk.files, secrets.id[0], &secrets.temp, true, &t) == 0 && tempbox_begin(t) == 0);
    for (unsigned n = 5; n <= 7; n++)
        CHECK(temp_put(t, n, n != 6) == 0);
    CHECK(tempbox_commit(t) == 0 && tempbox_close(&t) == 0);
}

void hands_drop(struct hands *h)
{
    mailbox_close(&h->box);
    tempbox_close(&h->temp);
    keyfile_free(&h->kf);
    keyfile_keys_release(&h->keys);
    memset(h, 0, sizeof *h);
}

void hands_release(struct hands *h)
{
    CHECK(mailbox_close(&h->box) == 0 && tempbox_close(&h->temp) == 0);
    keyfile_free(&h->kf);
    keyfile_keys_release(&h->keys);
}

void scenarios_release(void)
{
    password_release(&further);
}
