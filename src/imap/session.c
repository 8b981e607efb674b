/* src/imap/session.c
 *
 * What becomes of a connection with its session (src/common/ticket.h), and what the store tells of itself. */
#include "src/imap/imap.h"
#include "src/imap/news.h"
#include "src/imap/notify.h"
#include "lib/base/log.h"

static struct imap_conn *conn_of(struct ticket *t)
{
    return t ? CONTAINER_OF(t, struct imap_conn, session) : NULL;
}

static struct imap_conn *holder(struct imap_server *s, struct str session)
{
    return conn_of(ticket_find(&s->sessions, session));
}

static void forget(struct imap_conn *c)
{
    ticket_forget(&c->srv->sessions, &c->session);
    c->attached = false;
}

int imap_session_set(struct imap_conn *c, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    Store__AttachResponse *m = RPC_UNPACK(&a, body, store__attach_response);
    int r = m ? ticket_take(&c->srv->sessions, &c->session, m) : E_CORRUPT;

    c->quota_percent = 0;
    c->attached = c->session.is_held;
    return r;
}

static void nothing(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

static void detach(struct imap_server *s, struct str session)
{
    Store__SessionRequest m = STORE__SESSION_REQUEST__INIT;
    struct rpc_ask what = { .op = STORE__OP__DETACH,
                            .body = &m.base,
                            .flags = RPC_NO_REPEAT,
                            .deadline_ms = IMAP_ASK_MS,
                            .done = nothing };

    m.session = str_pb(session);
    if (!rpc_link_ask(s->store, &what))
        log_event(LOG_WARN, "imap.detach", F_ERR(E_NOMEM));
}

void imap_session_end(struct imap_conn *c)
{
    if (c->attached)
        detach(c->srv, str_of(c->session.session, sizeof c->session.session));
    forget(c);
    explicit_bzero(c->session.session, sizeof c->session.session);
}

/* The command that waits gets its NO; E_CANCELED tells those that end otherwise. */
static void fail_asks(struct imap_conn *c, int status)
{
    bool waits = c->ask.call != NULL;

    imap_ask_cancel(&c->ask);
    imap_ask_cancel(&c->sync);
    if (waits && !c->closing)
        c->ask.done(c, status, STR_NONE);
}

static void give_up(struct imap_conn *c, int status)
{
    log_event(LOG_WARN, "imap.reattach", F_ERR(status));
    if (error_is_transient(status)) { /* a broken part is "try later" */
        c->held = true;
        timer_set(&c->timer, 1000);
        fail_asks(c, E_UNAVAIL);
        return;
    }
    imap_ask_cancel(&c->ask); /* it names a session that the store does not know */
    imap_ask_cancel(&c->sync);
    forget(c);
    imap_bye(c, "UNAVAILABLE", "The mailbox has been closed");
}

static void attached_again(struct imap_conn *c)
{
    c->attached = true;
    c->quota_percent = 0;
    c->held = c->sync_failed = false;
    if ((c->metadata || c->notify || c->notify_next) && imap_news_watch(c, NULL) < 0)
        log_event(LOG_WARN, "imap.watch", F_ERR(E_NOMEM));
    notify_reattached(c);
    if (c->view)
        c->view->stale = true;
}

bool imap_session_back(struct ticket_book *b, struct ticket *t, struct str session, int status,
                       bool is_awaited, struct rpc_link *l UNUSED)
{
    struct imap_conn *c = conn_of(t);

    if (c && status == 0)
        attached_again(c);
    else if (c &&
             !(status == E_CLOSED && is_awaited)) /* else the store died again; imap_link_up comes again */
        give_up(c, status);
    else if (!c && status == 0)
        detach(CONTAINER_OF(b, struct imap_server, sessions), session); /* the client has gone meanwhile */
    if (c)
        imap_continue(c); /* one that idles asks SYNC at once */
    return true;
}

void imap_reattach_timer(struct imap_conn *c)
{
    if (c->held && ticket_return(&c->srv->sessions, &c->session, c->srv->store, false) < 0)
        timer_set(&c->timer, 1000);
}

void imap_link_down(struct imap_server *s, struct rpc_link *l)
{
    if (l == s->store)
        for (struct imap_conn *c = s->conns; c; c = c->next)
            c->attached = false;
}

void imap_link_up(struct imap_server *s, struct rpc_link *l)
{
    if (l == s->store) {
        for (struct imap_conn *c = s->conns; c; c = c->next) {
            if (!c->session.is_held || c->closing)
                continue;
            if (ticket_return(&s->sessions, &c->session, l, true) < 0)
                give_up(c, E_NOMEM);
        }
    }
    if (l != s->store || s->sessions.returning == 0)
        rpc_link_ready(l);
}

/* One that idles where the news begin tells them at once; any other asks, when it may tell. */
static void changed_one(struct imap_conn *c, const Store__ChangedEvent *m, struct arena *a)
{
    struct view *v = c ? c->view : NULL;

    if (c && (!v || v->folder_id != m->folder_id)) {
        notify_changed(c, m->folder_id, m->highest_modseq);
        if (!imap_listens(c))
            return;
        c->sync_failed = false;
        imap_continue(c);
        return;
    }
    if (!v || m->highest_modseq <= v->modseq)
        return;
    if (m->highest_modseq > v->called)
        v->called = m->highest_modseq;
    if (m->news && imap_idling(c) && !c->aside && notify_selected(c) && !c->sync.call && !c->ask.call &&
        !v->stale && v->modseq == m->since_modseq) {
        imap_updates_take(c, a, m->news);
    } else {
        v->stale = true;
        c->sync_failed = c->sync_failed && !imap_listens(c);
    }
    if (imap_listens(c))
        imap_continue(c);
}

static void changed(struct imap_server *s, struct str body)
{
    struct arena a = { .max = MIB(16) };
    Store__ChangedEvent *m = RPC_UNPACK(&a, body, store__changed_event);

    if (m && m->session.len)
        changed_one(holder(s, pb_str(m->session)), m, &a);
    for (size_t i = 0; m && i < m->n_sessions; i++)
        changed_one(holder(s, pb_str(m->sessions[i])), m, &a);
    arena_release(&a);
}

static void news(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(256) };
    Store__NewsEvent *m = RPC_UNPACK(&a, body, store__news_event);
    struct imap_conn *c = m ? holder(s, pb_str(m->session)) : NULL;

    if (c && !c->closing) {
        imap_news_event(c, body);
        notify_news(c, m);
        if (imap_listens(c))
            imap_continue(c);
    }
    arena_release(&a);
}

