/* src/submission/deliver.c: where a message goes. Who is here gets it from the store at once, everybody else through the
 * courier's queue; bytes stream to both as they come. The courier commits first, then the store: a failure of either is
 * 451, and the repeat is known by delivery ids, when the message has a Message-ID of its own (doc/submission.md). */
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/crypto/box.h"
#include "proto/courier.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/submission/client.h"

#define REQUEST_MAX MIB(24)

static const enum role_id sink_role[SINKS] = { ROLE_STORE, ROLE_COURIER };

static struct rpc_link *link_of(const struct sink *k)
{
    return role_link(k->client->server->role, sink_role[k - k->client->sinks]);
}

static bool held(const struct smtp_message *m)
{
    return m->release.hold_s || m->release.hold_until_ms;
}

/* Straight into the store; what has to wait, or wants a report that it arrived, goes through the queue. */
static bool is_direct(const struct smtp_message *m, const struct smtp_recipient *r)
{
    return r->mailbox.id.n && !held(m) && !(r->notify & SMTP_NOTIFY_SUCCESS);
}

/* ---- bytes ---- */

static void unstaged(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
    /* staged bytes die with our connection in any case */
}

static void sink_drop(struct sink *k)
{
    Store__UnstageRequest s = STORE__UNSTAGE_REQUEST__INIT;
    Courier__UnstageRequest c = COURIER__UNSTAGE_REQUEST__INIT;
    bool store = k == &k->client->sinks[SINK_STORE];
    struct rpc_ask ask = { .op = store ? (uint32_t)STORE__OP__UNSTAGE : (uint32_t)COURIER__OP__UNSTAGE,
                           .body = store ? &s.base : &c.base,
                           .flags = RPC_NO_REPEAT,
                           .done = unstaged,
                           .deadline_ms = (int64_t)submission_settings.commit_timeout_ms };

    if (k->call)
        rpc_call_cancel(k->call);
    k->call = NULL;
    k->wanted = false;
    if (!k->staged)
        return;
    k->staged = false;
    s.staging = c.stage = str_pb(str_of(k->id, STAGE_ID_LEN));
    (void)rpc_link_ask(link_of(k), &ask);
}

void submitter_unstage(struct submission_client *c)
{
    for (size_t i = 0; i < SINKS; i++)
        sink_drop(&c->sinks[i]);
}

/* One of them has all, or has failed. */
static void sink_ended(struct sink *k, int status, struct str id, uint64_t bytes)
{
    struct submission_client *c = k->client;

    k->call = NULL;
    if (status == 0 && id.n != STAGE_ID_LEN)
        status = E_BUG;
    if (status < 0) {
        submitter_unstage(c);
        smtp_session_staged(&c->smtp.s, status, 0);
        submitter_go_on(c);
        return;
    }
    memcpy(k->id, id.p, STAGE_ID_LEN);
    k->staged = true;
    k->bytes = bytes;
    for (size_t i = 0; i < SINKS; i++) {
        if (c->sinks[i].wanted && !c->sinks[i].staged)
            return;
        if (c->sinks[i].wanted && c->sinks[i].bytes != bytes)
            bytes = UINT64_MAX; /* the session will not believe it */
    }
    smtp_session_staged(&c->smtp.s, 0, bytes);
    submitter_go_on(c);
}

static void store_staged(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__StageResponse *m = status == 0 ? RPC_UNPACK(&a, body, store__stage_response) : NULL;

    sink_ended(ctx, m || status < 0 ? status : E_BUG, m ? pb_str(m->staging) : STR_NONE, m ? m->bytes : 0);
}

static void courier_staged(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Courier__StageResponse *m = status == 0 ? RPC_UNPACK(&a, body, courier__stage_response) : NULL;

    sink_ended(ctx, m || status < 0 ? status : E_BUG, m ? pb_str(m->stage) : STR_NONE, m ? m->bytes : 0);
}

static void has_room(void *ctx)
{
    submitter_go_on(((struct sink *)ctx)->client);
}

static int sink_open(struct sink *k, uint32_t op, const ProtobufCMessage *body,
                     void (*done)(void *ctx, int status, struct str body))
{
    struct rpc_ask ask = { .op = op,
                           .body = body,
                           .upload = true,
                           .done = done,
                           .on_room = has_room,
                           .ctx = k,
                           .deadline_ms = (int64_t)(submission_settings.smtp.message_timeout_ms +
                                                    submission_settings.commit_timeout_ms) };

    k->staged = false;
    k->call = rpc_link_ask(link_of(k), &ask);
    k->wanted = k->call != NULL;
    return k->call ? 0 : E_NOMEM;
}

