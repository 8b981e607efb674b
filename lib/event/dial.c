#include "lib/event/dial.h"
#include "lib/base/base.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attempt {
    struct dial *dial;
    struct event *ev;
    int fd; /* -1: not under way */
};

struct dial {
    struct loop *loop;
    struct dial_addr addrs[DIAL_ADDRS_MAX];
    struct attempt tries[DIAL_ADDRS_MAX];
    size_t n, next, open;
    struct timer apart, limit;
    dial_fn *done;
    void *ctx;
    int error;
};

static void attempt_end(struct attempt *a)
{
    if (a->ev)
        event_free(a->ev);
    if (a->fd >= 0)
        close(a->fd);
    if (a->fd >= 0)
        a->dial->open--;
    a->ev = NULL;
    a->fd = -1;
}

static void dial_free(struct dial *d)
{
    for (size_t i = 0; i < d->n; i++)
        attempt_end(&d->tries[i]);
    timer_release(&d->apart);
    timer_release(&d->limit);
    free(d);
}

static void finish(struct dial *d, int fd, size_t which)
{
    dial_fn *done = d->done;
    void *ctx = d->ctx;

    dial_free(d);
    done(ctx, fd, which);
}

static void try_next(struct dial *d)
{
    if (d->next < d->n)
        timer_set(&d->apart, 0);
    else if (d->open == 0)
        finish(d, d->error, 0);
}

static void on_writable(evutil_socket_t fd, short what UNUSED, void *ctx)
{
    struct attempt *a = ctx;
    struct dial *d = a->dial;
    int error = 0;
    socklen_t n = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0) {
        attempt_end(a);
        try_next(d);
        return;
    }
    event_free(a->ev);
    a->ev = NULL;
    a->fd = -1; /* the caller's */
    d->open--;
    finish(d, fd, (size_t)(a - d->tries));
}

static int attempt_begin(struct dial *d, struct attempt *a, const struct dial_addr *to)
{
    int on = 1;

    a->fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        return errno == EMFILE || errno == ENFILE ? E_LIMIT : E_CLOSED;
    d->open++;
    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(a->fd, (const struct sockaddr *)(const void *)&to->sa, to->len) < 0 && errno != EINPROGRESS)
        return E_CLOSED;
    if (!(a->ev = event_new(loop_base(d->loop), a->fd, EV_WRITE, on_writable, a)) ||
        event_add(a->ev, NULL) < 0)
        return E_NOMEM;
    return 0;
}

static void on_apart(struct timer *t)
{
    struct dial *d = CONTAINER_OF(t, struct dial, apart);
    struct attempt *a;
    int r;

    if (d->next == d->n)
        return;
    a = &d->tries[d->next];
    if ((r = attempt_begin(d, a, &d->addrs[d->next++])) < 0) {
        d->error = r;
        attempt_end(a);
        try_next(d);
        return;
    }
    if (d->next < d->n)
        timer_set(&d->apart, DIAL_APART_MS);
}

static void on_limit(struct timer *t)
{
    finish(CONTAINER_OF(t, struct dial, limit), E_TIMEOUT, 0);
}

struct dial *dial_start(struct loop *l, const struct dial_addr *addrs, size_t n, int64_t timeout_ms,
                        dial_fn *done, void *ctx)
{
    struct dial *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    *d = (struct dial){ .loop = l, .done = done, .ctx = ctx, .error = E_CLOSED };
    d->n = n < DIAL_ADDRS_MAX ? n : DIAL_ADDRS_MAX;
    memcpy(d->addrs, addrs, d->n * sizeof *addrs);
    for (size_t i = 0; i < d->n; i++)
        d->tries[i] = (struct attempt){ .dial = d, .fd = -1 };
    if (timer_init(&d->apart, l, on_apart) < 0 || timer_init(&d->limit, l, on_limit) < 0) {
        dial_free(d);
        return NULL;
    }
    timer_set(&d->apart, 0);
    timer_set(&d->limit, timeout_ms);
    return d;
}

void dial_cancel(struct dial **d)
{
    if (*d)
        dial_free(*d);
    *d = NULL;
}

/* ---- addresses ---- */

static bool within(const uint8_t *addr, const uint8_t *net, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    if (memcmp(addr, net, bytes) != 0)
        return false;
    return rest == 0 || ((addr[bytes] ^ net[bytes]) & (uint8_t)(0xff << (8 - rest))) == 0;
}

static bool private4(const uint8_t *a)
{
    static const struct {
        uint8_t net[4];
        unsigned bits;
    } nets[] = { /* RFC 6890 and its registry */
                 { { 0, 0, 0, 0 }, 8 },     { { 10, 0, 0, 0 }, 8 },      { { 100, 64, 0, 0 }, 10 },
                 { { 127, 0, 0, 0 }, 8 },   { { 169, 254, 0, 0 }, 16 },  { { 172, 16, 0, 0 }, 12 },
                 { { 192, 0, 0, 0 }, 24 },  { { 192, 0, 2, 0 }, 24 },    { { 192, 168, 0, 0 }, 16 },
                 { { 198, 18, 0, 0 }, 15 }, { { 198, 51, 100, 0 }, 24 }, { { 203, 0, 113, 0 }, 24 },
                 { { 224, 0, 0, 0 }, 3 }
    };

    for (size_t i = 0; i < ARRAY_LEN(nets); i++)
        if (within(a, nets[i].net, nets[i].bits))
            return true;
    return false;
}

static bool private6(const uint8_t *a)
{
    static const uint8_t global[16] = { 0x20 }, documentation[16] = { 0x20, 0x01, 0x0d, 0xb8 };
    static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff }, nat64[16] = { 0, 0x64, 0xff, 0x9b };
    static const uint8_t six_to_four[16] = { 0x20, 0x02 }, teredo[16] = { 0x20, 0x01 };

    if (within(a, mapped, 96) || within(a, nat64, 96))
        return private4(a + 12);
    if (within(a, six_to_four, 16))
        return private4(a + 2);
    return !within(a, global, 3) || within(a, documentation, 32) || within(a, teredo, 32);
}

bool dial_addr_private(const struct sockaddr_storage *sa)
{
    if (sa->ss_family == AF_INET)
        return private4((const uint8_t *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
    if (sa->ss_family == AF_INET6)
        return private6(((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
    return true;
}
