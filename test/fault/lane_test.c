/* The writer lanes of mailboxes, as the role has them: who waits for whom, how many syncs that costs, and how
 * large a -wal may grow meanwhile. */
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/mime/scan.h"
#include "lib/mime/structure.h"
#include "src/store/check.h"
#include "src/store/drop.h"
#include "src/store/many.h"
#include "src/store/store.h"
#include "test/fault/faultfs.h"
#include "test/fault/store_disk.h"
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAL_BYTES_MAX MIB(64)
#define WAIT_MS       60000 /* what takes longer hangs */

static char folder[64], root[128];
static struct disk disk;
static struct actor *lane;

/* ---- the role around it, of which lanes know nothing ----------------------------------------------------- */

int role_data_dir(const struct role *r UNUSED)
{
    return -1;
}

struct rpc_link *role_link(struct role *r UNUSED, enum role_id server UNUSED)
{
    return NULL;
}

struct loop *role_loop(struct role *r UNUSED)
{
    return NULL;
}

struct str role_places(const struct role *r UNUSED)
{
    return STR_NONE;
}

void role_stopped(struct role *r UNUSED)
{
}

const uint8_t *role_subkey(const struct role *r UNUSED, enum subkey_purpose purpose UNUSED)
{
    return NULL;
}

const uint8_t *role_ticket_key(const struct role *r UNUSED)
{
    return NULL;
}

/* ---- a store that has nothing but one open mailbox, and one that is closed ---------------------------- */

static void begin(void)
{
    struct mailbox *box = NULL;

    snprintf(root, sizeof root, "%s/disk", folder);
    CHECK(mkdir(root, 0700) == 0);
    disk_open(&disk, root);
    CHECK(box_make(&disk, &box) == 0 && mailbox_close(&box) == 0);
    CHECK((store.pool = work_pool_new("store", 4, 0, 0)) &&
          (store.read_pool = work_pool_new("read", 1, 0, 0)) &&
          (store.search_pool = work_pool_new("search", 1, 0, 0)));
    CHECK((store.handles = handles_new(16, MIB(64), actor_handle_closing)) != NULL);
    store.files = disk.files;
    store.temp_keys = secrets.temp;
    store_conf.cache_bytes = store_conf.reader_cache_bytes = MIB(1);
    store_conf.temp_handles = 8;
    store.stopping = true; /* nothing is done behind: no index, no checkpoint */
    CHECK((lane = actor_get(secrets.id[0])) != NULL);
    lane->key = secrets.keys.data_key;
    lane->state = ACTOR_OPEN;
}

static void end(void)
{
    CHECK(handle_drop(store.handles, &lane->writer) == 0);
    lane->key = NULL;
    lane->state = ACTOR_CLOSED;
    actor_unref(lane);
    actor_temps_close();
    work_pool_free(&store.pool);
    work_pool_free(&store.read_pool);
    work_pool_free(&store.search_pool);
    handles_free(&store.handles);
    disk_close(&disk);
    faultfs_remove_tree(root);
}

/* ---- jobs --------------------------------------------------------------------------------------------- */

struct put {
    struct job job;
    unsigned n;
    struct str large; /* instead of message n */
};
static size_t ended;
static sem_t gate;

static void put_done(struct job *j)
{
    (void)j;
    ended++;
}

static int put_large(struct mailbox *box, struct str bytes)
{
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct placement at = { .folder = STR("INBOX"), .internal_ms = clock_wall_ms() };
    struct bytes_mem m, text;
    struct email_in e = { .message = bytes_mem_init(&m, bytes),
                          .header_bytes = 4,
                          .structure = STR("\x0a\x04\x10\x00\x20\x04") };

    e.text = bytes_mem_init(&text, STR_NONE);
    return mailbox_append(box, &e, &at, &out);
}

static int put_run(struct job *j, struct mailbox *box)
{
    struct put *p = CONTAINER_OF(j, struct put, job);

    if (box)
        return p->large.n ? put_large(box, p->large) : box_put(box, p->n, INBOX, 0, NULL);
    return temp_put(j->actor->temp, p->n, false);
}

static int gate_run(struct job *j UNUSED, struct mailbox *box UNUSED)
{
    return sem_wait(&gate);
}

