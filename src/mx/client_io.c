/* src/mx/client_io.c: joins sessions to the world: the directory and the store (proto/directory.proto, proto/store.proto),
 * what leaves, look-ups and the connection. No protocol is spoken here. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/mx/client.h"
#include "src/mx/deliver.h"
#include "src/mx/lookup_answer.h"
#include "src/mx/resolved.h"

void mx_client_go_on(void *ctx)
{
    smtp_client_go_on(&((struct mx_client *)ctx)->smtp);
}

/* Of what struct smtp_io hands on. */
static struct mx_client *client_of(void *ctx)
{
    return CONTAINER_OF((struct smtp_client *)ctx, struct mx_client, smtp);
}

/* ---- what a session asks of the directory and the store ---- */

static void resolve_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Directory__ResolveResponse *m = NULL;
    struct mx_resolved resolved = { .outcome = MX_TAKE };
    enum smtp_found found = SMTP_NOT_READY;
    struct mx_client *c = ctx;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, directory__resolve_response)))
        status = E_BUG;
    if (status == 0)
        status = mx_resolved_of(&a, m, &found, &resolved);
    if (status == 0)
        status = mx_bounce_resolved(&c->bounce, &c->smtp.s, &a, &found, &resolved);
    c->own.resolved = &resolved;
    smtp_session_resolved(&c->smtp.s, status, found, NULL);
    c->own.resolved = NULL;
    mx_client_go_on(c);
}

static int ask_directory(struct mx_client *c, struct str address)
{
    Directory__ResolveRequest m = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct rpc_ask ask = { .op = DIRECTORY__OP__RESOLVE,
                           .body = &m.base,
                           .done = resolve_done,
                           .ctx = c,
                           .deadline_ms = (int64_t)mx_role_conf.directory_timeout_ms };

    m.address = str_pb(address);
    m.purpose = DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER;
    m.has_sender = true;
    m.sender = str_pb(c->smtp.s.m.sender_address);
    m.peer_ip = str_pb(c->smtp.s.peer_ip);
    c->call = rpc_link_ask(role_link(c->mx->role, ROLE_DIRECTORY), &ask);
    return c->call ? 0 : E_NOMEM;
}

void mx_client_bounce_known(void *ctx, int status, struct str to)
{
    struct mx_client *c = ctx;

    if (status == 0 && (status = ask_directory(c, to)) == 0)
        return;
    smtp_session_resolved(&c->smtp.s, status == E_NOTFOUND ? 0 : status, SMTP_NO_ALIAS, NULL);
    mx_client_go_on(c);
}

static int ask_who(struct mx_client *c, struct str address)
{
    if (!mx_bounce_is(address))
        return ask_directory(c, address);
    return mx_bounce_ask(&c->bounce, role_link(c->mx->role, ROLE_COURIER), address);
}

/* Whoever connects is looked up meanwhile; what is known of him is wanted before the first recipient is. */
static int io_resolve(void *ctx, struct str address)
{
    struct mx_client *c = client_of(ctx);

    buf_clear(&c->waiting);
    mx_bounce_forget(&c->bounce);
    return c->check || !mx_policy_ready(&c->smtp.s) ? buf_puts(&c->waiting, address) : ask_who(c, address);
}

/* Something that a recipient waits for is known. */
static void ask_what_waits(struct mx_client *c)
{
    int r;

    if (c->waiting.n == 0 || c->check || !mx_policy_ready(&c->smtp.s))
        return;
    if ((r = ask_who(c, buf_str(&c->waiting))) < 0)
        smtp_session_resolved(&c->smtp.s, r, SMTP_NOT_READY, NULL);
    buf_release(&c->waiting);
    mx_client_go_on(c);
}

void mx_client_peer_known(void *ctx, const struct peer_facts *f)
{
    struct mx_client *c = ctx;

    c->check = NULL;
    c->facts = *f;
    c->own.policy.allowed = f->allowed;
    smtp_session_peer(&c->smtp.s, str_from(c->said_name[0] ? c->said_name : c->facts.name), c->facts.listed);
    ask_what_waits(c);
}

