#include "src/store/beside.h"
#include <pthread.h>
#include <stdlib.h>

struct beside {
    struct work_job work;
    int (*run)(void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    enum { BESIDE_WAITS, BESIDE_RUNS, BESIDE_ENDED } state;
    int status;
    _Atomic unsigned users; /* who asked, and the pool until beside_done */
};

static void beside_put(struct beside *b)
{
    if (--b->users)
        return;
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->ended);
    free(b);
}

/* On one of the two threads, whichever comes first. */
static void beside_take(struct beside *b)
{
    int r;

    pthread_mutex_lock(&b->lock);
    if (b->state != BESIDE_WAITS) {
        pthread_mutex_unlock(&b->lock);
        return;
    }
    b->state = BESIDE_RUNS;
    pthread_mutex_unlock(&b->lock);
    r = b->run(b->ctx);
    pthread_mutex_lock(&b->lock);
    b->status = r;
    b->state = BESIDE_ENDED;
    pthread_cond_signal(&b->ended);
    pthread_mutex_unlock(&b->lock);
}

static void beside_run(struct work_job *w)
{
    beside_take(CONTAINER_OF(w, struct beside, work));
}

/* On the loop, some time. */
static void beside_done(struct work_job *w)
{
    beside_put(CONTAINER_OF(w, struct beside, work));
}

struct beside *beside_begin(struct work_pool *p, int (*run)(void *ctx), void *ctx)
{
    struct beside *b = p ? calloc(1, sizeof *b) : NULL;

    if (!b)
        return NULL;
    b->work = (struct work_job){ .run = beside_run, .done = beside_done };
    b->run = run;
    b->ctx = ctx;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->ended, NULL);
    b->users = 2;
    if (work_submit(p, &b->work) == 0)
        return b;
    b->users = 1;
    beside_put(b);
    return NULL;
}

int beside_end(struct beside **bp, int (*run)(void *ctx), void *ctx)
{
    struct beside *b = *bp;
    int r;

    *bp = NULL;
    if (!b)
        return run(ctx);
    beside_take(b);
    pthread_mutex_lock(&b->lock);
    while (b->state != BESIDE_ENDED)
        pthread_cond_wait(&b->ended, &b->lock);
    r = b->status;
    pthread_mutex_unlock(&b->lock);
    beside_put(b);
    return r;
}
