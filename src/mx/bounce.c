#include "src/mx/bounce.h"
#include "lib/base/errors.h"
#include "lib/smtp/srs.h"
#include "proto/courier.pb-c.h"

bool mx_bounce_rcpt(struct smtp_session *s, const struct smtp_command *c)
{
    static const struct smtp_reply no = { 550, "5.7.1", "That address takes bounces only" };

    if (!s->m.sender_address.n || !srs_is(c->path.local))
        return true;
    smtp_refuse(s, &no);
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

/* "bounce+TOKEN": what people here send leaves under such a sender (src/courier/bounce.c). */
static bool is_token(struct str address)
{
    struct str local = local_of(address);
    uint8_t token[SRS_TOKEN_BYTES];

    return str_istarts(local, STR("bounce+")) && srs_token_get(str_skip(local, 7), token);
}

bool mx_bounce_is(struct str address)
{
    return srs_is(local_of(address)) || is_token(address);
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
    if (not_ours(status) && is_token(str_from(b->at))) { /* it may be somebody's tag */
        b->done(b->ctx, 0, str_from(b->at));
        return;
    }
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

/* It leaves to him who sent what it is about. */
static bool leaves(struct mx_bounce *b, struct mx_resolved *out)
{
    if (!b->to[0] || is_token(str_from(b->at)))
        return false;
    b->forward = (struct smtp_forward){ .to = str_from(b->to),
                                        .alias = str_from(b->at),
                                        .domain = domain_of(str_from(b->at)) };
    *out = (struct mx_resolved){ .outcome = MX_TAKE, .forwards = &b->forward, .nforwards = 1 };
    return true;
}

/* It is in his mailbox like any other, and the courier reads a copy. */
static int add_reader(struct mx_bounce *b, struct arena *a, struct mx_resolved *out)
{
    struct smtp_forward *v = ARENA_ARRAY(a, out->nforwards + 1, struct smtp_forward);
    char *to = arena_printf(a, "dsn:%s", b->at);

    if (!v || !to)
        return E_NOMEM;
    if (out->nforwards)
        memcpy(v, out->forwards, out->nforwards * sizeof *v);
    v[out->nforwards++] = (struct smtp_forward){
        .webhook = true, .to = str_from(to), .alias = str_from(b->to), .domain = domain_of(str_from(b->to))
    };
    out->forwards = v;
    return 0;
}

int mx_bounce_resolved(struct mx_bounce *b, const struct smtp_session *s, struct arena *a,
                       enum smtp_found *found, struct mx_resolved *out)
{
    if (*found == SMTP_NO_DOMAIN && leaves(b, out))
        *found = SMTP_FOUND;
    if (*found != SMTP_FOUND || out->outcome != MX_TAKE || !b->to[0] || !is_token(str_from(b->at)) ||
        s->m.sender_address.n) /* RFC 3464 2: a report is from nobody */
        return 0;
    return add_reader(b, a, out);
}
