/* src/imap/session.c
 *
 * A session belongs to the store and is ours by its ticket. When the store's connection comes up anew,
 * every session is attached again before any request that waited goes out (doc/contract.md). */
#include "src/imap/imap.h"
#include "src/imap/news.h"
#include "lib/base/log.h"

static uint64_t session_key(const void *id)
{
    uint64_t k;

    memcpy(&k, id, sizeof k);
    return k ? k : 1;
}

static void forget(struct imap_conn *c)
{
    struct idmap *all = &c->srv->sessions;

    if (c->has_session && idmap_get(all, session_key(c->session)) == c)
        idmap_take(all, session_key(c->session));
    if (all->n == 0)
        idmap_release(all);
    c->attached = c->has_session = false;
}

int imap_session_set(struct imap_conn *c, struct str body)
{
    struct arena a = { .max = KIB(16) };
    Store__AttachResponse *m = RPC_UNPACK(&a, body, store__attach_response);
    int r = m && m->session.len == sizeof c->session ? 0 : E_CORRUPT;

    if (r == 0) {
        forget(c);
        c->quota_percent = 0;
        memcpy(c->session, m->session.data, sizeof c->session);
        buf_clear(&c->ticket);
        r = buf_puts(&c->ticket, pb_str(m->ticket));
    }
    if (r == 0)
        r = idmap_put(&c->srv->sessions, session_key(c->session), c);
    if (r == 0)
        c->attached = c->has_session = true;
    arena_release(&a);
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
        detach(c->srv, str_of(c->session, sizeof c->session));
    forget(c);
    explicit_bzero(c->session, sizeof c->session);
}

/* One session's way back. Kept apart from the connection, which may go while we wait. */
struct reattach {
    struct imap_server *srv;
    struct rpc_link *link;
    char session[16];
    bool counted; /* others wait for this answer */
};

static struct imap_conn *conn_of(struct imap_server *s, struct str session)
{
    struct imap_conn *c =
        session.n == sizeof c->session ? idmap_get(&s->sessions, session_key(session.p)) : NULL;

    return c && str_eq(session, str_of(c->session, sizeof c->session)) ? c : NULL;
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
    imap_bye(c, NULL, "The mailbox has been closed");
}

static void reattached(void *ctx, int status, struct str body)
{
    struct reattach *r = ctx;
    struct imap_server *s = r->srv;
    struct imap_conn *c = conn_of(s, str_of(r->session, sizeof r->session));

    if (c && status == 0)
        status = imap_session_set(c, body);
    if (c && status == 0) {
        c->held = c->sync_failed = false;
        if (c->metadata && imap_news_watch(c, NULL) < 0)
            log_event(LOG_WARN, "imap.watch", F_ERR(E_NOMEM));
        if (c->view)
            c->view->stale = true;
    } else if (c && !(status == E_CLOSED && r->counted)) { /* else the store died again; on_up comes again */
        give_up(c, status);
    } else if (!c && status == 0) {
        detach(s, str_of(r->session, sizeof r->session)); /* the client has gone meanwhile */
    }
    if (r->counted && --s->reattaching == 0 && rpc_link_is_up(r->link))
        rpc_link_ready(r->link);
    if (c)
        imap_continue(c); /* one that idles asks SYNC at once */
    explicit_bzero(r, sizeof *r);
    free(r);
}

static int reattach(struct imap_conn *c, struct rpc_link *l, bool counted)
{
    Store__ReattachRequest m = STORE__REATTACH_REQUEST__INIT;
    struct reattach *r = calloc(1, sizeof *r);
    struct rpc_ask what = { .op = STORE__OP__REATTACH,
                            .body = &m.base,
                            .deadline_ms = IMAP_ASK_MS,
                            .flags = counted ? RPC_URGENT : RPC_NO_REPEAT,
                            .done = reattached,
                            .ctx = r };

    if (!r)
        return E_NOMEM;
    *r = (struct reattach){ .srv = c->srv, .link = l, .counted = counted };
    memcpy(r->session, c->session, sizeof r->session);
    m.ticket = str_pb(buf_str(&c->ticket));
    if (!rpc_link_ask(l, &what)) {
        free(r);
        return E_NOMEM;
    }
    c->srv->reattaching += counted;
    return 0;
}

