/* src/store/watch.c: sessions that want to hear of more than their selected folder (NOTIFY, METADATA of IMAP). */
#include "src/store/store.h"

/* Until the session ends; who attaches again says it again. */
int op_watch(struct rpc_req *q, struct str body)
{
    Store__WatchRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__watch_request);
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    s->watch = m->watch;
    rpc_reply(q, 0, NULL, NULL);
    return 0;
}

static void push(const struct session *s, uint32_t event, const ProtobufCMessage *m)
{
    if (rpc_push(s->peer, event, m) < 0)
        log_event(LOG_WARN, "store.peer_does_not_read");
}

/* The selected folder is told of elsewhere (news.c). */
static void tell_changes(const struct session *s, const struct mailbox_change *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Store__ChangedEvent e = STORE__CHANGED_EVENT__INIT;

        if (s->selected == c[i].folder_id || memcmp(s->id, c[i].by, sizeof c[i].by) == 0)
            continue;
        e.session = str_pb(str_of(s->id, SESSION_LEN));
        e.folder_id = c[i].folder_id;
        e.highest_modseq = c[i].modseq;
        push(s, STORE__EVENT__CHANGED, &e.base);
    }
}

static void tell_happening(const struct session *s, const struct happening *h)
{
    Store__NewsEvent e = h->event;

    if (!(s->watch & happening_watch(h)) || memcmp(s->id, h->by, sizeof h->by) == 0)
        return;
    e.session = str_pb(str_of(s->id, SESSION_LEN));
    push(s, STORE__EVENT__NEWS, &e.base);
}

void watch_tell(struct actor *a, const struct job *j)
{
    for (struct session *s = a->sessions; s; s = s->next) {
        if (!s->watch)
            continue;
        for (const struct happening *h = j->happenings; h; h = h->next)
            tell_happening(s, h);
        if (s->watch & STORE__WATCH__WATCH_MESSAGES)
            tell_changes(s, j->changes, j->nchanges);
    }
}
