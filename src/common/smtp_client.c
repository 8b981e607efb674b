#include "src/common/smtp_client.h"
#include "lib/base/errors.h"
#include "src/common/counts.h"
#include <unistd.h>

#define IN_MAX       KIB(32)
#define OUT_MAX      KIB(32)
#define LEAVING_MAX  256u /* sessions over the cap that are on their way out: a few bursts of accept */
#define LINGER_MS    5000
#define HANDSHAKE_MS 30000

void smtp_client_go_on(struct smtp_client *c)
{
    if (c->started && !smtp_session_waits(&c->s))
        conn_resume(c->conn);
}

/* ---- what a session asks of its connection ---- */

int smtp_client_reply(void *ctx, struct str bytes)
{
    return conn_write(((struct smtp_client *)ctx)->conn, bytes);
}

bool smtp_client_reply_full(void *ctx)
{
    return conn_out_pending(((struct smtp_client *)ctx)->conn) >= SMTP_CLIENT_OUT_LOW;
}

void smtp_client_start_tls(void *ctx)
{
    struct smtp_client *c = ctx;

    if (conn_start_tls(c->conn, role_tls(c->all->role)) < 0)
        conn_abort(c->conn, E_IO);
}

void smtp_client_hang_up(void *ctx)
{
    struct smtp_client *c = ctx;

    /* In a crowd nobody stays until he has read our last words. */
    conn_close(c->conn, c->all->n >= c->all->max ? 0 : LINGER_MS);
}

void smtp_client_timer(void *ctx, int64_t ms)
{
    struct smtp_client *c = ctx;

    if (ms)
        timer_set(&c->timer, ms);
    else
        timer_clear(&c->timer);
}

/* ---- a connection ---- */

static ssize_t on_data(void *ctx, struct str in)
{
    struct smtp_client *c = ctx;
    size_t used = c->started ? smtp_session_input(&c->s, in) : 0;

    if (c->started && smtp_session_waits(&c->s))
        conn_pause(c->conn);
    return (ssize_t)used;
}

static void on_drain(void *ctx)
{
    smtp_client_go_on(ctx);
}

static void on_secure(void *ctx)
{
    struct smtp_client *c = ctx;

    if (c->started) {
        smtp_session_secured(&c->s, conn_tls_version(c->conn), conn_tls_cipher(c->conn));
        return;
    }
    c->s.tls = true; /* from the first byte */
    snprintf(c->s.tls_text, sizeof c->s.tls_text, "%s with cipher %s", conn_tls_version(c->conn),
             conn_tls_cipher(c->conn));
    c->all->secured(c);
}

static void on_timeout(struct timer *t)
{
    struct smtp_client *c = CONTAINER_OF(t, struct smtp_client, timer);

    if (!c->started) {
        conn_abort(c->conn, E_TIMEOUT);
        return;
    }
    smtp_session_timeout(&c->s);
    smtp_client_go_on(c); /* what was slowed down */
}

static void unlink_client(struct smtp_client *c)
{
    *c->prev_next = c->next;
    if (c->next)
        c->next->prev_next = c->prev_next;
    else
        c->all->last = c->prev_next;
    c->all->n--;
}

static void on_close(void *ctx, int why)
{
    struct smtp_client *c = ctx;
    struct smtp_clients *all = c->all;

    count_less(COUNT_CONNECTIONS_OPEN);
    if (c->started)
        smtp_session_release(&c->s);
    timer_release(&c->timer);
    peers_give(all->peers, &c->network);
    unlink_client(c);
    all->gone(c, why);
    if (all->stopping && all->n == 0)
        all->empty(all);
}

int smtp_client_open(struct smtp_clients *all, struct smtp_client *c, int fd, const struct sockaddr *peer,
                     const struct peer_network *network)
{
    static const struct conn_limits limits = { .in_max = IN_MAX,
                                               .out_max = OUT_MAX,
                                               .out_low = SMTP_CLIENT_OUT_LOW };
    static const struct conn_ops ops = {
        .on_data = on_data, .on_drain = on_drain, .on_secure = on_secure, .on_close = on_close
    };

    if (timer_init(&c->timer, role_loop(all->role), on_timeout) < 0) {
        close(fd);
        return E_NOMEM;
    }
    if (!(c->conn = conn_new(role_loop(all->role), fd, &limits, &ops, c))) {
        timer_release(&c->timer);
        return E_NOMEM;
    }
    conn_stall_ms(c->conn, (int64_t)all->stall_ms);
    c->all = all;
    c->network = *network;
    peer_text(peer, c->ip);
    c->prev_next = all->last;
    *all->last = c;
    all->last = &c->next;
    all->n++;
    count_one(COUNT_CONNECTIONS);
    count_one(COUNT_CONNECTIONS_OPEN);
    return 0;
}

void smtp_client_start(struct smtp_client *c, const struct smtp_limits *conf, const struct smtp_io *io,
                       bool tls_possible)
{
    c->started = true;
    smtp_session_start(&c->s, conf, io, c, role_hostname(c->all->role), str_from(c->ip), tls_possible);
}

void smtp_client_secure(struct smtp_client *c)
{
    timer_set(&c->timer, HANDSHAKE_MS);
    smtp_client_start_tls(c);
}

/* ---- all of them ---- */

int smtp_clients_init(struct smtp_clients *all)
{
    all->last = &all->oldest;
    return (all->peers = peers_new()) ? 0 : E_NOMEM;
}

bool smtp_clients_make_room(struct smtp_clients *all)
{
    struct smtp_client *goes = NULL;

    if (all->n < all->max)
        return true;
    if (all->n >= all->max + LEAVING_MAX)
        return false;
    for (struct smtp_client *c = all->oldest; c; c = c->next) {
        if (c->started && smtp_session_idle(&c->s)) {
            goes = c;
            break;
        }
        if (!goes && c->started && smtp_session_dawdles(&c->s))
            goes = c;
    }
    if (goes)
        smtp_session_evict(&goes->s);
    return goes != NULL;
}

void smtp_clients_stop(struct smtp_clients *all)
{
    all->stopping = true;
    if (all->n == 0) {
        all->empty(all);
        return;
    }
    for (struct smtp_client *c = all->oldest; c; c = c->next) /* conn_close frees later, never from here */
        if (c->started)
            smtp_session_stop(&c->s);
        else
            conn_abort(c->conn, E_CLOSED);
}
