/* src/courier/dispatch.c: from the queue to the relay, and back.
 *
 * A flight is one claim on its way. It holds the envelope and at most one piece of the body. What comes of it
 * is noted in the queue, synced, before the relay may forget it, so that a courier that is killed finds it again
 * (recovery.c). */
#include "src/courier/courier.h"
#include "lib/base/clock.h"
#include "lib/base/idmap.h"
#include "lib/base/log.h"
#include "proto/relay.pb-c.h"

#define CLAIMS_AT_ONCE 16u
#define EVENTS_AT_ONCE 16u
#define SEND_MS        (INT64_C(3) * 3600 * 1000)
#define ASK_MS         20000
#define AGAIN_MS       1000
#define LATEST_MS      60000 /* look at least so often: clocks are set */
#define NOTED_MAX      256u

struct flight {
    struct queue_claim c;
    struct rpc_call *call;
    struct lane_job job;
    struct buf piece;
    size_t piece_at;
    uint32_t number; /* of the next piece */
    uint64_t sent;
    uint64_t bytes; /* of what goes out */
    bool reading, read_all, dot, over;
    bool tagged;        /* leaves under a sender of its own */
    bool seven;         /* in 7 bits */
    struct arena arena; /* of the answer */
    struct queue_outcome *o;
    const Relay__SendResponse *said; /* what the relay learnt on the way, too; NULL */
    struct queue_sts sts;            /* what is known of the domain's policy; fetched_ms 0: nothing */
    bool trouble, uncertain;
    int status;
    struct queue_counts counts;
};

static struct {
    bool open, claiming, again, recovered, up;
    struct timer timer;
    struct lane_job job;
    struct flight *got[CLAIMS_AT_ONCE];
    size_t ngot;
    int64_t next;
    struct idmap flights; /* attempt -> flight */
    uint64_t noted[NOTED_MAX];
    size_t nnoted;
    struct queue_counts counts; /* of events */
} dp;

static void flight_free(struct flight *f)
{
    arena_release(&f->c.arena);
    arena_release(&f->arena);
    buf_release(&f->piece);
    free(f);
}

static void count(const struct queue_counts *n)
{
    courier.delivered += n->delivered;
    courier.deferred += n->deferred;
    courier.failed += n->failed;
}

/* ---- the relay may forget ---- */

static void noted_answer(void *ctx UNUSED, int status UNUSED, struct str body UNUSED)
{
}

static void noted_send(void)
{
    Relay__NotedRequest m = RELAY__NOTED_REQUEST__INIT;
    struct rpc_ask ask = {
        .op = RELAY__OP__NOTED, .body = &m.base, .deadline_ms = ASK_MS, .done = noted_answer
    };

    if (!dp.nnoted || !dp.up)
        return;
    m.attempts = dp.noted;
    m.n_attempts = dp.nnoted;
    if (rpc_link_ask(role_link(courier.role, ROLE_RELAY), &ask))
        dp.nnoted = 0;
}

static void noted(uint64_t attempt)
{
    if (dp.nnoted == NOTED_MAX)
        noted_send();
    if (dp.nnoted < NOTED_MAX)
        dp.noted[dp.nnoted++] = attempt;
}

/* ---- the end of a flight ---- */

static int flight_note(struct queue *q, struct lane_job *j)
{
    struct flight *f = CONTAINER_OF(j, struct flight, job);

    int r;

    f->counts = (struct queue_counts){ 0 };
    r = courier_settle(q, &f->c, f->o, f->trouble, &f->counts);
    return r < 0 ? r : courier_tls_learn(q, f->c.domain, f->said);
}

void courier_set_aside(uint64_t targets, uint64_t message)
{
    if (targets)
        log_event(LOG_ERROR, "courier.set_aside", F_U64("targets", targets), F_U64("message", message),
                  F_U64("deaths", QUEUE_DEATHS_MAX),
                  F_Z("next", "letterlock queue list; release or delete it"));
}

