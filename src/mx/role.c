/* src/mx/role.c: the connections of the mx, the caps on them, and the life of the role. What a session asks of others
 * is in client_io.c. */
#include "lib/base/descriptors.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/mx/client.h"
#include <unistd.h>

#define STOP_MS 20000

struct mx_conf mx_role_conf;

/* ---- connections ---- */

static void client_free(struct mx_client *c)
{
    mx_side_call_release(&c->scan);
    mx_side_call_release(&c->filter);
    peer_check_cancel(&c->check);
    mx_dsn_leave(&c->telling);
    buf_release(&c->waiting);
    mx_client_lookups_cancel(c);
    free(c);
}

static void client_gone(struct smtp_client *smtp, int why)
{
    log_event(LOG_DEBUG, "mx.disconnected", F_Z("sid", smtp->s.sid), F_ERR(why));
    client_free(CONTAINER_OF(smtp, struct mx_client, smtp));
}

static void finish(struct smtp_clients *all)
{
    struct mx_state_of_role *mx = CONTAINER_OF(all, struct mx_state_of_role, clients);
    struct role *r = mx->role;

    timer_release(&mx->grace);
    peers_free(&all->peers);
    mx_spam_close(&mx->spam);
    mx_policies_free(&mx->policies);
    psl_close(&mx->psl);
    free(mx);
    role_stopped(r);
}

static int sides_init(struct mx_client *c, struct mx_state_of_role *mx)
{
    int r;

    c->scan = (struct mx_side_call){ .session = &c->smtp.s,
                                     .role = mx->role,
                                     .timeout_ms = (int64_t)mx_role_conf.spam_timeout_ms,
                                     .answered = mx_scan_call_answered,
                                     .go_on = mx_client_go_on,
                                     .ctx = c };
    c->filter = c->scan;
    c->filter.timeout_ms = mx_filter_call_timeout_ms(&mx_role_conf);
    c->filter.answered = mx_filter_call_answered;
    if ((r = mx_side_call_init(&c->scan)) < 0)
        return r;
    if ((r = mx_side_call_init(&c->filter)) < 0)
        mx_side_call_release(&c->scan);
    return r;
}

