/* lib/event/loop.h
 *
 * The one event loop of a role, over libevent. Everything here is used from the loop's thread only,
 * except loop_post. Nothing that runs on a loop may block. */
#ifndef LIB_EVENT_LOOP_H
#define LIB_EVENT_LOOP_H
#include "lib/base/work.h"

struct loop; /* opaque */
struct event;

struct loop *loop_new(void);
void loop_free(struct loop **l);
/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Do what is due at this instant and return: before loop_free, so that what was given up is freed. */
void loop_settle(struct loop *l);
struct event_base *loop_base(struct loop *l); /* for lib/ modules that adapt another library */

/* A timer: embedded, one shot. */
struct timer {
    struct loop *loop;
    void (*fire)(struct timer *t);
    struct event *ev; /* private */
};
MUST_CHECK int timer_init(struct timer *t, struct loop *l, void (*fire)(struct timer *t));
void timer_set(struct timer *t, int64_t in_ms); /* again: moves it */
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);
void timer_release(struct timer *t); /* fine on a zeroed timer */

/* A descriptor to be told about when readable (level-triggered). */
struct watch {
    void (*ready)(struct watch *w);
    int fd;
    struct event *ev; /* private */
};
MUST_CHECK int watch_init(struct watch *w, struct loop *l, int fd, void (*ready)(struct watch *w));
void watch_pause(struct watch *w);
void watch_resume(struct watch *w);
void watch_release(struct watch *w);

/* Reap this pool's finished jobs on this loop from now on. */
MUST_CHECK int loop_attach_pool(struct loop *l, struct work_pool *p);
#endif
