/* src/store/catchup.c: mail of before gets what it lacks (lacking.h), once its index is current: one message is
 * read, content looks at it, one transaction writes it; then a pause, a longer one while people work. */
#include "src/store/lacking.h"
#include "src/store/store.h"

#define MESSAGE_MAX MIB(1) /* as much of it as says what it is about */
#define PAUSE_MS    10
#define BUSY_MS     500

struct catchup {
    struct job job;
    struct actor *actor;
    struct timer pause;
    struct buf message;
    struct bytes_mem mem;
    const struct bytes_in *in;
    struct parsed parsed;
    struct email_in email;
    bool known; /* content has said something */
    int64_t id;
    uint64_t done;
};

static void catchup_end(struct catchup *c, int r)
{
    struct actor *a = c->actor;

    if (r < 0 && r != E_CLOSED && r != E_CANCELED)
        log_event(LOG_WARN, "store.catchup_failed", F_ERR(r));
    if (c->done)
        log_event(LOG_INFO, "store.caught_up", F_U64("emails", c->done));
    timer_release(&c->pause);
    parsed_release(&c->parsed);
    buf_release(&c->message);
    free(c);
    a->catching_up = false;
    actor_unref(a);
}

static int submit(struct catchup *c, enum job_kind kind, int (*run)(struct job *j, struct mailbox *box),
                  void (*done)(struct job *j))
{
    c->job = (struct job){ .kind = kind, .reader = READER_SEARCH, .run = run, .done = done };
    return actor_submit(c->actor, &c->job);
}

static int write_run(struct job *j, struct mailbox *box)
{
    struct catchup *c = CONTAINER_OF(j, struct catchup, job);

    return box ? lacking_fill(box, c->id, c->known ? &c->email : NULL) : E_CLOSED;
}

static void write_done(struct job *j)
{
    struct catchup *c = CONTAINER_OF(j, struct catchup, job);
    bool quiet = work_lane_idle(c->actor->lane) && !c->actor->draining;

    parsed_release(&c->parsed);
    if (j->status < 0) {
        catchup_end(c, j->status);
        return;
    }
    c->done++;
    timer_set(&c->pause, quiet ? PAUSE_MS : BUSY_MS);
}

static void parsed(void *ctx, int status)
{
    struct catchup *c = ctx;
    int r;

    if (status == E_UNAVAIL) { /* the next time it is opened */
        catchup_end(c, status);
        return;
    }
    if ((c->known = status >= 0))
        parsed_email(&c->parsed, c->in, &c->email);
    if ((r = submit(c, JOB_WRITE, write_run, write_done)) < 0)
        catchup_end(c, r);
}

static int read_run(struct job *j, struct mailbox *box)
{
    struct catchup *c = CONTAINER_OF(j, struct catchup, job);

    buf_clear(&c->message);
    return box ? lacking_next(box, MESSAGE_MAX, &c->id, &c->message) : E_CLOSED;
}

static void read_done(struct job *j)
{
    struct catchup *c = CONTAINER_OF(j, struct catchup, job);
    int r = j->status;

    if (r > 0) {
        c->in = bytes_mem_init(&c->mem, buf_str(&c->message));
        r = parse_message(c->in, false, &c->parsed, parsed, c);
        if (r == 0)
            return;
    }
    catchup_end(c, r);
}

static void next(struct timer *t)
{
    struct catchup *c = CONTAINER_OF(t, struct catchup, pause);
    int r = c->actor->state == ACTOR_OPEN && !store.stopping ? submit(c, JOB_READ, read_run, read_done)
                                                             : E_CLOSED;

    if (r < 0)
        catchup_end(c, r);
}

void catch_up(struct actor *a)
{
    struct catchup *c;

    if (a->catching_up || a->state != ACTOR_OPEN || store.stopping || !(c = calloc(1, sizeof *c)))
        return;
    c->actor = a;
    c->message.max = MESSAGE_MAX;
    if (timer_init(&c->pause, store.loop, next) < 0) {
        free(c);
        return;
    }
    a->catching_up = true;
    actor_ref(a);
    timer_set(&c->pause, 0);
}
