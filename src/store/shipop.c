/* src/store/shipop.c: shipping by itself. A second's commits go into the spool on one thread, packs go to the target on
 * another, and a third one makes bases, and once a night sorts packs out by mailbox and lets old ones go. Nobody who writes or
 * reads waits for any of them. */
#include "src/store/places.h"
#include "src/store/ship.h"
#include "src/store/shipbase.h"
#include "src/store/shipop.h"
#include "src/store/store.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#define TICK_MS      1000
#define THREADS      3u   /* with one place; two more for each further one */
#define AGAIN_MIN_MS 1000 /* after the target did not answer; doubled each time, to */
#define AGAIN_MAX_MS 16000
#define ROUND_MS     10000
#define DAY_MS       INT64_C(86400000)
#define NIGHT_HOUR   3 /* UTC: packs are sorted out at the first round after it */
#define LOOSE_MAX    20000u
#define MAKING_S     60
#define BEHIND_MS    600000 /* nothing to tell before */

/* To one place. */
struct shipping {
    struct place *place;
    struct ship *ship;
    struct work_job send_job, night_job;
    bool sending, tending; /* tending: a base, or the night's work */
    bool swept;            /* nobody but us writes to its log, and nothing half sent is there */
    int64_t send_after_ms, pause_ms, round_ms, told_ms, tried_ms;
    uint64_t sent_since, failures, gaps_told;
    uint8_t based[MAILBOX_ID_LEN]; /* the last one that wanted a base */
};
static struct shipping all[1 + PLACES_MAX];
static size_t nall;
static struct work_pool *pool;
static struct timer timer;
static struct work_job tick_job;
static bool ticking, stopping;

bool ships_on(void)
{
    return nall > 0;
}

struct ship *ship_for(const uint8_t mailbox[MAILBOX_ID_LEN])
{
    const struct place *p = place_of(mailbox);

    return p->shipping ? p->shipping->ship : NULL;
}

static bool is_here(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    return place_of(mailbox) == ctx;
}

static void shipping_open(struct place *p)
{
    struct ship_options o = { .files = &store.files,
                              .key = role_subkey(store.role, SUBKEY_SHIP_MAC),
                              .spool_max_bytes = store_conf.ship_spool_bytes,
                              .folder = p->spool,
                              .mine = is_here,
                              .ctx = p };
    struct shipping *s = &all[nall];
    int r;

    *s = (struct shipping){ .place = p };
    if ((r = ship_open(&o, &s->ship)) < 0 || (r = ship_log_note(s->ship)) < 0) {
        log_event(LOG_ALARM, "store.ship_not_open", F_ERR(r), F_Z("place", p->name)); /* mail goes on */
        ship_close(&s->ship);
        return;
    }
    p->shipping = s;
    nall++;
}

static void shipping_off(const struct place *p)
{
    int r = ship_off(&store.files, p->spool);

    if (r < 0)
        log_event(LOG_ALARM, "store.ship_state_stays", F_ERR(r), F_Z("place", p->name));
}

