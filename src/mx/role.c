/* src/mx/role.c: joins sessions to the world: connections (lib/event), the directory and the store
 * (proto/directory.proto, proto/store.proto), and the caps on connections. No protocol is spoken here. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/directory.pb-c.h"
#include "proto/store.pb-c.h"
#include "src/common/counts.h"
#include "src/common/front.h"
#include "src/common/peers.h"
#include "src/common/resolve.h"
#include "src/common/role.h"
#include "src/mx/bounce.h"
#include "src/mx/courier_leg.h"
#include "src/mx/deliver.h"
#include "src/mx/lookup_answer.h"
#include "src/mx/peer_check.h"
#include "src/mx/resolved.h"
#include "src/mx/scan_call.h"
#include "src/mx/service.h"
#include <sys/resource.h>
#include <unistd.h>

#define IN_MAX        KIB(32)
#define OUT_MAX       KIB(32)
#define OUT_LOW       KIB(16)
#define LISTENERS_MAX 64u
#define LEAVING_MAX   256u /* sessions over the cap that are on their way out: a few bursts of accept */
#define LINGER_MS     5000
#define STOP_MS       20000
#define STAGING_ID    16u

struct mx_client;
/* A look-up of a session's checks, under way. */
struct mx_lookup {
    struct mx_client *client;
    struct lookup *of;
    struct resolve *asked;
    struct mx_lookup *next, **prev_next;
};

struct mx_state_of_role {
    struct role *role;
    struct peers *peers;
    struct mx_client *oldest, **last;
    size_t nclients, nlisteners;
    struct listener *listeners[LISTENERS_MAX];
    struct timer grace;
    struct peer_check_conf checks;
    struct psl *psl; /* NULL: DMARC goes without */
    struct mx_policies policies;
    struct mx_spam_all spam;
    bool stopping;
};

struct mx_client {
    struct mx_session s;
    struct mx_own own;
    struct mx_state_of_role *mx;
    struct conn *conn;
    struct timer timer;
    struct rpc_call *call;  /* RESOLVE or DELIVER */
    struct rpc_call *stage; /* STAGE, until its answer */
    struct mx_lookup *lookups;
    struct courier_leg leg;  /* what leaves again */
    struct mx_bounce bounce; /* the recipient is a rewritten sender */
    unsigned parts;          /* of store and courier, that were asked and have not answered */
    uint64_t part_bytes;
    int part_status; /* the first that failed */
    char queue_id[64];
    uint32_t duplicates;
    struct mx_scan_call scan;
    uint8_t staging[STAGING_ID];
    bool staged;                 /* bytes wait in the store under `staging` */
    struct peer_network network; /* of the connection: it is counted by that one to its end */
    char ip[PEER_TEXT_MAX];
    char said_name[PEER_NAME_MAX]; /* XCLIENT */
    struct peer_check *check;      /* under way; then RESOLVE of `waiting` follows it */
    struct peer_facts facts;
    struct buf waiting;
    struct mx_client *next, **prev_next;
};

static struct mx_conf conf;

/* The session may take input again, or not yet. */
static void client_go_on(struct mx_client *c)
{
    if (!mx_session_waits(&c->s))
        conn_resume(c->conn);
}

/* ---- what a session asks of the directory and the store ---- */

static void resolve_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    Directory__ResolveResponse *m = NULL;
    struct mx_resolved resolved = { .outcome = MX_TAKE };
    enum mx_found found = MX_NOT_READY;
    struct mx_client *c = ctx;

    c->call = NULL;
    if (status == 0 && !(m = RPC_UNPACK(&a, body, directory__resolve_response)))
        status = E_BUG;
    if (status == 0)
        status = mx_resolved_of(&a, m, &found, &resolved);
    if (status == 0 && found == MX_NO_DOMAIN && mx_bounce_leaves(&c->bounce, &resolved))
        found = MX_FOUND;
    c->own.resolved = &resolved;
    mx_session_resolved(&c->s, status, found, NULL);
    c->own.resolved = NULL;
    client_go_on(c);
}

