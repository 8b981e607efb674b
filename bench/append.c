#include "bench/append.h"
#include "src/store/grouping.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LETTERS     200u
#define LETTERS_MB  24u
#define MOVE_FRAMES 1000u

struct box {
    const struct append_ops *ops;
    void *handle;
    struct work_lane *lane;
    struct work_job job; /* the work behind */
    struct work_job move;
    bool moving;
    uint32_t moved_at; /* frames when that began last */
    _Atomic uint32_t frames;
    uint64_t commits;
};

struct writer {
    struct work_job job;
    struct box *box;
    const struct letter *letter;
    uint64_t number, appended;
    uint32_t index;
    int status;
    void *ready; /* what ops->prepare made */
};

static const struct append_load *w;
static struct work_pool *pool;
static struct box *boxes;
static struct letter letters[LETTERS];
static uint32_t nletters;
static int64_t end_us;
static uint32_t running;

static void step(struct writer *t)
{
    t->status = must(t->box->ops->step(t->box->handle, t->letter, t->number, t->ready), "append");
}

static bool any(const struct work_job *job)
{
    (void)job;
    return true;
}

/* As src/store/actor.c: answers after the commit that all share. */
static void group_run(struct work_job *job)
{
    struct writer *group[GROUP_JOBS_MAX], *first = CONTAINER_OF(job, struct writer, job);
    struct box *b = first->box;
    int64_t until = group_until_ms();
    size_t n = 0;

    must(b->ops->begin(b->handle), "begin");
    while (job) {
        group[n] = CONTAINER_OF(job, struct writer, job);
        step(group[n++]);
        job = group_next(b->lane, n, until, any);
    }
    must(b->ops->commit(b->handle), "commit");
    b->commits++;
    if (b->ops->frames)
        b->frames = b->ops->frames(b->handle);
    for (size_t i = 1; i < n; i++)
        work_lane_finish(&group[i]->job);
}

static void writer_next(struct writer *t);

static void move_run(struct work_job *job)
{
    struct box *b = CONTAINER_OF(job, struct box, move);

    b->ops->move(b->handle);
}

static void move_done(struct work_job *job)
{
    CONTAINER_OF(job, struct box, move)->moving = false;
    running--;
}

static void move_behind(struct box *b)
{
    uint32_t frames = b->frames;

    if (frames < b->moved_at)
        b->moved_at = 0;
    if (b->moving || frames < b->moved_at + MOVE_FRAMES)
        return;
    b->moved_at = frames;
    b->moving = true;
    b->move = (struct work_job){ .run = move_run, .done = move_done };
    running++;
    must(work_submit(pool, &b->move), "submit");
}

static void group_done(struct work_job *job)
{
    struct writer *t = CONTAINER_OF(job, struct writer, job);

    move_behind(t->box);

    t->appended++;
    if (t->ready)
        t->box->ops->release(t->ready);
    t->ready = NULL;
    if (clock_mono_us() < end_us)
        writer_next(t);
    else
        running--;
}

static void writer_submit(struct writer *t)
{
    t->job = (struct work_job){ .run = group_run, .done = group_done };
    must(work_lane_submit(t->box->lane, &t->job), "submit");
}

/* As src/store/parse.c: what needs no database, on any worker. */
static void prepare_run(struct work_job *job)
{
    struct writer *t = CONTAINER_OF(job, struct writer, job);

    t->ready = t->box->ops->prepare(t->letter);
}

static void prepare_done(struct work_job *job)
{
    writer_submit(CONTAINER_OF(job, struct writer, job));
}

static void writer_next(struct writer *t)
{
    uint64_t turn = t->index + t->appended * w->writers;

    t->box = &boxes[turn % w->boxes];
    t->letter = &letters[turn % nletters];
    t->number = turn + 1;
    if (!t->box->ops->prepare) {
        writer_submit(t);
        return;
    }
    t->job = (struct work_job){ .run = prepare_run, .done = prepare_done };
    must(work_submit(pool, &t->job), "submit");
}

static void reap_until_idle(void)
{
    while (running) {
        struct pollfd p = { .fd = work_pool_fd(pool), .events = POLLIN };

        poll(&p, 1, -1);
        work_reap(pool);
    }
}

static void behind_run(struct work_job *job)
{
    struct box *b = CONTAINER_OF(job, struct box, job);

    while (must(b->ops->behind(b->handle), "the work behind") > 0)
        ;
}

static void behind_done(struct work_job *job)
{
    (void)job;
    running--;
}

static void setup(const struct append_ops *ops)
{
    size_t most = MIB(LETTERS_MB) / w->bytes;

    nletters = (uint32_t)(most < 8 ? 8 : most > LETTERS ? LETTERS : most);
    for (uint32_t i = 0; i < nletters; i++) {
        letter_make(&letters[i], i, w->bytes);
        letter_parse(&letters[i]);
    }
    pool = work_pool_new("bench", w->workers, 0, 0);
    boxes = calloc(w->boxes, sizeof *boxes);
    if (!pool || !boxes)
        exit(1);
    for (uint32_t i = 0; i < w->boxes; i++)
        boxes[i] = (struct box){ .ops = ops, .handle = ops->open(w->folder, i), .lane = work_lane_new(pool) };
}

static double cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

void append_run(const struct append_ops *ops, const struct append_load *load)
{
    struct writer *writers = calloc(load->writers, sizeof *writers);
    int64_t began, written, current;
    uint64_t n = 0, commits = 0;
    double cpu, cpu_behind;

    w = load;
    setup(ops);
    cpu = cpu_us();
    began = clock_mono_us();
    end_us = began + (int64_t)w->seconds * 1000000;
    running = w->writers;
    for (uint32_t i = 0; i < w->writers; i++) {
        writers[i].index = i;
        writer_next(&writers[i]);
    }
    reap_until_idle();
    written = clock_mono_us();
    cpu_behind = cpu_us();
    for (uint32_t i = 0; i < w->boxes && ops->behind; i++) {
        boxes[i].job = (struct work_job){ .run = behind_run, .done = behind_done };
        running++;
        must(work_lane_submit(boxes[i].lane, &boxes[i].job), "submit");
    }
    reap_until_idle();
    current = clock_mono_us();
    for (uint32_t i = 0; i < w->writers; i++)
        n += writers[i].appended;
    for (uint32_t i = 0; i < w->boxes; i++)
        commits += boxes[i].commits;
    printf(
        "{\"appended\":%llu,\"commits\":%llu,\"rate\":%.1f,\"rate_indexed\":%.1f,\"cpu_us\":%.1f,\"cpu_us_behind\":%.1f}\n",
        (unsigned long long)n, (unsigned long long)commits, (double)n * 1e6 / (double)(written - began),
        (double)n * 1e6 / (double)(current - began), (cpu_behind - cpu) / (double)n,
        (cpu_us() - cpu_behind) / (double)n);
    for (uint32_t i = 0; i < w->boxes; i++) {
        work_lane_free(&boxes[i].lane);
        ops->close(boxes[i].handle);
    }
    work_pool_free(&pool);
    free(boxes);
    free(writers);
    for (uint32_t i = 0; i < nletters; i++)
        letter_release(&letters[i]);
}