static struct resolve *ask_resolver(void *ctx, const struct dns_question *q, int64_t wait_ms,
                                    resolve_fn *done, void *done_ctx)
{
    return resolve_ask(role_link(ctx, ROLE_RESOLVER), q, wait_ms, done, done_ctx);
}

static void cancel_resolve(void *ctx UNUSED, struct resolve **r)
{
    resolve_cancel(r);
}

const struct peer_check_io mx_client_check_io = { ask_resolver, cancel_resolve };

/* One of them has all bytes. Both have the same, or we are wrong. */
static void part_staged(void *ctx, int status, uint64_t bytes)
{
    struct mx_client *c = ctx;

    if (status == 0 && c->part_bytes != UINT64_MAX && c->part_bytes != bytes)
        status = E_BUG;
    c->part_bytes = bytes;
    if (status == 0 && --c->parts > 0)
        return;
    smtp_session_staged(&c->smtp.s, status, bytes);
    mx_client_go_on(c);
}

static void stage_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__StageResponse *m = NULL;
    struct mx_client *c = ctx;

    c->stage = NULL;
    if (status == 0 &&
        (!(m = RPC_UNPACK(&a, body, store__stage_response)) || m->staging.len != MX_STAGING_ID))
        status = E_BUG;
    if (status == 0) {
        memcpy(c->staging, m->staging.data, MX_STAGING_ID);
        c->staged = true;
    }
    part_staged(c, status, status == 0 ? m->bytes : 0);
}

static void stage_has_room(void *ctx)
{
    mx_client_go_on(ctx);
}

static int stage_at_store(struct mx_client *c, uint64_t bytes_max, uint64_t bytes_expected)
{
    Store__StageRequest m = STORE__STAGE_REQUEST__INIT;
    char network[PEER_TEXT_MAX];
    struct rpc_ask ask = { .op = STORE__OP__STAGE,
                           .body = &m.base,
                           .upload = true,
                           .done = stage_done,
                           .on_room = stage_has_room,
                           .ctx = c,
                           .deadline_ms = (int64_t)(mx_role_conf.smtp.message_timeout_ms +
                                                    mx_role_conf.commit_timeout_ms) };

    peer_network_text(&c->smtp.network, network);
    m.bytes_max = bytes_max;
    m.bytes_expected = bytes_expected;
    m.network = network;
    c->stage = rpc_link_ask(role_link(c->mx->role, ROLE_STORE), &ask);
    return c->stage ? 0 : E_NOMEM;
}

/* Who is in mailboxes wants it at the store, what leaves at the courier; the bytes go to both as they come. */
static int io_stage(void *ctx, uint64_t bytes_max, uint64_t bytes_expected)
{
    struct mx_client *c = client_of(ctx);
    bool leaves = c->smtp.s.m.forwards != NULL, stays = c->smtp.s.m.nboxes > 0 || !leaves;
    int r = 0;

    c->part_bytes = UINT64_MAX;
    c->parts = (unsigned)leaves + (unsigned)stays;
    if (leaves) {
        c->leg.link = role_link(c->mx->role, ROLE_COURIER);
        r = courier_leg_stage(
            &c->leg, bytes_expected,
            (int64_t)(mx_role_conf.smtp.message_timeout_ms + mx_role_conf.commit_timeout_ms));
    }
    return r < 0 || !stays ? r : stage_at_store(c, bytes_max, bytes_expected);
}

static size_t io_stage_room(void *ctx)
{
    struct mx_client *c = client_of(ctx);

    size_t scans = size_min(mx_side_call_room(&c->scan), mx_side_call_room(&c->filter)),
           leg = size_min(courier_leg_room(&c->leg), scans),
           store = c->stage ? rpc_call_room(c->stage) : SIZE_MAX;

    return c->stage || c->leg.stage ? size_min(leg, store) : 0;
}