static int ask_directory(struct mx_client *c, struct str address)
{
    Directory__ResolveRequest m = DIRECTORY__RESOLVE_REQUEST__INIT;
    struct rpc_ask ask = { .op = DIRECTORY__OP__RESOLVE,
                           .body = &m.base,
                           .done = resolve_done,
                           .ctx = c,
                           .deadline_ms = (int64_t)conf.directory_timeout_ms };

    m.address = str_pb(address);
    m.purpose = DIRECTORY__RESOLVE_REQUEST__PURPOSE__DELIVER;
    m.has_sender = true;
    m.sender = str_pb(c->s.m.sender_address);
    m.peer_ip = str_pb(c->s.peer_ip);
    c->call = rpc_link_ask(role_link(c->mx->role, ROLE_DIRECTORY), &ask);
    return c->call ? 0 : E_NOMEM;
}

static void bounce_known(void *ctx, int status, struct str to)
{
    struct mx_client *c = ctx;

    if (status == 0 && (status = ask_directory(c, to)) == 0)
        return;
    mx_session_resolved(&c->s, status == E_NOTFOUND ? 0 : status, MX_NO_ALIAS, NULL);
    client_go_on(c);
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
    struct mx_client *c = ctx;

    buf_clear(&c->waiting);
    mx_bounce_forget(&c->bounce);
    return c->check || !mx_policy_ready(&c->s) ? buf_puts(&c->waiting, address) : ask_who(c, address);
}

/* Something that a recipient waits for is known. */
static void ask_what_waits(struct mx_client *c)
{
    int r;

    if (c->waiting.n == 0 || c->check || !mx_policy_ready(&c->s))
        return;
    if ((r = ask_who(c, buf_str(&c->waiting))) < 0)
        mx_session_resolved(&c->s, r, MX_NOT_READY, NULL);
    buf_release(&c->waiting);
    client_go_on(c);
}

static void peer_known(void *ctx, const struct peer_facts *f)
{
    struct mx_client *c = ctx;

    c->check = NULL;
    c->facts = *f;
    c->own.policy.allowed = f->allowed;
    mx_session_peer(&c->s, str_from(c->said_name[0] ? c->said_name : c->facts.name), c->facts.listed);
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

static const struct peer_check_io check_io = { ask_resolver, cancel_resolve };

/* One of them has all bytes. Both have the same, or we are wrong. */
static void part_staged(void *ctx, int status, uint64_t bytes)
{
    struct mx_client *c = ctx;

    if (status == 0 && c->part_bytes != UINT64_MAX && c->part_bytes != bytes)
        status = E_BUG;
    c->part_bytes = bytes;
    if (status == 0 && --c->parts > 0)
        return;
    mx_session_staged(&c->s, status, bytes);
    client_go_on(c);
}

static void stage_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__StageResponse *m = NULL;
    struct mx_client *c = ctx;

    c->stage = NULL;
    if (status == 0 && (!(m = RPC_UNPACK(&a, body, store__stage_response)) || m->staging.len != STAGING_ID))
        status = E_BUG;
    if (status == 0) {
        memcpy(c->staging, m->staging.data, STAGING_ID);
        c->staged = true;
    }
    part_staged(c, status, status == 0 ? m->bytes : 0);
}

static void stage_has_room(void *ctx)
{
    client_go_on(ctx);
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
                           .deadline_ms = (int64_t)(conf.smtp.message_timeout_ms + conf.commit_timeout_ms) };

    peer_network_text(&c->network, network);
    m.bytes_max = bytes_max;
    m.bytes_expected = bytes_expected;
    m.network = network;
    c->stage = rpc_link_ask(role_link(c->mx->role, ROLE_STORE), &ask);
    return c->stage ? 0 : E_NOMEM;
}

/* Who is in mailboxes wants it at the store, what leaves at the courier; the bytes go to both as they come. */
static int io_stage(void *ctx, uint64_t bytes_max, uint64_t bytes_expected)
{
    struct mx_client *c = ctx;
    bool leaves = c->s.m.forwards != NULL, stays = c->s.m.nboxes > 0 || !leaves;
    int r = 0;

    c->part_bytes = UINT64_MAX;
    c->parts = (unsigned)leaves + (unsigned)stays;
    if (leaves) {
        c->leg.link = role_link(c->mx->role, ROLE_COURIER);
        r = courier_leg_stage(&c->leg, bytes_expected,
                              (int64_t)(conf.smtp.message_timeout_ms + conf.commit_timeout_ms));
    }
    return r < 0 || !stays ? r : stage_at_store(c, bytes_max, bytes_expected);
}