static void ended(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(4) };
    Store__SessionEndedEvent *m = RPC_UNPACK(&a, body, store__session_ended_event);
    struct imap_conn *c = m ? holder(s, pb_str(m->session)) : NULL;

    if (c) {
        forget(c);
        imap_ask_cancel(&c->ask);
        imap_ask_cancel(&c->sync);
        if (m->why == STORE__SESSION_ENDED_EVENT__WHY__REVOKED)
            imap_bye(c, "EXPIRED", "The password has been revoked"); /* RFC 5530 3 */
        else
            imap_bye(c, "UNAVAILABLE", "The mailbox has been closed");
    }
    arena_release(&a);
}

static void quota_step(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(4) };
    Store__QuotaStepEvent *m = RPC_UNPACK(&a, body, store__quota_step_event);
    struct imap_conn *c = m ? holder(s, pb_str(m->session)) : NULL;

    if (c) {
        c->quota_percent = m->percent;
        if (imap_listens(c))
            imap_continue(c);
    }
    arena_release(&a);
}

void imap_link_event(struct imap_server *s, struct rpc_link *l, uint32_t event, struct str body)
{
    if (l != s->store)
        return;
    if (event == STORE__EVENT__CHANGED)
        changed(s, body);
    else if (event == STORE__EVENT__NEWS)
        news(s, body);
    else if (event == STORE__EVENT__SESSION_ENDED)
        ended(s, body);
    else if (event == STORE__EVENT__SESSION_RENEWED)
        ticket_renew(&s->sessions, body);
    else if (event == STORE__EVENT__QUOTA_STEP)
        quota_step(s, body);
}
