/* src/pop3/reattach.c: a store that begins anew (src/common/ticket.h). INBOX is locked again with the session;
 * where that fails the client is told to come again: nothing has been deleted. */
#include "src/pop3/client.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"

static struct pop3_client *client_of(struct ticket *t)
{
    return t ? CONTAINER_OF(t, struct pop3_client, session) : NULL;
}

static struct pop3_client *holder(struct pop3_server *srv, struct str session)
{
    return client_of(ticket_find(&srv->sessions, session));
}

void client_session_forget(struct pop3_client *c)
{
    ticket_forget(&c->server->sessions, &c->session);
    explicit_bzero(c->session.session, sizeof c->session.session);
}

static void give_up(struct pop3_client *c, int status)
{
    log_event(LOG_WARN, "pop3.reattach", F_ERR(status));
    client_session_forget(c);
    pop3_session_end(&c->s, "-ERR [SYS/TEMP] The mailbox has been closed, please log in again");
}

/* INBOX is locked again after the session is back. Kept apart from the client, which may go while we wait. */
struct lock {
    struct pop3_server *srv;
    struct rpc_link *link;
    char session[TICKET_SESSION_SIZE];
};

static void locked(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct lock *k = ctx;
    struct pop3_client *c = holder(k->srv, str_of(k->session, sizeof k->session));
    Store__MaildropLockResponse *m = status == 0 ? RPC_UNPACK(&a, body, store__maildrop_lock_response) : NULL;

    if (c && (!m || m->result != STORE__MAILDROP_LOCK_RESPONSE__RESULT__LOCKED) && status != E_CLOSED)
        give_up(c, m ? E_BUSY : status);
    ticket_returned(&k->srv->sessions, k->link);
    explicit_bzero(k, sizeof *k);
    free(k);
}

static int lock_again(struct pop3_client *c, struct rpc_link *l)
{
    Store__MaildropLockRequest q = STORE__MAILDROP_LOCK_REQUEST__INIT;
    struct lock *k = calloc(1, sizeof *k);
    struct rpc_ask what = { .op = STORE__OP__MAILDROP_LOCK,
                            .body = &q.base,
                            .flags = RPC_URGENT,
                            .deadline_ms = POP3_ASK_MS,
                            .done = locked,
                            .ctx = k };

    if (!k)
        return E_NOMEM;
    *k = (struct lock){ .srv = c->server, .link = l };
    memcpy(k->session, c->session.session, sizeof k->session);
    q.session = client_session(c);
    if (!rpc_link_ask(l, &what)) {
        free(k);
        return E_NOMEM;
    }
    return 0;
}

bool client_session_back(struct ticket_book *b UNUSED, struct ticket *t, struct str session UNUSED,
                         int status, bool is_awaited UNUSED, struct rpc_link *l)
{
    struct pop3_client *c = client_of(t);

    if (c && status == 0 && (status = lock_again(c, l)) == 0)
        return false;
    if (c && status != E_CLOSED) /* closed: the store died again; reattach_all comes again */
        give_up(c, status);
    return true;
}

void reattach_all(struct pop3_server *srv, struct rpc_link *l)
{
    for (struct pop3_client *c = srv->clients, *next; c; c = next) {
        next = c->next;
        if (c->session.is_held && ticket_return(&srv->sessions, &c->session, l, true) < 0)
            give_up(c, E_NOMEM);
    }
    if (srv->sessions.returning == 0)
        rpc_link_ready(l);
}

static void ended(struct pop3_server *srv, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__SessionEndedEvent *m = RPC_UNPACK(&a, body, store__session_ended_event);
    struct pop3_client *c = m ? holder(srv, pb_str(m->session)) : NULL;

    if (!c)
        return;
    client_session_forget(c);
    pop3_session_end(&c->s, m->why == STORE__SESSION_ENDED_EVENT__WHY__REVOKED
                                ? "-ERR [AUTH] The password has been revoked"
                                : "-ERR [SYS/TEMP] The mailbox has been closed");
}

void reattach_event(struct pop3_server *srv, uint32_t event, struct str body)
{
    if (event == STORE__EVENT__SESSION_ENDED)
        ended(srv, body);
    else if (event == STORE__EVENT__SESSION_RENEWED)
        ticket_renew(&srv->sessions, body);
    /* CHANGED: a maildrop stays as it was at login */
}