static size_t io_stage_room(void *ctx)
{
    struct mx_client *c = ctx;

    size_t leg = size_min(courier_leg_room(&c->leg), mx_scan_call_room(&c->scan)),
           store = c->stage ? rpc_call_room(c->stage) : SIZE_MAX;

    return c->stage || c->leg.stage ? size_min(leg, store) : 0;
}

static int io_stage_send(void *ctx, struct str bytes)
{
    struct mx_client *c = ctx;

    int r = c->stage || c->leg.stage ? courier_leg_send(&c->leg, bytes) : E_CLOSED;

    return r == 0 && c->stage ? rpc_call_send(c->stage, bytes) : r;
}

static void io_stage_end(void *ctx)
{
    struct mx_client *c = ctx;

    courier_leg_end(&c->leg);
    if (!c->stage)
        return;
    rpc_call_hurry(c->stage, (int64_t)conf.commit_timeout_ms);
    rpc_call_end(c->stage);
}

/* Store or courier has committed, or not. Only when all have is it true. */
static void part_delivered(struct mx_client *c, int status)
{
    if (status < 0 && c->part_status == 0)
        c->part_status = status;
    if (--c->parts > 0)
        return;
    mx_session_delivered(&c->s, c->part_status, str_from(c->queue_id), c->duplicates);
    client_go_on(c);
}

static void leg_queued(void *ctx, int status, uint32_t duplicates)
{
    struct mx_client *c = ctx;

    c->duplicates += duplicates;
    /* What SMTP cannot carry on stays so; else, whatever it was: no mailbox of the client's is full. */
    if (status < 0 && (c->s.m.nboxes || (status != E_BARE_CR && status != E_BARE_LF && status != E_NUL)))
        status = E_UNAVAIL;
    part_delivered(c, status);
}

static const struct courier_leg_ops leg_ops = { part_staged, stage_has_room, leg_queued };

static void deliver_done(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Store__DeliverResponse *m = NULL;
    struct mx_client *c = ctx;

    c->call = NULL;
    if (status == 0) {
        c->staged = false;                                 /* used up */
        m = RPC_UNPACK(&a, body, store__deliver_response); /* committed: say so even if this is odd */
        if (c->s.m.each)
            status = mx_deliver_results(&c->s.m, m);
    }
    if (m && m->queue_id.len < sizeof c->queue_id) {
        memcpy(c->queue_id, m->queue_id.data, m->queue_id.len);
        c->queue_id[m->queue_id.len] = '\0';
    }
    c->duplicates += m ? m->duplicates : 0;
    part_delivered(c, status);
}

static int deliver_to_store(struct mx_client *c, const struct mx_message *m)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(24) };
    Store__DeliverRequest q = STORE__DELIVER_REQUEST__INIT;
    struct rpc_ask ask = { .op = STORE__OP__DELIVER,
                           .body = &q.base,
                           .changes = true,
                           .done = deliver_done,
                           .ctx = c,
                           .deadline_ms = (int64_t)conf.commit_timeout_ms };
    int e = c->staged ? mx_deliver_request(&a, m, str_of(c->staging, STAGING_ID), &q) : E_BUG;

    if (e < 0)
        return e;
    c->call = rpc_link_ask(role_link(c->mx->role, ROLE_STORE), &ask);
    return c->call ? 0 : E_NOMEM;
}

static int io_deliver(void *ctx, const struct mx_message *m)
{
    struct mx_client *c = ctx;
    int r;

    c->parts = (unsigned)(m->nboxes > 0) + (unsigned)(m->forwards != NULL);
    c->part_status = 0;
    c->duplicates = 0;
    snprintf(c->queue_id, sizeof c->queue_id, "%s", m->id);
    if (m->forwards && (r = courier_leg_queue(&c->leg, &c->s)) < 0)
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
    mx_session_looked_up(&c->s, of, &answer);
    ask_what_waits(c);
    client_go_on(c);
}