static void flight_noted(struct lane_job *j, int status)
{
    struct flight *f = CONTAINER_OF(j, struct flight, job);

    if (status < 0) {
        /* It stays under way by the books. The relay knows how it went as long as it lives: at our next start. */
        log_event(LOG_ERROR, "courier.outcome_not_noted", F_ERR(status), F_U64("attempt", f->c.attempt));
    } else {
        count(&f->counts);
        courier_tell(&f->c, f->o);
        noted(f->c.attempt);
        courier_set_aside(f->counts.aside, f->c.m.id);
        if (f->uncertain)
            courier.uncertain += f->c.n;
        log_event(LOG_INFO, "courier.attempt", F_U64("message", f->c.m.id), F_U64("targets", f->c.n),
                  F_U64("delivered", f->counts.delivered), F_U64("deferred", f->counts.deferred),
                  F_U64("failed", f->counts.failed), F_Z("trouble", f->trouble ? "yes" : "no"),
                  F_Z("uncertain", f->uncertain ? "yes" : "no"));
    }
    flight_free(f);
    courier.active--;
    if (courier.stopping)
        noted_send(); /* the relay waits for it */
    courier_dispatch_wake();
    courier_end();
}

static enum queue_result result_of(Relay__Outcome__Kind k)
{
    return k == RELAY__OUTCOME__KIND__DELIVERED  ? QUEUE_DELIVERED
           : k == RELAY__OUTCOME__KIND__DEFERRED ? QUEUE_DEFERRED
                                                 : QUEUE_FAILED;
}

int courier_outcomes(const Relay__SendResponse *m, struct queue_outcome *o, size_t n)
{
    if (m->n_outcomes != n)
        return E_CORRUPT;
    for (size_t i = 0; i < n; i++) {
        const Relay__Outcome *x = m->outcomes[i];

        o[i] = (struct queue_outcome){ .result = result_of(x->kind),
                                       .code = x->code,
                                       .enhanced = pb_str(x->enhanced),
                                       .text = pb_str(x->text),
                                       .peer = pb_str(m->peer),
                                       .relayed = x->relayed,
                                       .retry_ms = (int64_t)x->retry_after_s * 1000 };
    }
    return 0;
}

static int take_outcomes(struct flight *f, const Relay__SendResponse *m)
{
    int r = courier_outcomes(m, f->o, f->c.n);

    if (r < 0)
        return r;
    f->said = m;
    f->trouble = m->trouble;
    f->uncertain = m->uncertain;
    return 0;
}

static void all_outcomes(struct flight *f, enum queue_result r, const char *text)
{
    for (size_t i = 0; i < f->c.n; i++)
        f->o[i] = (struct queue_outcome){ .result = r, .enhanced = STR("4.3.0"), .text = str_from(text) };
}

static void flight_end(struct flight *f)
{
    f->over = true;
    idmap_take(&dp.flights, f->c.attempt);
    if (f->reading)
        return; /* when the piece has come */
    f->job = (struct lane_job){ .run = flight_note, .done = flight_noted };
    if (lane_submit(&f->job) < 0)
        flight_noted(&f->job, E_BUSY);
}

/* ---- its server takes only 7 bits ---- */

static int ask_relay(struct flight *f);
static void flight_feed(struct flight *f);

static void seven_failed(struct flight *f, int status)
{
    bool ever = status != E_TOO_BIG;

    all_outcomes(
        f, ever ? QUEUE_DEFERRED : QUEUE_FAILED,
        "the mail server takes no bytes above 127 (8BITMIME), and the message could not be encoded anew");
    for (size_t i = 0; i < f->c.n; i++)
        f->o[i].enhanced = ever ? STR("4.6.3") : STR("5.6.3");
    flight_end(f);
}

/* The same attempt once more, with what was made of it. */
static void seven_made(void *ctx, int status, struct str head, struct str body)
{
    struct flight *f = ctx;

    buf_clear(&f->piece);
    f->piece.max = head.n + body.n + 1;
    f->bytes = head.n + body.n;
    f->piece_at = 0;
    f->sent = 0;
    f->read_all = true;
    if (status < 0 || (status = buf_puts(&f->piece, head)) < 0 || (status = buf_puts(&f->piece, body)) < 0 ||
        (status = ask_relay(f)) < 0)
        seven_failed(f, status);
    else
        flight_feed(f);
}

static void seven_begin(struct flight *f)
{
    int r;

    if (f->reading)
        return; /* when the piece has come */
    if ((r = courier_to_7bit(&f->c, seven_made, f)) < 0)
        seven_failed(f, r);
}