int submitter_stage(void *ctx, uint64_t bytes_max, uint64_t bytes_expected)
{
    Store__StageRequest s = STORE__STAGE_REQUEST__INIT;
    Courier__StageRequest q = COURIER__STAGE_REQUEST__INIT;
    struct submission_client *c = submitter_of(ctx);
    char network[PEER_TEXT_MAX];
    bool here = c->own.copy, away = false;
    int r = 0;

    for (const struct smtp_recipient *p = c->smtp.s.m.recipients; p; p = p->next) {
        here |= is_direct(&c->smtp.s.m, p);
        away |= !is_direct(&c->smtp.s.m, p);
    }
    peer_network_text(&c->smtp.network, network);
    s.network = network;
    s.bytes_max = bytes_max;
    s.bytes_expected = q.bytes_expected = bytes_expected;
    if (here)
        r = sink_open(&c->sinks[SINK_STORE], STORE__OP__STAGE, &s.base, store_staged);
    if (r == 0 && away)
        r = sink_open(&c->sinks[SINK_COURIER], COURIER__OP__STAGE, &q.base, courier_staged);
    if (r < 0)
        submitter_unstage(c);
    return r;
}

size_t submitter_stage_room(void *ctx)
{
    struct submission_client *c = submitter_of(ctx);
    size_t room = SIZE_MAX;

    for (size_t i = 0; i < SINKS; i++)
        if (c->sinks[i].wanted)
            room = size_min(room, c->sinks[i].call ? rpc_call_room(c->sinks[i].call) : 0);
    return room;
}

int submitter_stage_send(void *ctx, struct str bytes)
{
    struct submission_client *c = submitter_of(ctx);
    int r = 0;

    for (size_t i = 0; i < SINKS && r == 0; i++)
        if (c->sinks[i].wanted)
            r = c->sinks[i].call ? rpc_call_send(c->sinks[i].call, bytes) : E_CLOSED;
    return r;
}

void submitter_stage_end(void *ctx)
{
    struct submission_client *c = submitter_of(ctx);

    for (size_t i = 0; i < SINKS; i++)
        if (c->sinks[i].call) {
            rpc_call_hurry(c->sinks[i].call, (int64_t)submission_settings.commit_timeout_ms);
            rpc_call_end(c->sinks[i].call);
        }
}

/* ---- the end of a message ---- */

static void delivered(struct submission_client *c, int status)
{
    if (status < 0 && c->own.counted)
        submitter_give_back(c);
    smtp_session_delivered(&c->smtp.s, status, str_from(c->queue_id), c->duplicates);
    submitter_go_on(c);
}

/* ---- to the store ---- */

static void stored(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct submission_client *c = ctx;
    Store__DeliverResponse *m;

    c->call = NULL;
    if (status == 0) {
        c->sinks[SINK_STORE].staged = false;
        m = RPC_UNPACK(&a, body, store__deliver_response);
        c->duplicates += m ? m->duplicates : 0;
        if (m && !*c->queue_id)
            snprintf(c->queue_id, sizeof c->queue_id, "%.*s", STR_ARG(pb_str(m->queue_id)));
    }
    delivered(c, status);
}

static int recipient_fill(struct arena *a, const struct smtp_mailbox *box, struct str prepend,
                          Store__Recipient *out)
{
    store__recipient__init(out);
    out->mailbox_id = str_pb(box->id);
    out->address = str_pb(box->address);
    out->prepend = str_pb(prepend);
    out->limited = box->limited;
    out->n_key_states = box->nkey_states;
    if (!(out->key_states = ARENA_ARRAY(a, box->nkey_states + 1, ProtobufCBinaryData)))
        return E_NOMEM;
    for (size_t i = 0; i < box->nkey_states; i++)
        out->key_states[i] = str_pb(box->key_states[i]);
    return 0;
}

