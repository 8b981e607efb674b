/* src/store/maildrop.c: INBOX for one POP3 session alone (RFC 1939 4). Here and not in the role that speaks
 * POP3, since there may be several of those. In memory: whoever has the lock dies with its sessions too. */
#include "src/store/store.h"

#define REMEMBERED_MAX 100000u

/* When a mailbox was last locked; its value is the monotonic time, never 0. */
static struct idmap last;

static bool too_soon(const struct actor *a, uint64_t min_gap_ms, int64_t now)
{
    void *at = idmap_get(&last, id_key(a->id));

    return min_gap_ms && at && now - (int64_t)(intptr_t)at < (int64_t)min_gap_ms;
}

static int remember(const struct actor *a, int64_t now)
{
    if (last.n >= REMEMBERED_MAX)
        idmap_release(&last);
    return idmap_put(&last, id_key(a->id), (void *)(intptr_t)(now > 0 ? now : 1));
}

int op_maildrop_lock(struct rpc_req *q, struct str body)
{
    Store__MaildropLockRequest *m = RPC_UNPACK(rpc_req_arena(q), body, store__maildrop_lock_request);
    Store__MaildropLockResponse out = STORE__MAILDROP_LOCK_RESPONSE__INIT;
    struct session *s = m ? session_of(q, pb_str(m->session)) : NULL;
    int64_t now = clock_mono_ms();
    int r = 0;

    if (!m)
        return E_SYNTAX;
    if (!s)
        return E_GONE;
    if (s->actor->maildrop && s->actor->maildrop != s)
        out.result = STORE__MAILDROP_LOCK_RESPONSE__RESULT__IN_USE;
    else if (!s->actor->maildrop && too_soon(s->actor, m->min_gap_ms, now))
        out.result = STORE__MAILDROP_LOCK_RESPONSE__RESULT__TOO_SOON;
    else if (m->min_gap_ms && (r = remember(s->actor, now)) < 0)
        return r;
    else
        s->actor->maildrop = s;
    rpc_reply(q, 0, &out.base, NULL);
    return 0;
}
