/* src/store/shipop.c: shipping by itself. A second's commits go into the spool on one thread, packs go to the target on
 * another, and a third one makes bases, and once a night sorts packs out by mailbox and lets old ones go. Nobody who writes or
 * reads waits for any of them. */
#include "src/store/ship.h"
#include "src/store/shipbase.h"
#include "src/store/shipop.h"
#include "src/store/store.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define TICK_MS      1000
#define THREADS      3u
#define AGAIN_MIN_MS 1000 /* after the target did not answer; doubled each time, to */
#define AGAIN_MAX_MS 16000
#define ROUND_MS     10000
#define DAY_MS       INT64_C(86400000)
#define NIGHT_HOUR   3 /* UTC: packs are sorted out at the first round after it */
#define LOOSE_MAX    20000u
#define MAKING_S     60

static struct ship *ship;
static struct work_pool *pool;
static struct timer timer;
static struct work_job tick_job, send_job, night_job;
static bool ticking, sending, tending, stopping; /* tending: a base, or the night's work */
static int64_t send_after_ms, round_ms, told_ms;
static uint64_t sent_since, repacked_packs, bases, failures;
static int last_error;

struct ship *ship_now(void)
{
    return ship;
}

void ships_open(void)
{
    struct ship_options o = { .files = &store.files,
                              .key = role_subkey(store.role, SUBKEY_SHIP_MAC),
                              .spool_max_bytes = store_conf.ship_spool_bytes };
    int r = 0;

    if (!store_conf.ship) {
        if ((r = ship_off(&store.files)) < 0)
            log_event(LOG_ALARM, "store.ship_state_stays", F_ERR(r));
        return;
    }
    if (!(pool = work_pool_new("ship", THREADS, 0, 5)) || (r = ship_open(&o, &ship)) < 0 ||
        (r = ship_log_note(ship)) < 0) {
        log_event(LOG_ALARM, "store.ship_not_open", F_ERR(pool ? r : E_NOMEM)); /* mail goes on */
        ship_close(&ship);
    }
}

/* ---- to the spool ------------------------------------------------------------------------------ */

static void tick_run(struct work_job *w UNUSED)
{
    int r = ship_tick(ship);

    __atomic_store_n(&last_error, r, __ATOMIC_RELAXED);
}

static void tick_done(struct work_job *w UNUSED)
{
    ticking = false;
    if (stopping)
        store_stop_when_idle();
}

/* ---- to the target ----------------------------------------------------------------------------- */