/* Received and what was supplied; only_recipient as RFC 5321 7.2 allows. */
static int trace_block(const struct smtp_message *m, struct str more, struct buf *out)
{
    struct trace_hop hop = m->hop;
    int r;

    hop.only_recipient = m->nrcpt == 1 ? &m->recipients->path : NULL;
    if ((r = trace_received(out, &hop)) < 0 || (r = buf_puts(out, m->auth_fields)) < 0)
        return r;
    return buf_puts(out, more);
}

/* The copy has what its writer wrote: Bcc too. */
static int copy_fill(struct arena *a, struct submission_client *c, const struct smtp_message *m,
                     Store__Recipient *out)
{
    CLEANUP(buf_release) struct buf text = { .max = SMTP_PREPEND_MAX };
    struct str prepend;
    int r;

    if ((r = trace_block(m, c->own.letter.bcc, &text)) < 0)
        return r;
    prepend = arena_dup(a, buf_str(&text));
    if (!prepend.p)
        return E_NOMEM;
    if ((r = recipient_fill(a, &c->own.sent, prepend, out)) < 0)
        return r;
    out->special_use = STORE__SPECIAL_USE__USE_SENT;
    out->flags = STORE__FLAG__SEEN;
    return 0;
}

static int rows_fill(struct arena *a, struct submission_client *c, const struct smtp_message *m,
                     Store__DeliverRequest *q)
{
    Store__Recipient *rows = ARENA_ARRAY(a, m->nrcpt + 1, Store__Recipient);
    size_t n = 0;
    int r;

    if (!rows || !(q->recipients = ARENA_ARRAY(a, m->nrcpt + 1, Store__Recipient *)))
        return E_NOMEM;
    for (const struct smtp_recipient *p = m->recipients; p; p = p->next) {
        struct str prepend;

        if (!is_direct(m, p))
            continue;
        if ((r = smtp_message_prepend(m, a, p, &prepend)) < 0 ||
            (r = recipient_fill(a, &p->mailbox, prepend, &rows[n])) < 0)
            return r;
        n++;
    }
    if (c->own.copy && (r = copy_fill(a, c, m, &rows[n++])) < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        q->recipients[i] = &rows[i];
    q->n_recipients = n;
    return 0;
}

static int store_it(struct submission_client *c, const struct smtp_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = REQUEST_MAX };
    Store__DeliverRequest q = STORE__DELIVER_REQUEST__INIT;
    struct rpc_ask ask = { .op = STORE__OP__DELIVER,
                           .body = &q.base,
                           .changes = true,
                           .done = stored,
                           .ctx = c,
                           .deadline_ms = (int64_t)submission_settings.commit_timeout_ms };
    int r = rows_fill(&a, c, m, &q);

    if (r < 0)
        return r;
    q.staging = str_pb(str_of(c->sinks[SINK_STORE].id, STAGE_ID_LEN));
    q.sender = str_pb(m->sender_address);
    q.has_message_id = m->scan.has_message_id;
    q.received_ms = m->received_ms;
    c->call = rpc_link_ask(role_link(c->server->role, ROLE_STORE), &ask);
    return c->call ? 0 : E_NOMEM;
}

/* ---- to the courier ---- */

static void enqueued(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    struct submission_client *c = ctx;
    Courier__EnqueueResponse *m;

    c->call = NULL;
    if (status == 0) {
        c->sinks[SINK_COURIER].staged = false;
        m = RPC_UNPACK(&a, body, courier__enqueue_response);
        c->duplicates += m ? m->duplicates : 0;
        if (m && m->message.len == 16)
            hex_encode(m->message.data, 16, c->queue_id);
        if (c->sinks[SINK_STORE].staged && (status = store_it(c, &c->smtp.s.m)) == 0)
            return;
    }
    delivered(c, status);
}

/* The same message to the same address, however often it comes. Without a Message-ID nothing tells a repeat from a
 * second letter with the same words. */
static int delivery_id(const struct submission_client *c, const struct smtp_message *m, struct str address,
                       const uint8_t hash[LETTER_HASH_BYTES], uint8_t out[HASH_BYTES])
{
    CLEANUP(buf_release) struct buf all = { .max = KIB(2) };
    int r;

    if (!m->scan.has_message_id) {
        rand_bytes(out, HASH_BYTES);
        return 0;
    }
    if ((r = buf_puts(&all, m->sender_address)) < 0 || (r = buf_putc(&all, '\0')) < 0 ||
        (r = buf_puts(&all, address)) < 0)
        return r;
    kdf2(out, role_subkey(c->server->role, SUBKEY_DELIVERY_ID), "letterlock submitted", buf_str(&all),
         str_of(hash, LETTER_HASH_BYTES));
    return 0;
}

