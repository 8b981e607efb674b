/* src/store/session.c: logins. A session belongs to the peer it was given to; the guard asks that
 * before a body is parsed. */
#include "src/store/store.h"
#include "lib/base/rand.h"

struct session *session_new(struct actor *a, struct rpc_peer *p, uint16_t slot, const uint8_t id[SESSION_LEN])
{
    struct peer *owner = rpc_peer_data(p);
    struct session *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    if (id)
        memcpy(s->id, id, SESSION_LEN);
    else
        do
            rand_bytes(s->id, SESSION_LEN);
        while (idmap_get(&store.sessions, id_key(s->id)));
    if (idmap_put(&store.sessions, id_key(s->id), s) < 0) {
        free(s);
        return NULL;
    }
    s->peer = p;
    s->actor = a;
    s->slot = slot;
    actor_ref(a);
    s->next = a->sessions;
    s->prev = &a->sessions;
    if (s->next)
        s->next->prev = &s->next;
    a->sessions = s;
    a->nsessions++;
    s->peer_next = owner->sessions;
    s->peer_prev = &owner->sessions;
    if (s->peer_next)
        s->peer_next->peer_prev = &s->peer_next;
    owner->sessions = s;
    store.nsessions++;
    return s;
}

struct session *session_find(struct str id)
{
    struct session *s = id.n == SESSION_LEN ? idmap_get(&store.sessions, id_key(id.p)) : NULL;

    return s && bytes_same(s->id, id.p, SESSION_LEN) ? s : NULL;
}

struct session *session_of(struct rpc_req *q, struct str id)
{
    struct session *s = session_find(id);

    return s && s->peer == rpc_req_peer(q) ? s : NULL;
}

void session_end(struct session *s)
{
    struct actor *a = s->actor;

    idmap_take(&store.sessions, id_key(s->id));
    *s->prev = s->next;
    if (s->next)
        s->next->prev = s->prev;
    *s->peer_prev = s->peer_next;
    if (s->peer_next)
        s->peer_next->peer_prev = s->peer_prev;
    store.nsessions--;
    a->nsessions--;
    if (a->maildrop == s) {
        a->maildrop = NULL;
        maildrop_go_on(a, E_GONE);
    }
    free(s);
    if (!a->sessions)
        actor_close_soon(a);
    actor_unref(a);
}

uint32_t sessions_end_all(struct actor *a, uint16_t slot, Store__SessionEndedEvent__Why why)
{
    struct session *s, *next;
    uint32_t n = 0;

    actor_ref(a);
    for (s = a->sessions; s; s = next) {
        Store__SessionEndedEvent e = STORE__SESSION_ENDED_EVENT__INIT;

        next = s->next;
        if (slot && s->slot != slot)
            continue;
        e.session = str_pb(str_of(s->id, SESSION_LEN));
        e.why = why;
        if (rpc_push(s->peer, STORE__EVENT__SESSION_ENDED, &e.base) < 0)
            log_event(LOG_WARN, "store.peer_does_not_read");
        session_end(s);
        n++;
    }
    actor_unref(a);
    return n;
}

/* `session` is field 1 of every request that needs one, and ours are packed in order. A session of
 * another peer is an attack; one that is not there has ended, which happens. */
int session_guard(struct rpc_req *q, struct str body)
{
    struct session *s = body.n >= 2 + SESSION_LEN && body.p[0] == 0x0a && body.p[1] == SESSION_LEN
                            ? session_find(str_of(body.p + 2, SESSION_LEN))
                            : NULL;

    return s && s->peer != rpc_req_peer(q) ? E_DENIED : 0;
}

void session_ticket(const struct session *s, uint8_t out[TICKET_BYTES])
{
    struct ticket t = { .slot = s->slot,
                        .generation = s->actor->generation,
                        .expires_ms = clock_wall_ms() + (int64_t)store_conf.ticket_ms };

    memcpy(t.mailbox, s->actor->id, sizeof t.mailbox);
    memcpy(t.session, s->id, sizeof t.session);
    memcpy(t.data_key, s->actor->data_key, sizeof t.data_key);
    ticket_seal(&t, role_ticket_key(store.role), out);
    ticket_release(&t);
}
