#include "lib/event/conn.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ACCEPT_BURST 64 /* then others get their turn */

struct listener {
    struct watch watch;
    struct timer again;
    listener_fn *fn;
    void *ctx;
};

static void accept_some(struct watch *w)
{
    struct listener *s = CONTAINER_OF(w, struct listener, watch);

    for (int i = 0; i < ACCEPT_BURST; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int one = 1, fd = accept4(w->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (fd < 0) {
            listener_pause(s, 100); /* level-triggered: without a pause we would spin */
            return;
        }
        if (peer.ss_family != AF_UNIX)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        s->fn(s->ctx, fd, (struct sockaddr *)&peer, len);
        if (timer_is_set(&s->again))
            return; /* paused by its owner */
    }
}

static void accept_again(struct timer *t)
{
    watch_resume(&CONTAINER_OF(t, struct listener, again)->watch);
}

struct listener *listener_new(struct loop *l, int fd, listener_fn *fn, void *ctx)
{
    struct listener *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->fn = fn;
    s->ctx = ctx;
    if (timer_init(&s->again, l, accept_again) < 0 || watch_init(&s->watch, l, fd, accept_some) < 0)
        listener_free(&s);
    return s;
}

void listener_pause(struct listener *s, int64_t ms)
{
    watch_pause(&s->watch);
    timer_set(&s->again, ms);
}

void listener_free(struct listener **sp)
{
    struct listener *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    watch_release(&s->watch);
    timer_release(&s->again);
    free(s);
}