static void submit(struct actor *a, struct put *p, enum job_kind kind)
{
    p->job = (struct job){ .kind = kind, .repeatable = true, .run = put_run, .done = put_done };
    p->job.bytes = p->large.n;
    CHECK(actor_submit(a, &p->job) == 0);
}

static void wait_for(size_t n)
{
    struct pollfd fd = { .fd = work_pool_fd(store.pool), .events = POLLIN };

    while (ended < n) {
        CHECK(poll(&fd, 1, WAIT_MS) == 1);
        work_reap(store.pool);
    }
}

/* Behind a closed gate `count` jobs of both kinds wait: then all at once. */
static size_t syncs_of(struct actor *a, struct put *v, size_t count, bool deliveries)
{
    struct job first = { .kind = JOB_BARE, .run = gate_run, .done = put_done };

    ended = 0;
    CHECK(actor_submit(a, &first) == 0);
    for (size_t i = 0; i < count; i++)
        submit(a, &v[i], deliveries || i % 2 ? JOB_DELIVER : JOB_WRITE);
    faultfs_fail(FAULT_SYNC, 0, 0, false);
    CHECK(sem_post(&gate) == 0);
    wait_for(count + 1);
    for (size_t i = 0; i < count; i++)
        CHECK(v[i].job.status == 0);
    return faultfs_calls();
}

/* What waits for one mailbox, appends and deliveries, is synced together; open and closed. */
static void test_share(void **state UNUSED)
{
    static struct put one = { .n = 40 }, two = { .n = 41 }, v[32];
    struct actor *closed;
    uint64_t n = 0;

    clock_fake(1787000000000); /* a group takes what comes in some milliseconds: none pass */
    begin();
    faultfs_start(root);
    CHECK((closed = actor_get(secrets.id[1])) != NULL);
    for (unsigned i = 0; i < ARRAY_LEN(v); i++)
        v[i].n = i;
    syncs_of(lane, &one, 1, false); /* the -wal is begun */
    CHECK(syncs_of(lane, &two, 1, false) == 1);
    CHECK(syncs_of(lane, v, ARRAY_LEN(v), false) == 1);
    memcpy(closed->public_key, keyfile_public(secrets.kf, &closed->public_generation), XWING_PUBLIC_BYTES);
    syncs_of(closed, &one, 1, true);
    CHECK(syncs_of(closed, &two, 1, true) == 1);
    CHECK(syncs_of(closed, v, ARRAY_LEN(v), true) == 1);
    CHECK(tempbox_count(closed->temp, &n) == 0 && n == ARRAY_LEN(v) + 2);
    actor_unref(closed);
    end();
    faultfs_stop();
    clock_real();
}

static pthread_barrier_t together;
static _Atomic int in_sync;

static void meet(void)
{
    if (in_sync++ < 2)
        pthread_barrier_wait(&together);
}

/* Each is in its sync while the other is: else this hangs, and the alarm rings. */
static void test_parallel(void **state UNUSED)
{
    static struct put a = { .n = 1 }, b = { .n = 1 }, a2 = { .n = 2 }, b2 = { .n = 2 };
    struct actor *closed;

    begin();
    CHECK((closed = actor_get(secrets.id[1])) != NULL && pthread_barrier_init(&together, NULL, 2) == 0);
    ended = 0;
    submit(lane, &a, JOB_DELIVER);
    submit(closed, &b, JOB_DELIVER);
    wait_for(2);
    faultfs_start(root);
    in_sync = 0;
    faultfs_on_sync(meet);
    alarm(WAIT_MS / 1000);
    submit(lane, &a2, JOB_DELIVER);
    submit(closed, &b2, JOB_DELIVER);
    wait_for(4);
    alarm(0);
    faultfs_on_sync(NULL);
    faultfs_stop();
    CHECK(in_sync == 2 && a2.job.status == 0 && b2.job.status == 0);
    actor_unref(closed);
    pthread_barrier_destroy(&together);
    end();
}

/* ---- how large a -wal grows ------------------------------------------------------------------------------ */

static void full_path(char *out, size_t n)
{
    char path[FILES_PATH_MAX];

    files_path(secrets.id[0], FILES_MAILBOX, path);
    files_full(&store.files, path, out, n);
}

