/* The writer lanes of mailboxes, as the role has them: who waits for whom, how many syncs that costs, and how
 * large a -wal may grow meanwhile. */
#include "lib/base/errors.h"
#include "lib/base/rand.h"
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
        cmocka_unit_test(test_share), cmocka_unit_test(test_parallel), cmocka_unit_test(test_stuck_reader),
        cmocka_unit_test(test_large), cmocka_unit_test(test_walks),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
