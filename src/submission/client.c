#include "src/submission/client.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/counts.h"
#include <unistd.h>

#define IN_MAX       KIB(32)
#define OUT_MAX      KIB(32)
#define OUT_LOW      KIB(16)
#define LEAVING_MAX  256u
#define LINGER_MS    5000
#define HANDSHAKE_MS 30000

void submitter_go_on(struct submission_client *c)
{
    if (!smtp_session_waits(&c->s))
        conn_resume(c->conn);
}

/* ---- what a session asks of the directory and the store ---- */

static int ask(struct submission_client *c, enum role_id role, uint32_t op, const ProtobufCMessage *body,
               uint64_t ms, void (*done)(void *ctx, int status, struct str body))
{
    struct rpc_ask what = { .op = op, .body = body, .deadline_ms = (int64_t)ms, .done = done, .ctx = c };

    c->call = rpc_link_ask(role_link(c->server->role, role), &what);
    return c->call ? 0 : E_NOMEM;
}

static int mailbox_of(const Directory__ResolveResponse *m, struct smtp_mailbox *box)
{
    *box = (struct smtp_mailbox){ .id = pb_str(m->mailbox_id),
                                  .address = pb_str(m->address),
                                  .limited = m->limited,
                                  .room = m->room,
                                  .limit = m->limit };
    if (m->mailbox_id.len == 0 || m->n_key_states > SMTP_KEY_STATES_MAX || m->address.len == 0)
        return E_BUG;
    for (size_t i = 0; i < m->n_key_states; i++) {
        if (m->key_states[i].len > SMTP_KEY_STATE_MAX || m->key_states[i].len == 0)
            return E_BUG;
        box->key_states[box->nkey_states++] = pb_str(m->key_states[i]);
    }
    return 0;
}

/* An address of ours that is one mailbox gets the letter at once. One that leads to several, to other addresses or to
 * webhooks goes the way of all the others: through the queue to our own MX, which knows how. */
static enum smtp_found found_of(const Directory__ResolveResponse *m)
{
    switch ((int)m->result) {
    case DIRECTORY__RESOLVE_RESPONSE__RESULT__OK:
        /* who answers automatically does so where mail comes in */
        return m->n_more || m->n_forwards || m->n_vacations || !m->mailbox_id.len ? SMTP_NO_DOMAIN
                                                                                  : SMTP_FOUND;
    case DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_DOMAIN: return SMTP_NO_DOMAIN;
    case DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS:
    case DIRECTORY__RESOLVE_RESPONSE__RESULT__REFUSED: return SMTP_NO_ALIAS;
    case DIRECTORY__RESOLVE_RESPONSE__RESULT__DISABLED:
        return m->answer == 421 ? SMTP_NOT_READY : SMTP_NO_ALIAS;
    default: return SMTP_NOT_READY;
    }
}

static void resolved(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Directory__ResolveResponse *m = NULL;
    enum smtp_found found = SMTP_NOT_READY;
    struct smtp_mailbox box = { .nkey_states = 0 };
    struct submission_client *c = ctx;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, directory__resolve_response)))
        status = E_BUG;
    if (status == 0 && (found = found_of(m)) == SMTP_FOUND)
        status = mailbox_of(m, &box);
    smtp_session_resolved(&c->s, status, found, &box);
    submitter_go_on(c);
}

static int io_resolve(void *ctx, struct str address)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;

    q.address = str_pb(address);
    q.purpose = DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER;
    q.has_sender = true;
    q.sender = str_pb(((struct submission_client *)ctx)->s.m.sender_address);
    q.peer_ip = str_pb(((struct submission_client *)ctx)->s.peer_ip);
    return ask(ctx, ROLE_DIRECTORY, DIRECTORY__OP__RESOLVE, &q.base, submission_settings.directory_timeout_ms,
               resolved);
}