static int io_lookup(void *ctx, struct lookup *q)
{
    struct dns_question question = { .name = q->name,
                                     .type = (uint16_t)q->type }; /* both have the DNS's numbers */
    struct mx_client *c = ctx;
    struct mx_lookup *l = calloc(1, sizeof(*l));

    if (!l)
        return E_NOMEM;
    l->client = c;
    l->of = q;
    l->asked = resolve_ask(
        role_link(c->mx->role, ROLE_RESOLVER), &question,
        (int64_t)(c->own.policy.asking ? conf.lookup_timeout_ms : conf.smtp.check_timeout_ms), looked_up, l);
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

static void lookups_cancel(struct mx_client *c)
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
    struct mx_client *c = ctx;
    struct rpc_ask ask = { .op = STORE__OP__UNSTAGE,
                           .body = &m.base,
                           .flags = RPC_NO_REPEAT,
                           .done = unstage_done,
                           .deadline_ms = (int64_t)conf.commit_timeout_ms };

    lookups_cancel(c);
    courier_leg_cancel(&c->leg);
    mx_bounce_forget(&c->bounce);
    if (c->call)
        rpc_call_cancel(c->call);
    if (c->stage)
        rpc_call_cancel(c->stage);
    c->call = c->stage = NULL;
    buf_clear(&c->waiting);
    if (!c->staged)
        return;
    c->staged = false;
    m.staging = str_pb(str_of(c->staging, STAGING_ID));
    (void)rpc_link_ask(role_link(c->mx->role, ROLE_STORE), &ask);
}

static void scan_goes_on(void *ctx)
{
    client_go_on(ctx);
}

/* ---- what it asks of the connection ---- */

static int io_reply(void *ctx, struct str bytes)
{
    return conn_write(((struct mx_client *)ctx)->conn, bytes);
}

static bool io_reply_full(void *ctx)
{
    return conn_out_pending(((struct mx_client *)ctx)->conn) >= OUT_LOW;
}

static void io_start_tls(void *ctx)
{
    struct mx_client *c = ctx;

    if (conn_start_tls(c->conn, role_tls(c->mx->role)) < 0)
        conn_abort(c->conn, E_IO);
}

static void io_hang_up(void *ctx)
{
    struct mx_client *c = ctx;

    /* In a crowd nobody stays until he has read our last words. */
    conn_close(c->conn, c->mx->nclients >= conf.max_connections ? 0 : LINGER_MS);
}

static void io_timer(void *ctx, int64_t ms)
{
    struct mx_client *c = ctx;

    if (ms)
        timer_set(&c->timer, ms);
    else
        timer_clear(&c->timer);
}

static const struct mx_io client_io = {
    .reply = io_reply,
    .reply_full = io_reply_full,
    .start_tls = io_start_tls,
    .hang_up = io_hang_up,
    .timer = io_timer,
    .resolve = io_resolve,
    .stage = io_stage,
    .stage_room = io_stage_room,
    .stage_send = io_stage_send,
    .stage_end = io_stage_end,
    .deliver = io_deliver,
    .cancel = io_cancel,
    .lookup = io_lookup,
};

/* ---- connections ---- */

static ssize_t client_data(void *ctx, struct str in)
{
    struct mx_client *c = ctx;
    size_t used = mx_session_input(&c->s, in);

    if (mx_session_waits(&c->s))
        conn_pause(c->conn);
    return (ssize_t)used;
}

static void client_drained(void *ctx)
{
    client_go_on(ctx);
}

static void client_secure(void *ctx)
{
    struct mx_client *c = ctx;

    mx_session_secured(&c->s, conn_tls_version(c->conn), conn_tls_cipher(c->conn));
}

static void client_timeout(struct timer *t)
{
    struct mx_client *c = CONTAINER_OF(t, struct mx_client, timer);

    mx_session_timeout(&c->s);
    client_go_on(c); /* what was slowed down */
}

static void client_unlink(struct mx_client *c)
{
    *c->prev_next = c->next;
    if (c->next)
        c->next->prev_next = c->prev_next;
    else
        c->mx->last = c->prev_next;
    c->mx->nclients--;
}

static void finish(struct mx_state_of_role *mx);

static void client_closed(void *ctx, int why)
{
    struct mx_client *c = ctx;
    struct mx_state_of_role *mx = c->mx;

    log_event(LOG_DEBUG, "mx.disconnected", F_Z("sid", c->s.sid), F_ERR(why));
    count_less(COUNT_CONNECTIONS_OPEN);
    mx_session_release(&c->s);
    mx_scan_call_release(&c->scan);
    peer_check_cancel(&c->check);
    buf_release(&c->waiting);
    lookups_cancel(c);
    timer_release(&c->timer);
    peers_give(mx->peers, &c->network);
    client_unlink(c);
    free(c);
    if (mx->stopping && mx->nclients == 0)
        finish(mx);
}

