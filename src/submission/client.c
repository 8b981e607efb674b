#include "src/submission/client.h"
#include "lib/base/errors.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/front.h"
#include <unistd.h>

struct submission_client *submitter_of(void *ctx)
{
    return CONTAINER_OF((struct smtp_client *)ctx, struct submission_client, smtp);
}

void submitter_go_on(struct submission_client *c)
{
    smtp_client_go_on(&c->smtp);
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
    smtp_session_resolved(&c->smtp.s, status, found, &box);
    submitter_go_on(c);
}

static int io_resolve(void *ctx, struct str address)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct submission_client *c = submitter_of(ctx);

    q.address = str_pb(address);
    q.purpose = DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER;
    q.has_sender = true;
    q.sender = str_pb(c->smtp.s.m.sender_address);
    q.peer_ip = str_pb(c->smtp.s.peer_ip);
    return ask(c, ROLE_DIRECTORY, DIRECTORY__OP__RESOLVE, &q.base, submission_settings.directory_timeout_ms,
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
    submission_counted(&c->smtp.s, status, &who);
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
    q.recipients = c->smtp.s.m.nrcpt;
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
    submission_logged_in(&c->smtp.s, status, &c->who);
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

static void io_cancel(void *ctx)
{
    struct submission_client *c = submitter_of(ctx);

    if (c->call)
        rpc_call_cancel(c->call);
    c->call = NULL;
    explicit_bzero(c->password, sizeof c->password);
    c->password_n = 0;
    submitter_unstage(c);
}

static const struct smtp_io client_io = {
    SMTP_CLIENT_IO,
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

static void begin(struct submission_client *c)
{
    submission_serve(&c->smtp.s, &c->own);
    smtp_client_start(&c->smtp, &submission_settings.smtp, &client_io, role_tls(c->server->role) != NULL);
}

static void secured(struct smtp_client *smtp)
{
    begin(submitter_of(smtp));
}

static void gone(struct smtp_client *smtp, int why UNUSED)
{
    struct submission_client *c = submitter_of(smtp);

    explicit_bzero(c, sizeof *c);
    free(c);
}

static void empty(struct smtp_clients *all)
{
    role_stopped(all->role);
}

int submitter_init(struct submission_server *srv)
{
    srv->clients = (struct smtp_clients){ .role = srv->role,
                                          .max = submission_settings.max_connections,
                                          .stall_ms = submission_settings.stall_timeout_ms,
                                          .secured = secured,
                                          .gone = gone,
                                          .empty = empty };
    return smtp_clients_init(&srv->clients);
}

static struct submission_client *client_new(struct submission_server *srv, int fd,
                                            const struct sockaddr *peer, const struct peer_network *network)
{
    struct submission_client *c = calloc(1, sizeof *c);

    if (!c) {
        close(fd);
        return NULL;
    }
    if (smtp_client_open(&srv->clients, &c->smtp, fd, peer, network) < 0) {
        free(c);
        return NULL;
    }
    c->server = srv;
    c->own = (struct submission_own){ .conf = &submission_settings, .io = &own_io, .ctx = c };
    for (size_t i = 0; i < SINKS; i++)
        c->sinks[i].client = c;
    peer_penalty_text(peer, c->penalty);
    return c;
}

void submitter_accept(struct role *r, int fd, const struct sockaddr *peer, bool tls)
{
    static const char many[] = "421 4.7.0 Too many connections from your network, try later\r\n",
                      full[] = "421 4.3.2 Too many connections, try later\r\n";
    struct submission_server *srv = role_data(r);
    struct smtp_clients *all = &srv->clients;
    struct peer_network network = peer_network_of(peer);
    struct submission_client *c = NULL;

    if (all->stopping ||
        peers_take(all->peers, &network, submission_settings.max_connections_per_network) < 0) {
        front_turn_away(fd, tls ? "" : many, "submission.turned_away", "network");
        return;
    }
    if (!smtp_clients_make_room(all))
        front_turn_away(fd, tls ? "" : full, "submission.turned_away", "full");
    else
        c = client_new(srv, fd, peer, &network);
    if (!c)
        peers_give(all->peers, &network);
    else if (tls)
        smtp_client_secure(&c->smtp);
    else
        begin(c);
}