static uint64_t wal_bytes(void)
{
    char path[2 * FILES_PATH_MAX], wal[2 * FILES_PATH_MAX + 8];
    struct stat st;

    full_path(path, sizeof path);
    snprintf(wal, sizeof wal, "%s-wal", path);
    CHECK(stat(wal, &st) == 0);
    return (uint64_t)st.st_size;
}

static int put_one(struct str large)
{
    struct put p = { .large = large };

    ended = 0;
    submit(lane, &p, JOB_WRITE);
    wait_for(1);
    return p.job.status;
}

static void large_make(struct buf *out, size_t n)
{
    CHECK(buf_puts(out, STR("\r\n\r\n")) == 0 && buf_reserve(out, n));
    rand_bytes(out->p + out->n, n);
    out->n += n;
}

/* Somebody who reads one old state for ever: writing ends before the limit, with "later"; reading goes on. */
static void test_stuck_reader(void **state UNUSED)
{
    struct mailbox_options o = { .flags = MAILBOX_READER };
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(8) };
    struct mailbox *reader = NULL;
    struct stmt *st = NULL;
    char path[2 * FILES_PATH_MAX];
    int64_t n = 0;
    int r, kept = 0;

    begin();
    large_make(&bytes, MIB(4));
    full_path(path, sizeof path);
    CHECK(mailbox_open(path, secrets.keys.data_key, &o, NULL, &reader) == 0);
    CHECK(stmt_get(mailbox_db(reader), "SELECT id FROM folder", &st) == 0 && stmt_step(st) == 1);
    for (r = 0; r == 0 && kept < 32; kept += r == 0) {
        r = put_one(buf_str(&bytes));
        CHECK(wal_bytes() <= WAL_BYTES_MAX);
    }
    CHECK(r == E_BUSY && kept >= 8);
    CHECK(put_one(buf_str(&bytes)) == E_BUSY && wal_bytes() <= WAL_BYTES_MAX);
    CHECK(db_get_i64(mailbox_db(reader), "SELECT count(*) FROM message", &n) == 0 && n == 0);
    stmt_release(&st);
    CHECK(db_get_i64(mailbox_db(reader), "SELECT count(*) FROM message", &n) == 0 && n == kept);
    CHECK(mailbox_close(&reader) == 0);
    CHECK(put_one(buf_str(&bytes)) == 0 && wal_bytes() < MIB(8));
    end();
}

/* Large messages one behind the other: each has room. */
static void test_large(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf bytes = { .max = MIB(52) };

    begin();
    large_make(&bytes, MIB(50));
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; k < 2; k++) {
            CHECK(put_one(str_slice(buf_str(&bytes), 0, k ? bytes.n : MIB(30))) == 0);
            CHECK(wal_bytes() <= WAL_BYTES_MAX);
        }
    end();
}

/* However many mailboxes are due for a look: two at a time have it, each has it. Their files are not there: a
 * walk that fails makes room for the next as well. */
static void test_walks(void **state UNUSED)
{
    static const uint8_t session;
    struct pollfd fd = { .events = POLLIN };
    struct actor *v[10];
    size_t walking, cared;

    begin();
    store.stopping = false;
    fd.fd = work_pool_fd(store.pool);
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        uint8_t id[MAILBOX_ID_LEN] = { 77, (uint8_t)i };

        CHECK((v[i] = actor_get(id)) != NULL);
        v[i]->key = secrets.keys.data_key;
        v[i]->state = ACTOR_OPEN;
        v[i]->sessions = (struct session *)&session; /* never looked into */
        v[i]->index_behind = false;
    }
    for (care_round(), cared = 0; cared < ARRAY_LEN(v);) {
        walking = cared = 0;
        for (size_t i = 0; i < ARRAY_LEN(v); i++) {
            walking += v[i]->care != NULL;
            cared += v[i]->cared_ms && !v[i]->care;
        }
        CHECK(walking <= 2 && (walking > 0 || cared == ARRAY_LEN(v)));
        if (!walking)
            break;
        CHECK(poll(&fd, 1, WAIT_MS) == 1);
        work_reap(store.pool);
    }
    store.stopping = true;
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        v[i]->sessions = NULL;
        v[i]->key = NULL;
        v[i]->state = ACTOR_CLOSED;
        actor_unref(v[i]);
    }
    end();
}

