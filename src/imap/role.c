/* src/imap/role.c
 *
 * The IMAP role: listens, asks store and directory, opens no file. */
#include "lib/base/log.h"
#include "lib/mime/charset.h"
#include "src/common/front.h"
#include "src/common/role.h"
#include "src/imap/imap.h"

#define ROW(k, field, lo, hi, dflt, u, text)                                                              \
    {                                                                                                     \
        .key = (k), .type = CONF_U64, .off = offsetof(struct imap_conf, field), .min = (lo), .max = (hi), \
        .def = (dflt), .unit = (u), .help = (text)                                                        \
    }

static const struct conf_item items[] = {
    ROW("imap.max_message", max_message_bytes, KIB(64), MIB(1024), MIB(50), "bytes",
        "Largest message that APPEND takes."),
    ROW("imap.idle_timeout", idle_timeout_ms, 60000, 86400000, 1800000, "ms",
        "Silence after login before we hang up. RFC 9051 5.4 asks for 30 minutes at least."),
    ROW("imap.login_timeout", login_timeout_ms, 1000, 600000, 60000, "ms",
        "Silence before login before we hang up; three times that for all of the login."),
    ROW("imap.max_connections", max_connections, 10, 1000000, 20000, "connections",
        "Connections at once, of one IMAP process."),
    ROW("imap.max_connections_per_network", max_connections_per_network, 1, 1000000, 1000, "connections",
        "At once from one network (IPv4 /24, IPv6 /64), of one IMAP process. Connections from this machine are not "
        "counted."),
    ROW("imap.message_limit", message_limit, 1000, UINT32_MAX, 1000000, "messages",
        "That one command may name; told as MESSAGELIMIT (RFC 9738). Of more the newest are done, and clients that do "
        "not know the extension miss the others: keep it above the largest folder."),
    FRONT_PROXY_FROM("imap", struct imap_conf),
};

static struct imap_conf conf;

static void on_up(void *ctx, struct rpc_link *l)
{
    imap_link_up(role_data(ctx), l);
}

static void on_down(void *ctx, struct rpc_link *l)
{
    imap_link_down(role_data(ctx), l);
}

static void on_event(void *ctx, struct rpc_link *l, uint32_t event, struct str body)
{
    imap_link_event(role_data(ctx), l, event, body);
}

static const struct rpc_link_ops links = { .on_up = on_up, .on_down = on_down, .on_event = on_event };

static int init(struct role *r)
{
    struct imap_server *s = calloc(1, sizeof *s);

    if (!s)
        return E_NOMEM;
    s->loop = role_loop(r);
    s->sessions = (struct ticket_book)IMAP_SESSIONS;
    s->conf = conf;
    s->tls = role_tls(r);
    s->hostname = role_hostname(r);
    if (!(s->peers = peers_new()))
        return E_NOMEM;
    role_set_data(r, s);
    mime_charset_preload(); /* SEARCH CHARSET: iconv opens files, which the sandbox ends */
    return 0;
}

static void accepted(struct role *r, int fd, const struct sockaddr *peer, bool tls)
{
    imap_accept(role_data(r), fd, peer, tls);
}

static int start(struct role *r)
{
    struct imap_server *s = role_data(r);

    s->store = role_link(r, ROLE_STORE);
    s->directory = role_link(r, ROLE_DIRECTORY);
    return front_listen_all(r, &conf.proxy_from, "imap.tls_listen", "imap.no_certificate", accepted);
}

static void empty(void *ctx)
{
    role_stopped(ctx);
}

static void stop(struct role *r)
{
    struct imap_server *s = role_data(r);

    s->stopping = true;
    s->on_empty = empty;
    s->ctx = r;
    for (struct imap_conn *c = s->conns; c; c = c->next)
        imap_bye(c, "UNAVAILABLE", "The server is going down");
    if (s->nconns == 0)
        role_stopped(r);
}

const struct role_def imap_role = {
    .id = ROLE_IMAP,
    .items = items,
    .nitems = ARRAY_LEN(items),
    .conf = &conf,
    .conf_bytes = sizeof conf,
    .asks = FROM(MONITOR) | FROM(STORE) | FROM(DIRECTORY),
    .links = &links,
    .init = init,
    .start = start,
    .stop = stop,
};