static int io_stage_send(void *ctx, struct str bytes)
{
    struct mx_client *c = client_of(ctx);

    int r = c->stage || c->leg.stage ? courier_leg_send(&c->leg, bytes) : E_CLOSED;

    return r == 0 && c->stage ? rpc_call_send(c->stage, bytes) : r;
}

static void io_stage_end(void *ctx)
{
    struct mx_client *c = client_of(ctx);

    courier_leg_end(&c->leg);
    if (!c->stage)
        return;
    rpc_call_hurry(c->stage, (int64_t)mx_role_conf.commit_timeout_ms);
    rpc_call_end(c->stage);
}

/* The report that it arrived is durable before we say 250, as the message is: whoever repeats a message that has a
 * Message-ID gets neither of them twice. Without one the repeat would be a second letter: then the report is lost. */
static void told(void *ctx, int status)
{
    struct mx_client *c = ctx;

    c->telling = NULL;
    smtp_session_delivered(&c->smtp.s, status < 0 && c->smtp.s.m.scan.has_message_id ? E_UNAVAIL : 0,
                           str_from(c->queue_id), c->duplicates);
    mx_client_go_on(c);
}

/* Store or courier has committed, or not. Only when all have is it true. */
static void part_delivered(struct mx_client *c, int status)
{
    int r;

    if (status < 0 && c->part_status == 0)
        c->part_status = status;
    if (--c->parts > 0)
        return;
    if (c->part_status == 0) {
        mx_vacation_send(&c->smtp.s, role_link(c->mx->role, ROLE_COURIER));
        if ((r = mx_dsn_send(&c->smtp.s, role_link(c->mx->role, ROLE_COURIER),
                             (int64_t)mx_role_conf.commit_timeout_ms, told, c, &c->telling)) != 0) {
            if (r < 0)
                told(c, r);
            return;
        }
    }
    smtp_session_delivered(&c->smtp.s, c->part_status, str_from(c->queue_id), c->duplicates);
    mx_client_go_on(c);
}

static void leg_queued(void *ctx, int status, uint32_t duplicates)
{
    struct mx_client *c = ctx;

    c->duplicates += duplicates;
    /* What SMTP cannot carry on stays so; else, whatever it was: no mailbox of the client's is full. */
    if (status < 0 && (c->smtp.s.m.nboxes || (status != E_BARE_CR && status != E_BARE_LF && status != E_NUL)))
        status = E_UNAVAIL;
    part_delivered(c, status);
}

const struct courier_leg_ops mx_client_leg_ops = { part_staged, stage_has_room, leg_queued };

static void deliver_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__DeliverResponse *m = NULL;
    struct mx_client *c = ctx;

    c->call = NULL;
    if (status == 0) {
        c->staged = false;                                 /* used up */
        m = RPC_UNPACK(&a, body, store__deliver_response); /* committed: say so even if this is odd */
        if (c->smtp.s.m.each)
            status = mx_deliver_results(&c->smtp.s.m, m);
    }
    if (m && m->queue_id.len < sizeof c->queue_id) {
        memcpy(c->queue_id, m->queue_id.data, m->queue_id.len);
        c->queue_id[m->queue_id.len] = '\0';
    }
    c->duplicates += m ? m->duplicates : 0;
    part_delivered(c, status);
}

static int deliver_to_store(struct mx_client *c, const struct smtp_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(24) };
    Store__DeliverRequest q = STORE__DELIVER_REQUEST__INIT;
    struct rpc_ask ask = { .op = STORE__OP__DELIVER,
                           .body = &q.base,
                           .changes = true,
                           .done = deliver_done,
                           .ctx = c,
                           .deadline_ms = (int64_t)mx_role_conf.commit_timeout_ms };
    int e = c->staged ? mx_deliver_request(&a, m, str_of(c->staging, MX_STAGING_ID), &q) : E_BUG;

    if (e < 0)
        return e;
    c->call = rpc_link_ask(role_link(c->mx->role, ROLE_STORE), &ask);
    return c->call ? 0 : E_NOMEM;
}

