/* src/pop3/reattach.c: a session belongs to the store and is ours by its ticket. When the store begins anew,
 * every session is attached and INBOX locked again before any request that waited goes out
 * (doc/contract.md). Where that fails the client is told to come again: nothing has been deleted. */
#include "src/pop3/client.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"

static uint64_t session_key(const void *id)
{
    uint64_t k = le64_get(id);

    return k ? k : 1;
}

void client_session_forget(struct pop3_client *c)
{
    struct idmap *all = &c->server->sessions;

    if (c->has_session && idmap_get(all, session_key(c->session)) == c)
        idmap_take(all, session_key(c->session));
    if (all->n == 0)
        idmap_release(all);
    c->has_session = false;
    explicit_bzero(c->session, sizeof c->session);
}

int client_session_set(struct pop3_client *c, const Store__AttachResponse *m)
{
    int r;

    if (m->session.len != sizeof c->session)
        return E_CORRUPT;
    client_session_forget(c);
    memcpy(c->session, m->session.data, sizeof c->session);
    buf_clear(&c->ticket);
    if ((r = buf_puts(&c->ticket, pb_str(m->ticket))) == 0 &&
        (r = idmap_put(&c->server->sessions, session_key(c->session), c)) == 0)
        c->has_session = true;
    return r;
}

static struct pop3_client *client_of(struct pop3_server *srv, struct str session)
{
    struct pop3_client *c =
        session.n == sizeof c->session ? idmap_get(&srv->sessions, session_key(session.p)) : NULL;

    return c && str_eq(session, str_of(c->session, sizeof c->session)) ? c : NULL;
}

/* One session's way back. Kept apart from the client, which may go while we wait. */
struct reattach {
    struct pop3_server *srv;
    struct rpc_link *link;
    char session[16];
};

static void finish(struct reattach *r)
{
    if (--r->srv->reattaching == 0 && rpc_link_is_up(r->link))
        rpc_link_ready(r->link);
    explicit_bzero(r, sizeof *r);
    free(r);
}

static void give_up(struct pop3_client *c, int status)
{
    log_event(LOG_WARN, "pop3.reattach", F_ERR(status));
    client_session_forget(c);
    pop3_session_end(&c->s, "-ERR [SYS/TEMP] The mailbox has been closed, please log in again");
}

static void locked(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct reattach *r = ctx;
    struct pop3_client *c = client_of(r->srv, str_of(r->session, sizeof r->session));
    Store__MaildropLockResponse *m = status == 0 ? RPC_UNPACK(&a, body, store__maildrop_lock_response) : NULL;

    if (c && (!m || m->result != STORE__MAILDROP_LOCK_RESPONSE__RESULT__LOCKED) && status != E_CLOSED)
        give_up(c, m ? E_BUSY : status);
    finish(r);
}

static int ask(struct reattach *r, uint32_t op, const ProtobufCMessage *body,
               void (*done)(void *ctx, int status, struct str body))
{
    struct rpc_ask what = {
        .op = op, .body = body, .flags = RPC_URGENT, .deadline_ms = POP3_ASK_MS, .done = done, .ctx = r
    };

    return rpc_link_ask(r->link, &what) ? 0 : E_NOMEM;
}

static void reattached(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    Store__MaildropLockRequest q = STORE__MAILDROP_LOCK_REQUEST__INIT;
    struct reattach *r = ctx;
    struct pop3_client *c = client_of(r->srv, str_of(r->session, sizeof r->session));
    Store__AttachResponse *m = status == 0 ? RPC_UNPACK(&a, body, store__attach_response) : NULL;

    if (status == 0 && (!m || (c && client_session_set(c, m) < 0)))
        status = E_CORRUPT;
    if (status == 0 && c) {
        q.session = client_session(c);
        status = ask(r, STORE__OP__MAILDROP_LOCK, &q.base, locked);
        if (status == 0)
            return;
    }
    if (c && status < 0 && status != E_CLOSED) /* closed: the store died again; reattach_all comes again */
        give_up(c, status);
    finish(r);
}

static int reattach(struct pop3_client *c, struct rpc_link *l)
{
    Store__ReattachRequest q = STORE__REATTACH_REQUEST__INIT;
    struct reattach *r = calloc(1, sizeof *r);

    if (!r)
        return E_NOMEM;
    *r = (struct reattach){ .srv = c->server, .link = l };
    memcpy(r->session, c->session, sizeof r->session);
    q.ticket = str_pb(buf_str(&c->ticket));
    if (ask(r, STORE__OP__REATTACH, &q.base, reattached) < 0) {
        free(r);
        return E_NOMEM;
    }
    c->server->reattaching++;
    return 0;
}

void reattach_all(struct pop3_server *srv, struct rpc_link *l)
{
    for (struct pop3_client *c = srv->clients, *next; c; c = next) {
        next = c->next;
        if (c->has_session && reattach(c, l) < 0)
            give_up(c, E_NOMEM);
    }
    if (srv->reattaching == 0)
        rpc_link_ready(l);
}

static void ended(struct pop3_server *srv, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__SessionEndedEvent *m = RPC_UNPACK(&a, body, store__session_ended_event);
    struct pop3_client *c = m ? client_of(srv, pb_str(m->session)) : NULL;

    if (!c)
        return;
    client_session_forget(c);
    pop3_session_end(&c->s, m->why == STORE__SESSION_ENDED_EVENT__WHY__REVOKED
                                ? "-ERR [AUTH] The password has been revoked"
                                : "-ERR [SYS/TEMP] The mailbox has been closed");
}

/* The mailbox has another data key: the old ticket opens nothing any more. */
static void renewed(struct pop3_server *srv, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    Store__SessionRenewedEvent *m = RPC_UNPACK(&a, body, store__session_renewed_event);
    struct pop3_client *c = m ? client_of(srv, pb_str(m->session)) : NULL;

    if (!c)
        return;
    buf_clear(&c->ticket);
    if (buf_puts(&c->ticket, pb_str(m->ticket)) < 0)
        buf_clear(&c->ticket); /* when the store restarts the session ends */
}

void reattach_event(struct pop3_server *srv, uint32_t event, struct str body)
{
    if (event == STORE__EVENT__SESSION_ENDED)
        ended(srv, body);
    else if (event == STORE__EVENT__SESSION_RENEWED)
        renewed(srv, body);
    /* CHANGED: a maildrop stays as it was at login */
}
