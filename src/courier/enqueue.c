/* src/courier/enqueue.c: a staged body and its envelope become a message of the queue, or nothing does.
 *
 * First the body is read once on a worker (does it hold bytes above 127? what would be signed?), then it goes
 * into the queue on the lane: small ones in the one transaction that makes the message, which others
 * share; large ones piece by piece, so that nobody waits for more than a megabyte. */
#include "src/courier/courier.h"
#include "lib/base/log.h"
#include "lib/mailauth/arc.h"
#include "lib/smtp/path.h"
#include "src/courier/tls_required.h"

#define PIECES_AT_ONCE 4u  /* of QUEUE_CHUNK_BYTES */
#define LANGUAGE_MAX   35u /* RFC 5646 4.4.1 */
#define TEXT_MAX       4096u
#define DAY_MS         INT64_C(86400000)

struct enqueue {
    struct rpc_req *q; /* its arena holds the rest */
    Courier__EnqueueRequest *req;
    struct stage *stage;
    struct queue_message m;
    struct queue_target *targets;
    struct work_job reading;
    struct lane_job job;
    struct buf prepend, piece;
    struct signer *signer;
    uint64_t at;
    uint32_t number;
    struct str origin; /* the sender is a token of this one, and it is kept */
    uint8_t token[SRS_TOKEN_BYTES];
    bool repeated, done, drafted;
    uint8_t name[QUEUE_NAME_BYTES];
    struct queue_claim over; /* what is for those who are suppressed */
    struct queue_outcome *over_how;
    uint32_t duplicates;
    int status;
};

/* Frees e with the request's arena. */
static void reply(struct enqueue *e, int status)
{
    Courier__EnqueueResponse m = COURIER__ENQUEUE_RESPONSE__INIT;

    m.message = str_pb(str_of(e->name, sizeof e->name));
    m.duplicates = e->duplicates;
    courier_reply(e->q, status, status == 0 ? &m.base : NULL);
}

static void answer(struct enqueue *e, int status)
{
    struct rpc_req *q = e->q;

    courier_signer_put(e->signer);
    if (status == 0) {
        if (e->req->keep_stage)
            stage_give_back(e->stage, q);
        else
            stage_free(e->stage);
        if (!e->repeated) {
            courier.enqueued++;
            courier.failed += e->over.n;
            courier_tell(&e->over, e->over_how);
            courier_dispatch_wake();
        }
    } else {
        stage_give_back(e->stage, q);
    }
    buf_release(&e->prepend);
    buf_release(&e->piece);
    reply(e, status);
}

/* ---- the envelope ---- */

int courier_url_dest(struct arena *a, struct str url, struct str *dest_out)
{
    struct str scheme, rest, host, path;

    if (str_starts(url, STR("dsn:"))) { /* it stays here */
        *dest_out = STR("dsn:");
        return 0;
    }
    if (str_starts(url, COURIER_TLSRPT))
        url = str_skip(url, COURIER_TLSRPT.n);
    if (!str_cut(url, ':', &scheme, &rest) || !str_starts(rest, STR("//")))
        return E_SYNTAX;
    str_cut(str_skip(rest, 2), '/', &host, &path);
    *dest_out = str_from(arena_printf(a, "%.*s://%.*s", STR_ARG(scheme), STR_ARG(host)));
    return dest_out->p ? 0 : E_NOMEM;
}

/* Where a copy goes: "example.org" in lower-case A-labels; of a URL, "https://host:port". */
static int dest_of(struct arena *a, struct queue_target *t)
{
    return t->kind == COURIER__TARGET__KIND__WEBHOOK ? courier_url_dest(a, t->to, &t->dest)
                                                     : courier_address_dest(a, t->to, &t->dest);
}

