#include "src/pop3/client.h"
#include "src/common/counts.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <unistd.h>

#define IN_MAX    KIB(4)
#define OUT_MAX   KIB(512) /* never reached by what waits at POP3_OUT_LOW */
#define LINGER_MS 5000
#define STALL_MS  300000

void client_go_on(struct pop3_client *c)
{
    if (!pop3_session_waits(&c->s))
        conn_resume(c->conn);
}

/* ---- what a session asks of the connection ---- */

static int io_reply(void *ctx, struct str bytes)
{
    return conn_write(((struct pop3_client *)ctx)->conn, bytes);
}

static bool io_reply_full(void *ctx)
{
    return conn_out_pending(((struct pop3_client *)ctx)->conn) >= POP3_OUT_LOW;
}

static void io_start_tls(void *ctx)
{
    struct pop3_client *c = ctx;

    if (conn_start_tls(c->conn, role_tls(c->server->role)) < 0)
        conn_abort(c->conn, E_IO);
}

static void io_hang_up(void *ctx)
{
    struct pop3_client *c = ctx;

    /* In a crowd nobody stays until he has read our last words. */
    conn_close(c->conn, c->server->nclients >= pop3_settings.max_connections ? 0 : LINGER_MS);
}

static void io_cut(void *ctx)
{
    conn_abort(((struct pop3_client *)ctx)->conn, E_CLOSED);
}

static void io_timer(void *ctx, int64_t ms)
{
    struct pop3_client *c = ctx;

    if (ms)
        timer_set(&c->timer, ms);
    else
        timer_clear(&c->timer);
}

static int64_t io_now_ms(void *ctx UNUSED)
{
    return clock_mono_ms();
}

static void io_cancel(void *ctx)
{
    struct pop3_client *c = ctx;

    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    records_release(&c->records);
    client_stream_drop(c);
}

static const struct pop3_io client_io = {
    .reply = io_reply,
    .reply_full = io_reply_full,
    .start_tls = io_start_tls,
    .hang_up = io_hang_up,
    .cut = io_cut,
    .timer = io_timer,
    .now_ms = io_now_ms,
    .open = client_open,
    .fetch = client_fetch,
    .fetch_enough = client_fetch_enough,
    .commit = client_commit,
    .cancel = io_cancel,
};

/* ---- the connection ---- */

static ssize_t client_data(void *ctx, struct str in)
{
    struct pop3_client *c = ctx;
    size_t used = pop3_session_input(&c->s, in);

    if (pop3_session_waits(&c->s))
        conn_pause(c->conn);
    return (ssize_t)used;
}

static void client_drained(void *ctx)
{
    struct pop3_client *c = ctx;

    client_stream_go_on(c);
    pop3_session_drained(&c->s);
    client_go_on(c);
}

static void client_secure(void *ctx)
{
    struct pop3_client *c = ctx;

    pop3_session_secured(&c->s);
    client_go_on(c);
}

static void client_timeout(struct timer *t)
{
    struct pop3_client *c = CONTAINER_OF(t, struct pop3_client, timer);

    pop3_session_timeout(&c->s);
    client_go_on(c);
}

static void client_closed(void *ctx, int why UNUSED)
{
    struct pop3_client *c = ctx;
    struct pop3_server *srv = c->server;

    io_cancel(c);
    client_detach(c);
    pop3_session_release(&c->s);
    timer_release(&c->timer);
    buf_release(&c->session.text);
    free(c->ranges);
    if (c->is_counted)
        peers_give(srv->peers, &c->network);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    srv->nclients--;
    count_less(COUNT_CONNECTIONS_OPEN);
    free(c);
    if (srv->stopping && srv->nclients == 0)
        role_stopped(srv->role);
}

static const struct conn_ops client_ops = {
    .on_data = client_data,
    .on_drain = client_drained,
    .on_secure = client_secure,
    .on_close = client_closed,
};

static struct pop3_client *client_new(struct pop3_server *srv, int fd)
{
    static const struct conn_limits limits = { .in_max = IN_MAX,
                                               .out_max = OUT_MAX,
                                               .out_low = POP3_OUT_LOW };
    struct pop3_client *c = calloc(1, sizeof *c);

    if (!c || timer_init(&c->timer, role_loop(srv->role), client_timeout) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    c->server = srv;
    c->session.text.max = TICKET_MAX;
    c->conn = conn_new(role_loop(srv->role), fd, &limits, &client_ops, c);
    if (!c->conn) {
        timer_release(&c->timer);
        free(c);
        return NULL;
    }
    return c;
}

void client_accept(struct role *r, int fd, const struct sockaddr *peer, bool tls)
{
    static const char full[] = "-ERR [SYS/TEMP] Too many connections, please try again later\r\n";
    struct peer_network network = peer_network_of(peer);
    struct pop3_server *srv = role_data(r);
    struct pop3_client *c = NULL;
    struct tls_ctx *certificate = role_tls(srv->role);
    bool local = peer_is_local(peer);

    if (srv->stopping || srv->nclients >= pop3_settings.max_connections ||
        (!local && peers_take(srv->peers, &network, pop3_settings.max_connections_per_network) < 0)) {
        front_turn_away(fd, tls ? "" : full, "pop3.turned_away", "many");
        return;
    }
    if (!(c = client_new(srv, fd))) {
        if (!local)
            peers_give(srv->peers, &network);
        return;
    }
    c->is_counted = !local;
    c->network = network;
    c->next = srv->clients;
    c->prev = &srv->clients;
    if (c->next)
        c->next->prev = &c->next;
    srv->clients = c;
    srv->nclients++;
    count_one(COUNT_CONNECTIONS);
    count_one(COUNT_CONNECTIONS_OPEN);
    conn_stall_ms(c->conn, STALL_MS);
    peer_penalty_text(peer, c->s.network);
    pop3_session_start(&c->s, &pop3_settings, &client_io, c, role_hostname(srv->role), certificate != NULL,
                       tls);
    if (tls && conn_start_tls(c->conn, certificate) < 0)
        conn_abort(c->conn, E_NOMEM);
}