/* The relay's answer, or that there is none. */
static void flight_answer(void *ctx, int status, struct str body)
{
    struct flight *f = ctx;
    Relay__SendResponse *m = status == 0 ? RPC_UNPACK(&f->arena, body, relay__send_response) : NULL;

    f->call = NULL;
    if (m && m->needs_7bit && !f->seven) {
        f->seven = true;
        seven_begin(f);
        return;
    }
    if (!m || take_outcomes(f, m) < 0) {
        if (f->dot || status == E_TIMEOUT) {
            f->uncertain = true;
            all_outcomes(f, QUEUE_DEFERRED, "the peer's answer was lost");
        } else {
            all_outcomes(f, QUEUE_UNTRIED, "it was cut off");
        }
        /* A relay that stops in good order, or has no room, says so. */
        for (size_t i = 0; i < f->c.n; i++)
            f->o[i].died = status != E_CANCELED && status != E_UNAVAIL && status != E_TIMEOUT;
    }
    flight_end(f);
}

static void webhook_answer(void *ctx, const Relay__SendResponse *m, int status, const char *why)
{
    struct flight *f = ctx;

    if (!m || take_outcomes(f, m) < 0) {
        f->uncertain = f->dot || status == E_TIMEOUT;
        all_outcomes(f, QUEUE_DEFERRED, f->uncertain ? "the peer's answer was lost" : why);
    }
    f->said = NULL;                            /* it goes, and a webhook has nothing to tell of TLS */
    for (size_t i = 0; m && i < f->c.n; i++) { /* they go with the answer */
        f->o[i].enhanced = arena_dup(&f->arena, f->o[i].enhanced);
        f->o[i].text = arena_dup(&f->arena, f->o[i].text);
        f->o[i].peer = arena_dup(&f->arena, f->o[i].peer);
    }
    flight_end(f);
}

/* ---- the body ---- */

static int piece_read(struct queue *q, struct lane_job *j)
{
    struct flight *f = CONTAINER_OF(j, struct flight, job);
    int r = queue_piece(q, f->c.m.id, f->number, &f->piece);

    f->read_all = r == 0;
    return r < 0 ? r : 0;
}

static void piece_came(struct lane_job *j, int status)
{
    struct flight *f = CONTAINER_OF(j, struct flight, job);

    f->reading = false;
    f->number++;
    f->status = status;
    if (f->over)
        flight_end(f);
    else if (f->seven)
        seven_begin(f);
    else
        flight_feed(f);
}

static void flight_feed(struct flight *f)
{
    while (f->call && !f->reading) {
        size_t n = size_min(f->piece.n - f->piece_at, rpc_call_room(f->call));

        if (n > 0) {
            if (rpc_call_send(f->call, str_slice(buf_str(&f->piece), f->piece_at, f->piece_at + n)) < 0)
                return;
            f->piece_at += n;
            f->sent += n;
        }
        if (f->piece_at < f->piece.n)
            return; /* no room: on_room */
        if (f->read_all || f->sent >= f->bytes || f->status < 0) {
            rpc_call_end(f->call);
            return;
        }
        buf_clear(&f->piece);
        f->piece_at = 0;
        f->reading = true;
        f->job = (struct lane_job){ .run = piece_read, .done = piece_came };
        if ((f->status = lane_submit(&f->job)) < 0)
            f->reading = false;
    }
}

static void flight_room(void *ctx)
{
    struct flight *f = ctx;

    if (!f->read_all || f->piece_at < f->piece.n)
        flight_feed(f);
}

/* ---- the beginning of a flight ---- */