static int take_targets(struct arena *a, const Courier__EnqueueRequest *m, struct queue_target **out)
{
    struct queue_target *t;
    int r;

    if (m->n_targets == 0 || m->n_targets > QUEUE_TARGETS_MAX)
        return E_RANGE;
    if (!(t = ARENA_ARRAY(a, m->n_targets, struct queue_target)))
        return E_NOMEM;
    for (size_t i = 0; i < m->n_targets; i++) {
        const Courier__Target *x = m->targets[i];

        if (x->to.len > TEXT_MAX || x->orcpt.len > TEXT_MAX || x->alias.len > TEXT_MAX || x->kind > 1)
            return E_LIMIT;
        t[i] = (struct queue_target){ .kind = (uint32_t)x->kind,
                                      .to = pb_str(x->to),
                                      .alias = pb_str(x->alias),
                                      .delivery_id = pb_str(x->delivery_id),
                                      .orcpt = pb_str(x->orcpt),
                                      .notify = x->notify };
        if ((r = dest_of(a, &t[i])) < 0)
            return r;
    }
    *out = t;
    return 0;
}

static int take_message(const Courier__EnqueueRequest *m, struct queue_message *out)
{
    struct smtp_path p;

    if (m->sender.len && smtp_mailbox_parse(pb_str(m->sender), SMTP_PATH_REVERSE, &p) < 0)
        return E_SYNTAX;
    if (m->prepend.len > KIB(256) || m->facts.len > KIB(64) || m->envid.len > TEXT_MAX ||
        m->submitter.len > TEXT_MAX || m->signer.len > SMTP_DOMAIN_MAX || m->language.len > LANGUAGE_MAX ||
        m->priority < -9 || m->priority > 9 || m->origin > 2)
        return E_LIMIT;
    *out = (struct queue_message){ .sender = pb_str(m->sender),
                                   .submitter = pb_str(m->submitter),
                                   .signer = pb_str(m->signer),
                                   .envid = pb_str(m->envid),
                                   .facts = pb_str(m->facts),
                                   .language = pb_str(m->language),
                                   .origin = (uint32_t)m->origin,
                                   .ret = m->ret,
                                   .smtputf8 = m->smtputf8,
                                   .requiretls = m->requiretls,
                                   .by_notify = m->deliver_by_notify,
                                   .deliver_by_ms = m->deliver_by_ms,
                                   .hold_until_ms = m->hold_until_ms,
                                   .priority = m->priority };
    return 0;
}

/* A forward leaves under a name of ours, so that SPF holds for it. */
static int rewrite_sender(struct arena *a, struct enqueue *e)
{
    struct str sender = e->m.sender;
    int r = e->m.origin == COURIER__ORIGIN__FORWARDED ? courier_srs_forward(a, &e->m, e->token) : 0;

    if (r == 1)
        e->origin = sender;
    return r < 0 ? r : 0;
}

/* ---- into the queue ---- */

static int put_pieces(struct queue *q, struct enqueue *e)
{
    uint64_t size = spool_size(e->stage->spool);
    int r;

    for (uint32_t i = 0; i < PIECES_AT_ONCE && e->at < size; i++) {
        size_t n = size - e->at < QUEUE_CHUNK_BYTES ? (size_t)(size - e->at) : QUEUE_CHUNK_BYTES;

        buf_clear(&e->piece);
        if (!buf_reserve(&e->piece, n))
            return E_NOMEM;
        if ((r = spool_read(e->stage->spool, e->at, e->piece.p, n)) < 0)
            return r;
        e->piece.n = n;
        if ((r = queue_put(q, e->m.id, e->number, buf_str(&e->piece))) < 0)
            return r;
        e->at += n;
        e->number++;
    }
    return 0;
}