static const struct conn_ops client_ops = {
    .on_data = client_data,
    .on_drain = client_drained,
    .on_secure = client_secure,
    .on_close = client_closed,
};

static void finish(struct mx_state_of_role *mx)
{
    struct role *r = mx->role;

    timer_release(&mx->grace);
    peers_free(&mx->peers);
    mx_spam_close(&mx->spam);
    mx_policies_free(&mx->policies);
    psl_close(&mx->psl);
    free(mx);
    role_stopped(r);
}

/* One line and away: a connection that we do not take may cost nothing. */
static void turn_away(int fd, const char *why, const char *line)
{
    ssize_t n = send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

    close(fd);
    count_one(COUNT_CONNECTIONS_REFUSED);
    log_event(LOG_DEBUG, "mx.turned_away", F_Z("why", why), F_U64("told", n > 0));
}

/* Room for one more: when all places are taken, who has been here longest without a message goes. */
static bool make_room(struct mx_state_of_role *mx)
{
    struct mx_client *goes = NULL;

    if (mx->nclients < conf.max_connections)
        return true;
    if (mx->nclients >= conf.max_connections + LEAVING_MAX)
        return false;
    for (struct mx_client *c = mx->oldest; c; c = c->next) {
        if (mx_session_idle(&c->s)) {
            goes = c;
            break;
        }
        if (!goes && mx_session_dawdles(&c->s))
            goes = c;
    }
    if (goes)
        mx_session_evict(&goes->s);
    return goes != NULL;
}

