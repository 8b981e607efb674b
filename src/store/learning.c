/* src/store/learning.c: what the person said is junk, or is not, gets into the person's classifier (junk.h) behind
 * everything that somebody waits for: once the index is current, a few letters in a transaction of their own, then
 * a pause, a longer one while people work. What waits stands in the mailbox, so whatever ends us ends nothing. */
#include "src/store/junk.h"
#include "src/store/store.h"

#define BATCH_MS 30
#define PAUSE_MS 20
#define BUSY_MS  300

struct learning {
    struct job job;
    struct actor *actor;
    struct timer pause;
};

static void learning_end(struct learning *l)
{
    struct actor *a = l->actor;

    timer_release(&l->pause);
    free(l);
    a->learning = false;
    actor_unref(a);
}

static int learn_run(struct job *j, struct mailbox *box)
{
    int r, n;

    if (!box)
        return E_CLOSED;
    if ((r = mailbox_junk_waiting(box)) <= 0 || (r = checkpoint_in_lane(j->actor, 0)) < 0 ||
        (r = mailbox_begin(box)) < 0)
        return r;
    if ((n = r = mailbox_junk_step(box, BATCH_MS)) > 0)
        r = mailbox_commit(box);
    if (r < 0)
        actor_log("store.learn_failed", j->actor, r, db_error_detail(mailbox_db(box)));
    if (n <= 0 || r < 0)
        mailbox_rollback(box);
    return r < 0 ? r : n;
}

static void learn_done(struct job *j)
{
    struct learning *l = CONTAINER_OF(j, struct learning, job);
    bool quiet = work_lane_idle(l->actor->lane) && !l->actor->draining;

    if (j->status <= 0) /* what failed is tried again after the next change */
        learning_end(l);
    else
        timer_set(&l->pause, quiet ? PAUSE_MS : BUSY_MS);
}

static void next(struct timer *t)
{
    struct learning *l = CONTAINER_OF(t, struct learning, pause);

    l->job = (struct job){ .kind = JOB_ALONE, .run = learn_run, .done = learn_done };
    if (l->actor->state != ACTOR_OPEN || store.stopping || actor_submit(l->actor, &l->job) < 0)
        learning_end(l);
}

void learn_up(struct actor *a)
{
    struct learning *l;

    if (a->learning || a->state != ACTOR_OPEN || store.stopping || !(l = calloc(1, sizeof *l)))
        return;
    l->actor = a;
    if (timer_init(&l->pause, store.loop, next) < 0) {
        free(l);
        return;
    }
    a->learning = true;
    actor_ref(a);
    timer_set(&l->pause, 0);
}