static int ask_relay(struct flight *f)
{
    struct queue_claim *c = &f->c;
    Relay__SendRequest m = RELAY__SEND_REQUEST__INIT;
    Relay__Sts sts = RELAY__STS__INIT;
    struct rpc_ask ask = { .op = RELAY__OP__SEND,
                           .body = &m.base,
                           .deadline_ms = SEND_MS,
                           .upload = true,
                           .done = flight_answer,
                           .on_room = flight_room,
                           .ctx = f };
    Relay__Recipient *v = ARENA_ARRAY(&f->arena, c->n, Relay__Recipient);

    m.recipients = ARENA_ARRAY(&f->arena, c->n, Relay__Recipient *);
    if (!v || !m.recipients)
        return E_NOMEM;
    for (size_t i = 0; i < c->n; i++) {
        relay__recipient__init(&v[i]);
        v[i].to = str_pb(c->targets[i].to);
        v[i].notify = courier_notify_onward(&c->m, c->targets[i].notify);
        v[i].orcpt = str_pb(c->targets[i].orcpt);
        m.recipients[i] = &v[i];
    }
    m.n_recipients = c->n;
    m.attempt = c->attempt;
    m.domain = str_pb(c->domain);
    m.sender = str_pb(f->tagged ? courier_return_path(&f->arena, &c->m) : c->m.sender);
    m.bytes = f->bytes;
    m.eightbit = c->m.eightbit && !f->seven;
    m.smtputf8 = c->m.smtputf8;
    m.requiretls = c->m.requiretls;
    m.ret = c->m.ret;
    m.envid = str_pb(c->m.envid);
    m.deliver_by_s = c->m.deliver_by_ms ? (c->m.deliver_by_ms - queue_now(courier.queue)) / 1000 : 0;
    m.deliver_by_notify = c->m.by_notify;
    m.priority = c->m.priority;
    m.tls_optional = c->m.tls_optional;
    if (f->sts.fetched_ms) {
        sts.id = str_pb(f->sts.id);
        sts.text = str_pb(f->sts.text);
        sts.fetched_ms = f->sts.fetched_ms;
        m.sts = &sts;
    }
    return (f->call = rpc_link_ask(role_link(courier.role, ROLE_RELAY), &ask)) ? 0 : E_NOMEM;
}

static void flight_begin(struct flight *f)
{
    courier.active++;
    f->arena.max = MIB(4);
    f->bytes = f->c.m.bytes;
    f->piece.max = QUEUE_CHUNK_BYTES + MIB(1);
    if (!(f->o = ARENA_ARRAY(&f->c.arena, f->c.n, struct queue_outcome))) {
        log_event(LOG_ERROR, "courier.out_of_memory");
        courier.active--;
        flight_free(f); /* under way by the books, until the next start */
        return;
    }
    if (courier.stopping) {
        all_outcomes(f, QUEUE_UNTRIED, "");
        flight_end(f);
        return;
    }
    if (f->c.kind != COURIER__TARGET__KIND__ADDRESS) {
        if (idmap_put(&dp.flights, f->c.attempt, f) < 0 || courier_webhook(&f->c, webhook_answer, f) < 0) {
            all_outcomes(f, QUEUE_UNTRIED, "");
            flight_end(f);
        }
        return;
    }
    if (idmap_put(&dp.flights, f->c.attempt, f) < 0 || buf_puts(&f->piece, f->c.m.prepend) < 0 ||
        ask_relay(f) < 0) {
        all_outcomes(f, QUEUE_UNTRIED, "");
        flight_end(f);
        return;
    }
    flight_feed(f);
}

/* ---- what is due ---- */

static int events(struct queue *q, int64_t *next)
{
    int r = 1;

    for (unsigned i = 0; i < EVENTS_AT_ONCE && r > 0; i++) {
        CLEANUP(arena_release) struct arena a = { .max = MIB(16) };
        struct queue_message m;
        struct queue_target *t;
        bool late = false;
        size_t n = 0;

        *next = 0; /* more at once */
        if ((r = queue_event(q, &a, &m, &t, &n, &late, next)) <= 0)
            break;
        r = late ? courier_report_late(q, &m, t, n) : courier_settle_expired(q, &m, t, n);
        if (r == 0)
            r = late ? queue_told(q, m.id) : queue_expired(q, &m, &dp.counts);
        r = r < 0 ? r : 1;
    }
    return r < 0 ? r : 0;
}