static struct mx_client *client_new(struct mx_state_of_role *mx, int fd, const struct sockaddr *peer,
                                    const struct peer_network *network)
{
    static const struct conn_limits limits = { .in_max = IN_MAX, .out_max = OUT_MAX, .out_low = OUT_LOW };
    struct mx_client *c = calloc(1, sizeof(*c));

    if (!c || timer_init(&c->timer, role_loop(mx->role), client_timeout) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    if (mx_scan_call_init(&c->scan, mx->role, &c->s, (int64_t)conf.spam_timeout_ms, scan_goes_on, c) < 0) {
        timer_release(&c->timer);
        close(fd);
        free(c);
        return NULL;
    }
    c->mx = mx;
    c->network = *network;
    c->waiting.max = 2 * SMTP_PATH_MAX;
    peer_text(peer, c->ip);
    c->conn = conn_new(role_loop(mx->role), fd, &limits, &client_ops, c);
    if (!c->conn) {
        mx_scan_call_release(&c->scan);
        timer_release(&c->timer);
        free(c);
        return NULL;
    }
    c->prev_next = mx->last;
    *mx->last = c;
    mx->last = &c->next;
    mx->nclients++;
    count_one(COUNT_CONNECTIONS);
    count_one(COUNT_CONNECTIONS_OPEN);
    return c;
}

/* What holds for the client at this address: of the connection, or of XCLIENT. */
static void client_is(struct mx_client *c, const struct sockaddr *peer)
{
    struct mx_policy *p = &c->own.policy;

    if (peer->sa_family == AF_UNIX)
        c->ip[0] = '\0';
    else
        peer_text(peer, c->ip);
    mx_policy_network(peer, &conf, p->network);
    p->trusted = c->s.lmtp || netset_has(&conf.trusted, peer);
    p->allowed = false;
    c->own.auth_exempt = c->s.lmtp ? !conf.lmtp_checks : netset_has(&conf.auth_exempt, peer);
    c->own.spam.exempt = c->s.lmtp ? !conf.lmtp_checks : netset_has(&conf.spam_exempt, peer);
    c->s.greet_delay_ms = p->trusted ? 0 : conf.greet_delay_ms;
    c->s.error_delay_ms = p->trusted ? 0 : conf.error_delay_ms;
}

/* XCLIENT. What it does not say stays as it was. */
static int client_becomes(struct mx_session *s, const struct smtp_xclient *x)
{
    struct mx_client *c = CONTAINER_OF(s, struct mx_client, s);
    const struct sockaddr *addr = (const struct sockaddr *)(const void *)&x->addr;

    if ((x->given & SMTP_XC_ADDR) && addr->sa_family != AF_UNSPEC) {
        client_is(c, addr);
        if (!c->own.policy.trusted && !mx_policy_connect(&c->mx->policies, &conf, c->own.policy.network))
            return E_LIMIT;
        peer_check_cancel(&c->check);
        c->facts = (struct peer_facts){ .name = "" };
        c->said_name[0] = '\0';
        c->check = peer_check_start(&c->mx->checks, &check_io, c->mx->role, addr, peer_known, c);
    }
    if (x->given & SMTP_XC_NAME)
        snprintf(c->said_name, sizeof c->said_name, "%.*s", STR_ARG(x->name));
    if ((x->given & SMTP_XC_DESTADDR) && x->destaddr.ss_family != AF_UNSPEC)
        peer_text((const struct sockaddr *)(const void *)&x->destaddr, c->own.policy.local_ip);
    if ((x->given & SMTP_XC_LOGIN) && x->login.n)
        c->own.policy.trusted = true; /* who logged in elsewhere is no stranger */
    mx_session_restart(s, str_from(c->ip));
    if (!c->check)
        mx_session_peer(s, str_from(c->said_name), STR_NONE);
    return 0;
}

static void client_start(struct mx_client *c, int fd, const struct sockaddr *peer, bool lmtp)
{
    static const struct conn_limits lmtp_limits = { .in_max = IN_MAX,
                                                    .out_max = KIB(256),
                                                    .out_low = OUT_LOW };
    struct mx_state_of_role *mx = c->mx;

    conn_stall_ms(c->conn, (int64_t)conf.stall_timeout_ms);
    c->s.lmtp = lmtp;
    if (lmtp) /* an answer for each recipient, at once */
        conn_limits_set(c->conn, &lmtp_limits);
    c->own = (struct mx_own){ .conf = &conf, .psl = mx->psl, .policy.all = &mx->policies };
    c->own.spam = (struct mx_spam){ .all = &mx->spam, .call = &c->scan };
    c->own.delivery_key = role_subkey(mx->role, SUBKEY_DELIVERY_ID);
    c->bounce = (struct mx_bounce){ .done = bounce_known,
                                    .ctx = c,
                                    .deadline_ms = (int64_t)conf.directory_timeout_ms };
    c->leg = (struct courier_leg){ .ops = &leg_ops, .ctx = c, .commit_ms = (int64_t)conf.commit_timeout_ms };
    if (lmtp || netset_has(&conf.xclient_from, peer))
        c->own.become = client_becomes;
    client_is(c, peer);
    mx_policy_local(fd, c->own.policy.local_ip);
    mx_session_serve(&c->s, &c->own);
    mx_session_start(&c->s, &conf.smtp, &client_io, c, role_hostname(mx->role), str_from(c->ip),
                     !lmtp && role_tls(mx->role) != NULL);
    if (!lmtp && !peer_is_local(peer))
        c->check = peer_check_start(&mx->checks, &check_io, mx->role, peer, peer_known, c);
    log_event(LOG_DEBUG, "mx.connected", F_Z("sid", c->s.sid), F_Z("peer", c->ip));
}

/* `network` was counted. */
static void client_take(struct mx_state_of_role *mx, int fd, const struct sockaddr *peer,
                        const struct peer_network *network, bool lmtp)
{
    struct mx_client *c = NULL;

    if (!make_room(mx))
        turn_away(fd, "full", "421 4.3.2 Too many connections, try later\r\n");
    else if ((c = client_new(mx, fd, peer, network)))
        client_start(c, fd, peer, lmtp);
    if (!c)
        peers_give(mx->peers, network);
}

static void accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len UNUSED)
{
    struct mx_state_of_role *mx = ctx;
    struct peer_network network = peer_network_of(peer);
    char text[MX_NETWORK_TEXT_MAX];

    mx_policy_network(peer, &conf, text);
    if (!netset_has(&conf.trusted, peer) && !mx_policy_connect(&mx->policies, &conf, text)) {
        turn_away(fd, "rate",
                  "421 4.7.0 Too many connections from your network in a short time, try later\r\n");
        return;
    }
    if (peers_take(mx->peers, &network, conf.max_connections_per_network) < 0) {
        turn_away(fd, "network", "421 4.7.0 Too many connections from your network, try later\r\n");
        return;
    }
    client_take(mx, fd, peer, &network, false);
}