/* A mailbox is made before its `.keys`. */
static bool being_made(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    char path[FILES_PATH_MAX];
    struct stat st;

    files_path(mailbox, FILES_MAILBOX, path);
    return fstatat(store.files.dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           time(NULL) - st.st_ctime < MAKING_S;
}

/* Before a whole file is in the target, what opens it is. E_BUSY: soon. */
static int keys_first(void *ctx UNUSED, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    int r = backup_keys_put_first(store.backups, &store.files, mailbox);

    if (r == E_NOTFOUND) /* one that is gone already, or that was never whole */
        return being_made(mailbox) ? E_BUSY : 0;
    return r < 0 ? r : 0;
}

static void send_run(struct work_job *w UNUSED)
{
    static int64_t pause_ms; /* one runs at a time */
    int r;

    while ((r = ship_send(ship, store.backups, keys_first, NULL, &stopping)) == 1)
        __atomic_add_fetch(&sent_since, 1, __ATOMIC_RELAXED);
    if (r < 0 && r != E_CANCELED && r != E_BUSY) {
        __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
        log_event(LOG_WARN, "store.ship_not_sent", F_ERR(r));
    }
    pause_ms = r >= 0 || r == E_BUSY ? 0
               : pause_ms            ? (2 * pause_ms < AGAIN_MAX_MS ? 2 * pause_ms : AGAIN_MAX_MS)
                                     : AGAIN_MIN_MS;
    __atomic_store_n(&send_after_ms, pause_ms ? clock_mono_ms() + pause_ms : 0, __ATOMIC_RELAXED);
}

static void send_done(struct work_job *w UNUSED)
{
    sending = false;
    if (stopping)
        store_stop_when_idle();
}

/* ---- bases ------------------------------------------------------------------------------------- */

struct basing {
    struct job job; /* in the lane: the -wal is emptied, if it can be */
    struct work_job work;
    struct actor *actor; /* a reference; counted among its readers, and its checkpoints wait */
    uint64_t bytes;
    int status;
};

static void base_end(struct basing *b)
{
    struct actor *a = b->actor;

    a->basing = false;
    a->reading--;
    tending = false;
    free(b);
    if (a->close_wanted)
        actor_close_soon(a);
    actor_unref(a);
    store_stop_when_idle();
}

static void base_run(struct work_job *w)
{
    struct basing *b = CONTAINER_OF(w, struct basing, work);

    if ((b->status = keys_first(NULL, b->actor->id)) == 0)
        b->status = ship_base_take(ship, store.backups, b->actor->id, &stopping, &b->bytes);
}

static void base_done(struct work_job *w)
{
    struct basing *b = CONTAINER_OF(w, struct basing, work);
    char id[2 * MAILBOX_ID_LEN + 1];

    hex_encode(b->actor->id, MAILBOX_ID_LEN, id);
    bases += b->status == 1;
    if (b->status == 1)
        log_event(LOG_INFO, "store.ship_base", F_Z("mailbox", id), F_U64("bytes", b->bytes));
    else if (b->status < 0 && b->status != E_CANCELED)
        log_event(LOG_WARN, "store.ship_base_failed", F_Z("mailbox", id), F_ERR(b->status));
    base_end(b);
}

static int base_lane(struct job *j UNUSED, struct mailbox *box)
{
    int r = box ? mailbox_checkpoint(box, NULL) : 0;

    return r == E_BUSY ? 0 : r;
}

static void base_go(struct job *j)
{
    struct basing *b = CONTAINER_OF(j, struct basing, job);

    b->work = (struct work_job){ .run = base_run, .done = base_done };
    if (stopping || work_submit(pool, &b->work) < 0)
        base_end(b);
}

static bool base_begin(void)
{
    static uint8_t id[MAILBOX_ID_LEN];
    struct basing *b;
    struct actor *a;

    if (!ship_wants_base(ship, clock_wall_ms(), (int64_t)store_conf.ship_days * DAY_MS, id) ||
        !(a = actor_get(id)))
        return false;
    if (a->purged || a->key_busy || a->shut || a->basing || !(b = calloc(1, sizeof *b))) {
        actor_unref(a);
        return false;
    }
    b->actor = a;
    a->basing = true;
    a->reading++;
    tending = true;
    b->job = (struct job){ .kind = JOB_BARE, .run = base_lane, .done = base_go };
    if (actor_submit(a, &b->job) < 0)
        base_end(b);
    return true;
}

/* ---- the night --------------------------------------------------------------------------------- */

static void night_run(struct work_job *w UNUSED)
{
    int64_t since = clock_wall_ms() - (int64_t)store_conf.ship_days * DAY_MS;
    int r = ship_repack(ship, store.backups, &stopping), gone;

    if (r > 0)
        __atomic_add_fetch(&repacked_packs, (uint64_t)r, __ATOMIC_RELAXED);
    if (r == E_CORRUPT) {
        log_event(LOG_ALARM, "store.ship_packs_damaged");
        r = 0;
    }
    gone = r >= 0 ? ship_retain(ship, store.backups, since, &stopping) : 0;
    if (r < 0 || gone < 0)
        log_event(r == E_CANCELED || gone == E_CANCELED ? LOG_INFO : LOG_WARN, "store.ship_night_failed",
                  F_ERR(r < 0 ? r : gone));
    else
        log_event(LOG_INFO, "store.ship_repacked", F_I64("packs", r), F_I64("removed", gone));
}

static void night_done(struct work_job *w UNUSED)
{
    tending = false;
    __atomic_store_n(&sent_since, 0, __ATOMIC_RELAXED);
    if (stopping)
        store_stop_when_idle();
}

/* The last three o'clock that was, or packs that are too many. */
static bool night_due(void)
{
    int64_t now = clock_wall_ms(), night = now - (now - NIGHT_HOUR * 3600000) % DAY_MS;
    int64_t was = ship_repacked_ms(ship);
    uint64_t sent = __atomic_load_n(&sent_since, __ATOMIC_RELAXED);
    static int64_t tried_ms;

    if (tried_ms && clock_mono_ms() - tried_ms < 3600000)
        return false;
    if ((was >= night || (was == 0 && !sent)) && sent < LOOSE_MAX)
        return false;
    tried_ms = clock_mono_ms();
    return true;
}

static void tend(void)
{
    if (tending || !store.backups)
        return;
    if (night_due()) {
        night_job = (struct work_job){ .run = night_run, .done = night_done };
        tending = work_submit(pool, &night_job) == 0;
    } else if (clock_mono_ms() - round_ms >= ROUND_MS && !base_begin()) {
        round_ms = clock_mono_ms();
    }
}

/* ---- every second ------------------------------------------------------------------------------ */

static void tick(struct timer *t)
{
    struct ship_figures f;

    if (!ticking) {
        tick_job = (struct work_job){ .run = tick_run, .done = tick_done };
        ticking = work_submit(pool, &tick_job) == 0;
    }
    if (!sending && store.backups && clock_mono_ms() >= __atomic_load_n(&send_after_ms, __ATOMIC_RELAXED)) {
        send_job = (struct work_job){ .run = send_run, .done = send_done };
        sending = work_submit(pool, &send_job) == 0;
    }
    tend();
    if (clock_mono_ms() - told_ms >= 3600000 || !told_ms) { /* loud, and not a flood */
        ship_get_figures(ship, &f);
        if (f.full || f.behind_ms > 600000) {
            told_ms = clock_mono_ms() + 1;
            log_event(LOG_ALARM, f.full ? "store.ship_stands" : "store.ship_behind",
                      F_U64("waiting_bytes", f.waiting_bytes), F_I64("behind_ms", f.behind_ms),
                      F_U64("gaps", f.gaps));
        }
    }
    timer_set(t, TICK_MS);
}

int ships_start(void)
{
    int r;

    if (!ship)
        return 0;
    if ((r = loop_attach_pool(store.loop, pool)) < 0 || (r = timer_init(&timer, store.loop, tick)) < 0)
        return r;
    timer_set(&timer, TICK_MS);
    return 0;
}

void ships_stop(void)
{
    __atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
    timer_clear(&timer);
}

bool ships_busy(void)
{
    return ticking || sending || tending;
}

void ships_close(void)
{
    ship_close(&ship);
}

void ships_status(Store__StatusResponse *r)
{
    struct ship_figures f;

    if (!ship)
        return;
    ship_get_figures(ship, &f);
    r->ship = true;
    r->ship_packs = f.packs;
    r->ship_bytes = f.bytes;
    r->ship_waiting_packs = f.waiting_packs;
    r->ship_waiting_bytes = f.waiting_bytes;
    r->ship_behind_ms = f.behind_ms;
    r->ship_gaps = f.gaps;
    r->ship_without_base = f.unbased;
    r->ship_full = f.full;
    r->ship_failures = __atomic_load_n(&failures, __ATOMIC_RELAXED);
}

/* ---- what others ask of it: worker threads ------------------------------------------------------ */

int ship_restore_to(const uint8_t mailbox[MAILBOX_ID_LEN], int64_t at_ms, struct ship_back *out)
{
    int r;

    *out = (struct ship_back){ .key = role_subkey(store.role, SUBKEY_SHIP_MAC),
                               .target = store.backups,
                               .ship = ship,
                               .files = &store.files,
                               .at_ms = at_ms };
    memcpy(out->mailbox, mailbox, MAILBOX_ID_LEN);
    if (ship && (r = ship_settle(ship, mailbox)) < 0 && r != E_FULL)
        return r;
    return ship_back(out);
}

int ship_remove(const uint8_t mailbox[MAILBOX_ID_LEN], target_told *told, void *ctx)
{
    char folder[TARGET_NAME_MAX];
    int r;

    if (!store.backups)
        return 0;
    if (ship)
        return (r = ship_purge(ship, store.backups, mailbox, told, ctx)) < 0 ? r : 0;
    ship_folder_of(mailbox, folder); /* from when it was shipped */
    return (r = target_purge(store.backups, folder, told, ctx)) < 0 ? r : 0;
}
