/* src/resolver/plain.c
 *
 * One socket for each query, connected: the kernel chooses a random port and throws away what comes from
 * elsewhere, so that a forger has to guess port and id (RFC 5452 4.5, 9). Who floods us with guesses is
 * answered by TCP, which he would have to hijack. */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/idmap.h"
#include "lib/event/conn.h"
#include "src/resolver/transport.h"
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#define GUESSES_MAX 16u
#define TCP_IDLE_MS 5000

struct plain {
    struct loop *loop;
    struct idmap calls;
    heard_fn *heard;
    void *ctx;
};

struct plain_call {
    struct plain *plain; /* NULL: no longer wanted, ends with its connection */
    const struct dns_upstream *upstream;
    uint64_t token;
    int64_t began_us;
    struct watch udp;
    int fd;
    unsigned guesses;
    struct conn *tcp;
    size_t query_n;
    char query[DNS_QUERY_MAX + 2]; /* with its length before it, as TCP wants it */
};

struct plain *plain_new(struct loop *l, heard_fn *heard, void *ctx)
{
    struct plain *p = calloc(1, sizeof *p);

    if (p)
        *p = (struct plain){ .loop = l, .heard = heard, .ctx = ctx };
    return p;
}

static struct str query_of(const struct plain_call *k)
{
    return str_of(k->query + 2, k->query_n);
}

static void close_udp(struct plain_call *k)
{
    watch_release(&k->udp);
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
}

/* Out of the table; its memory goes with the connection when there is one. */
static void leave(struct plain_call *k)
{
    idmap_take(&k->plain->calls, k->token);
    k->plain = NULL;
    close_udp(k);
    if (k->tcp)
        conn_abort(k->tcp, 0);
    else
        free(k);
}

static void finish(struct plain_call *k, int status, struct str message)
{
    struct plain *p = k->plain;
    const struct dns_upstream *u = k->upstream;
    const struct dns_heard h = { .status = status,
                                 .took_us = clock_mono_us() - k->began_us,
                                 .message = message };
    uint64_t token = k->token;

    leave(k);
    p->heard(p->ctx, u, token, &h);
}

/* ---- TCP: two bytes of length, then the message ---- */

static ssize_t tcp_data(void *ctx, struct str in)
{
    struct plain_call *k = ctx;
    size_t n = in.n >= 2 ? (size_t)(uint8_t)in.p[0] << 8 | (uint8_t)in.p[1] : 0;

    if (!k->plain)
        return (ssize_t)in.n;
    if (in.n < 2 || in.n < 2 + n)
        return 0;
    finish(k, dns_message_answers(query_of(k), str_slice(in, 2, 2 + n), true) ? 0 : E_SYNTAX,
           str_slice(in, 2, 2 + n));
    return (ssize_t)in.n;
}

static void tcp_closed(void *ctx, int why)
{
    struct plain_call *k = ctx;

    k->tcp = NULL;
    if (k->plain)
        finish(k, why < 0 ? why : E_CLOSED, STR_NONE);
    else
        free(k);
}

static int open_socket(const struct dns_upstream *u, int type)
{
    const struct sockaddr *sa = (const struct sockaddr *)(const void *)&u->addrs[0];
    socklen_t n = sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(sa->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, sa, n) < 0 && errno != EINPROGRESS) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int start_tcp(struct plain_call *k)
{
    static const struct conn_ops ops = { .on_data = tcp_data, .on_close = tcp_closed };
    static const struct conn_limits limits = { .in_max = DNS_MESSAGE_MAX + 2,
                                               .out_max = KIB(4),
                                               .out_low = KIB(1) };
    int fd = open_socket(k->upstream, SOCK_STREAM);

    close_udp(k);
    if (fd < 0)
        return E_IO;
    if (!(k->tcp = conn_new(k->plain->loop, fd, &limits, &ops, k)))
        return E_NOMEM;
    conn_idle_ms(k->tcp, TCP_IDLE_MS);
    return conn_write(k->tcp, str_of(k->query, k->query_n + 2));
}

/* ---- UDP ---- */

static void udp_ready(struct watch *w)
{
    static char in[DNS_MESSAGE_MAX]; /* one loop, one datagram at a time */
    struct plain_call *k = CONTAINER_OF(w, struct plain_call, udp);
    ssize_t n = recv(k->fd, in, sizeof in, MSG_DONTWAIT);
    struct str m = str_of(in, n > 0 ? (size_t)n : 0);
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        finish(k, E_CLOSED, STR_NONE); /* ECONNREFUSED: nobody is there */
        return;
    }
    if (dns_message_answers(query_of(k), m, true) && !dns_message_truncated(m)) {
        finish(k, 0, m);
        return;
    }
    if (!dns_message_answers(query_of(k), m, true) && ++k->guesses < GUESSES_MAX)
        return; /* not ours: the right one may still come */
    if ((r = start_tcp(k)) < 0)
        finish(k, r, STR_NONE);
}

static int start_udp(struct plain_call *k)
{
    k->fd = open_socket(k->upstream, SOCK_DGRAM);
    if (k->fd < 0 || watch_init(&k->udp, k->plain->loop, k->fd, udp_ready) < 0)
        return E_IO;
    return send(k->fd, k->query + 2, k->query_n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? E_IO : 0;
}

int plain_send(struct plain *p, const struct dns_upstream *u, uint64_t token, struct str query)
{
    struct plain_call *k = query.n <= DNS_QUERY_MAX ? calloc(1, sizeof *k) : NULL;
    int r;

    if (!k)
        return E_NOMEM;
    *k = (struct plain_call){
        .plain = p, .upstream = u, .token = token, .began_us = clock_mono_us(), .fd = -1, .query_n = query.n
    };
    k->query[0] = (char)(query.n >> 8);
    k->query[1] = (char)query.n;
    memcpy(k->query + 2, query.p, query.n);
    if ((r = idmap_put(&p->calls, token, k)) < 0) {
        free(k);
        return r;
    }
    if ((r = start_udp(k)) < 0)
        leave(k);
    return r;
}

void plain_cancel(struct plain *p, uint64_t token)
{
    struct plain_call *k = idmap_get(&p->calls, token);

    if (k)
        leave(k);
}