static int io_deliver(void *ctx, const struct smtp_message *m)
{
    struct mx_client *c = client_of(ctx);
    int r;

    c->parts = (unsigned)(m->nboxes > 0) + (unsigned)(m->forwards != NULL);
    c->part_status = 0;
    c->duplicates = 0;
    snprintf(c->queue_id, sizeof c->queue_id, "%s", m->id);
    if (m->forwards && (r = courier_leg_queue(&c->leg, &c->smtp.s)) < 0)
        return r;
    return m->nboxes ? deliver_to_store(c, m) : 0;
}

/* ---- what its checks ask of the resolver ---- */

static void lookup_unlink(struct mx_lookup *l)
{
    *l->prev_next = l->next;
    if (l->next)
        l->next->prev_next = l->prev_next;
    free(l);
}

static void looked_up(void *ctx, const struct dns_answer *a)
{
    struct lookup_record records[LOOKUP_RECORDS_MAX];
    struct lookup_answer answer = mx_lookup_answer(a, records);
    struct mx_lookup *l = ctx;
    struct mx_client *c = l->client;
    struct lookup *of = l->of;

    lookup_unlink(l);
    mx_session_looked_up(&c->smtp.s, of, &answer);
    ask_what_waits(c);
    mx_client_go_on(c);
}

static int io_lookup(void *ctx, struct lookup *q)
{
    struct dns_question question = { .name = q->name,
                                     .type = (uint16_t)q->type }; /* both have the DNS's numbers */
    struct mx_client *c = client_of(ctx);
    struct mx_lookup *l = calloc(1, sizeof(*l));

    if (!l)
        return E_NOMEM;
    l->client = c;
    l->of = q;
    l->asked = resolve_ask(
        role_link(c->mx->role, ROLE_RESOLVER), &question,
        (int64_t)(c->own.policy.asking ? mx_role_conf.lookup_timeout_ms : mx_role_conf.smtp.check_timeout_ms),
        looked_up, l);
    if (!l->asked) {
        free(l);
        return E_NOMEM;
    }
    l->next = c->lookups;
    l->prev_next = &c->lookups;
    if (l->next)
        l->next->prev_next = &l->next;
    c->lookups = l;
    return 0;
}

void mx_client_lookups_cancel(struct mx_client *c)
{
    while (c->lookups) {
        resolve_cancel(&c->lookups->asked);
        lookup_unlink(c->lookups);
    }
}

static void unstage_done(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
    /* staged bytes die with our connection to the store in any case */
}

static void io_cancel(void *ctx)
{
    Store__UnstageRequest m = STORE__UNSTAGE_REQUEST__INIT;
    struct mx_client *c = client_of(ctx);
    struct rpc_ask ask = { .op = STORE__OP__UNSTAGE,
                           .body = &m.base,
                           .flags = RPC_NO_REPEAT,
                           .done = unstage_done,
                           .deadline_ms = (int64_t)mx_role_conf.commit_timeout_ms };

    mx_client_lookups_cancel(c);
    courier_leg_cancel(&c->leg);
    mx_bounce_forget(&c->bounce);
    mx_dsn_leave(&c->telling);
    if (c->call)
        rpc_call_cancel(c->call);
    if (c->stage)
        rpc_call_cancel(c->stage);
    c->call = c->stage = NULL;
    buf_clear(&c->waiting);
    if (!c->staged)
        return;
    c->staged = false;
    m.staging = str_pb(str_of(c->staging, MX_STAGING_ID));
    (void)rpc_link_ask(role_link(c->mx->role, ROLE_STORE), &ask);
}

const struct smtp_io mx_client_io = {
    SMTP_CLIENT_IO,
    .resolve = io_resolve,
    .stage = io_stage,
    .stage_room = io_stage_room,
    .stage_send = io_stage_send,
    .stage_end = io_stage_end,
    .deliver = io_deliver,
    .cancel = io_cancel,
    .lookup = io_lookup,
};