/* ---- what changes much in one command ------------------------------------------------------------------------ */

/* A step of a command, by whatever the role calls for it, again until it is done. No commit leaves a -wal that is too large. */
struct command {
    struct job job;
    int (*step)(struct mailbox *box, struct command *c);
    struct many many;
    const void *q;
    unsigned commits;
};

static int command_run(struct job *j, struct mailbox *box)
{
    struct command *c = CONTAINER_OF(j, struct command, job);

    return box ? c->step(box, c) : E_CLOSED;
}

static int command_do(struct command *c, enum job_kind kind,
                      int (*step)(struct mailbox *box, struct command *c), const void *q)
{
    *c = (struct command){ .step = step, .q = q };
    do {
        ended = 0;
        c->job = (struct job){ .kind = kind, .run = command_run, .done = put_done };
        CHECK(actor_submit(lane, &c->job) == 0);
        wait_for(1);
        c->commits++;
        CHECK(wal_bytes() <= checkpoint_wal_bytes);
    } while (c->job.status > 0);
    many_release(&c->many);
    return c->job.status;
}

static int do_expunge(struct mailbox *box, struct command *c)
{
    return many_expunge(box, c->q, &c->many);
}

static int do_copy(struct mailbox *box, struct command *c)
{
    int r = many_copy(box, c->q, &c->many);

    many_keep(&c->many);
    return r;
}

static int do_flag(struct mailbox *box, struct command *c)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };

    return many_flag(box, &a, c->q, &c->many);
}

static int do_delete(struct mailbox *box, struct command *c)
{
    return many_folder_delete(box, c->q, &c->many);
}

static int do_rename(struct mailbox *box, struct command *c)
{
    return many_folder_rename(box, c->q, &c->many);
}

static int do_retain(struct mailbox *box, struct command *c UNUSED)
{
    return mailbox_retain(box, STORE__SPECIAL_USE__USE_TRASH, clock_wall_ms() + 1000, 200);
}

static int do_sweep(struct mailbox *box, struct command *c UNUSED)
{
    return mailbox_sweep(box, 200);
}

static int do_drop(struct mailbox *box UNUSED, struct command *c)
{
    return drop_slice(c->job.actor);
}

static int do_check(struct mailbox *box, struct command *c UNUSED)
{
    return box_sound(box);
}

static int64_t count_of(const char *sql)
{
    struct mailbox_options o = { .flags = MAILBOX_READER };
    struct mailbox *box = NULL;
    char path[2 * FILES_PATH_MAX];
    int64_t n = -1;

    full_path(path, sizeof path);
    CHECK(mailbox_open(path, secrets.keys.data_key, &o, NULL, &box) == 0);
    CHECK(db_get_i64(mailbox_db(box), sql, &n) == 0 && mailbox_close(&box) == 0);
    return n;
}

#define LARGE_BYTES MIB(8)
#define LARGE_COUNT 12u

/* Its text is a part. */
static int put_letter(struct mailbox *box, struct command *c)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    CLEANUP(buf_release) struct buf packed = { .max = MIME_STRUCTURE_MAX };
    const struct put *p = c->q;
    Store__AppendResponse out = STORE__APPEND_RESPONSE__INIT;
    struct placement at = { .folder = p->n ? STR("Trash") : STR("INBOX"), .internal_ms = clock_wall_ms() };
    struct bytes_mem m, text;
    struct email_in e = { .message = bytes_mem_init(&m, p->large) };
    struct mime_part *part = mime_scan_all(&a, p->large);

    CHECK(part && mime_structure_pack(part, &a, &packed) == 0);
    e.header_bytes = part->body_start;
    e.structure = buf_str(&packed);
    e.text = bytes_mem_init(&text, STR_NONE);
    return mailbox_append(box, &e, &at, &out);
}

static void letters_put(struct str bytes, unsigned count, unsigned trash)
{
    CLEANUP(buf_release) struct buf own = { .max = LARGE_BYTES + 16 };
    struct put p = { .n = trash };
    struct command c;

    for (unsigned i = 0; i < count; i++) {
        buf_clear(&own);
        CHECK(buf_puts(&own, bytes) == 0);
        own.p[100] = (char)i; /* another part */
        p.large = buf_str(&own);
        ended = 0;
        c = (struct command){ .step = put_letter, .q = &p };
        c.job = (struct job){ .kind = JOB_WRITE, .run = command_run, .done = put_done, .bytes = own.n };
        CHECK(actor_submit(lane, &c.job) == 0);
        wait_for(1);
        CHECK(c.job.status == 0 && wal_bytes() <= checkpoint_wal_bytes);
    }
}

