#include "src/mx/courier_leg.h"
#include "lib/base/errors.h"
#include "proto/courier.pb-c.h"
#include "src/mx/service.h"

static void stage_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Courier__StageResponse *m = NULL;
    struct courier_leg *l = ctx;

    l->stage = NULL;
    if (status == 0 && (!(m = RPC_UNPACK(&a, body, courier__stage_response)) || m->stage.len != sizeof l->id))
        status = E_BUG;
    if (status == 0) {
        memcpy(l->id, m->stage.data, sizeof l->id);
        l->staged = true;
    }
    l->ops->staged(l->ctx, status, status == 0 ? m->bytes : 0);
}

static void has_room(void *ctx)
{
    struct courier_leg *l = ctx;

    l->ops->has_room(l->ctx);
}

int courier_leg_stage(struct courier_leg *l, uint64_t bytes_expected, int64_t deadline_ms)
{
    Courier__StageRequest m = COURIER__STAGE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__STAGE,
                           .body = &m.base,
                           .upload = true,
                           .done = stage_done,
                           .on_room = has_room,
                           .ctx = l,
                           .deadline_ms = deadline_ms };

    m.bytes_expected = bytes_expected;
    l->duplicates = 0;
    l->stage = rpc_link_ask(l->link, &ask);
    return l->stage ? 0 : E_NOMEM;
}

size_t courier_leg_room(const struct courier_leg *l)
{
    return l->stage ? rpc_call_room(l->stage) : SIZE_MAX;
}

int courier_leg_send(struct courier_leg *l, struct str bytes)
{
    return l->stage ? rpc_call_send(l->stage, bytes) : 0;
}

void courier_leg_end(struct courier_leg *l)
{
    if (!l->stage)
        return;
    rpc_call_hurry(l->stage, l->commit_ms);
    rpc_call_end(l->stage);
}

/* ---- into the queue ---- */

static int put_targets(struct smtp_session *s, struct arena *a, struct str alias, Courier__EnqueueRequest *q)
{
    if (!(q->targets = ARENA_ARRAY(a, s->m.nforwards + 1, Courier__Target *)))
        return E_NOMEM;
    for (const struct smtp_forward *f = s->m.forwards; f; f = f->next) {
        Courier__Target *t;
        uint8_t *id;
        int r;

        if (f->sent || !str_eq(f->alias, alias))
            continue;
        t = ARENA_NEW(a, Courier__Target);
        id = arena_alloc(a, MX_DELIVERY_ID_BYTES);
        if (!t || !id)
            return E_NOMEM;
        if ((r = mx_forward_id(s, f, id)) < 0)
            return r;
        courier__target__init(t);
        t->kind = f->webhook ? COURIER__TARGET__KIND__WEBHOOK : COURIER__TARGET__KIND__ADDRESS;
        t->to = str_pb(f->to);
        t->alias = str_pb(alias);
        t->delivery_id = str_pb(str_of(id, MX_DELIVERY_ID_BYTES));
        t->notify = f->notify;
        t->orcpt = str_pb(f->orcpt);
        q->smtputf8 = q->smtputf8 || (!f->webhook && !str_is_ascii(f->to));
        q->targets[q->n_targets++] = t;
    }
    return 0;
}

/* "Authentication-Results: …\r\n" first, then others: the content of that one field. */
static struct str results_of(struct str fields)
{
    static const char name[] = "Authentication-Results:";
    struct str rest = fields;
    size_t n = 0;

    if (!str_istarts(fields, str_from(name)))
        return STR_NONE;
    rest = str_skip(fields, sizeof name - 1);
    while (n < rest.n &&
           !(rest.p[n] == '\n' && (n + 1 == rest.n || (rest.p[n + 1] != ' ' && rest.p[n + 1] != '\t'))))
        n++;
    return str_trim(str_slice(rest, 0, n));
}

static void put_arc(const struct smtp_session *s, Courier__Arc *arc, Courier__EnqueueRequest *q)
{
    const struct mx_auth *a = mx_own(s)->auth;

    if (!a || !a->check.done)
        return;
    arc->chain = (uint32_t)a->check.arc.code;
    arc->sets = a->check.arc.sets;
    arc->sealed_fail = a->check.arc.sealed_fail;
    arc->results = str_pb(results_of(s->m.auth_fields));
    q->arc = arc;
}