static int targets_fill(struct arena *a, struct submission_client *c, const struct smtp_message *m,
                        Courier__EnqueueRequest *q)
{
    Courier__Target *rows = ARENA_ARRAY(a, m->nrcpt, Courier__Target);
    uint8_t hash[LETTER_HASH_BYTES], *ids = ARENA_ARRAY(a, m->nrcpt * HASH_BYTES, uint8_t);
    size_t n = 0;
    int r;

    if (!rows || !ids || !(q->targets = ARENA_ARRAY(a, m->nrcpt, Courier__Target *)))
        return E_NOMEM;
    letter_hash(&c->own.letter, hash);
    for (const struct smtp_recipient *p = m->recipients; p; p = p->next) {
        if (is_direct(m, p))
            continue;
        courier__target__init(&rows[n]);
        rows[n].kind = COURIER__TARGET__KIND__ADDRESS;
        rows[n].to = str_pb(p->mailbox.address);
        if ((r = delivery_id(c, m, p->mailbox.address, hash, ids + n * HASH_BYTES)) < 0)
            return r;
        rows[n].delivery_id = str_pb(str_of(ids + n * HASH_BYTES, HASH_BYTES));
        rows[n].notify = p->notify;
        rows[n].orcpt = str_pb(p->orcpt);
        q->targets[n] = &rows[n];
        n++;
    }
    q->n_targets = n;
    return 0;
}

static void wishes_fill(const struct smtp_message *m, Courier__EnqueueRequest *q)
{
    const struct smtp_release *w = &m->release;

    q->body = (uint32_t)m->body;
    q->smtputf8 = m->smtputf8;
    q->requiretls = m->requiretls;
    q->ret = (uint32_t)m->ret;
    q->hold_until_ms = w->hold_s ? m->received_ms + (int64_t)w->hold_s * 1000 : w->hold_until_ms;
    q->deliver_by_ms = w->by_mode ? m->received_ms + (int64_t)w->by_s * 1000 : 0;
    q->deliver_by_notify = w->by_mode == 'N';
    q->priority = w->priority;
}

static int enqueue(struct submission_client *c, const struct smtp_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = REQUEST_MAX };
    CLEANUP(buf_release) struct buf prepend = { .max = SMTP_PREPEND_MAX };
    CLEANUP(buf_release) struct buf envid = { .max = 2 * SMTP_ENVID_MAX };
    Courier__EnqueueRequest q = COURIER__ENQUEUE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__ENQUEUE,
                           .body = &q.base,
                           .changes = true,
                           .done = enqueued,
                           .ctx = c,
                           .deadline_ms = (int64_t)submission_settings.commit_timeout_ms };
    struct str local, domain;
    int r;

    if ((r = targets_fill(&a, c, m, &q)) < 0 || (r = trace_block(m, STR(""), &prepend)) < 0 ||
        (r = smtp_xtext_decode(m->envid, &envid)) < 0)
        return r;
    str_cut(str_from(c->own.address), '@', &local, &domain);
    q.stage = str_pb(str_of(c->sinks[SINK_COURIER].id, STAGE_ID_LEN));
    q.prepend = str_pb(buf_str(&prepend));
    q.sender = str_pb(m->sender_address);
    q.origin = COURIER__ORIGIN__SUBMITTED;
    q.signer = str_pb(domain);
    q.submitter = str_pb(str_from(c->own.address));
    q.language = str_pb(str_from(c->own.language));
    q.envid = str_pb(buf_str(&envid));
    wishes_fill(m, &q);
    c->call = rpc_link_ask(role_link(c->server->role, ROLE_COURIER), &ask);
    return c->call ? 0 : E_NOMEM;
}

int submitter_deliver(void *ctx, const struct smtp_message *m)
{
    struct submission_client *c = submitter_of(ctx);
    int r;

    c->queue_id[0] = '\0';
    c->duplicates = 0;
    r = c->sinks[SINK_COURIER].staged ? enqueue(c, m) : c->sinks[SINK_STORE].staged ? store_it(c, m) : E_BUG;
    if (r < 0 && c->own.counted)
        submitter_give_back(c);
    return r;
}