void ships_open(void)
{
    size_t n;
    struct place *list = places_all(&n);

    if (store_conf.ship && !(pool = work_pool_new("ship", THREADS + 2 * ((unsigned)n - 1), 0, 5))) {
        log_event(LOG_ALARM, "store.ship_not_open", F_ERR(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (store_conf.ship)
            shipping_open(&list[i]);
        else
            shipping_off(&list[i]);
}

/* ---- to the spool ------------------------------------------------------------------------------ */

static void tick_run(struct work_job *w UNUSED)
{
    for (size_t i = 0; i < nall; i++)
        if (ship_tick(all[i].ship) < 0)
            continue; /* it has said so, and what waits is told */
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
static int keys_first(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN])
{
    const struct shipping *s = ctx;
    int r = backup_keys_put_first(s->place->target, &store.files, mailbox);

    if (r == E_NOTFOUND) /* one that is gone already, or that was never whole */
        return being_made(mailbox) ? E_BUSY : 0;
    return r < 0 ? r : 0;
}

/* What we sent half before we died, or when calling it off failed, too: it has no name and is paid for. */
static int sweep(struct shipping *s)
{
    int r = s->swept ? 0 : ship_sweep(s->ship, s->place->target);

    s->swept = r >= 0 || r == E_DENIED; /* who may not list them can send nevertheless */
    return s->swept ? 0 : r;
}

static void send_run(struct work_job *w)
{
    struct shipping *s = CONTAINER_OF(w, struct shipping, send_job);
    int r = sweep(s);

    while (r >= 0 && (r = ship_send(s->ship, s->place->target, keys_first, s, &stopping)) == 1)
        __atomic_add_fetch(&s->sent_since, 1, __ATOMIC_RELAXED);
    if (r < 0 && r != E_CANCELED && r != E_BUSY) {
        __atomic_add_fetch(&s->failures, 1, __ATOMIC_RELAXED);
        s->swept = false;
        log_event(LOG_WARN, "store.ship_not_sent", F_ERR(r), F_Z("place", s->place->name));
    }
    s->pause_ms = r >= 0 || r == E_BUSY ? 0
                  : s->pause_ms         ? (2 * s->pause_ms < AGAIN_MAX_MS ? 2 * s->pause_ms : AGAIN_MAX_MS)
                                        : AGAIN_MIN_MS;
    __atomic_store_n(&s->send_after_ms, s->pause_ms ? clock_mono_ms() + s->pause_ms : 0, __ATOMIC_RELAXED);
}

static void send_done(struct work_job *w)
{
    CONTAINER_OF(w, struct shipping, send_job)->sending = false;
    if (stopping)
        store_stop_when_idle();
}

/* ---- bases ------------------------------------------------------------------------------------- */

struct basing {
    struct shipping *shipping;
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
    b->shipping->tending = false;
    free(b);
    if (a->close_wanted)
        actor_close_soon(a);
    actor_unref(a);
    store_stop_when_idle();
}

static void base_run(struct work_job *w)
{
    struct basing *b = CONTAINER_OF(w, struct basing, work);
    struct shipping *s = b->shipping;

    if ((b->status = keys_first(s, b->actor->id)) == 0)
        b->status = ship_base_take(s->ship, s->place->target, b->actor->id, &stopping, &b->bytes);
}

static void base_done(struct work_job *w)
{
    struct basing *b = CONTAINER_OF(w, struct basing, work);
    char id[2 * MAILBOX_ID_LEN + 1];

    hex_encode(b->actor->id, MAILBOX_ID_LEN, id);
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

static bool base_begin(struct shipping *s)
{
    struct basing *b;
    struct actor *a;

    if (!ship_wants_base(s->ship, clock_wall_ms(), (int64_t)store_conf.ship_days * DAY_MS, s->based) ||
        !(a = actor_get(s->based)))
        return false;
    if (a->purged || a->key_busy || a->shut || a->basing || !(b = calloc(1, sizeof *b))) {
        actor_unref(a);
        return false;
    }
    b->shipping = s;
    b->actor = a;
    a->basing = true;
    a->reading++;
    s->tending = true;
    b->job = (struct job){ .kind = JOB_BARE, .run = base_lane, .done = base_go };
    if (actor_submit(a, &b->job) < 0)
        base_end(b);
    return true;
}

/* ---- the night --------------------------------------------------------------------------------- */

static void night_run(struct work_job *w)
{
    struct shipping *s = CONTAINER_OF(w, struct shipping, night_job);
    int64_t since = clock_wall_ms() - (int64_t)store_conf.ship_days * DAY_MS;
    int r = ship_repack(s->ship, s->place->target, &stopping), gone;

    if (r == E_CORRUPT) {
        log_event(LOG_ALARM, "store.ship_packs_damaged", F_Z("place", s->place->name));
        r = 0;
    }
    gone = r >= 0 ? ship_retain(s->ship, s->place->target, since, &stopping) : 0;
    if (r < 0 || gone < 0)
        log_event(r == E_CANCELED || gone == E_CANCELED ? LOG_INFO : LOG_WARN, "store.ship_night_failed",
                  F_ERR(r < 0 ? r : gone), F_Z("place", s->place->name));
    else
        log_event(LOG_INFO, "store.ship_repacked", F_I64("packs", r), F_I64("removed", gone));
}

static void night_done(struct work_job *w)
{
    struct shipping *s = CONTAINER_OF(w, struct shipping, night_job);

    s->tending = false;
    __atomic_store_n(&s->sent_since, 0, __ATOMIC_RELAXED);
    if (stopping)
        store_stop_when_idle();
}

/* The last three o'clock that was, or packs that are too many. */
static bool night_due(struct shipping *s)
{
    int64_t now = clock_wall_ms(), night = now - (now - NIGHT_HOUR * 3600000) % DAY_MS;
    int64_t was = ship_repacked_ms(s->ship);
    uint64_t sent = __atomic_load_n(&s->sent_since, __ATOMIC_RELAXED);

    if (s->tried_ms && clock_mono_ms() - s->tried_ms < 3600000)
        return false;
    if ((was >= night || (was == 0 && !sent)) && sent < LOOSE_MAX)
        return false;
    s->tried_ms = clock_mono_ms();
    return true;
}

static void tend(struct shipping *s)
{
    if (s->tending || !s->place->target)
        return;
    if (night_due(s)) {
        s->night_job = (struct work_job){ .run = night_run, .done = night_done };
        s->tending = work_submit(pool, &s->night_job) == 0;
    } else if (clock_mono_ms() - s->round_ms >= ROUND_MS && !base_begin(s)) {
        s->round_ms = clock_mono_ms();
    }
}

/* ---- every second ------------------------------------------------------------------------------ */

static void send_soon(struct shipping *s)
{
    if (s->sending || !s->place->target ||
        clock_mono_ms() < __atomic_load_n(&s->send_after_ms, __ATOMIC_RELAXED))
        return;
    s->send_job = (struct work_job){ .run = send_run, .done = send_done };
    s->sending = work_submit(pool, &s->send_job) == 0;
}

/* Loud, and not a flood. */
static void tell(struct shipping *s)
{
    struct ship_figures f;

    if (s->told_ms && clock_mono_ms() - s->told_ms < 3600000)
        return;
    ship_get_figures(s->ship, &f);
    if (!f.full && f.behind_ms <= BEHIND_MS)
        return;
    s->told_ms = clock_mono_ms() + 1;
    log_event(LOG_ALARM, f.full ? "store.ship_stands" : "store.ship_behind",
              F_U64("waiting_bytes", f.waiting_bytes), F_I64("behind_ms", f.behind_ms), F_U64("gaps", f.gaps),
              F_Z("place", s->place->name));
}

static void tick(struct timer *t)
{
    if (!ticking) {
        tick_job = (struct work_job){ .run = tick_run, .done = tick_done };
        ticking = work_submit(pool, &tick_job) == 0;
    }
    for (size_t i = 0; i < nall; i++) {
        send_soon(&all[i]);
        tend(&all[i]);
        tell(&all[i]);
    }
    timer_set(t, TICK_MS);
}

int ships_start(void)
{
    int r;

    if (!nall)
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
    bool busy = ticking;

    for (size_t i = 0; i < nall; i++)
        busy |= all[i].sending || all[i].tending;
    return busy;
}

void ships_close(void)
{
    for (size_t i = 0; i < nall; i++)
        ship_close(&all[i].ship);
    nall = 0;
}

void ships_status(Store__StatusResponse *r)
{
    for (size_t i = 0; i < nall; i++) {
        struct ship_figures f;

        ship_get_figures(all[i].ship, &f);
        r->ship = true;
        r->ship_packs += f.packs;
        r->ship_bytes += f.bytes;
        r->ship_waiting_packs += f.waiting_packs;
        r->ship_waiting_bytes += f.waiting_bytes;
        r->ship_behind_ms = f.behind_ms > r->ship_behind_ms ? f.behind_ms : r->ship_behind_ms;
        r->ship_gaps += f.gaps;
        r->ship_without_base += f.unbased;
        r->ship_full |= f.full;
        r->ship_failures += __atomic_load_n(&all[i].failures, __ATOMIC_RELAXED);
    }
}

bool ships_report(struct buf *out)
{
    bool bad = false;

    for (size_t i = 0; i < nall; i++) {
        struct shipping *s = &all[i];
        struct ship_figures f;
        uint64_t gaps;

        ship_get_figures(s->ship, &f);
        gaps = f.gaps - s->gaps_told;
        s->gaps_told = f.gaps;
        if (!f.full && f.behind_ms <= BEHIND_MS && !gaps)
            continue;
        bad = true;
        if (buf_printf(
                out,
                "shipping%s%s: %s, %llu bytes wait, the oldest for %lld minutes; %llu mailboxes have a moment "
                "that cannot be had\n",
                i ? " to " : "", i ? s->place->name : "",
                f.full                    ? "the spool is full, nothing more is shipped"
                : f.behind_ms > BEHIND_MS ? "the storage does not answer"
                                          : "it goes on again",
                (unsigned long long)f.waiting_bytes, (long long)(f.behind_ms / 60000),
                (unsigned long long)gaps) < 0)
            break;
    }
    return bad;
}

/* ---- what others ask of it: worker threads ------------------------------------------------------ */

static int restore_from(const struct place *p, const uint8_t mailbox[MAILBOX_ID_LEN], int64_t at_ms,
                        bool remember, struct ship_back *out)
{
    struct ship *ship = p->shipping ? p->shipping->ship : NULL;
    int r;

    *out = (struct ship_back){ .key = role_subkey(store.role, SUBKEY_SHIP_MAC),
                               .target = p->target,
                               .ship = ship,
                               .files = &store.files,
                               .at_ms = at_ms,
                               .remember = remember };
    memcpy(out->mailbox, mailbox, MAILBOX_ID_LEN);
    if (!p->target)
        return E_UNAVAIL;
    if (ship && ship_has(ship, mailbox) && (r = ship_settle(ship, mailbox)) < 0 && r != E_FULL)
        return r;
    return ship_back(out);
}

/* Where it is; a moment before it came there: where it was. */
int ship_restore_to(const uint8_t mailbox[MAILBOX_ID_LEN], int64_t at_ms, bool remember,
                    struct ship_back *out)
{
    struct place *where[PLACES_EACH_MAX];
    size_t n = places_of(mailbox, where);
    int r = restore_from(where[0], mailbox, at_ms, remember, out);

    for (size_t i = 1; i < n && (r == E_NOTFOUND || r == E_GONE); i++) {
        struct ship_back b;
        int former = restore_from(where[i], mailbox, at_ms, remember, &b);

        if (former != E_NOTFOUND && former != E_GONE) {
            *out = b;
            r = former;
        }
    }
    return r;
}

int ship_remove(const struct place *p, const uint8_t mailbox[MAILBOX_ID_LEN], target_told *told, void *ctx)
{
    char folder[TARGET_NAME_MAX];
    int r;

    if (p->shipping)
        return (r = ship_purge(p->shipping->ship, p->target, mailbox, told, ctx)) < 0 ? r : 0;
    ship_folder_of(mailbox, folder); /* from when it was shipped */
    return (r = target_purge(p->target, folder, told, ctx)) < 0 ? r : 0;
}