/* LMTP: the server in front of us. Its connections are few, and none is turned away for another's. */
static void lmtp_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len UNUSED)
{
    static const struct peer_network nowhere = { .bits = 0 };
    struct mx_state_of_role *mx = ctx;

    if (peers_take(mx->peers, &nowhere, UINT64_MAX) < 0)
        turn_away(fd, "memory", "421 4.3.0 Temporary trouble on our side, try later\r\n");
    else
        client_take(mx, fd, peer, &nowhere, true);
}

/* ---- life of the role ---- */

static void grace_over(struct timer *t)
{
    role_stopped(CONTAINER_OF(t, struct mx_state_of_role, grace)->role);
}

/* Descriptors for all connections, as far as the system lets us. */
static void raise_descriptors(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < conf.max_connections + 128)
        log_event(LOG_WARN, "mx.few_descriptors", F_U64("limit", l.rlim_cur),
                  F_U64("connections", conf.max_connections));
}

static int read_lists(struct peer_check_conf *c)
{
    int e = peer_lists_parse(str_from(conf.blocklists), &c->block);

    if (e == 0)
        e = peer_lists_parse(str_from(conf.allowlists), &c->allow);
    if (e < 0)
        log_event(LOG_ERROR, "mx.bad_lists", F_Z("keys", "mx.blocklists mx.allowlists"), F_ERR(e));
    c->name = conf.reverse_name;
    c->want_allowed = conf.greylist;
    c->timeout_ms = (int64_t)conf.lookup_timeout_ms;
    return e;
}

static int mx_init(struct role *r)
{
    struct mx_state_of_role *mx = calloc(1, sizeof(*mx));
    int e;

    if (!mx || !(mx->peers = peers_new()) || timer_init(&mx->grace, role_loop(r), grace_over) < 0)
        return E_NOMEM; /* the process ends: the kernel frees */
    if (read_lists(&mx->checks) < 0)
        return E_RANGE;
    if ((e = mx_policies_make(&mx->policies, &conf)) < 0 ||
        (e = mx_scan_open(&mx->spam, &conf, role_spam_file(r))) < 0)
        return e;
    mx->role = r;
    mx->last = &mx->oldest;
    role_set_data(r, mx);
    raise_descriptors();
    if (conf.auth_checks && psl_open(NULL, &mx->psl) < 0)
        log_event(LOG_WARN, "mx.no_suffix_list"); /* the tree walk works without */
    return 0;
}

static int mx_start(struct role *r)
{
    static const struct netset nobody;
    struct mx_state_of_role *mx = role_data(r);
    size_t n;
    const struct role_listener *l = role_listeners(r, &n);

    for (size_t i = 0; i < n && i < LISTENERS_MAX; i++) {
        bool lmtp = str_eq_z(STR("mx.lmtp_socket"), l[i].key);

        if (front_listen(role_loop(r), l[i].fd, lmtp ? &nobody : &conf.proxy_from,
                         lmtp ? lmtp_accepted : accepted, mx, &mx->listeners[i]) < 0)
            return E_NOMEM;
        mx->nlisteners++;
    }
    if (!role_tls(r))
        log_event(LOG_WARN, "mx.no_tls");
    return 0;
}

/* Idle sessions end now, others after the message they are sending. */
static void mx_stop(struct role *r)
{
    struct mx_state_of_role *mx = role_data(r);

    mx->stopping = true;
    for (size_t i = 0; i < mx->nlisteners; i++)
        listener_free(&mx->listeners[i]);
    mx->nlisteners = 0;
    if (mx->nclients == 0) {
        finish(mx);
        return;
    }
    timer_set(&mx->grace, STOP_MS);
    for (struct mx_client *c = mx->oldest; c; c = c->next) /* conn_close frees later, never from here */
        mx_session_stop(&c->s);
}

const struct role_def mx_role = {
    .id = ROLE_MX,
    .items = mx_conf_items,
    .nitems = MX_CONF_ITEMS,
    .conf = &conf,
    .conf_bytes = sizeof(conf),
    .asks = FROM(STORE) | FROM(DIRECTORY) | FROM(RESOLVER) | FROM(CONTENT) | FROM(COURIER) | FROM(MONITOR),
    .init = mx_init,
    .start = mx_start,
    .stop = mx_stop,
};