/* Once more from the same place when the transaction fails: positions move with the step. */
static int insert(struct queue *q, struct lane_job *j)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);
    uint64_t size = spool_size(e->stage->spool);
    bool several = size > PIECES_AT_ONCE * QUEUE_CHUNK_BYTES;
    struct str head = STR_NONE;
    int r;

    if (e->m.id == 0) {
        if ((r = queue_operation(q, rpc_req_operation(e->q), e->name, &e->duplicates)) != 0) {
            e->repeated = e->done = r > 0;
            return r < 0 ? r : 0;
        }
        if (e->req->once.len == QUEUE_ONCE_BYTES) {
            if ((r = queue_once(q, pb_str(e->req->once), e->req->once_days * DAY_MS)) < 0)
                return r;
            if ((e->repeated = e->done = r == 0)) {
                e->duplicates = (uint32_t)e->req->n_targets;
                return 0;
            }
        }
        if ((r = queue_draft(q, several, &e->m.id)) < 0)
            return r;
        e->drafted = several;
    }
    if ((r = put_pieces(q, e)) < 0)
        return r;
    if (e->at < size)
        return 0;
    e->m.prepend = buf_str(&e->prepend);
    e->m.bytes = size + e->prepend.n;
    e->done = true;
    if (e->origin.n && (r = queue_srs_keep(q, str_of(e->token, sizeof e->token), e->origin)) < 0)
        return r;
    if ((r = queue_add(q, &e->m, e->targets, e->req->n_targets, rpc_req_operation(e->q), e->name,
                       &e->duplicates)) < 0)
        return r;
    e->m.name = str_of(e->name, sizeof e->name);
    if (size && (r = spool_at(e->stage->spool, 0, &head)) < 0)
        return r;
    if ((r = courier_sent_note(q, &e->m, e->targets, e->req->n_targets, head)) < 0)
        return r;
    return courier_suppressed_end(q, rpc_req_arena(e->q), &e->m, e->targets, e->req->n_targets, &e->over,
                                  &e->over_how);
}

static int drop(struct queue *q, struct lane_job *j)
{
    return queue_draft_drop(q, CONTAINER_OF(j, struct enqueue, job)->m.id);
}

static void dropped(struct lane_job *j, int status UNUSED)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);

    answer(e, e->status); /* what could not be dropped goes at the next start */
}

static void inserted(struct lane_job *j, int status)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);

    if (status == 0 && !e->done && !rpc_req_cancelled(e->q))
        status = lane_submit(j);
    else if (status == 0 && !e->done)
        status = E_CANCELED;
    else if (status == 0) {
        answer(e, 0);
        return;
    }
    if (status == 0)
        return;
    e->status = status;
    *j = (struct lane_job){ .run = drop, .done = dropped };
    if (!e->drafted || lane_submit(j) < 0)
        answer(e, status);
}

/* ---- reading it ---- */

/* What SMTP cannot carry never enters the queue: a bare CR or LF could be taken for the end of a message by
 * somebody (CVE-2023-51764), a NUL by nobody at all. */
static int look(struct enqueue *e, struct str piece, bool *cr)
{
    for (size_t i = 0; i < piece.n; i++) {
        char c = piece.p[i];

        if ((c == '\n') != *cr)
            return c == '\n' ? E_BARE_LF : E_BARE_CR;
        if (c == '\0')
            return E_NUL;
        *cr = c == '\r';
        e->m.eightbit |= (c & 0x80) != 0;
    }
    return 0;
}

static int read_all(struct enqueue *e, struct mailauth_message *msg)
{
    uint64_t at = 0, size = spool_size(e->stage->spool);
    struct tls_required tls = { .n = 0 };
    struct str piece;
    bool cr = false;
    int r;

    while (at < size) {
        if ((r = spool_at(e->stage->spool, at, &piece)) < 0 || (r = look(e, piece, &cr)) < 0)
            return r;
        tls_required_feed(&tls, piece);
        if (msg)
            mailauth_message_feed(msg, piece);
        at += piece.n;
    }
    e->m.tls_optional = tls_required_no(&tls);
    return cr ? E_BARE_CR : 0;
}

