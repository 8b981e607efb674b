/* src/courier/arrival.c: the mx has delivered what a sender wanted to hear of (NOTIFY=SUCCESS): the report goes into the
 * queue, once however often the mx asks. */
#include "lib/base/log.h"
#include "lib/smtp/path.h"
#include "src/courier/courier.h"

#define TEXT_MAX   4096u
#define HEADER_MAX KIB(64)
#define ONCE_MS    (INT64_C(7) * 86400000) /* as long as a repeat is known to be one */

struct arrival {
    struct lane_job job;
    struct rpc_req *q; /* its arena holds the rest */
    Courier__ArrivalRequest *req;
    struct queue_message m;
    struct courier_arrival *v;
    bool duplicate;
};

/* What SMTP cannot carry never enters the queue (enqueue.c): such a header came as BINARYMIME, and is left out. */
static struct str clean_header(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) ||
            (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')))
            return STR_NONE;
    return s;
}

static int take(struct arena *a, struct arrival *e)
{
    const Courier__ArrivalRequest *m = e->req;
    struct smtp_path p;

    if (!m->sender.len || smtp_mailbox_parse(pb_str(m->sender), SMTP_PATH_REVERSE, &p) < 0)
        return E_SYNTAX;
    if (m->header.len > HEADER_MAX || m->envid.len > TEXT_MAX || m->once.len != QUEUE_ONCE_BYTES)
        return E_LIMIT;
    if (m->n_recipients == 0 || m->n_recipients > QUEUE_TARGETS_MAX)
        return E_RANGE;
    if (!(e->v = ARENA_ARRAY(a, m->n_recipients, struct courier_arrival)))
        return E_NOMEM;
    for (size_t i = 0; i < m->n_recipients; i++) {
        const Courier__ArrivalRecipient *r = m->recipients[i];

        if (r->to.len > TEXT_MAX || r->orcpt.len > TEXT_MAX || (unsigned)r->action > COURIER_RELAYED)
            return E_LIMIT;
        e->v[i] =
            (struct courier_arrival){ (enum courier_arrived)r->action, pb_str(r->to), pb_str(r->orcpt) };
    }
    e->m = (struct queue_message){ .sender = pb_str(m->sender),
                                   .envid = pb_str(m->envid),
                                   .prepend = clean_header(pb_str(m->header)),
                                   .smtputf8 = m->smtputf8,
                                   .requiretls = m->requiretls,
                                   .created_ms = m->arrived_ms };
    return 0;
}

static int note(struct queue *q, struct lane_job *j)
{
    struct arrival *e = CONTAINER_OF(j, struct arrival, job);
    int r = queue_once(q, pb_str(e->req->once), ONCE_MS);

    if (r <= 0) {
        e->duplicate = r == 0;
        return r;
    }
    return courier_report_arrived(q, &e->m, e->v, e->req->n_recipients);
}

static void noted(struct lane_job *j, int status)
{
    struct arrival *e = CONTAINER_OF(j, struct arrival, job);
    Courier__ArrivalResponse m = COURIER__ARRIVAL_RESPONSE__INIT;

    m.duplicate = e->duplicate;
    if (status == 0 && !e->duplicate) {
        courier.enqueued++;
        courier_dispatch_wake();
    }
    courier_reply(e->q, status, status == 0 ? &m.base : NULL);
}

int courier_op_report_arrival(struct rpc_req *q, struct str body)
{
    struct arena *a = rpc_req_arena(q);
    struct arrival *e = ARENA_NEW(a, struct arrival);
    int r;

    if (!e || !(e->req = RPC_UNPACK(a, body, courier__arrival_request)))
        return e ? E_SYNTAX : E_NOMEM;
    if (courier.stopping)
        return E_UNAVAIL;
    if ((r = take(a, e)) < 0)
        return r;
    e->q = q;
    e->job = (struct lane_job){ .run = note, .done = noted };
    if ((r = lane_submit(&e->job)) == 0)
        courier_begin();
    return r;
}