static int sender_of(const Directory__SenderResponse *m, struct submission_sender *out)
{
    static const char *const scopes[] = { "account", "domain", "address" };
    int r;

    if (!m->who)
        return E_BUG;
    if (m->who->result != DIRECTORY__RESOLVE_RESPONSE__RESULT__OK || !m->who->mailbox_id.len)
        return E_AUTH; /* unknown, without a mailbox, or not in use: to whoever guesses it is all one */
    *out = (struct submission_sender){ .as_domain = m->as_domain,
                                       .copy = m->copy,
                                       .foreign = m->foreign,
                                       .refused = m->refused,
                                       .limit = m->limit,
                                       .opens_ms = m->opens_ms,
                                       .of = m->of_recipients ? "recipients" : "messages",
                                       .scope = scopes[(size_t)m->kind < ARRAY_LEN(scopes) ? m->kind : 2] };
    snprintf(out->language, sizeof out->language, "%.*s", STR_ARG(pb_str(m->language)));
    r = mailbox_of(m->who, &out->mailbox);
    return r;
}

static void sender_known(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    Directory__SenderResponse *m = NULL;
    struct submission_sender who = { .foreign = 0 };
    struct submission_client *c = ctx;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, directory__sender_response)))
        status = E_BUG;
    if (status == 0)
        status = sender_of(m, &who);
    submission_counted(&c->s, status, &who);
    submitter_go_on(c);
}

static void limits_fill(Directory__SendLimit limits[3], Directory__SendLimit *list[3])
{
    const struct submission_conf *o = &submission_settings;
    const uint64_t v[3][2] = { { o->account_messages, o->account_recipients },
                               { o->domain_messages, o->domain_recipients },
                               { o->alias_messages, o->alias_recipients } };

    for (int i = 0; i < 3; i++) {
        directory__send_limit__init(&limits[i]);
        limits[i].kind = (Directory__LeaseScope__Kind)i;
        limits[i].messages = v[i][0];
        limits[i].recipients = v[i][1];
        list[i] = &limits[i];
    }
}

static int io_sender(void *ctx, const struct str *as, size_t nas, uint32_t recipients)
{
    Directory__SenderRequest q = DIRECTORY__SENDER_REQUEST__INIT;
    ProtobufCBinaryData names[SUBMISSION_AS_MAX];
    Directory__SendLimit limits[3], *list[3];
    struct submission_client *c = ctx;

    for (size_t i = 0; i < nas; i++)
        names[i] = str_pb(as[i]);
    limits_fill(limits, list);
    q.address = str_pb(str_from(c->own.address));
    q.as = names;
    q.n_as = nas;
    q.messages = 1;
    q.recipients = recipients;
    q.limits = list;
    q.n_limits = 3;
    return ask(c, ROLE_DIRECTORY, DIRECTORY__OP__SENDER, &q.base, submission_settings.directory_timeout_ms,
               sender_known);
}

static void nothing(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

void submitter_give_back(struct submission_client *c)
{
    Directory__SenderRequest q = DIRECTORY__SENDER_REQUEST__INIT;
    struct rpc_ask what = { .op = DIRECTORY__OP__SENDER,
                            .body = &q.base,
                            .flags = RPC_NO_REPEAT,
                            .deadline_ms = (int64_t)submission_settings.directory_timeout_ms,
                            .done = nothing };

    q.address = str_pb(str_from(c->own.address));
    q.messages = 1;
    q.recipients = c->s.m.nrcpt;
    q.back = true;
    (void)rpc_link_ask(role_link(c->server->role, ROLE_DIRECTORY), &what);
}

/* ---- logging in: the directory names the mailbox, the store looks whether the password opens a slot ---- */

static void login_end(struct submission_client *c, int status)
{
    explicit_bzero(c->password, sizeof c->password);
    c->password_n = 0;
    if (status == E_SYNTAX || status == E_WEAK || status == E_NOTFOUND)
        status = E_AUTH;
    submission_logged_in(&c->s, status, &c->who);
    submitter_go_on(c);
}

static void verified(void *ctx, int status, struct str body UNUSED)
{
    ((struct submission_client *)ctx)->call = NULL;
    login_end(ctx, status);
}

static void named(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    Store__AttachRequest q = STORE__ATTACH_REQUEST__INIT;
    Directory__SenderResponse *m = NULL;
    struct submission_client *c = ctx;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, directory__sender_response)))
        status = E_BUG;
    if (status == 0)
        status = sender_of(m, &c->who);
    if (status == 0 && c->who.mailbox.address.n > LOGIN_ADDRESS_MAX)
        status = E_BUG;
    if (status < 0) {
        login_end(c, status);
        return;
    }
    memcpy(c->address, c->who.mailbox.address.p, c->who.mailbox.address.n);
    c->who.mailbox = (struct smtp_mailbox){ .address = str_of(c->address, c->who.mailbox.address.n) };
    q.mailbox_id = m->who->mailbox_id;
    q.password = str_pb(str_of(c->password, c->password_n));
    q.n_key_states = m->who->n_key_states;
    q.key_states = m->who->key_states;
    q.network = c->penalty;
    if ((status = ask(c, ROLE_STORE, STORE__OP__VERIFY, &q.base, submission_settings.login_timeout_ms,
                      verified)) < 0)
        login_end(c, status);
}