static void inbox_expunge(void)
{
    Store__ExpungeRequest q = STORE__EXPUNGE_REQUEST__INIT;
    struct command c;

    q.folder_id = (uint64_t)count_of("SELECT id FROM folder WHERE name = 'INBOX'");
    q.any = true;
    CHECK(command_do(&c, JOB_WRITE, do_expunge, &q) == 0 && c.commits == 1);
}

/* Gone at once for who asks, with what they count; their bytes after it, whoever dies in between. */
static void test_expunge_large(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf bytes = { .max = LARGE_BYTES };
    Store__FolderRequest trash = STORE__FOLDER_REQUEST__INIT;
    struct command c;

    begin();
    large_make(&bytes, LARGE_BYTES - 16);
    letters_put(buf_str(&bytes), LARGE_COUNT, 0);
    CHECK(count_of("SELECT count(*) FROM part") == LARGE_COUNT);
    inbox_expunge();
    CHECK(count_of("SELECT sum(bytes + messages) FROM folder") == 0 &&
          count_of("SELECT count(*) FROM part") == 0 && count_of("SELECT count(*) FROM email") == 0);
    CHECK(command_do(&c, JOB_ALONE, do_check, NULL) == 0);
    ended = 0; /* a slice, and the end of all */
    c = (struct command){ .step = do_drop };
    c.job = (struct job){ .kind = JOB_ALONE, .run = command_run, .done = put_done };
    CHECK(actor_submit(lane, &c.job) == 0);
    wait_for(1);
    CHECK(c.job.status == 1 && count_of("SELECT count(*) FROM part_row") > 0);
    CHECK(handle_drop(store.handles, &lane->writer) == 0);
    letters_put(buf_str(&bytes), 3, 0); /* none of them gets rows that go */
    CHECK(command_do(&c, JOB_ALONE, do_check, NULL) == 0);
    CHECK(command_do(&c, JOB_ALONE, do_drop, NULL) == 0 && c.commits > 4);
    CHECK(count_of("SELECT count(*) FROM dropping") == 0 &&
          count_of("SELECT count(*) FROM part_row") == 3 * (LARGE_BYTES / KIB(256)));
    CHECK(command_do(&c, JOB_ALONE, do_check, NULL) == 0);

    letters_put(buf_str(&bytes), LARGE_COUNT, 1); /* by retention, and with the folder */
    CHECK(command_do(&c, JOB_WRITE, do_retain, NULL) == 0);
    CHECK(command_do(&c, JOB_ALONE, do_drop, NULL) == 0);
    letters_put(buf_str(&bytes), LARGE_COUNT, 1);
    trash.name = str_pb(STR("Trash"));
    CHECK(command_do(&c, JOB_WRITE, do_delete, &trash) == 0);
    CHECK(command_do(&c, JOB_ALONE, do_drop, NULL) == 0);
    CHECK(command_do(&c, JOB_ALONE, do_check, NULL) == 0);
    CHECK(count_of("SELECT count(*) FROM part_row") == 3 * (LARGE_BYTES / KIB(256)));
    end();
}

/* Nobody who reads an old state for ever keeps a message: it goes, and its bytes when he is gone. */
static void test_expunge_stuck_reader(void **state UNUSED)
{
    struct mailbox_options o = { .flags = MAILBOX_READER };
    CLEANUP(buf_release) struct buf bytes = { .max = LARGE_BYTES };
    struct mailbox *reader = NULL;
    struct stmt *st = NULL;
    char path[2 * FILES_PATH_MAX];
    struct command c;

    begin();
    large_make(&bytes, LARGE_BYTES - 16);
    letters_put(buf_str(&bytes), LARGE_COUNT, 0);
    full_path(path, sizeof path);
    CHECK(mailbox_open(path, secrets.keys.data_key, &o, NULL, &reader) == 0);
    CHECK(stmt_get(mailbox_db(reader), "SELECT id FROM folder", &st) == 0 && stmt_step(st) == 1);
    inbox_expunge();
    CHECK(command_do(&c, JOB_ALONE, do_drop, NULL) == E_BUSY);
    CHECK(count_of("SELECT sum(bytes) FROM folder") == 0 && count_of("SELECT count(*) FROM part_row") > 0);
    stmt_release(&st);
    CHECK(mailbox_close(&reader) == 0);
    CHECK(command_do(&c, JOB_ALONE, do_drop, NULL) == 0 && count_of("SELECT count(*) FROM part_row") == 0);
    end();
}

