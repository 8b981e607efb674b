/* src/common/ticket.c */
#include "src/common/ticket.h"
#include "lib/base/arena.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"

static uint64_t key_of(const void *session)
{
    uint64_t k = le64_get(session);

    return k ? k : 1;
}

static struct str session_of(const struct ticket *t)
{
    return str_of(t->session, sizeof t->session);
}

void ticket_forget(struct ticket_book *b, struct ticket *t)
{
    if (t->is_held && idmap_get(&b->held, key_of(t->session)) == t)
        idmap_take(&b->held, key_of(t->session));
    if (b->held.n == 0)
        idmap_release(&b->held);
    t->is_held = false;
}

int ticket_take(struct ticket_book *b, struct ticket *t, const Store__AttachResponse *m)
{
    int r;

    if (m->session.len != sizeof t->session)
        return E_CORRUPT;
    ticket_forget(b, t);
    memcpy(t->session, m->session.data, sizeof t->session);
    buf_clear(&t->text);
    if ((r = buf_puts(&t->text, pb_str(m->ticket))) == 0 &&
        (r = idmap_put(&b->held, key_of(t->session), t)) == 0)
        t->is_held = true;
    return r;
}

struct ticket *ticket_find(const struct ticket_book *b, struct str session)
{
    struct ticket *t = session.n == TICKET_SESSION_SIZE ? idmap_get(&b->held, key_of(session.p)) : NULL;

    return t && str_eq(session, session_of(t)) ? t : NULL;
}

void ticket_renew(struct ticket_book *b, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    Store__SessionRenewedEvent *m = RPC_UNPACK(&a, body, store__session_renewed_event);
    struct ticket *t = m ? ticket_find(b, pb_str(m->session)) : NULL;

    if (!t)
        return;
    buf_clear(&t->text);
    if (buf_puts(&t->text, pb_str(m->ticket)) < 0)
        buf_clear(&t->text);
}

/* One session's way back. Kept apart from its holder, who may go while we wait. */
struct way {
    struct ticket_book *book;
    struct rpc_link *link;
    char session[TICKET_SESSION_SIZE];
    bool is_awaited;
};

void ticket_returned(struct ticket_book *b, struct rpc_link *l)
{
    if (--b->returning == 0 && rpc_link_is_up(l))
        rpc_link_ready(l);
}

static void answered(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    struct way *w = ctx;
    struct ticket *t = ticket_find(w->book, str_of(w->session, sizeof w->session));
    struct str session = str_of(w->session, sizeof w->session);
    Store__AttachResponse *m = status == 0 ? RPC_UNPACK(&a, body, store__attach_response) : NULL;

    if (status == 0 && !m)
        status = E_CORRUPT;
    if (m && t)
        status = ticket_take(w->book, t, m);
    else if (m)
        session = pb_str(m->session);
    if (w->book->on_return(w->book, t, session, status, w->is_awaited, w->link) && w->is_awaited)
        ticket_returned(w->book, w->link);
    explicit_bzero(w, sizeof *w);
    free(w);
}

int ticket_return(struct ticket_book *b, struct ticket *t, struct rpc_link *l, bool is_awaited)
{
    Store__ReattachRequest q = STORE__REATTACH_REQUEST__INIT;
    struct way *w = calloc(1, sizeof *w);
    struct rpc_ask what = { .op = STORE__OP__REATTACH,
                            .body = &q.base,
                            .flags = is_awaited ? RPC_URGENT : RPC_NO_REPEAT,
                            .deadline_ms = b->patience_ms,
                            .done = answered,
                            .ctx = w };

    if (!w)
        return E_NOMEM;
    *w = (struct way){ .book = b, .link = l, .is_awaited = is_awaited };
    memcpy(w->session, t->session, sizeof w->session);
    q.ticket = str_pb(buf_str(&t->text));
    if (!rpc_link_ask(l, &what)) {
        free(w);
        return E_NOMEM;
    }
    b->returning += is_awaited;
    return 0;
}
