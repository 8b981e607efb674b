/* src/pop3/open.c: from address and password to a listed maildrop: the directory names the mailbox, the store
 * opens it, INBOX is locked, selected without touching \Recent, and listed. */
#include "src/pop3/client.h"
#include "src/common/counts.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"

/* Every answer leads to the next request, or here. */
static void opened(struct pop3_client *c, enum pop3_opening result)
{
    count_one(result == POP3_OPEN_OK      ? COUNT_LOGINS_GOOD
              : result == POP3_OPEN_WRONG ? COUNT_LOGINS_BAD
                                          : COUNT_LOGINS_LATER);
    records_release(&c->records);
    if (result != POP3_OPEN_OK)
        client_detach(c);
    free(c->ranges);
    c->ranges = NULL;
    c->nranges = 0;
    pop3_session_opened(&c->s, result);
    client_go_on(c);
}

static void failed(struct pop3_client *c, int status)
{
    if (status == E_AUTH || status == E_NOTFOUND || status == E_WEAK || status == E_SYNTAX) {
        opened(c, POP3_OPEN_WRONG);
        return;
    }
    if (status == E_LIMIT) {
        opened(c, POP3_OPEN_TOO_MANY);
        return;
    }
    log_event(LOG_WARN, "pop3.login_failed", F_ERR(status));
    opened(c, POP3_OPEN_LATER);
}

static int ask(struct pop3_client *c, enum role_id role, uint32_t op, const ProtobufCMessage *body,
               void (*done)(void *ctx, int status, struct str body))
{
    struct rpc_ask what = { .op = op, .body = body, .deadline_ms = POP3_ASK_MS, .done = done, .ctx = c };

    c->call = rpc_link_ask(role_link(c->server->role, role), &what);
    return c->call ? 0 : E_NOMEM;
}

/* ---- the listing ---- */

static int on_row(void *ctx, Store__Row *row)
{
    struct pop3_client *c = ctx;

    uint8_t id[UIDL_BYTES];

    /* RFC 8474 5.1 as the store writes it: "M" and hexadecimal digits. */
    if (row->email_id.len == 0 || !hex_decode(str_skip(pb_str(row->email_id), 1), id, sizeof id))
        return E_CORRUPT;
    return maildrop_add(&c->s.drop, row->uid, row->bytes, id);
}

static void list_data(void *ctx, struct str data)
{
    struct pop3_client *c = ctx;
    int r = records_feed(&c->records, c, data);

    if (r < 0) {
        rpc_call_cancel(c->call);
        c->call = NULL;
        failed(c, r);
        return;
    }
    rpc_call_consumed(c->call, data.n);
}

static void listed(void *ctx, int status, struct str body UNUSED)
{
    struct pop3_client *c = ctx;

    c->call = NULL;
    if (status < 0)
        failed(c, status);
    else
        opened(c, POP3_OPEN_OK);
}

static int list(struct pop3_client *c, const Store__SelectResponse *m)
{
    Store__FetchRequest q = STORE__FETCH_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__FETCH,
                            .body = &q.base,
                            .deadline_ms = 4 * POP3_ASK_MS,
                            .download = true,
                            .done = listed,
                            .on_data = list_data,
                            .ctx = c };

    records_init(&c->records);
    c->records.on_row = on_row;
    q.session = client_session(c);
    q.folder_id = c->inbox;
    q.uid_ranges = m->uid_ranges;
    q.n_uid_ranges = m->n_uid_ranges;
    q.want = STORE__WANT__META;
    c->call = rpc_link_ask(role_link(c->server->role, ROLE_STORE), &what);
    return c->call ? 0 : E_NOMEM;
}

static void selected(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
    struct pop3_client *c = ctx;
    Store__SelectResponse *m = NULL;

    c->call = NULL;
    if (status == 0 && (!(m = RPC_UNPACK(&a, body, store__select_response)) || !m->folder))
        status = E_CORRUPT;
    if (status == 0) {
        c->inbox = m->folder->id;
        if (m->n_uid_ranges == 0) {
            opened(c, POP3_OPEN_OK);
            return;
        }
        status = m->folder->messages > pop3_settings.max_messages ? E_LIMIT : list(c, m);
    }
    if (status < 0)
        failed(c, status);
}

