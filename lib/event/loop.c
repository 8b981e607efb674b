#include "lib/event/loop.h"
#include "lib/base/errors.h"
#include "lib/base/wipe_stack.h"
#include <event2/event.h>

#define WIPE_AFTER_MS 50

struct loop {
    struct event_base *base;
    struct timer wipe;
    bool wipe_due;
    struct watch *pools[8];
    size_t npools;
};

static void wipe_is_due(struct timer *t)
{
    CONTAINER_OF(t, struct loop, wipe)->wipe_due = true;
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    struct event_config *cfg = event_config_new();

    if (l && cfg) {
        event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK); /* one thread */
        event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
        l->base = event_base_new_with_config(cfg);
    }
    if (cfg)
        event_config_free(cfg);
    if (l && (!l->base || timer_init(&l->wipe, l, wipe_is_due) < 0))
        loop_free(&l);
    return l;
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;

    *lp = NULL;
    if (!l)
        return;
    for (size_t i = 0; i < l->npools; i++) {
        watch_release(l->pools[i]);
        free(l->pools[i]);
    }
    timer_release(&l->wipe);
    if (l->base)
        event_base_free(l->base);
    free(l);
}

/* Round by round, to wipe the stack below every handler soon after they have run: not after each round,
 * which under load would cost more than it is worth. */
void loop_run(struct loop *l)
{
    wipe_stack_init();
    while (event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) == 0 &&
           !event_base_got_break(l->base)) {
        if (l->wipe_due)
            wipe_stack();
        else if (!timer_is_set(&l->wipe))
            timer_set(&l->wipe, WIPE_AFTER_MS);
        l->wipe_due = false;
    }
}

void loop_stop(struct loop *l)
{
    event_base_loopbreak(l->base);
}

void loop_settle(struct loop *l)
{
    event_base_loop(l->base, EVLOOP_NONBLOCK);
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

static void timer_fired(evutil_socket_t fd UNUSED, short what UNUSED, void *ctx)
{
    struct timer *t = ctx;

    t->fire(t);
}

int timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *t))
{
    t->loop = l;
    t->fire = fire;
    t->ev = event_new(l->base, -1, 0, timer_fired, t);
    return t->ev ? 0 : E_NOMEM;
}

void timer_set(struct timer *t, int64_t in_ms)
{
    int64_t ms = in_ms < 0 ? 0 : in_ms;
    struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

    event_add(t->ev, &tv);
}

void timer_clear(struct timer *t)
{
    if (t->ev)
        event_del(t->ev);
}

bool timer_is_set(const struct timer *t)
{
    return t->ev && event_pending(t->ev, EV_TIMEOUT, NULL);
}

void timer_release(struct timer *t)
{
    if (t->ev)
        event_free(t->ev);
    t->ev = NULL;
}

static void watch_ready(evutil_socket_t fd UNUSED, short what UNUSED, void *ctx)
{
    struct watch *w = ctx;

    w->ready(w);
}

int watch_init(struct watch *w, struct loop *l, int fd, void (*ready)(struct watch *w))
{
    w->fd = fd;
    w->ready = ready;
    w->ev = event_new(l->base, fd, EV_READ | EV_PERSIST, watch_ready, w);
    if (!w->ev)
        return E_NOMEM;
    watch_resume(w);
    return 0;
}

void watch_pause(struct watch *w)
{
    if (w->ev)
        event_del(w->ev);
}

void watch_resume(struct watch *w)
{
    if (w->ev)
        event_add(w->ev, NULL);
}

void watch_release(struct watch *w)
{
    if (w->ev)
        event_free(w->ev);
    w->ev = NULL;
}

struct pool_watch {
    struct watch watch;
    struct work_pool *pool;
};

static void pool_ready(struct watch *w)
{
    work_reap(CONTAINER_OF(w, struct pool_watch, watch)->pool);
}

int loop_attach_pool(struct loop *l, struct work_pool *p)
{
    struct pool_watch *w = l->npools < ARRAY_LEN(l->pools) ? calloc(1, sizeof *w) : NULL;

    if (!w)
        return E_NOMEM;
    w->pool = p;
    if (watch_init(&w->watch, l, work_pool_fd(p), pool_ready) < 0) {
        free(w);
        return E_NOMEM;
    }
    l->pools[l->npools++] = &w->watch; /* first member: freed as one */
    return 0;
}
