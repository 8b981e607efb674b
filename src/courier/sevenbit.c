/* src/courier/sevenbit.c: a message for a server that takes only 7 bits (RFC 6152 3).
 *
 * The content role, which alone parses, encodes it anew; then it is signed anew, since the signatures it has are over what it
 * was. All of it is in memory: a few at once, others wait their time. A forward leaves without our seal: the chain it
 * carries speaks of other bytes. */
#include "lib/base/log.h"
#include "lib/mailauth/message.h"
#include "lib/mailauth/dkim.h"
#include "lib/mime/header.h"
#include "proto/content.pb-c.h"
#include "src/courier/courier.h"

#define AT_ONCE 4u
#define OUT_MAX MIB(97)
#define MAKE_MS 120000

struct sevenbit {
    const struct queue_claim *c;
    sevenbit_fn *done;
    void *ctx;
    struct rpc_call *call;
    struct lane_job job;
    struct work_job signing;
    struct signer *signer;
    struct buf piece, body, head; /* head: signatures, and what was put before the message */
    size_t at;                    /* of piece: sent */
    uint32_t number;
    bool reading, read_all;
    int status;
};
static unsigned running;

static void finish(struct sevenbit *s, int status)
{
    if (s->call)
        rpc_call_cancel(s->call);
    s->call = NULL;
    if (status < 0 && s->status == 0)
        s->status = status;
    if (s->reading)
        return; /* when the piece has come */
    running--;
    if (s->status < 0)
        log_event(LOG_WARN, "courier.not_made_7bit", F_ERR(s->status), F_U64("message", s->c->m.id));
    s->done(s->ctx, s->status, buf_str(&s->head), buf_str(&s->body));
    courier_signer_put(s->signer);
    buf_release(&s->piece);
    buf_release(&s->body);
    buf_release(&s->head);
    free(s);
}

/* ---- signed anew ---- */

/* Our fields come first, the signatures first of all (enqueue.c). */
static struct str without_signatures(struct str prepend)
{
    struct str rest = prepend;
    struct mime_field f;

    while (mime_header_next(&rest, &f) &&
           (str_ieq(f.name, STR("DKIM-Signature")) || str_istarts(f.name, STR("ARC-"))))
        prepend = rest;
    return prepend;
}

static int sign(struct sevenbit *s, struct str prepend)
{
    struct mailauth_message msg;
    int body, r;

    mailauth_message_init(&msg);
    if ((r = body = dkim_signer_want(&msg, false)) >= 0) {
        mailauth_message_feed(&msg, prepend);
        mailauth_message_feed(&msg, buf_str(&s->body));
        mailauth_message_end(&msg);
        r = courier_sign(s->signer, &s->c->m, NULL, &msg, body, &s->head);
    }
    mailauth_message_release(&msg);
    return r;
}

static void signing(struct work_job *w)
{
    struct sevenbit *s = CONTAINER_OF(w, struct sevenbit, signing);
    struct str prepend = without_signatures(s->c->m.prepend);

    if (s->signer)
        s->status = sign(s, prepend);
    if (s->status == 0)
        s->status = buf_puts(&s->head, prepend);
}

static void signed_anew(struct work_job *w)
{
    finish(CONTAINER_OF(w, struct sevenbit, signing), 0);
}

static void sign_begin(struct sevenbit *s)
{
    int r;

    s->signing = (struct work_job){ .run = signing, .done = signed_anew };
    if ((r = work_submit(courier.pool, &s->signing)) < 0)
        finish(s, r);
}

static int signer_load(struct queue *q, struct lane_job *j)
{
    struct sevenbit *s = CONTAINER_OF(j, struct sevenbit, job);

    return courier_signer_load(q, s->c->m.signer, &s->signer);
}

static void signer_loaded(struct lane_job *j, int status)
{
    struct sevenbit *s = CONTAINER_OF(j, struct sevenbit, job);

    if (s->signer)
        courier_signer_keep(s->signer);
    if (status < 0)
        finish(s, status);
    else
        sign_begin(s);
}

static void made(void *ctx, int status, struct str body UNUSED)
{
    struct sevenbit *s = ctx;
    struct str domain = s->c->m.signer;

    s->call = NULL;
    if (status < 0 || !s->read_all) {
        finish(s, status < 0 ? status : E_BUG);
        return;
    }
    if (!domain.n || (s->signer = courier_signer_get(domain))) {
        sign_begin(s);
        return;
    }
    s->job = (struct lane_job){ .run = signer_load, .done = signer_loaded };
    if ((status = lane_submit(&s->job)) < 0)
        finish(s, status);
}

/* ---- encoded anew ---- */

static void data_came(void *ctx, struct str data)
{
    struct sevenbit *s = ctx;

    if (buf_puts(&s->body, data) < 0)
        finish(s, E_TOO_BIG);
    else
        rpc_call_consumed(s->call, data.n);
}

static void feed(struct sevenbit *s);

static int piece_read(struct queue *q, struct lane_job *j)
{
    struct sevenbit *s = CONTAINER_OF(j, struct sevenbit, job);
    int r = queue_piece(q, s->c->m.id, s->number, &s->piece);

    s->read_all = r == 0;
    return r < 0 ? r : 0;
}

static void piece_came(struct lane_job *j, int status)
{
    struct sevenbit *s = CONTAINER_OF(j, struct sevenbit, job);

    s->reading = false;
    s->number++;
    if (status < 0 || s->status < 0 || !s->call)
        finish(s, status < 0 ? status : E_CLOSED);
    else
        feed(s);
}

static void feed(struct sevenbit *s)
{
    size_t n;

    while ((n = size_min(s->piece.n - s->at, rpc_call_room(s->call))) > 0) {
        if (rpc_call_send(s->call, str_slice(buf_str(&s->piece), s->at, s->at + n)) < 0)
            return;
        s->at += n;
    }
    if (s->at < s->piece.n)
        return; /* no room */
    if (s->read_all) {
        rpc_call_end(s->call);
        return;
    }
    buf_clear(&s->piece);
    s->at = 0;
    s->job = (struct lane_job){ .run = piece_read, .done = piece_came };
    s->reading = true;
    if (lane_submit(&s->job) < 0) {
        s->reading = false;
        finish(s, E_BUSY);
    }
}

static void room(void *ctx)
{
    struct sevenbit *s = ctx;

    if (!s->reading && !s->read_all)
        feed(s);
}

int courier_to_7bit(const struct queue_claim *c, sevenbit_fn *done, void *ctx)
{
    Content__SevenbitRequest m = CONTENT__SEVENBIT_REQUEST__INIT;
    struct rpc_ask ask = { .op = CONTENT__OP__SEVENBIT,
                           .body = &m.base,
                           .deadline_ms = MAKE_MS,
                           .upload = true,
                           .download = true,
                           .done = made,
                           .on_data = data_came,
                           .on_room = room };
    struct sevenbit *s;

    if (running >= AT_ONCE)
        return E_BUSY;
    if (!(s = calloc(1, sizeof *s)))
        return E_NOMEM;
    *s = (struct sevenbit){ .c = c,
                            .done = done,
                            .ctx = ctx,
                            .piece = { .max = QUEUE_CHUNK_BYTES },
                            .body = { .max = OUT_MAX },
                            .head = { .max = MIB(1) } };
    ask.ctx = s;
    if (!(s->call = rpc_link_ask(role_link(courier.role, ROLE_CONTENT), &ask))) {
        free(s);
        return E_NOMEM;
    }
    running++;
    feed(s);
    return 0;
}
