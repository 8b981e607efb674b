#include "src/courier/courier.h"
#include "lib/base/log.h"

#define QUEUE_MAX  20000u /* requests that wait; more are told to come again */
#define GROUP_MAX  512u
#define TIDY_MS    1000
#define CARE_EVERY 64 /* tidyings */

static struct {
    struct work_pool *pool;
    struct work_lane *lane;
    struct timer tidy;
    struct lane_job tidying;
    bool tidies;
    unsigned turns;
} lane;

static void run_group(struct work_job *w);

static bool is_job(const struct work_job *job)
{
    return job->run == run_group; /* tidying has transactions of its own */
}

static void log_failure(int r)
{
    const struct db_error *e = db_error_detail(queue_db(courier.queue));

    log_event(LOG_ERROR, "courier.queue_failed", F_ERR(r), F_I64("sqlite", e->code), F_Z("text", e->text));
}

static int step(struct queue *q, void *arg)
{
    struct lane_job *j = arg;

    return j->run(q, j);
}

static void run_one(struct lane_job *j)
{
    j->status = queue_step(courier.queue, step, j);
    if (j->status < 0 && error_is_transient(j->status) && j->status != E_FULL)
        log_failure(j->status);
}

/* Whatever waits when a transaction begins, or comes while it runs, is in it: a hundred senders, one sync. */
static void run_group(struct work_job *w)
{
    struct lane_job *first = CONTAINER_OF(w, struct lane_job, work), *j, *next;
    struct work_job *more;
    unsigned n = 0;
    int r = queue_begin(courier.queue);

    first->next = NULL;
    if (r < 0) {
        log_failure(r);
        first->status = r;
        return;
    }
    run_one(first);
    for (j = first; n++ < GROUP_MAX && (more = work_lane_take(lane.lane, is_job)); j = j->next) {
        j->next = CONTAINER_OF(more, struct lane_job, work);
        j->next->next = NULL;
        run_one(j->next);
    }
    if ((r = queue_commit(courier.queue)) < 0)
        log_failure(r);
    queue_tidy(courier.queue, false);
    for (j = first; j; j = next) {
        next = j->next;
        if (r < 0 && j->status >= 0)
            j->status = r;
        if (j != first)
            work_lane_finish(&j->work);
    }
}

static void ran(struct work_job *w)
{
    struct lane_job *j = CONTAINER_OF(w, struct lane_job, work);

    if (!timer_is_set(&lane.tidy))
        timer_set(&lane.tidy, TIDY_MS);
    j->done(j, j->status);
}

int lane_submit(struct lane_job *j)
{
    j->work.run = run_group;
    j->work.done = ran;
    return work_lane_submit(lane.lane, &j->work);
}

/* ---- now and then ---- */

static void tidy_run(struct work_job *w UNUSED)
{
    bool more = lane.turns++ % CARE_EVERY == 0;

    for (int i = 0; i < 50 && more; i++)
        if (queue_begin(courier.queue) < 0 || queue_care(courier.queue, &more) < 0 ||
            queue_commit(courier.queue) < 0) {
            queue_rollback(courier.queue);
            break;
        }
    queue_tidy(courier.queue, true);
}

static void tidy_done(struct work_job *w UNUSED)
{
    lane.tidies = false;
}

static void tidy(struct timer *t UNUSED)
{
    lane.tidying.work = (struct work_job){ .run = tidy_run, .done = tidy_done };
    if (!lane.tidies && work_lane_submit(lane.lane, &lane.tidying.work) == 0)
        lane.tidies = true;
}

int lane_open(struct role *r)
{
    int e;

    lane.pool = work_pool_new("queue", 1, QUEUE_MAX, 0);
    lane.lane = lane.pool ? work_lane_new(lane.pool) : NULL;
    if (!lane.lane)
        return E_NOMEM;
    if ((e = timer_init(&lane.tidy, role_loop(r), tidy)) < 0)
        return e;
    return loop_attach_pool(role_loop(r), lane.pool);
}

void lane_close(void)
{
    timer_clear(&lane.tidy);
    work_pool_free(&lane.pool);
}