static struct smtp_forward *next_forward(const struct smtp_message *m)
{
    struct smtp_forward *f = m->forwards;

    while (f && f->sent)
        f = f->next;
    return f;
}

static void mark_sent(struct smtp_message *m, struct str alias)
{
    for (struct smtp_forward *f = m->forwards; f; f = f->next)
        f->sent = f->sent || str_eq(f->alias, alias);
}

static bool other_aliases(const struct smtp_message *m, struct str alias)
{
    for (const struct smtp_forward *f = m->forwards; f; f = f->next)
        if (!f->sent && !str_eq(f->alias, alias))
            return true;
    return false;
}

static int queue_next(struct courier_leg *l);

static void queued(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Courier__EnqueueResponse *m = NULL;
    struct courier_leg *l = ctx;

    l->call = NULL;
    if (status == 0 && (m = RPC_UNPACK(&a, body, courier__enqueue_response)))
        l->duplicates += m->duplicates;
    if (status == 0) {
        mark_sent(&l->s->m, next_forward(&l->s->m)->alias);
        if (next_forward(&l->s->m)) {
            if ((status = queue_next(l)) == 0)
                return;
        } else {
            l->staged = false; /* used up */
        }
    }
    l->ops->queued(l->ctx, status, l->duplicates);
}

/* One message of the queue: all that leaves from one alias of ours. */
static int queue_next(struct courier_leg *l)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf facts = { .max = MX_FACTS_MAX };
    CLEANUP(buf_release) struct buf envid = { .max = SMTP_ENVID_MAX };
    Courier__EnqueueRequest q = COURIER__ENQUEUE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__ENQUEUE,
                           .body = &q.base,
                           .changes = true,
                           .done = queued,
                           .ctx = l,
                           .deadline_ms = l->commit_ms };
    Courier__Arc arc = COURIER__ARC__INIT;
    struct smtp_session *s = l->s;
    const struct smtp_forward *f = next_forward(&s->m);
    struct str prepend;
    int r;

    if ((r = smtp_forward_prepend(&s->m, &a, f->alias, &prepend)) < 0 ||
        (r = put_targets(s, &a, f->alias, &q)) < 0 || (r = mx_forward_facts(s, f->alias, &facts)) < 0 ||
        (r = smtp_xtext_decode(s->m.envid, &envid)) < 0)
        return r;
    put_arc(s, &arc, &q);
    q.stage = str_pb(str_of(l->id, sizeof l->id));
    q.prepend = str_pb(prepend);
    q.sender = str_pb(s->m.sender_address);
    q.origin = COURIER__ORIGIN__FORWARDED;
    q.signer = str_pb(f->domain);
    q.body = (uint32_t)s->m.body;
    q.smtputf8 = q.smtputf8 || s->m.smtputf8;
    q.requiretls = s->m.requiretls;
    q.ret = (uint32_t)s->m.ret;
    q.envid = str_pb(buf_str(&envid));
    q.priority = s->m.release.priority;
    q.facts = str_pb(buf_str(&facts));
    q.keep_stage = other_aliases(&s->m, f->alias);
    l->call = rpc_link_ask(l->link, &ask);
    return l->call ? 0 : E_NOMEM;
}

int courier_leg_queue(struct courier_leg *l, struct smtp_session *s)
{
    l->s = s;
    return l->staged ? queue_next(l) : E_BUG;
}

static void unstaged(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
    /* staged bytes die with our connection to the courier in any case */
}

void courier_leg_cancel(struct courier_leg *l)
{
    Courier__UnstageRequest m = COURIER__UNSTAGE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__UNSTAGE,
                           .body = &m.base,
                           .flags = RPC_NO_REPEAT,
                           .done = unstaged,
                           .deadline_ms = l->commit_ms };

    if (l->call)
        rpc_call_cancel(l->call);
    if (l->stage)
        rpc_call_cancel(l->stage);
    l->call = l->stage = NULL;
    if (!l->staged)
        return;
    l->staged = false;
    m.stage = str_pb(str_of(l->id, sizeof l->id));
    (void)rpc_link_ask(l->link, &ask);
}