/* What nothing names, as an earlier program may have left it. */
static int do_orphans(struct mailbox *box, struct command *c UNUSED)
{
    return db_run(mailbox_db(box), "DELETE FROM message");
}

static int do_counts(struct mailbox *box, struct command *c UNUSED)
{
    return db_run(mailbox_db(box), "UPDATE folder SET messages = 0, bytes = 0, unseen = 0");
}

static void test_sweep_large(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf bytes = { .max = LARGE_BYTES };
    struct command c;

    begin();
    large_make(&bytes, LARGE_BYTES - 16);
    letters_put(buf_str(&bytes), LARGE_COUNT, 0);
    CHECK(command_do(&c, JOB_WRITE, do_orphans, NULL) == 0 &&
          command_do(&c, JOB_WRITE, do_counts, NULL) == 0);
    CHECK(command_do(&c, JOB_WRITE, do_sweep, NULL) == 0);
    CHECK(command_do(&c, JOB_ALONE, do_drop, NULL) == 0 && count_of("SELECT count(*) FROM part_row") == 0);
    end();
}

/* ---- many small ones: twenty thousand, and a transaction for every 256 KiB -------------------------------- */

#define MANY       20000u
#define MANY_BYTES MIB(10)

static void many_copies(uint64_t folder_id, uint32_t last, const char *to, bool move, unsigned least)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    uint32_t range[2] = { 1, last };
    struct command c;

    q.folder_id = folder_id;
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.to = str_pb(str_from(to));
    q.move = move;
    CHECK(command_do(&c, JOB_WRITE, do_copy, &q) == 0 && c.commits >= least);
}

static void many_flags(uint64_t folder_id, uint32_t *ranges, size_t n, uint32_t flags)
{
    Store__FlagStoreRequest q = STORE__FLAG_STORE_REQUEST__INIT;
    struct command c;

    q.folder_id = folder_id;
    q.uid_ranges = ranges;
    q.n_uid_ranges = n;
    q.mode = STORE__FLAG_STORE_REQUEST__MODE__ADD;
    q.flags = flags;
    CHECK(command_do(&c, JOB_WRITE, do_flag, &q) == 0 && c.commits > 1);
}

static int64_t in_folder(const char *name)
{
    char sql[160];

    snprintf(sql, sizeof sql, "SELECT messages FROM folder WHERE name = '%s'", name);
    return count_of(sql);
}