static int due(struct queue *q, struct lane_job *j UNUSED)
{
    size_t room = courier_conf.attempts_max > courier.active ? courier_conf.attempts_max - courier.active : 0;
    int64_t next = INT64_MAX;
    int r = events(q, &dp.next);

    while (r == 0 && dp.up && dp.ngot < CLAIMS_AT_ONCE && dp.ngot < room) {
        struct flight *f = calloc(1, sizeof *f);

        if (!f)
            return E_NOMEM;
        f->c.arena.max = MIB(4);
        if ((r = queue_claim(q, &f->c, &next)) <= 0) {
            flight_free(f);
            break;
        }
        dp.got[dp.ngot++] = f;
        if ((r = courier_sent_tagged(q, &f->c.m)) < 0)
            return r;
        f->tagged = r > 0;
        next = 0;
        r = f->c.kind == COURIER__TARGET__KIND__ADDRESS ? queue_sts_find(q, &f->c.arena, f->c.domain, &f->sts)
                                                        : 0;
        r = r < 0 ? r : 0;
    }
    dp.next = next < dp.next ? next : dp.next;
    return r;
}

static void wait_for(int64_t when)
{
    int64_t ms = when == 0 ? 0 : when - queue_now(courier.queue);

    timer_set(&dp.timer, ms < 0 ? 0 : ms > LATEST_MS ? LATEST_MS : ms);
}

static void due_done(struct lane_job *j UNUSED, int status)
{
    size_t n = dp.ngot;
    bool full = courier.active + n >= courier_conf.attempts_max;

    dp.claiming = false;
    dp.ngot = 0;
    for (size_t i = 0; i < n; i++) {
        if (status < 0)
            flight_free(dp.got[i]);
        else
            flight_begin(dp.got[i]);
    }
    courier_settle_told(status == 0);
    if (status == 0)
        count(&dp.counts);
    dp.counts = (struct queue_counts){ 0 };
    if (n == 0)
        noted_send(); /* nothing goes on that would bring more of them */
    if (dp.again && !full) {
        dp.again = false;
        courier_dispatch_wake();
        return;
    }
    wait_for(status < 0 || full ? queue_now(courier.queue) + AGAIN_MS : dp.next);
    courier_end();
}

/* A wake while a look is under way is remembered, since what woke us may have come behind it. */
void courier_dispatch_wake(void)
{
    if (!dp.open || !dp.recovered || courier.stopping)
        return;
    if (dp.claiming) {
        dp.again = true;
        return;
    }
    dp.again = false;
    dp.next = INT64_MAX;
    dp.job = (struct lane_job){ .run = due, .done = due_done };
    if (lane_submit(&dp.job) == 0)
        dp.claiming = true;
    else
        timer_set(&dp.timer, AGAIN_MS);
}

void courier_dispatch_stop(void)
{
    noted_send(); /* the relay waits for it */
}

bool courier_dispatch_busy(void)
{
    return dp.claiming;
}

static void on_timer(struct timer *t UNUSED)
{
    noted_send();
    courier_dispatch_wake();
}

/* ---- the relay comes up ---- */

bool courier_dispatch_recovered(void)
{
    return dp.recovered;
}

void courier_dispatch_up(void)
{
    dp.recovered = dp.up = true;
    rpc_link_ready(role_link(courier.role, ROLE_RELAY));
    noted_send();
    courier_dispatch_wake();
}

void courier_dispatch_later(void)
{
    timer_set(&dp.timer, AGAIN_MS);
}

static void tick(struct timer *t)
{
    if (dp.open && !dp.up && rpc_link_is_up(role_link(courier.role, ROLE_RELAY)))
        courier_recover();
    else
        on_timer(t);
}

static void on_up(void *ctx UNUSED, struct rpc_link *l)
{
    if (l != role_link(courier.role, ROLE_RELAY)) {
        rpc_link_ready(l);
        return;
    }
    dp.up = false;
    courier_recover();
}

static void on_down(void *ctx UNUSED, struct rpc_link *l)
{
    if (l == role_link(courier.role, ROLE_RELAY))
        dp.up = false;
}

static void on_event(void *ctx UNUSED, struct rpc_link *l UNUSED, uint32_t event, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Relay__DotEvent *m = event == RELAY__EVENT__DOT ? RPC_UNPACK(&a, body, relay__dot_event) : NULL;
    struct flight *f = m && m->attempt ? idmap_get(&dp.flights, m->attempt) : NULL;

    if (f)
        f->dot = true;
}

const struct rpc_link_ops courier_links = { .on_up = on_up, .on_down = on_down, .on_event = on_event };

int courier_dispatch_open(struct role *r)
{
    int e = timer_init(&dp.timer, role_loop(r), tick);

    dp.open = e == 0;
    return e;
}