static int read_and_sign(struct enqueue *e)
{
    struct mailauth_message msg;
    int body, r;

    mailauth_message_init(&msg);
    if ((r = body = dkim_signer_want(&msg, false)) >= 0) {
        mailauth_message_feed(&msg, pb_str(e->req->prepend));
        if ((r = read_all(e, &msg)) == 0) {
            mailauth_message_end(&msg);
            r = courier_sign(e->signer, &e->m, e->req->arc, &msg, body, &e->prepend);
        }
    }
    mailauth_message_release(&msg);
    return r;
}

static int read_body(struct enqueue *e)
{
    int r = e->signer ? read_and_sign(e) : read_all(e, NULL);

    return r < 0 ? r : buf_puts(&e->prepend, pb_str(e->req->prepend));
}

static void reading(struct work_job *w)
{
    struct enqueue *e = CONTAINER_OF(w, struct enqueue, reading);

    e->status = read_body(e);
}

static void read_done(struct work_job *w)
{
    struct enqueue *e = CONTAINER_OF(w, struct enqueue, reading);

    e->job = (struct lane_job){ .run = insert, .done = inserted };
    if (e->status < 0 || (e->status = lane_submit(&e->job)) < 0)
        answer(e, e->status);
}

static int read_begin(struct enqueue *e)
{
    e->reading = (struct work_job){ .run = reading, .done = read_done };
    return work_submit(courier.pool, &e->reading);
}

static int signer_load(struct queue *q, struct lane_job *j)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);

    return courier_signer_load(q, e->m.signer, &e->signer);
}

static void signer_loaded(struct lane_job *j, int status)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);

    if (e->signer)
        courier_signer_keep(e->signer);
    if (status < 0 || (status = read_begin(e)) < 0)
        answer(e, status);
}

/* Its keys first, when they are not in memory. */
static int signer_begin(struct enqueue *e)
{
    if (!e->m.signer.n || (e->signer = courier_signer_get(e->m.signer)))
        return read_begin(e);
    e->job = (struct lane_job){ .run = signer_load, .done = signer_loaded };
    return lane_submit(&e->job);
}

/* ---- asked once more ---- */

static int look_up(struct queue *q, struct lane_job *j)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);
    int r = queue_operation(q, rpc_req_operation(e->q), e->name, &e->duplicates);

    return r == 0 ? E_NOTFOUND : r < 0 ? r : 0;
}

static void looked_up(struct lane_job *j, int status)
{
    struct enqueue *e = CONTAINER_OF(j, struct enqueue, job);

    reply(e, status);
}

/* No such stage: it was used up when our former life did this, or is gone with that life. What the books say counts. */
static int look_up_begin(struct enqueue *e)
{
    int r;

    if (rpc_req_operation(e->q).n == 0)
        return E_NOTFOUND;
    e->job = (struct lane_job){ .run = look_up, .done = looked_up };
    if ((r = lane_submit(&e->job)) == 0)
        courier_begin();
    return r;
}

int courier_op_enqueue(struct rpc_req *q, struct str body)
{
    struct arena *a = rpc_req_arena(q);
    Courier__EnqueueRequest *m = RPC_UNPACK(a, body, courier__enqueue_request);
    struct enqueue *e = ARENA_NEW(a, struct enqueue);
    int r;

    if (!m || !e)
        return m ? E_NOMEM : E_SYNTAX;
    if (courier.stopping)
        return E_UNAVAIL;
    if ((r = take_message(m, &e->m)) < 0 || (r = take_targets(a, m, &e->targets)) < 0 ||
        (r = rewrite_sender(a, e)) < 0)
        return r;
    e->q = q;
    e->req = m;
    e->prepend.max = MIB(1);
    e->piece.max = QUEUE_CHUNK_BYTES;
    if (!(e->stage = stage_take(rpc_req_peer(q), pb_str(m->stage))))
        return look_up_begin(e);
    if ((r = signer_begin(e)) < 0) {
        courier_signer_put(e->signer);
        stage_give_back(e->stage, q);
        return r;
    }
    courier_begin();
    return 0;
}
