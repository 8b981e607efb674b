/* src/pop3/role.c
 *
 * The POP3 role: listens, asks store and directory, opens no file. */
#include "lib/base/descriptors.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/pop3/client.h"

struct pop3_conf pop3_settings;

static void on_up(void *ctx, struct rpc_link *l)
{
    struct pop3_server *srv = role_data(ctx);

    if (l == role_link(ctx, ROLE_STORE))
        reattach_all(srv, l);
    else
        rpc_link_ready(l);
}

static void on_event(void *ctx, struct rpc_link *l, uint32_t event, struct str body)
{
    if (l == role_link(ctx, ROLE_STORE))
        reattach_event(role_data(ctx), event, body);
}

static const struct rpc_link_ops links = { .on_up = on_up, .on_event = on_event };

/* Descriptors for all connections, as far as the system lets us. */
static void raise_descriptors(void)
{
    uint64_t limit = descriptors_raise(UINT64_MAX);

    if (limit < pop3_settings.max_connections + 128)
        log_event(LOG_WARN, "pop3.few_descriptors", F_U64("limit", limit),
                  F_U64("connections", pop3_settings.max_connections));
}

static int init(struct role *r)
{
    struct pop3_server *srv = calloc(1, sizeof *srv);

    if (!srv || !(srv->peers = peers_new()))
        return E_NOMEM; /* the process ends: the kernel frees */
    srv->role = r;
    srv->sessions = (struct ticket_book){ .patience_ms = POP3_ASK_MS, .on_return = client_session_back };
    role_set_data(r, srv);
    raise_descriptors();
    return 0;
}

static int start(struct role *r)
{
    return front_listen_all(r, &pop3_settings.proxy_from, "pop3.tls_listen", "pop3.no_certificate",
                            client_accept);
}

static void stop(struct role *r)
{
    struct pop3_server *srv = role_data(r);

    srv->stopping = true;
    if (srv->nclients == 0) {
        role_stopped(r);
        return;
    }
    for (struct pop3_client *c = srv->clients; c; c = c->next) /* conn_close frees later, never from here */
        if (c->s.state != POP3_ST_UPDATE) /* QUIT gets its answer; the supervisor's patience bounds it */
            pop3_session_end(&c->s, "-ERR [SYS/TEMP] The server is going down");
}

const struct role_def pop3_role = {
    .id = ROLE_POP3,
    .items = pop3_conf_items,
    .nitems = POP3_CONF_ITEMS,
    .conf = &pop3_settings,
    .conf_bytes = sizeof pop3_settings,
    .asks = FROM(MONITOR) | FROM(STORE) | FROM(DIRECTORY),
    .links = &links,
    .init = init,
    .start = start,
    .stop = stop,
};