static struct mx_client *client_new(struct mx_state_of_role *mx, int fd, const struct sockaddr *peer,
                                    const struct peer_network *network)
{
    struct mx_client *c = calloc(1, sizeof(*c));

    if (!c || sides_init(c, mx) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    c->mx = mx;
    c->waiting.max = 2 * SMTP_PATH_MAX;
    if (smtp_client_open(&mx->clients, &c->smtp, fd, peer, network) < 0) {
        client_free(c);
        return NULL;
    }
    return c;
}

/* What holds for the client at this address: of the connection, or of XCLIENT. */
static void client_is(struct mx_client *c, const struct sockaddr *peer)
{
    struct mx_policy *p = &c->own.policy;

    if (peer->sa_family == AF_UNIX)
        c->smtp.ip[0] = '\0';
    else
        peer_text(peer, c->smtp.ip);
    mx_policy_network(peer, &mx_role_conf, p->network);
    p->trusted = c->smtp.s.lmtp || netset_has(&mx_role_conf.trusted, peer);
    p->allowed = false;
    c->own.auth_exempt =
        c->smtp.s.lmtp ? !mx_role_conf.lmtp_checks : netset_has(&mx_role_conf.auth_exempt, peer);
    c->own.spam.exempt =
        c->smtp.s.lmtp ? !mx_role_conf.lmtp_checks : netset_has(&mx_role_conf.spam_exempt, peer);
    c->smtp.s.greet_delay_ms = p->trusted ? 0 : mx_role_conf.greet_delay_ms;
    c->smtp.s.error_delay_ms = p->trusted ? 0 : mx_role_conf.error_delay_ms;
}

/* XCLIENT. What it does not say stays as it was. */
static int client_becomes(struct smtp_session *s, const struct smtp_xclient *x)
{
    struct mx_client *c = CONTAINER_OF(s, struct mx_client, smtp.s);
    const struct sockaddr *addr = (const struct sockaddr *)(const void *)&x->addr;

    if ((x->given & SMTP_XC_ADDR) && addr->sa_family != AF_UNSPEC) {
        client_is(c, addr);
        if (!c->own.policy.trusted &&
            !mx_policy_connect(&c->mx->policies, &mx_role_conf, c->own.policy.network))
            return E_LIMIT;
        peer_check_cancel(&c->check);
        c->facts = (struct peer_facts){ .name = "" };
        c->said_name[0] = '\0';
        c->check =
            peer_check_start(&c->mx->checks, &mx_client_check_io, c->mx->role, addr, mx_client_peer_known, c);
    }
    if (x->given & SMTP_XC_NAME)
        snprintf(c->said_name, sizeof c->said_name, "%.*s", STR_ARG(x->name));
    if ((x->given & SMTP_XC_DESTADDR) && x->destaddr.ss_family != AF_UNSPEC)
        peer_text((const struct sockaddr *)(const void *)&x->destaddr, c->own.policy.local_ip);
    if ((x->given & SMTP_XC_LOGIN) && x->login.n)
        c->own.policy.trusted = true; /* who logged in elsewhere is no stranger */
    smtp_session_restart(s, str_from(c->smtp.ip));
    if (!c->check)
        smtp_session_peer(s, str_from(c->said_name), STR_NONE);
    return 0;
}

static void client_start(struct mx_client *c, int fd, const struct sockaddr *peer, bool lmtp)
{
    static const struct conn_limits lmtp_limits = { .in_max = KIB(32),
                                                    .out_max = KIB(256),
                                                    .out_low = SMTP_CLIENT_OUT_LOW };
    struct mx_state_of_role *mx = c->mx;

    c->smtp.s.lmtp = lmtp;
    if (lmtp) /* an answer for each recipient, at once */
        conn_limits_set(c->smtp.conn, &lmtp_limits);
    c->own = (struct mx_own){ .conf = &mx_role_conf, .psl = mx->psl, .policy.all = &mx->policies };
    c->own.spam = (struct mx_spam){ .all = &mx->spam, .call = &c->scan };
    c->own.filter = (struct mx_filter){ .io = mx_filter_call_io(&mx_role_conf), .call = &c->filter };
    c->own.delivery_key = role_subkey(mx->role, SUBKEY_DELIVERY_ID);
    c->bounce = (struct mx_bounce){ .done = mx_client_bounce_known,
                                    .ctx = c,
                                    .deadline_ms = (int64_t)mx_role_conf.directory_timeout_ms };
    c->leg = (struct courier_leg){ .ops = &mx_client_leg_ops,
                                   .ctx = c,
                                   .commit_ms = (int64_t)mx_role_conf.commit_timeout_ms };
    if (lmtp || netset_has(&mx_role_conf.xclient_from, peer))
        c->own.become = client_becomes;
    client_is(c, peer);
    mx_policy_local(fd, c->own.policy.local_ip);
    mx_session_serve(&c->smtp.s, &c->own);
    smtp_client_start(&c->smtp, &mx_role_conf.smtp, &mx_client_io, !lmtp && role_tls(mx->role) != NULL);
    if (!lmtp && !peer_is_local(peer))
        c->check =
            peer_check_start(&mx->checks, &mx_client_check_io, mx->role, peer, mx_client_peer_known, c);
    log_event(LOG_DEBUG, "mx.connected", F_Z("sid", c->smtp.s.sid), F_Z("peer", c->smtp.ip));
}

/* `network` was counted. */
static void client_take(struct mx_state_of_role *mx, int fd, const struct sockaddr *peer,
                        const struct peer_network *network, bool lmtp)
{
    struct mx_client *c = NULL;

    if (!smtp_clients_make_room(&mx->clients))
        front_turn_away(fd, "421 4.3.2 Too many connections, try later\r\n", "mx.turned_away", "full");
    else if ((c = client_new(mx, fd, peer, network)))
        client_start(c, fd, peer, lmtp);
    if (!c)
        peers_give(mx->clients.peers, network);
}

static void accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len UNUSED)
{
    struct mx_state_of_role *mx = ctx;
    struct peer_network network = peer_network_of(peer);
    char text[MX_NETWORK_TEXT_MAX];

    mx_policy_network(peer, &mx_role_conf, text);
    if (!netset_has(&mx_role_conf.trusted, peer) && !mx_policy_connect(&mx->policies, &mx_role_conf, text)) {
        front_turn_away(fd, "421 4.7.0 Too many connections from your network in a short time, try later\r\n",
                        "mx.turned_away", "rate");
        return;
    }
    if (peers_take(mx->clients.peers, &network, mx_role_conf.max_connections_per_network) < 0) {
        front_turn_away(fd, "421 4.7.0 Too many connections from your network, try later\r\n",
                        "mx.turned_away", "network");
        return;
    }
    client_take(mx, fd, peer, &network, false);
}

