/* src/store/care.c: what a mailbox needs now and then, while it is attached and others work in it. One walk
 * at a time of a mailbox, and of few mailboxes, in small jobs: what changes it in the writer's lane, what looks in a
 * reader's. Between two of them everybody else has his turn. */
#include "src/store/findings.h"
#include "src/store/check.h"
#include "src/store/store.h"

#define ROUND_MS     (60 * 60 * 1000) /* between two walks of a mailbox */
#define SLICE_MS     50
#define PROGRESS_MS  10000 /* so often a check under way is noted in the mailbox */
#define RETAIN_BATCH 200u
#define SHRINK_PAGES 256u /* 1 MiB */
#define SWEEP_BATCH  200u
#define DAY_MS       INT64_C(86400000)
#define WALKS_MAX    2u /* at a time: ten thousand mailboxes are due at once, and each opens its file */

struct care {
    struct job job;
    struct actor *actor; /* not a reference: the job has one */
    bool retain, check_due;
    struct care_dates dates;
    struct check check;
    int64_t noted_ms;
    uint64_t retained, swept;
};

/* Who is due, in order; each a reference. */
static struct {
    struct actor *head, *tail;
    unsigned walks;
    bool starting;
} waiting;

/* ---- old mail -------------------------------------------------------------------------------------- */

static const struct retention {
    int use;
    uint64_t *days;
} retentions[] = {
    { STORE__SPECIAL_USE__USE_TRASH, &store_conf.trash_days },
    { STORE__SPECIAL_USE__USE_JUNK, &store_conf.junk_days },
};

static int64_t before_of(const struct retention *r)
{
    return clock_wall_ms() - (int64_t)*r->days * DAY_MS;
}

static int retain_due(struct mailbox *box)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(retentions) && r == 0; i++)
        if (*retentions[i].days)
            r = mailbox_retain_due(box, retentions[i].use, before_of(&retentions[i]));
    return r;
}

/* In a transaction. How many went; 0: none was left. */
static int retain_some(struct mailbox *box)
{
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(retentions) && r == 0; i++)
        if (*retentions[i].days)
            r = mailbox_retain(box, retentions[i].use, before_of(&retentions[i]), RETAIN_BATCH);
    return r;
}

/* ---- logging ---------------------------------------------------------------------------------------- */

void care_checked(const struct actor *a, const struct check *c, uint64_t swept)
{
    uint64_t damage = c->found - c->leftovers;
    char id[2 * MAILBOX_ID_LEN + 1];

    hex_encode(a->id, MAILBOX_ID_LEN, id);
    store.checks++;
    store.check_findings += c->found;
    store.alarms += damage > 0;
    log_event(damage ? LOG_ALARM : LOG_INFO, "store.checked", F_Z("mailbox", id), F_U64("emails", c->emails),
              F_U64("found", c->found), F_U64("swept", swept));
    for (size_t i = 0; i < c->n; i++) {
        log_event(LOG_ERROR, "store.check_found", F_Z("mailbox", id), F_Z("what", c->list[i].what),
                  F_Z("detail", c->list[i].detail));
        finding_add(FINDING_CHECK, a->id, "check of %s: %s", c->list[i].what, c->list[i].detail);
    }
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

static void care_submit(struct care *c, enum job_kind kind, int (*run)(struct job *, struct mailbox *),
                        void (*done)(struct job *));

static void walks_start(void);

static void care_end(struct care *c)
{
    if (c->retained)
        log_event(LOG_INFO, "store.retained", F_U64("messages", c->retained));
    c->actor->care = NULL;
    free(c);
    waiting.walks--;
    walks_start();
}

/* Somebody is still there, and nothing went wrong. */
static bool care_goes_on(const struct care *c)
{
    const struct actor *a = c->actor;

    return c->job.status >= 0 && a->state == ACTOR_OPEN && a->sessions && !store.stopping;
}

static void check_next(struct care *c);

static int note_run(struct job *j, struct mailbox *box)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    return mailbox_care_set(box, &c->dates);
}

static void noted(struct job *j)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    c->noted_ms = clock_mono_ms();
    if (care_goes_on(c) && c->dates.step)
        check_next(c);
    else
        care_end(c);
}

static int sweep_run(struct job *j, struct mailbox *box)
{
    struct care *c = CONTAINER_OF(j, struct care, job);
    int n = mailbox_sweep(box, SWEEP_BATCH);

    c->swept += n > 0 ? (uint64_t)n : 0;
    return n;
}

static void check_over(struct care *c)
{
    care_checked(c->actor, &c->check, c->swept);
    c->dates.checked_ms = clock_wall_ms();
    c->dates.findings = c->check.found;
    c->dates.step = 0;
    c->dates.cursor = 0;
    c->dates.found = 0;
    care_submit(c, JOB_WRITE, note_run, noted);
}

static void swept(struct job *j)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    if (care_goes_on(c) && j->status > 0)
        care_submit(c, JOB_WRITE, sweep_run, swept);
    else
        check_over(c);
}

static int check_run(struct job *j, struct mailbox *box)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    return mailbox_check(box, &c->check, SLICE_MS);
}

static void check_progress(struct care *c)
{
    c->dates.step = c->check.step;
    c->dates.cursor = c->check.cursor;
    c->dates.found = c->check.found;
    care_submit(c, JOB_WRITE, note_run, noted);
}

static void checked(struct job *j)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    if (!care_goes_on(c))
        care_end(c);
    else if (j->status == 0 && c->check.orphans && c->check.found == c->check.leftovers)
        care_submit(c, JOB_WRITE, sweep_run, swept);
    else if (j->status == 0)
        check_over(c);
    else if (c->check.step && clock_mono_ms() - c->noted_ms > PROGRESS_MS)
        check_progress(c);
    else
        check_next(c);
}

