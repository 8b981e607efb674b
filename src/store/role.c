/* src/store/role.c: the life of the store: pools and keys before the sandbox, one loop, a stop that
 * leaves every mailbox closed and checkpointed. */
#include "src/store/places.h"
#include "src/store/shipop.h"
#include "src/store/store.h"
#include "lib/base/descriptors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "lib/db/db.h"

#define SECRETS_SPARE  4096u /* beside three of each mailbox: its key twice, and a seed */
#define SPARE_FDS      256u  /* sockets, spools on disk, the notes */
#define STOP_MS        8000
#define BACKUP_WORKERS 2u /* one for what runs by itself, one for what somebody asks for */
#define SWEEP_MS       30000

struct store store;
struct store_conf store_conf;

static struct timer stop_timer;
static struct work_job note_job;
static int64_t noted_ms;
static bool noting;

static void note_run(struct work_job *j UNUSED)
{
    int r = notes_flush(store.notes);

    if (r < 0)
        log_event(LOG_WARN, "store.notes_not_written", F_ERR(r));
}

static void note_done(struct work_job *j UNUSED)
{
    noting = false;
}

/* What the last round gathered is written; then the next one is gathered. */
static void notes_round(void)
{
    if (noting || !store.notes || clock_mono_ms() - noted_ms < (int64_t)store_conf.note_ms)
        return;
    noted_ms = clock_mono_ms();
    note_job = (struct work_job){ .run = note_run, .done = note_done };
    noting = work_submit(store.pool, &note_job) == 0;
    actor_boxes_note();
    lease_report_old();
}

static int64_t sweep_ms(void)
{
    return store_conf.note_ms < SWEEP_MS ? (int64_t)store_conf.note_ms : SWEEP_MS;
}

/* Every half minute: temporary mailboxes that stayed open, what attached mailboxes need. The rest is the schedule of the
 * jobs role (maintain.c). */
static void sweep_fire(struct timer *t)
{
    actor_temps_close();
    actor_files_slim();
    notes_round();
    care_round();
    backups_round();
    timer_set(t, sweep_ms());
}

static int pools_new(void)
{
    static const char *const names[2] = { "derive", "derive-known" };

    if (!(store.pool = work_pool_new("store", (unsigned)store_conf.workers, 0, 0)) ||
        !(store.read_pool = work_pool_new("read", (unsigned)store_conf.read_workers, 0, 0)) ||
        !(store.backup_pool = work_pool_new("backup", BACKUP_WORKERS, 0, 10)) ||
        !(store.hash_pool = work_pool_new("hash", 1, 0, 10)) ||
        !(store.search_pool = work_pool_new("search", (unsigned)store_conf.search_workers, 0, 5)))
        return E_NOMEM;
    for (size_t i = 0; i < ARRAY_LEN(store.derive); i++)
        if (!(store.derive[i] = work_pool_new(names[i], 1, store_conf.derive_queue, i ? 10 : 17)))
            return E_NOMEM;
    return 0;
}

/* Descriptors as the configuration wants them, and no more files than the system lets us open. */
static int handles_start(void)
{
    uint64_t handles = store_conf.handles, want = 3 * handles + SPARE_FDS + store_conf.workers * 4,
             limit = descriptors_raise(want);

    if (limit < want) {
        handles = limit > SPARE_FDS + 12 ? (limit - SPARE_FDS) / 3 : 4;
        log_event(LOG_WARN, "store.few_descriptors", F_U64("limit", limit), F_U64("wanted", want),
                  F_U64("handles", handles));
    }
    store.handles = handles_new(handles, store_conf.handle_bytes, actor_handle_closing);
    return store.handles ? 0 : E_NOMEM;
}