/* LMTP: the server in front of us. Its connections are few, and none is turned away for another's. */
static void lmtp_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len UNUSED)
{
    static const struct peer_network nowhere = { .bits = 0 };
    struct mx_state_of_role *mx = ctx;

    if (peers_take(mx->clients.peers, &nowhere, UINT64_MAX) < 0)
        front_turn_away(fd, "421 4.3.0 Temporary trouble on our side, try later\r\n", "mx.turned_away",
                        "memory");
    else
        client_take(mx, fd, peer, &nowhere, true);
}

/* ---- life of the role ---- */

static void grace_over(struct timer *t)
{
    role_stopped(CONTAINER_OF(t, struct mx_state_of_role, grace)->role);
}

/* Descriptors for all connections, as far as the system lets us. */
static void raise_descriptors(void)
{
    uint64_t limit = descriptors_raise(UINT64_MAX);

    if (limit < mx_role_conf.max_connections + 128)
        log_event(LOG_WARN, "mx.few_descriptors", F_U64("limit", limit),
                  F_U64("connections", mx_role_conf.max_connections));
}

static int read_lists(struct peer_check_conf *c)
{
    int e = peer_lists_parse(str_from(mx_role_conf.blocklists), &c->block);

    if (e == 0)
        e = peer_lists_parse(str_from(mx_role_conf.allowlists), &c->allow);
    if (e < 0)
        log_event(LOG_ERROR, "mx.bad_lists", F_Z("keys", "mx.blocklists mx.allowlists"), F_ERR(e));
    c->name = mx_role_conf.reverse_name;
    c->want_allowed = mx_role_conf.greylist;
    c->timeout_ms = (int64_t)mx_role_conf.lookup_timeout_ms;
    return e;
}

static int mx_init(struct role *r)
{
    struct mx_state_of_role *mx = calloc(1, sizeof(*mx));
    int e;

    if (!mx || smtp_clients_init(&mx->clients) < 0 || timer_init(&mx->grace, role_loop(r), grace_over) < 0)
        return E_NOMEM; /* the process ends: the kernel frees */
    if (read_lists(&mx->checks) < 0)
        return E_RANGE;
    if ((e = mx_policies_make(&mx->policies, &mx_role_conf)) < 0 ||
        (e = mx_scan_open(&mx->spam, &mx_role_conf, role_spam_file(r))) < 0)
        return e;
    mx->role = mx->clients.role = r;
    mx->clients.max = mx_role_conf.max_connections;
    mx->clients.stall_ms = mx_role_conf.stall_timeout_ms;
    mx->clients.gone = client_gone;
    mx->clients.empty = finish;
    role_set_data(r, mx);
    raise_descriptors();
    if (mx_role_conf.auth_checks && psl_open(NULL, &mx->psl) < 0)
        log_event(LOG_WARN, "mx.no_suffix_list"); /* the tree walk works without */
    return 0;
}

static int mx_start(struct role *r)
{
    static const struct netset nobody;
    struct mx_state_of_role *mx = role_data(r);
    size_t n;
    const struct role_listener *l = role_listeners(r, &n);

    for (size_t i = 0; i < n && i < MX_LISTENERS_MAX; i++) {
        bool lmtp = str_eq_z(STR("mx.lmtp_socket"), l[i].key);

        if (front_listen(role_loop(r), l[i].fd, lmtp ? &nobody : &mx_role_conf.proxy_from,
                         lmtp ? lmtp_accepted : accepted, mx, &mx->listeners[i]) < 0)
            return E_NOMEM;
        mx->nlisteners++;
    }
    if (!role_tls(r))
        log_event(LOG_WARN, "mx.no_tls");
    return 0;
}

/* Idle sessions end now, others after the message they are sending. */
static void mx_stop(struct role *r)
{
    struct mx_state_of_role *mx = role_data(r);

    for (size_t i = 0; i < mx->nlisteners; i++)
        listener_free(&mx->listeners[i]);
    mx->nlisteners = 0;
    if (mx->clients.n > 0)
        timer_set(&mx->grace, STOP_MS);
    smtp_clients_stop(&mx->clients);
}

const struct role_def mx_role = {
    .id = ROLE_MX,
    .items = mx_conf_items,
    .nitems = MX_CONF_ITEMS,
    .conf = &mx_role_conf,
    .conf_bytes = sizeof(mx_role_conf),
    .asks = FROM(STORE) | FROM(DIRECTORY) | FROM(RESOLVER) | FROM(CONTENT) | FROM(COURIER) | FROM(MONITOR) |
            FROM(FILTER),
    .init = mx_init,
    .start = mx_start,
    .stop = mx_stop,
};
