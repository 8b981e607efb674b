/* src/store/dropping.c: the bytes of large messages that were removed go behind the commit that removed them (drop.h), a
 * slice at a time with a pause where people work, so that nobody waits for them and the -wal has room. The mailbox
 * stays open, after its last session too, until all are overwritten; only what ends the store, or wants the files,
 * leaves the rest to the next time. */
#include "src/store/drop.h"
#include "src/store/store.h"

#define BUSY_MS 20  /* others wait in the lane */
#define FULL_MS 250 /* the -wal is full of what somebody reads */

struct dropping {
    struct job job;
    struct actor *actor;
    struct timer pause;
};

int drop_slice(struct actor *a)
{
    int r = checkpoint_in_lane(a, 0), more;

    if (r < 0 || (r = mailbox_begin(a->box)) < 0)
        return r;
    if ((r = more = mailbox_drop_some(a->box)) >= 0 && (r = mailbox_commit(a->box)) == 0)
        return more;
    actor_log("store.drop_failed", a, r, db_error_detail(mailbox_db(a->box)));
    mailbox_rollback(a->box);
    return r;
}

static void dropping_end(struct dropping *d)
{
    struct actor *a = d->actor;

    timer_release(&d->pause);
    free(d);
    a->dropping = false;
    if (a->close_wanted)
        actor_close_soon(a);
    actor_unref(a);
}

static int drop_run(struct job *j, struct mailbox *box)
{
    return box ? drop_slice(j->actor) : E_CLOSED;
}

static void drop_done(struct job *j)
{
    struct dropping *d = CONTAINER_OF(j, struct dropping, job);

    if (j->status > 0 || (j->status == E_BUSY && d->actor->sessions))
        timer_set(&d->pause, j->status < 0 ? FULL_MS : work_lane_idle(d->actor->lane) ? 0 : BUSY_MS);
    else
        dropping_end(d); /* what failed is tried again when the next one comes, or it is opened */
}

static void next(struct timer *t)
{
    struct dropping *d = CONTAINER_OF(t, struct dropping, pause);

    d->job = (struct job){ .kind = JOB_ALONE, .run = drop_run, .done = drop_done };
    if (d->actor->state != ACTOR_OPEN || d->actor->shut || store.stopping ||
        actor_submit(d->actor, &d->job) < 0)
        dropping_end(d);
}

void drop_behind(struct actor *a)
{
    struct dropping *d;

    if (a->dropping || a->state != ACTOR_OPEN || store.stopping || !(d = calloc(1, sizeof *d)))
        return;
    d->actor = a;
    if (timer_init(&d->pause, store.loop, next) < 0) {
        free(d);
        return;
    }
    a->dropping = true;
    actor_ref(a);
    timer_set(&d->pause, 0);
}
