/* src/store/indexing.c: the index follows the deliveries. An open mailbox whose index may be behind is
 * on a list; once nothing came for a while, batches run one after the other until nothing waits. A
 * mailbox that is never quiet gives them a share all the same, a small one: whoever searches meanwhile
 * finds what is not indexed yet by reading it, whoever delivers or drains is not kept waiting for it. */
#include "src/store/store.h"
#include "src/store/index.h"

#define TICK_MS        250
#define SETTLE_MS      1500 /* after the last change, before the first batch */
#define PATIENCE       8    /* ticks between two batches of a mailbox that is never quiet */
#define DRAIN_PATIENCE 40   /* the same while old mail comes in: it ends some day */
#define BATCH_MS       30
#define PAUSE_BATCHES  3 /* after one, as long as so many: people are being served */

/* One batch at a time, whatever mailbox it is of: many in a row that wait to be indexed, as after an import, took
 * every processor from those who read. */
static struct {
    struct timer tick;
    struct actor *list;
    bool ready, running;
    int64_t not_before_ms;
} indexing;

struct index_job {
    struct job job;
    int64_t began_ms;
};

static int index_run(struct job *j, struct mailbox *box)
{
    int r;

    if (!box)
        return E_CLOSED;
    if ((r = checkpoint_in_lane(j->actor, 0)) < 0 || (r = mailbox_begin(box)) < 0)
        return r;
    if ((r = mailbox_index_step(box, BATCH_MS)) > 0) {
        int n = r;

        r = mailbox_commit(box);
        r = r < 0 ? r : n;
    }
    if (r < 0)
        actor_log("store.index_failed", j->actor, r, db_error_detail(mailbox_db(box)));
    if (r <= 0)
        mailbox_rollback(box);
    return r;
}

static void unlist(struct actor *a)
{
    struct actor **at = &indexing.list;

    while (*at && *at != a)
        at = &(*at)->index_next;
    if (*at)
        *at = a->index_next;
    a->index_next = NULL;
    a->index_listed = false;
    actor_unref(a);
}

static bool submit(struct actor *a);

static bool quiet(const struct actor *a, int64_t now)
{
    return !a->draining && now - a->index_changed_ms >= SETTLE_MS && work_lane_idle(a->lane);
}

static bool busy(void)
{
    return work_pool_load(store.pool) + work_pool_load(store.read_pool) + work_pool_load(store.search_pool) >
           0;
}

static void index_done(struct job *j)
{
    struct index_job *x = CONTAINER_OF(j, struct index_job, job);
    struct actor *a = j->actor;
    int64_t now = clock_mono_ms();
    int r = j->status;

    indexing.running = false;
    indexing.not_before_ms = now + (busy() ? PAUSE_BATCHES * (now - x->began_ms) : 0);
    free(x);
    a->indexing = false;
    a->index_ticks = 0;
    if (r > 0 && a->state == ACTOR_OPEN && !store.stopping) {
        if (quiet(a, now) && now >= indexing.not_before_ms)
            submit(a);
        return;
    }
    a->index_behind =
        r > 0 || r == E_CLOSED || r == E_BUSY; /* what failed is tried again after the next change */
    if (r == 0) {
        catch_up(a);
        learn_up(a);
    }
    unlist(a);
}

static bool submit(struct actor *a)
{
    struct index_job *x = calloc(1, sizeof *x);

    if (!x)
        return false;
    x->job = (struct job){ .kind = JOB_ALONE, .run = index_run, .done = index_done };
    x->began_ms = clock_mono_ms();
    a->indexing = indexing.running = true;
    if (actor_submit(a, &x->job) == 0)
        return true;
    a->indexing = indexing.running = false;
    free(x);
    return false;
}

static void look_at(struct actor *a, int64_t now)
{
    if (a->indexing)
        return;
    if (a->state != ACTOR_OPEN || store.stopping) {
        unlist(a);
        return;
    }
    a->index_ticks++;
    if (indexing.running || now < indexing.not_before_ms)
        return;
    if (quiet(a, now) || a->index_ticks >= (a->draining ? DRAIN_PATIENCE : PATIENCE))
        submit(a);
}

static void tick(struct timer *t)
{
    int64_t now = clock_mono_ms();

    for (struct actor *a = indexing.list, *next; a; a = next) {
        next = a->index_next;
        look_at(a, now);
    }
    if (indexing.list)
        timer_set(t, TICK_MS);
}

void index_want(struct actor *a, bool changed)
{
    a->index_behind |= changed;
    if (changed)
        a->index_changed_ms = clock_mono_ms();
    if (!a->index_behind || a->index_listed || a->state != ACTOR_OPEN || store.stopping)
        return;
    if (!indexing.ready && timer_init(&indexing.tick, store.loop, tick) < 0)
        return;
    indexing.ready = true;
    a->index_listed = true;
    a->index_ticks = 0;
    a->index_next = indexing.list;
    indexing.list = a;
    actor_ref(a);
    if (!timer_is_set(&indexing.tick))
        timer_set(&indexing.tick, TICK_MS);
}