/* ---- the mailbox ---- */

static void locked(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct pop3_client *c = ctx;
    Store__SelectRequest q = STORE__SELECT_REQUEST__INIT;
    Store__MaildropLockResponse *m = NULL;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__maildrop_lock_response)))
        status = E_CORRUPT;
    if (status == 0 && m->result != STORE__MAILDROP_LOCK_RESPONSE__RESULT__LOCKED) {
        opened(c, m->result == STORE__MAILDROP_LOCK_RESPONSE__RESULT__TOO_SOON ? POP3_OPEN_TOO_SOON
                                                                               : POP3_OPEN_IN_USE);
        return;
    }
    q.session = client_session(c);
    q.name = str_pb(STR("INBOX"));
    q.read_only = true; /* who reads by IMAP too still finds his \Recent */
    if (status == 0)
        status = ask(c, ROLE_STORE, STORE__OP__SELECT, &q.base, selected);
    if (status < 0)
        failed(c, status);
}

static void attached(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    struct pop3_client *c = ctx;
    Store__MaildropLockRequest q = STORE__MAILDROP_LOCK_REQUEST__INIT;
    Store__AttachResponse *m = NULL;

    c->call = NULL;
    if (status == E_LIMIT) {
        opened(c, POP3_OPEN_CROWDED);
        return;
    }
    if (status == 0 && !(m = RPC_UNPACK(&a, body, store__attach_response)))
        status = E_CORRUPT;
    if (status == 0 && (status = ticket_take(&c->server->sessions, &c->session, m)) == 0) {
        q.session = client_session(c);
        q.min_gap_ms = pop3_settings.login_delay_ms;
        status = ask(c, ROLE_STORE, STORE__OP__MAILDROP_LOCK, &q.base, locked);
    }
    if (status < 0)
        failed(c, status);
}

static void resolved(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    struct pop3_client *c = ctx;
    Store__AttachRequest q = STORE__ATTACH_REQUEST__INIT;
    Directory__ResolveResponse *who = NULL;

    c->call = NULL;
    if (status == 0 && !(who = RPC_UNPACK(&a, body, directory__resolve_response)))
        status = E_CORRUPT;
    if (status == 0 && who->result != DIRECTORY__RESOLVE_RESPONSE__RESULT__OK)
        status = E_NOTFOUND;
    if (status < 0) {
        failed(c, status);
        return;
    }
    q.mailbox_id = who->mailbox_id;
    q.password = str_pb(c->password);
    q.n_key_states = who->n_key_states;
    q.key_states = who->key_states;
    q.network = c->s.network;
    q.limited = who->limited;
    if ((status = ask(c, ROLE_STORE, STORE__OP__ATTACH, &q.base, attached)) < 0)
        failed(c, status);
}

int client_open(void *ctx, struct str address, struct str password)
{
    Directory__ResolveRequest q = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct pop3_client *c = ctx;

    c->password =
        arena_dup(&c->s.arena, password); /* wiped with the arena, once the mailbox is open or not */
    if (password.n && !c->password.p)
        return E_NOMEM;
    q.address = str_pb(address);
    return ask(c, ROLE_DIRECTORY, DIRECTORY__OP__RESOLVE, &q.base, resolved);
}

static void nothing(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

void client_detach(struct pop3_client *c)
{
    Store__SessionRequest m = STORE__SESSION_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__DETACH,
                            .body = &m.base,
                            .flags = RPC_NO_REPEAT,
                            .deadline_ms = POP3_ASK_MS,
                            .done = nothing };

    if (!c->session.is_held)
        return;
    m.session = client_session(c);
    if (rpc_link_is_up(role_link(c->server->role, ROLE_STORE)) &&
        !rpc_link_ask(role_link(c->server->role, ROLE_STORE), &what))
        log_event(LOG_WARN, "pop3.detach", F_ERR(E_NOMEM));
    client_session_forget(c);
}
