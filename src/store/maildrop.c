/* src/store/maildrop.c: INBOX for one POP3 session alone (RFC 1939 4). Here and not in the role that speaks
 * POP3, since there may be several of those. In memory: whoever has the lock dies with its sessions too. */
#include "src/store/store.h"

#define REMEMBERED_MAX 100000u
#define DRAIN_WAIT_MS  20000 /* then the maildrop is what has come in by then */

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

/* A maildrop stays as it was at login: what came while the mailbox was closed must be in it, as far as a client's
 * patience reaches. */
struct maildrop_wait {
    struct rpc_req *q;
    struct actor *actor;
    struct timer timer;
};

void maildrop_go_on(struct actor *a, int status)
{
    Store__MaildropLockResponse out = STORE__MAILDROP_LOCK_RESPONSE__INIT;
    struct maildrop_wait *w = a->maildrop_wait;

    if (!w)
        return;
    a->maildrop_wait = NULL;
    timer_release(&w->timer);
    request_reply(w->q, status, status < 0 ? NULL : &out.base, NULL);
    free(w);
}

static void waited_enough(struct timer *timer)
{
    maildrop_go_on(CONTAINER_OF(timer, struct maildrop_wait, timer)->actor, 0);
}

static void cancelled(void *ctx)
{
    maildrop_go_on(((struct maildrop_wait *)ctx)->actor, E_CANCELED);
}

static int wait_for_drain(struct actor *a, struct rpc_req *q)
{
    struct maildrop_wait *w = calloc(1, sizeof *w);

    if (!w || timer_init(&w->timer, store.loop, waited_enough) < 0) {
        free(w);
        return E_NOMEM;
    }
    w->q = q;
    w->actor = a;
    timer_set(&w->timer, DRAIN_WAIT_MS);
    a->maildrop_wait = w;
    request_begin();
    rpc_req_on_cancel(q, cancelled, w);
    return 0;
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
    if (s->actor->maildrop == s && s->actor->draining && !s->actor->maildrop_wait)
        return wait_for_drain(s->actor, q);
    rpc_reply(q, 0, &out.base, NULL);
    return 0;
}