static void test_many(void **state UNUSED)
{
    static uint32_t all[2] = { 1, UINT32_MAX }, third[2 * (MANY / 3)];
    Store__ExpungeRequest expunge = STORE__EXPUNGE_REQUEST__INIT;
    Store__FolderRequest folder_request = STORE__FOLDER_REQUEST__INIT;
    Store__RenameRequest rename_request = STORE__RENAME_REQUEST__INIT;
    static struct put one;
    struct command c;
    uint64_t inbox;

    begin();
    checkpoint_wal_bytes = MANY_BYTES;
    mailbox_slice_bytes = KIB(256);
    ended = 0;
    submit(lane, &one, JOB_WRITE);
    wait_for(1);
    inbox = (uint64_t)count_of("SELECT id FROM folder WHERE name = 'INBOX'");
    for (uint32_t have = 1; have < MANY; have *= 2)
        many_copies(inbox, have < MANY - have ? have : MANY - have, "INBOX", false, 1);
    CHECK(in_folder("INBOX") == MANY);
    for (uint32_t i = 0; i < MANY / 3; i++)
        third[2 * i] = third[2 * i + 1] = 3 * i + 1;
    many_flags(inbox, all, 2, STORE__FLAG__SEEN);
    many_flags(inbox, third, 2 * (MANY / 3), STORE__FLAG__DELETED);
    CHECK(count_of("SELECT count(*) FROM message WHERE flags & 8") == MANY &&
          count_of("SELECT deleted FROM folder WHERE name = 'INBOX'") == MANY / 3);
    expunge.folder_id = inbox;
    CHECK(command_do(&c, JOB_WRITE, do_expunge, &expunge) == 0 && c.commits > 1);
    CHECK(in_folder("INBOX") == MANY - MANY / 3);
    many_copies(inbox, UINT32_MAX, "Archive", false, 2);
    many_copies((uint64_t)count_of("SELECT id FROM folder WHERE name = 'Archive'"), UINT32_MAX, "Trash", true,
                2);
    CHECK(in_folder("Archive") == 0 && in_folder("Trash") == MANY - MANY / 3);
    rename_request.from = str_pb(STR("INBOX"));
    rename_request.to = str_pb(STR("Old"));
    CHECK(command_do(&c, JOB_WRITE, do_rename, &rename_request) == 0 && c.commits > 1);
    CHECK(in_folder("INBOX") == 0 && in_folder("Old") == MANY - MANY / 3);
    folder_request.name = str_pb(STR("Old"));
    CHECK(command_do(&c, JOB_WRITE, do_delete, &folder_request) == 0 && c.commits > 1);
    CHECK(command_do(&c, JOB_WRITE, do_retain, NULL) == 0 && c.commits > 1);
    CHECK(count_of("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM email) + "
                   "(SELECT count(*) FROM dropping)") == 0);
    CHECK(command_do(&c, JOB_ALONE, do_check, NULL) == 0);
    checkpoint_wal_bytes = WAL_BYTES_MAX;
    mailbox_slice_bytes = MIB(4);
    end();
}

/* A COPY that fails halfway leaves nothing behind, and takes nothing that came meanwhile. */
static int do_half(struct mailbox *box, struct command *c)
{
    int r = many_copy(box, c->q, &c->many);

    if (c->commits < 2) {
        many_keep(&c->many);
        return r;
    }
    return E_QUOTA; /* undone, and taken back by what follows */
}

static int do_uncopy(struct mailbox *box, struct command *c)
{
    return many_uncopy(box, (struct many *)(uintptr_t)c->q);
}

static void test_half_copy(void **state UNUSED)
{
    Store__CopyRequest q = STORE__COPY_REQUEST__INIT;
    uint32_t range[2] = { 1, 64 };
    static struct put v[32];
    struct command c, back;
    struct many half;

    begin();
    for (unsigned i = 0; i < ARRAY_LEN(v); i++) {
        v[i].n = i;
        ended = 0;
        submit(lane, &v[i], JOB_WRITE);
        wait_for(1);
    }
    q.folder_id = (uint64_t)count_of("SELECT id FROM folder WHERE name = 'INBOX'");
    q.uid_ranges = range;
    q.n_uid_ranges = 2;
    q.to = str_pb(STR("Archive"));
    mailbox_slice_bytes = 0; /* a message in each */
    c = (struct command){ .step = do_half, .q = &q };
    for (c.commits = 0; c.commits < 3; c.commits++) {
        ended = 0;
        c.job = (struct job){ .kind = JOB_WRITE, .run = command_run, .done = put_done };
        CHECK(actor_submit(lane, &c.job) == 0);
        wait_for(1);
        CHECK(c.job.status == (c.commits < 2 ? 1 : E_QUOTA));
    }
    half = c.many;
    CHECK(in_folder("Archive") == 2);
    CHECK(command_do(&back, JOB_WRITE, do_uncopy, &half) == 0 && in_folder("Archive") == 0);
    many_release(&half);
    mailbox_slice_bytes = MIB(4);
    CHECK(command_do(&c, JOB_ALONE, do_check, NULL) == 0);
    end();
}

static int setup(void **state UNUSED)
{
    CHECK(scratch_make(folder, sizeof folder) == 0 && sem_init(&gate, 0, 0) == 0);
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
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_stuck_reader),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_expunge_large),
        cmocka_unit_test(test_expunge_stuck_reader),
        cmocka_unit_test(test_sweep_large),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_half_copy),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