static int store_init(struct role *r)
{
    int e;

    store.role = r;
    store.loop = role_loop(r);
    store.files =
        (struct files){ .dir = role_data_dir(r), .prefix = "" }; /* the working folder is the data folder */
    memcpy(store.temp_keys.outer, role_subkey(r, SUBKEY_TEMP_OUTER), KEY_BYTES);
    memcpy(store.temp_keys.chain, role_subkey(r, SUBKEY_SEALED_CHAIN_MAC), KEY_BYTES);
    rand_bytes(store.boot_key, sizeof store.boot_key);
    if ((e = crypto_init()) < 0 || (e = db_init()) < 0 ||
        (e = file_mkdir(store.files.dir, "mailboxes")) < 0 ||
        (e = secret_slab_new(size_min(3 * store_conf.mailboxes_open + SECRETS_SPARE, SECRET_SLAB_COUNT_MAX),
                             &store.slab)) < 0 ||
        (e = pools_new()) < 0 || (e = handles_start()) < 0)
        return e;
    if (!secret_slab_locked(store.slab))
        log_event(LOG_WARN, "store.keys_not_locked_in_memory");
    if (!(store.penalties = penalties_new()))
        return E_NOMEM;
    if ((e = notes_open(&store.files, role_subkey(r, SUBKEY_ROLLBACK_MAC), &store.notes)) < 0)
        log_event(LOG_ALARM, "store.notes_unreadable", F_ERR(e)); /* mail goes on without them */
    places_open();
    ships_open();
    restores_open();
    return 0;
}

static int store_start(struct role *r UNUSED)
{
    struct work_pool *const pools[] = { store.pool, store.read_pool, store.search_pool, store.backup_pool,
                                        store.hash_pool };
    int e = 0;

    for (size_t i = 0; i < ARRAY_LEN(pools) && e == 0; i++)
        e = loop_attach_pool(store.loop, pools[i]);

    for (size_t i = 0; i < ARRAY_LEN(store.derive) && e == 0; i++)
        e = loop_attach_pool(store.loop, store.derive[i]);
    if (e == 0)
        e = ships_start();
    if (e < 0 || (e = timer_init(&store.sweep, store.loop, sweep_fire)) < 0)
        return e;
    timer_set(&store.sweep, sweep_ms());
    return 0;
}

static void stop_late(struct timer *t UNUSED)
{
    log_event(LOG_WARN, "store.stop_late", F_U64("requests", store.requests),
              F_U64("open", store.open_mailboxes));
    role_stopped(store.role); /* what was acknowledged is synced: nothing is lost, a -wal is left */
}

/* Requests under way are answered, then sessions end, mailboxes close, and temporary ones too. */
void store_stop_when_idle(void)
{
    uint64_t key;
    struct session *s;

    if (!store.stopping || store.requests || store.stopped)
        return;
    while ((s = idmap_any(&store.sessions, &key)))
        session_end(s);
    if (store.open_mailboxes)
        return;
    actor_temps_close();
    if (store.actors.n || noting || actor_trimming() || backups_busy() ||
        ships_busy()) { /* jobs are still in their lanes */
        timer_set(&store.sweep, 5);
        return;
    }
    store.stopped = true;
    ships_close();
    if (notes_close(&store.notes) < 0)
        log_event(LOG_WARN, "store.notes_not_written");
    role_stopped(store.role);
}

static void stop_poll(struct timer *t)
{
    store_stop_when_idle();
    timer_set(t, 5);
}

static void store_stop(struct role *r UNUSED)
{
    store.stopping = true;
    backups_stop();
    ships_stop();
    store.sweep.fire = stop_poll;
    timer_set(&store.sweep, 5);
    if (timer_init(&stop_timer, store.loop, stop_late) == 0)
        timer_set(&stop_timer, STOP_MS);
    store_stop_when_idle();
}

static void on_event(void *ctx UNUSED, struct rpc_link *l, uint32_t event, struct str body UNUSED)
{
    if (l == role_link(store.role, ROLE_DIRECTORY) && event == DIRECTORY__EVENT__LIMITS_CHANGED)
        lease_limits_changed();
}

static const struct rpc_link_ops links = { .on_event = on_event };

static const char *backup_folder(void)
{
    return store_conf.backup_dir[0] ? store_conf.backup_dir : NULL;
}

const struct role_def store_role = {
    .id = ROLE_STORE,
    .folder = backup_folder,
    .items = store_conf_items,
    .nitems = STORE_CONF_ITEMS,
    .conf = &store_conf,
    .conf_bytes = sizeof store_conf,
    .service = &store_service,
    .asks = FROM(CONTENT) | FROM(DIRECTORY) | FROM(STORAGE),
    .links = &links,
    .init = store_init,
    .start = store_start,
    .stop = store_stop,
};