static int io_login(void *ctx, struct str address, struct str password)
{
    Directory__SenderRequest q = DIRECTORY__SENDER_REQUEST__INIT;
    struct submission_client *c = ctx;

    memcpy(c->password, password.p, password.n); /* LOGIN_PASSWORD_MAX is its limit */
    c->password_n = password.n;
    q.address = str_pb(address);
    return ask(c, ROLE_DIRECTORY, DIRECTORY__OP__SENDER, &q.base, submission_settings.directory_timeout_ms,
               named);
}

/* ---- what it asks of the connection ---- */

static void io_cancel(void *ctx)
{
    struct submission_client *c = ctx;

    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    explicit_bzero(c->password, sizeof c->password);
    c->password_n = 0;
    submitter_unstage(c);
}

static int io_reply(void *ctx, struct str bytes)
{
    return conn_write(((struct submission_client *)ctx)->conn, bytes);
}

static bool io_reply_full(void *ctx)
{
    return conn_out_pending(((struct submission_client *)ctx)->conn) >= OUT_LOW;
}

static void io_start_tls(void *ctx)
{
    struct submission_client *c = ctx;

    if (conn_start_tls(c->conn, role_tls(c->server->role)) < 0)
        conn_abort(c->conn, E_IO);
}

static void io_hang_up(void *ctx)
{
    struct submission_client *c = ctx;

    conn_close(c->conn, c->server->nclients >= submission_settings.max_connections ? 0 : LINGER_MS);
}

static void io_timer(void *ctx, int64_t ms)
{
    struct submission_client *c = ctx;

    if (ms)
        timer_set(&c->timer, ms);
    else
        timer_clear(&c->timer);
}

static const struct smtp_io client_io = {
    .reply = io_reply,
    .reply_full = io_reply_full,
    .start_tls = io_start_tls,
    .hang_up = io_hang_up,
    .timer = io_timer,
    .resolve = io_resolve,
    .stage = submitter_stage,
    .stage_room = submitter_stage_room,
    .stage_send = submitter_stage_send,
    .stage_end = submitter_stage_end,
    .deliver = submitter_deliver,
    .cancel = io_cancel,
};
static const struct submission_io own_io = { .login = io_login, .sender = io_sender };

/* ---- the connection ---- */

static void session_start(struct submission_client *c)
{
    struct role *r = c->server->role;

    c->started = true;
    submission_serve(&c->s, &c->own);
    smtp_session_start(&c->s, &submission_settings.smtp, &client_io, c, role_hostname(r), str_from(c->ip),
                       role_tls(r) != NULL);
}

static ssize_t client_data(void *ctx, struct str in)
{
    struct submission_client *c = ctx;
    size_t used = c->started ? smtp_session_input(&c->s, in) : 0;

    if (c->started && smtp_session_waits(&c->s))
        conn_pause(c->conn);
    return (ssize_t)used;
}

static void client_drained(void *ctx)
{
    struct submission_client *c = ctx;

    if (c->started)
        submitter_go_on(c);
}

