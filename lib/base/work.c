#include "lib/base/work.h"
#include "lib/base/errors.h"
#include "lib/base/wipe_stack.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct job_list {
    struct work_job *head, **tail;
};

struct work_lane {
    struct work_pool *pool;
    struct job_list jobs; /* waiting, oldest first */
    bool scheduled;       /* in the pool's ready list, or running */
    struct work_job wake; /* what the ready list holds for this lane */
};

struct work_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job_list ready, finished;
    size_t waiting, running, queue_max;
    bool stopping, ended; /* ended: no worker is left */
    int fd, nice_level;
    char name[16];
    unsigned nthreads;
    pthread_t threads[];
};

static void list_init(struct job_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
}

static void list_push(struct job_list *l, struct work_job *job)
{
    job->next = NULL;
    *l->tail = job;
    l->tail = &job->next;
}

static struct work_job *list_pop(struct job_list *l)
{
    struct work_job *job = l->head;

    if (job && !(l->head = job->next))
        l->tail = &l->head;
    return job;
}

static void finish_locked(struct work_pool *p, struct work_job *job)
{
    uint64_t one = 1;
    bool first = p->finished.head == NULL;

    list_push(&p->finished, job);
    p->running--;
    if (first && write(p->fd, &one, sizeof one) < 0)
        abort(); /* an eventfd write of 1 cannot fail */
}

/* A lane's turn: one job, then back to the end of the ready list, so that lanes share fairly. */
static void lane_turn(struct work_pool *p, struct work_lane *l)
{
    struct work_job *job = list_pop(&l->jobs);

    p->waiting--;
    p->running++;
    pthread_mutex_unlock(&p->lock);
    job->run(job);
    pthread_mutex_lock(&p->lock);
    finish_locked(p, job);
    if (l->jobs.head) {
        list_push(&p->ready, &l->wake);
        pthread_cond_signal(&p->more);
    } else {
        l->scheduled = false;
    }
}

/* The next job, or NULL at the end. What the former ones left on this stack is wiped before waiting. */
static struct work_job *next_locked(struct work_pool *p)
{
    bool clean = false;
    struct work_job *job;

    while (!(job = list_pop(&p->ready)) && !p->stopping) {
        if (clean) {
            pthread_cond_wait(&p->more, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        wipe_stack();
        pthread_mutex_lock(&p->lock);
        clean = true;
    }
    return job;
}

static void *worker(void *ctx)
{
    struct work_pool *p = ctx;

    wipe_stack_init();
    pthread_setname_np(pthread_self(), p->name);
    if (p->nice_level)
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), p->nice_level);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct work_job *job = next_locked(p);

        if (!job)
            break;
        if (!job->run) { /* a lane's wake-up */
            lane_turn(p, CONTAINER_OF(job, struct work_lane, wake));
            continue;
        }
        p->waiting--;
        p->running++;
        pthread_mutex_unlock(&p->lock);
        job->run(job);
        pthread_mutex_lock(&p->lock);
        finish_locked(p, job);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct work_pool *work_pool_new(const char *name, unsigned threads, size_t queue_max, int nice_level)
{
    struct work_pool *p = calloc(1, sizeof *p + threads * sizeof p->threads[0]);
    sigset_t all, before;

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    list_init(&p->ready);
    list_init(&p->finished);
    p->queue_max = queue_max;
    p->nice_level = nice_level;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->fd >= 0 && p->nthreads < threads &&
           pthread_create(&p->threads[p->nthreads], NULL, worker, p) == 0)
        p->nthreads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->fd < 0 || p->nthreads < threads)
        work_pool_free(&p);
    return p;
}

void work_pool_free(struct work_pool **pp)
{
    struct work_pool *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    p->ended = true;
    if (p->fd >= 0) {
        work_reap(p);
        close(p->fd);
    }
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int work_pool_fd(const struct work_pool *p)
{
    return p->fd;
}

size_t work_pool_load(struct work_pool *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->waiting + p->running;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void work_reap(struct work_pool *p)
{
    struct work_job *job, *next;
    uint64_t count;

    if (read(p->fd, &count, sizeof count) < 0 && errno != EAGAIN)
        abort();
    pthread_mutex_lock(&p->lock);
    job = p->finished.head;
    list_init(&p->finished);
    pthread_mutex_unlock(&p->lock);
    for (; job; job = next) {
        next = job->next; /* done may free the job */
        if (job->done)
            job->done(job);
    }
}

static bool full_locked(const struct work_pool *p)
{
    return p->ended || (p->queue_max && p->waiting >= p->queue_max);
}

int work_submit(struct work_pool *p, struct work_job *job)
{
    int r = 0;

    job->lane = NULL;
    pthread_mutex_lock(&p->lock);
    if (full_locked(p)) {
        r = E_BUSY;
    } else {
        p->waiting++;
        list_push(&p->ready, job);
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return r;
}

struct work_lane *work_lane_new(struct work_pool *p)
{
    struct work_lane *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->pool = p;
    list_init(&l->jobs);
    return l;
}

bool work_lane_idle(struct work_lane *l)
{
    bool idle;

    pthread_mutex_lock(&l->pool->lock);
    idle = !l->scheduled;
    pthread_mutex_unlock(&l->pool->lock);
    return idle;
}

void work_lane_free(struct work_lane **lp)
{
    struct work_lane *l = *lp;

    *lp = NULL;
    if (!l)
        return;
    assert(work_lane_idle(l));
    free(l);
}

int work_lane_submit(struct work_lane *l, struct work_job *job)
{
    struct work_pool *p = l->pool;
    int r = 0;

    job->lane = l;
    pthread_mutex_lock(&p->lock);
    if (full_locked(p)) {
        r = E_BUSY;
    } else {
        p->waiting++;
        list_push(&l->jobs, job);
        if (!l->scheduled) {
            l->scheduled = true;
            list_push(&p->ready, &l->wake);
            pthread_cond_signal(&p->more);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return r;
}

struct work_job *work_lane_take(struct work_lane *l, bool (*want)(const struct work_job *job))
{
    struct work_pool *p = l->pool;
    struct work_job *job = NULL;

    pthread_mutex_lock(&p->lock);
    if (l->jobs.head && want(l->jobs.head)) {
        job = list_pop(&l->jobs);
        p->waiting--;
        p->running++;
    }
    pthread_mutex_unlock(&p->lock);
    return job;
}

void work_lane_finish(struct work_job *job)
{
    struct work_pool *p = job->lane->pool;

    pthread_mutex_lock(&p->lock);
    finish_locked(p, job);
    pthread_mutex_unlock(&p->lock);
}