static void check_next(struct care *c)
{
    c->job.reader = READER_SEARCH;
    care_submit(c, JOB_READ, check_run, checked);
}

static void check_begin(struct care *c)
{
    if (!c->check_due) {
        care_end(c);
        return;
    }
    c->check.step = c->dates.step;
    c->check.cursor = c->dates.cursor;
    c->check.found = c->dates.found;
    c->noted_ms = clock_mono_ms();
    check_next(c);
}

static int shrink_run(struct job *j, struct mailbox *box)
{
    int r = box ? checkpoint_in_lane(j->actor, 0) : E_CLOSED;

    return r < 0 ? r : mailbox_shrink(box, SHRINK_PAGES);
}

/* Only when nobody writes: it can wait for the next round. */
static void shrunk(struct job *j)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    if (!care_goes_on(c))
        care_end(c);
    else if (j->status > 0 && work_lane_idle(c->actor->lane))
        care_submit(c, JOB_ALONE, shrink_run, shrunk);
    else
        check_begin(c);
}

static int retain_run(struct job *j UNUSED, struct mailbox *box)
{
    return retain_some(box);
}

static void retained(struct job *j)
{
    struct care *c = CONTAINER_OF(j, struct care, job);

    c->retained += j->status > 0 ? (uint64_t)j->status : 0;
    store.retained += j->status > 0 ? (uint64_t)j->status : 0;
    if (!care_goes_on(c))
        care_end(c);
    else if (j->status > 0)
        care_submit(c, JOB_WRITE, retain_run, retained);
    else
        care_submit(c, JOB_ALONE, shrink_run, shrunk);
}

static int look_run(struct job *j, struct mailbox *box)
{
    struct care *c = CONTAINER_OF(j, struct care, job);
    int r;

    if (!box)
        return E_CLOSED;
    if ((r = mailbox_care_get(box, &c->dates)) < 0 || (r = retain_due(box)) < 0)
        return r;
    c->retain = r > 0;
    return 0;
}

static void looked(struct job *j)
{
    struct care *c = CONTAINER_OF(j, struct care, job);
    int64_t last = c->dates.checked_ms ? c->dates.checked_ms : c->dates.created_ms;

    c->check_due = store_conf.check_days && clock_wall_ms() - last >= (int64_t)store_conf.check_days * DAY_MS;
    if (!care_goes_on(c))
        care_end(c);
    else if (c->retain)
        care_submit(c, JOB_WRITE, retain_run, retained);
    else
        care_submit(c, JOB_ALONE, shrink_run, shrunk);
}

static void care_submit(struct care *c, enum job_kind kind, int (*run)(struct job *, struct mailbox *),
                        void (*done)(struct job *))
{
    unsigned reader = c->job.reader;

    c->job = (struct job){ .kind = kind, .run = run, .done = done, .reader = reader };
    if (actor_submit(c->actor, &c->job) < 0)
        care_end(c);
}

static void care_begin(struct actor *a)
{
    struct care *c = calloc(1, sizeof *c);

    if (!c)
        return;
    c->actor = a;
    a->care = c;
    a->cared_ms = clock_mono_ms() + 1;
    waiting.walks++;
    care_submit(c, JOB_ALONE, look_run, looked);
}

static bool care_due(const struct actor *a, int64_t now)
{
    return a->state == ACTOR_OPEN && a->sessions && !a->care && !a->draining && !a->key_busy &&
           (a->cared_ms == 0 || now - a->cared_ms >= ROUND_MS);
}

/* What can't begin ends at once, and that calls here: the outer call goes on. */
static void walks_start(void)
{
    struct actor *a;

    if (waiting.starting)
        return;
    waiting.starting = true;
    while (waiting.walks < WALKS_MAX && (a = waiting.head) != NULL) {
        waiting.head = a->care_next;
        if (!waiting.head)
            waiting.tail = NULL;
        a->care_next = NULL;
        a->care_waits = false;
        if (!store.stopping && care_due(a, clock_mono_ms()))
            care_begin(a);
        actor_unref(a);
    }
    waiting.starting = false;
}

static void care_wait(struct actor *a)
{
    a->care_waits = true;
    actor_ref(a);
    if (waiting.tail)
        waiting.tail->care_next = a;
    else
        waiting.head = a;
    waiting.tail = a;
}

void care_round(void)
{
    int64_t now = clock_mono_ms();
    size_t n = 0;
    uint64_t *ids = idmap_ids(&store.actors, &n);

    for (size_t i = 0; i < n && !store.stopping; i++) {
        struct actor *a = idmap_get(&store.actors, ids[i]);

        if (a && !a->care_waits && care_due(a, now))
            care_wait(a);
    }
    free(ids);
    walks_start();
}

/* Who comes only for seconds has old mail and free pages, too: one batch of each, when there are any. */
void care_at_close(struct actor *a)
{
    int r;

    if (!a->box || a->cared_ms || store.stopping || checkpoint_in_lane(a, 0) < 0)
        return;
    if ((r = retain_due(a->box)) > 0) {
        if ((r = mailbox_begin(a->box)) < 0 || (r = retain_some(a->box)) < 0 ||
            (r = mailbox_commit(a->box)) < 0)
            mailbox_rollback(a->box);
    }
    if (r >= 0)
        r = mailbox_shrink(a->box, SHRINK_PAGES);
    if (r < 0)
        actor_log("store.care_failed", a, r, db_error_detail(mailbox_db(a->box)));
}