static void client_secure(void *ctx)
{
    struct submission_client *c = ctx;

    if (c->started) {
        smtp_session_secured(&c->s, conn_tls_version(c->conn), conn_tls_cipher(c->conn));
        return;
    }
    c->s.tls = true; /* from the first byte */
    snprintf(c->s.tls_text, sizeof c->s.tls_text, "%s with cipher %s", conn_tls_version(c->conn),
             conn_tls_cipher(c->conn));
    session_start(c);
}

static void client_timeout(struct timer *t)
{
    struct submission_client *c = CONTAINER_OF(t, struct submission_client, timer);

    if (c->started)
        smtp_session_timeout(&c->s);
    else
        conn_abort(c->conn, E_TIMEOUT);
}

static void client_closed(void *ctx, int why UNUSED)
{
    struct submission_client *c = ctx;
    struct submission_server *srv = c->server;

    if (c->started)
        smtp_session_release(&c->s);
    timer_release(&c->timer);
    peers_give(srv->peers, &c->network);
    *c->prev_next = c->next;
    if (c->next)
        c->next->prev_next = c->prev_next;
    else
        srv->last = c->prev_next;
    srv->nclients--;
    count_less(COUNT_CONNECTIONS_OPEN);
    explicit_bzero(c, sizeof *c);
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

static void turn_away(int fd, const char *line)
{
    ssize_t n = send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

    close(fd);
    count_one(COUNT_CONNECTIONS_REFUSED);
    log_event(LOG_DEBUG, "submission.turned_away", F_U64("told", n > 0));
}

/* When all places are taken, who has been here longest without a message goes. */
static bool make_room(struct submission_server *srv)
{
    struct submission_client *goes = NULL;

    if (srv->nclients < submission_settings.max_connections)
        return true;
    if (srv->nclients >= submission_settings.max_connections + LEAVING_MAX)
        return false;
    for (struct submission_client *c = srv->oldest; c; c = c->next) {
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

static struct submission_client *client_new(struct submission_server *srv, int fd)
{
    static const struct conn_limits limits = { .in_max = IN_MAX, .out_max = OUT_MAX, .out_low = OUT_LOW };
    struct submission_client *c = calloc(1, sizeof *c);

    if (!c || timer_init(&c->timer, role_loop(srv->role), client_timeout) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    c->server = srv;
    c->own = (struct submission_own){ .conf = &submission_settings, .io = &own_io, .ctx = c };
    for (size_t i = 0; i < SINKS; i++)
        c->sinks[i].client = c;
    c->conn = conn_new(role_loop(srv->role), fd, &limits, &client_ops, c);
    if (!c->conn) {
        timer_release(&c->timer);
        free(c);
        return NULL;
    }
    return c;
}

void submitter_accept(struct submission_server *srv, int fd, const struct sockaddr *peer, bool tls)
{
    static const char many[] = "421 4.7.0 Too many connections from your network, try later\r\n",
                      full[] = "421 4.3.2 Too many connections, try later\r\n";
    struct peer_network network = peer_network_of(peer);
    struct submission_client *c = NULL;

    if (srv->stopping ||
        peers_take(srv->peers, &network, submission_settings.max_connections_per_network) < 0) {
        turn_away(fd, tls ? "" : many);
        return;
    }
    if (!make_room(srv))
        turn_away(fd, tls ? "" : full);
    else
        c = client_new(srv, fd);
    if (!c) {
        peers_give(srv->peers, &network);
        return;
    }
    c->network = network;
    peer_text(peer, c->ip);
    peer_penalty_text(peer, c->penalty);
    c->prev_next = srv->last;
    *srv->last = c;
    srv->last = &c->next;
    srv->nclients++;
    count_one(COUNT_CONNECTIONS);
    count_one(COUNT_CONNECTIONS_OPEN);
    conn_stall_ms(c->conn, (int64_t)submission_settings.stall_timeout_ms);
    if (!tls) {
        session_start(c);
        return;
    }
    timer_set(&c->timer, HANDSHAKE_MS);
    io_start_tls(c);
}

void submitter_stop(struct submission_client *c)
{
    if (c->started)
        smtp_session_stop(&c->s);
    else
        conn_abort(c->conn, E_CLOSED);
}