void imap_reattach_timer(struct imap_conn *c)
{
    if (c->held && reattach(c, c->srv->store, false) < 0)
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
            if (!c->has_session || c->closing)
                continue;
            if (reattach(c, l, true) < 0)
                give_up(c, E_NOMEM);
        }
    }
    if (l != s->store || s->reattaching == 0)
        rpc_link_ready(l);
}

/* One that idles where the news begin tells them at once; any other asks, when it may tell. */
static void changed_one(struct imap_conn *c, const Store__ChangedEvent *m, struct arena *a)
{
    struct view *v = c ? c->view : NULL;

    if (!v || v->folder_id != m->folder_id || m->highest_modseq <= v->modseq)
        return;
    if (m->news && imap_idling(c) && !c->sync.call && !v->stale && v->modseq == m->since_modseq) {
        imap_updates_take(c, a, m->news);
    } else {
        v->stale = true;
        c->sync_failed = c->sync_failed && !imap_idling(c);
    }
    if (imap_idling(c))
        imap_continue(c);
}

static void changed(struct imap_server *s, struct str body)
{
    struct arena a = { .max = MIB(16) };
    Store__ChangedEvent *m = RPC_UNPACK(&a, body, store__changed_event);

    if (m && m->session.len)
        changed_one(conn_of(s, pb_str(m->session)), m, &a);
    for (size_t i = 0; m && i < m->n_sessions; i++)
        changed_one(conn_of(s, pb_str(m->sessions[i])), m, &a);
    arena_release(&a);
}

static void news(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(256) };
    Store__NewsEvent *m = RPC_UNPACK(&a, body, store__news_event);
    struct imap_conn *c = m ? conn_of(s, pb_str(m->session)) : NULL;

    if (c && !c->closing) {
        imap_news_event(c, body);
        if (imap_idling(c))
            imap_continue(c);
    }
    arena_release(&a);
}

static void ended(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(4) };
    Store__SessionEndedEvent *m = RPC_UNPACK(&a, body, store__session_ended_event);
    struct imap_conn *c = m ? conn_of(s, pb_str(m->session)) : NULL;

    if (c) {
        forget(c);
        imap_ask_cancel(&c->ask);
        imap_ask_cancel(&c->sync);
        imap_bye(c, NULL,
                 m->why == STORE__SESSION_ENDED_EVENT__WHY__REVOKED ? "The password has been revoked"
                                                                    : "The mailbox has been closed");
    }
    arena_release(&a);
}

/* The mailbox has another data key: the old ticket opens nothing any more. */
static void renewed(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(16) };
    Store__SessionRenewedEvent *m = RPC_UNPACK(&a, body, store__session_renewed_event);
    struct imap_conn *c = m ? conn_of(s, pb_str(m->session)) : NULL;

    if (c) {
        buf_clear(&c->ticket);
        if (buf_puts(&c->ticket, pb_str(m->ticket)) < 0)
            buf_clear(&c->ticket); /* when the store restarts it logs in anew */
    }
    arena_release(&a);
}

static void quota_step(struct imap_server *s, struct str body)
{
    struct arena a = { .max = KIB(4) };
    Store__QuotaStepEvent *m = RPC_UNPACK(&a, body, store__quota_step_event);
    struct imap_conn *c = m ? conn_of(s, pb_str(m->session)) : NULL;

    if (c) {
        c->quota_percent = m->percent;
        if (imap_idling(c))
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
        renewed(s, body);
    else if (event == STORE__EVENT__QUOTA_STEP)
        quota_step(s, body);
}
