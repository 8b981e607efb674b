#include "src/mx/bounce.h"
#include "lib/base/errors.h"
#include "lib/smtp/srs.h"
#include "proto/courier.pb-c.h"

bool mx_bounce_rcpt(struct mx_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply no = { 550, "5.7.1", "That address takes bounces only" };

    if (!s->m.sender_address.n || !srs_is(c->path.local))
        return true;
    mx_refuse(s, &no);
    return false;
}

static struct str local_of(struct str address)
{
    ptrdiff_t at = str_rchr(address, '@');

    return at < 0 ? STR_NONE : str_slice(address, 0, (size_t)at);
}

static struct str domain_of(struct str address)
{
    return str_skip(address, (size_t)(str_rchr(address, '@') + 1));
}

bool mx_bounce_is(struct str address)
{
    return srs_is(local_of(address));
}

static int ask(struct mx_bounce *b, struct str address);

static bool keep(char out[SMTP_PATH_MAX + 1], struct str s)
{
    if (s.n == 0 || s.n > SMTP_PATH_MAX)
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static bool not_ours(int status)
{
    return status == E_NOTFOUND || status == E_AUTH || status == E_STALE;
}

/* What was rewritten by two domains that are both ours is looked up twice. */
static void reversed(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Courier__SrsResponse *m = NULL;
    struct mx_bounce *b = ctx;
    bool again = b->to[0] != '\0';

    b->call = NULL;
    if (again && not_ours(status)) { /* it is another forwarder's */
        b->done(b->ctx, 0, str_from(b->to));
        return;
    }
    if (status == 0 &&
        (!(m = RPC_UNPACK(&a, body, courier__srs_response)) || !keep(b->to, pb_str(m->address))))
        status = E_BUG;
    if (status == 0 && !again && mx_bounce_is(str_from(b->to)) && (status = ask(b, str_from(b->to))) == 0)
        return;
    b->done(b->ctx, not_ours(status) ? E_NOTFOUND : status, str_from(b->to));
}

static int ask(struct mx_bounce *b, struct str address)
{
    Courier__SrsRequest m = COURIER__SRS_REQUEST__INIT;
    struct rpc_ask q = { .op = COURIER__OP__SRS_REVERSE,
                         .body = &m.base,
                         .done = reversed,
                         .ctx = b,
                         .deadline_ms = b->deadline_ms };

    m.local = str_pb(local_of(address));
    m.domain = str_pb(domain_of(address));
    b->call = rpc_link_ask(b->link, &q);
    return b->call ? 0 : E_NOMEM;
}

int mx_bounce_ask(struct mx_bounce *b, struct rpc_link *link, struct str address)
{
    mx_bounce_forget(b);
    b->link = link;
    return keep(b->at, address) ? ask(b, address) : E_LIMIT;
}

void mx_bounce_forget(struct mx_bounce *b)
{
    if (b->call)
        rpc_call_cancel(b->call);
    b->call = NULL;
    b->at[0] = b->to[0] = '\0';
}

bool mx_bounce_leaves(struct mx_bounce *b, struct mx_resolved *out)
{
    if (!b->to[0])
        return false;
    b->forward = (struct mx_forward){ .to = str_from(b->to),
                                      .alias = str_from(b->at),
                                      .domain = domain_of(str_from(b->at)) };
    *out = (struct mx_resolved){ .outcome = MX_TAKE, .forwards = &b->forward, .nforwards = 1 };
    return true;
}
