/* src/courier/srs.c: whose name a forward leaves under, and who a bounce to that name is for (lib/smtp/srs.h). */
#include "lib/base/clock.h"
#include "lib/smtp/srs.h"
#include "src/courier/courier.h"

#define DAY_MS INT64_C(86400000)

static struct srs srs_of(struct str domain)
{
    return (struct srs){ role_subkey(courier.role, SUBKEY_SRS), domain, queue_now(courier.queue) / DAY_MS };
}

int courier_srs_forward(struct arena *a, struct queue_message *m, uint8_t token_out[SRS_TOKEN_BYTES])
{
    CLEANUP(buf_release) struct buf out = { .max = SMTP_PATH_MAX };
    struct srs k = srs_of(m->signer);
    int r;

    if (!m->signer.n || !m->sender.n || (r = srs_forward(&k, m->sender, &out, token_out)) == E_LIMIT)
        return 0; /* our domain has no room for one: it goes as it came */
    if (r < 0)
        return r;
    m->sender = arena_dup(a, buf_str(&out));
    return m->sender.p ? r : E_NOMEM;
}

int courier_srs_origin(struct queue *q, struct str sender, struct buf *out)
{
    ptrdiff_t at = str_rchr(sender, '@');
    uint8_t token[SRS_TOKEN_BYTES];
    struct srs k;
    int r;

    if (at < 0)
        return E_NOTFOUND;
    k = srs_of(str_skip(sender, (size_t)at + 1));
    r = srs_reverse(&k, str_slice(sender, 0, (size_t)at), out, token);
    return r == 1 ? queue_srs_find(q, str_of(token, sizeof token), out) : r;
}

/* ---- SRS_REVERSE ---- */

struct finding {
    struct lane_job job;
    struct rpc_req *q;
    uint8_t token[SRS_TOKEN_BYTES];
    struct str bounce; /* bounce+TOKEN; empty: it is the other kind */
    struct buf address;
};

static void reply(struct rpc_req *q, int status, struct str address)
{
    Courier__SrsResponse m = COURIER__SRS_RESPONSE__INIT;

    m.address = str_pb(address);
    courier_reply(q, status, status == 0 ? &m.base : NULL);
}

static int find(struct queue *q, struct lane_job *j)
{
    struct finding *f = CONTAINER_OF(j, struct finding, job);

    struct queue_sent s;
    int r;

    buf_clear(&f->address);
    if (f->bounce.n) {
        r = courier_bounce_find(q, rpc_req_arena(f->q), f->bounce, &s);
        return r < 0 ? r : buf_puts(&f->address, s.sender);
    }
    return queue_srs_find(q, str_of(f->token, sizeof f->token), &f->address);
}

static void found(struct lane_job *j, int status)
{
    struct finding *f = CONTAINER_OF(j, struct finding, job);
    struct buf address = f->address; /* f goes with the request */

    reply(f->q, status, buf_str(&address));
    buf_release(&address);
}

int courier_op_srs(struct rpc_req *q, struct str body)
{
    Courier__SrsRequest *m = RPC_UNPACK(rpc_req_arena(q), body, courier__srs_request);
    struct finding *f = ARENA_NEW(rpc_req_arena(q), struct finding);
    struct srs k;
    bool here;
    int r;

    if (!m || !f)
        return m ? E_NOMEM : E_SYNTAX;
    k = srs_of(pb_str(m->domain));
    *f = (struct finding){ .job = { .run = find, .done = found }, .q = q, .address = { .max = KIB(1) } };
    if (courier_bounce_is(pb_str(m->local))) {
        f->bounce = pb_str(m->local);
        r = 1;
    } else {
        r = srs_reverse(&k, pb_str(m->local), &f->address, f->token);
    }
    here = r == 0;
    if (r < 0 || (!here && (r = lane_submit(&f->job)) < 0)) {
        buf_release(&f->address);
        return r;
    }
    courier_begin();
    if (here) /* else f is the lane's by now, and may be filled in already */
        found(&f->job, 0);
    return 0;
}
