/* src/relay/delivery.c: one message to one destination.
 *
 * Hosts are tried in order until one takes an envelope; from then on the message is that host's. As long as
 * nothing of the body has gone out another host may be tried. Once the last dot is out the peer's answer is
 * the message's fate: that is told to the courier before, so that it knows what may have been delivered if we
 * die. */
#include "src/relay/delivery.h"
#include "lib/base/log.h"
#include <assert.h>

#define RUNNING_MAX 4096u
#define BODY_MAX    (RPC_WINDOW + 2 * RPC_DATA_MAX)

static struct delivery *running;

/* ---- how it went ---- */

static void outcome(struct delivery *d, size_t i, Relay__Outcome__Kind kind, unsigned code,
                    const char *enhanced, const char *text)
{
    struct arena *a = rpc_req_arena(d->q);

    d->out[i].kind = kind;
    d->out[i].code = code;
    d->out[i].enhanced = str_pb(arena_dup(a, str_from(enhanced)));
    d->out[i].text = str_pb(arena_dup(a, str_from(text)));
    if (!d->out[i].text.data) /* what has none would count as delivered in the end */
        d->out[i].text = str_pb(STR("no memory for the answer"));
}

/* Everybody who has no outcome yet (the kind is out of range until then). */
static void outcome_rest(struct delivery *d, Relay__Outcome__Kind kind, unsigned code, const char *enhanced,
                         const char *text)
{
    for (size_t i = 0; i < d->m->n_recipients; i++)
        if (!d->out[i].text.data)
            outcome(d, i, kind, code, enhanced, text);
}

static void delivery_free(struct delivery *d)
{
    *d->at = d->next;
    if (d->next)
        d->next->at = d->at;
    buf_release(&d->body);
    relay_lookup_cancel(&d->lookup);
    relay_sts_cancel(&d->sts);
    relay_dane_cancel(&d->dane);
    dial_cancel(&d->dial);
    relay.deliveries--;
}

static void finish(struct delivery *d)
{
    Relay__SendResponse m = RELAY__SEND_RESPONSE__INIT;
    struct rpc_req *q = d->q;

    assert(d->step != AT_END);
    d->step = AT_END;
    m.outcomes = d->outs;
    m.n_outcomes = d->m->n_recipients;
    m.peer = str_pb(str_from(d->peer));
    m.tls = str_pb(str_from(d->tls));
    m.trouble = d->trouble;
    m.uncertain = d->uncertain;
    m.notes = d->notes;
    m.n_notes = d->nnotes;
    m.sts = d->newer;
    rpc_req_on_data(q, NULL, NULL);
    rpc_req_on_cancel(q, NULL, NULL);
    rpc_req_on_room(q, NULL, NULL);
    m.needs_7bit = d->needs_7bit;
    if (!d->needs_7bit) /* that is no end: the courier comes again */
        relay_keep(d->m->attempt, &m);
    delivery_free(d);
    rpc_reply(q, 0, &m.base, NULL); /* frees d with the request's arena */
}

void delivery_give_up(struct delivery *d, Relay__Outcome__Kind kind, unsigned code, const char *enhanced,
                      const char *text)
{
    delivery_session_end(d, false);
    outcome_rest(d, kind, code, enhanced, text);
    finish(d);
}

void delivery_no_memory(struct delivery *d)
{
    delivery_give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
}

void delivery_session_end(struct delivery *d, bool clean)
{
    if (d->s)
        relay_session_release(d->s, clean);
    d->s = NULL;
}

const char *delivery_why_text(int why)
{
    return why == E_AUTH      ? "it is not who it has to be"
           : why == E_TIMEOUT ? "no answer in time"
           : why == E_SYNTAX  ? "it does not speak SMTP"
           : why == E_LIMIT   ? "it says too much"
                              : "the connection was cut off";
}

/* ---- the envelope ---- */

/* Who goes on from there, too; but for a bounce that is not asked, which would be lost (RFC 8689 5). */
static bool keeps_requiretls(const struct delivery *d, const struct smtp_offer *o)
{
    return relay_session_is_tls(d->s) && ((o->has & SMTP_OFFER_REQUIRETLS) || d->m->sender.len == 0);
}

static int envelope(struct delivery *d, const struct smtp_offer *o)
{
    struct arena *a = rpc_req_arena(d->q);
    CLEANUP(buf_release) struct buf b = { .max = KIB(16) };
    struct str mail;
    int r = envelope_mail(d->m, o, &b);

    if (r < 0 || !(d->rcpt = ARENA_ARRAY(a, d->m->n_recipients, struct str)))
        return r < 0 ? r : E_NOMEM;
    mail = arena_dup(a, buf_str(&b));
    for (size_t i = 0; i < d->m->n_recipients; i++) {
        buf_clear(&b);
        if ((r = envelope_rcpt(d->m->recipients[i], o, &b)) < 0)
            return r;
        if (!(d->rcpt[i] = arena_dup(a, buf_str(&b))).p)
            return E_NOMEM;
    }
    d->step = AT_ENVELOPE;
    return mail.p ? relay_session_begin(d->s, mail, d->rcpt, d->m->n_recipients) : E_NOMEM;
}

/* It keeps what has to be kept, or is passed over. */
static bool session_does(struct delivery *d, const struct smtp_offer *o)
{
    if (d->need.strict && !d->m->requiretls && !relay_session_is_tls(d->s)) {
        delivery_reason_tls(d, "4.7.5", "the mail server offers no TLS, which has to be", "");
        delivery_session_end(d, true);
        delivery_skip_host(d);
        return false;
    }
    if ((!d->m->requiretls || keeps_requiretls(d, o)) &&
        (!relay_conf.smarthost[0] || relay_conf.tls == RELAY_TLS_NEVER || relay_session_is_tls(d->s)))
        return true;
    delivery_reason(d, 0, "5.7.30",
                    "the mail server cannot keep what was asked for (REQUIRETLS)"); /* RFC 8689 5 */
    delivery_session_end(d, true);
    d->host++;
    if (d->host < d->route->n)
        delivery_next_host(d);
    else
        delivery_give_up(d, d->m->requiretls ? RELAY__OUTCOME__KIND__FAILED : RELAY__OUTCOME__KIND__DEFERRED,
                         0, "5.7.30", d->text);
    return false;
}

void relay_delivery_session_up(struct delivery *d)
{
    const struct smtp_offer *o = relay_session_offer(d->s);
    const char *enhanced, *why;
    int r;

    snprintf(d->peer, sizeof d->peer, "%s", relay_session_peer(d->s));
    relay_session_tls_text(d->s, d->tls, sizeof d->tls);
    d->offer = o->has;
    delivery_note_session(d);
    if (!session_does(d, o))
        return;
    if ((why = envelope_lacks(d->m, o, &enhanced))) {
        delivery_session_end(d, true);
        delivery_give_up(d, RELAY__OUTCOME__KIND__FAILED, 0, enhanced, why);
        return;
    }
    if (d->m->eightbit && !(o->has & SMTP_OFFER_8BITMIME)) {
        d->needs_7bit = true;
        delivery_session_end(d, true);
        delivery_give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.6.3",
                         "the message has bytes above 127, and the mail server takes none (8BITMIME)");
        return;
    }
    if ((r = envelope(d, o)) == E_NOMEM)
        delivery_no_memory(d);
    else if (r < 0)
        delivery_give_up(d, RELAY__OUTCOME__KIND__FAILED, 0, "5.1.3", "an address cannot be written in SMTP");
}

/* ---- answers ---- */

static Relay__Outcome__Kind kind_of(unsigned code)
{
    return code < 300   ? RELAY__OUTCOME__KIND__DELIVERED
           : code < 500 ? RELAY__OUTCOME__KIND__DEFERRED
                        : RELAY__OUTCOME__KIND__FAILED;
}

static const char *enhanced_of(const struct smtp_answer *a)
{
    return a->enhanced[0] ? a->enhanced : a->code < 300 ? "2.0.0" : a->code < 500 ? "4.0.0" : "5.0.0";
}

static void refuse_rest(struct delivery *d, const struct smtp_answer *a, bool clean)
{
    Relay__Outcome__Kind kind = kind_of(a->code);

    if (kind == RELAY__OUTCOME__KIND__DELIVERED)
        kind = RELAY__OUTCOME__KIND__DEFERRED; /* no answer that fits here */
    d->trouble |= a->code == 421;
    delivery_session_end(d, clean && a->code != 421);
    outcome_rest(d, kind, a->code, enhanced_of(a), a->text);
    finish(d);
}

static void rcpt_answer(struct delivery *d, size_t i, const struct smtp_answer *a)
{
    if (a->code < 300)
        d->accepted++;
    else
        outcome(d, i, kind_of(a->code < 400 ? 450 : a->code), a->code, enhanced_of(a), a->text);
    d->trouble |= a->code == 421;
    if (i + 1 < d->m->n_recipients || d->accepted > 0)
        return;
    delivery_session_end(d, false);
    finish(d);
}

static void delivered(struct delivery *d, const struct smtp_answer *a)
{
    for (size_t i = 0; i < d->m->n_recipients; i++)
        if (!d->out[i].text.data) {
            outcome(d, i, RELAY__OUTCOME__KIND__DELIVERED, a->code, enhanced_of(a), a->text);
            d->out[i].relayed = (d->offer & SMTP_OFFER_DSN) != 0;
        }
    relay.messages++;
    delivery_session_end(d, true);
    finish(d);
}

void relay_delivery_answer(struct delivery *d, size_t which, const struct smtp_answer *a)
{
    size_t n = d->m->n_recipients;

    if (which == 0 && a->code >= 300) {
        refuse_rest(d, a, false);
    } else if (which > 0 && which <= n) {
        rcpt_answer(d, which - 1, a);
    } else if (which == n + 1 && a->code != 354) {
        refuse_rest(d, a, false);
    } else if (which == n + 1) {
        d->step = AT_BODY;
        relay_delivery_room(d);
    } else if (which == n + 2) {
        if (d->step == AT_DOT && a->code < 300)
            delivered(d, a);
        else
            refuse_rest(d, a, d->step == AT_DOT);
    }
}

void relay_delivery_session_lost(struct delivery *d, int why, bool reused)
{
    d->s = NULL;
    if (reused && d->step <= AT_ENVELOPE &&
        d->accepted == 0) { /* it had hung up while it was idle: a connection of our own, then */
        for (size_t i = 0; i < d->m->n_recipients; i++)
            relay__outcome__init(&d->out[i]); /* all are asked for again */
        delivery_next_host(d);
        return;
    }
    d->uncertain = d->step == AT_DOT; /* RFC 5321 4.5.4.1: it may have been taken */
    d->trouble = true;
    outcome_rest(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.4.2", delivery_why_text(why));
    finish(d);
}

/* ---- the body ---- */

static void dot(struct delivery *d)
{
    Relay__DotEvent e = RELAY__DOT_EVENT__INIT;

    e.attempt = d->m->attempt;
    if (rpc_push(rpc_req_peer(d->q), RELAY__EVENT__DOT, &e.base) < 0)
        log_event(LOG_WARN, "relay.courier_does_not_read");
    d->step = AT_DOT;
    if (relay_session_dot(d->s) < 0)
        delivery_no_memory(d);
}

void relay_delivery_room(struct delivery *d)
{
    size_t n;

    if (d->step != AT_BODY)
        return;
    while ((n = size_min(d->body.n, relay_session_room(d->s))) > 0) {
        if (relay_session_body(d->s, str_slice(buf_str(&d->body), 0, n)) < 0) {
            delivery_no_memory(d);
            return;
        }
        buf_drop(&d->body, n);
        d->sent += n;
        rpc_req_consumed(d->q, n);
    }
    if (d->body_end && d->body.n == 0) {
        if (d->sent == d->m->bytes)
            dot(d);
        else /* our courier broke off */
            delivery_give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "the message broke off");
    }
}

static void body_came(void *ctx, struct str data, bool end)
{
    struct delivery *d = ctx;

    d->body_end |= end;
    if (buf_puts(&d->body, data) < 0) {
        delivery_no_memory(d);
        return;
    }
    relay_delivery_room(d);
}

/* The courier is gone. A message whose end is out goes on to its answer; any other never was. */
static void cancelled(void *ctx)
{
    struct delivery *d = ctx;

    d->cancelled = true;
    if (d->step == AT_DOT)
        return;
    delivery_give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "given up by the courier");
}

/* The courier hears that it was not tried, which an outcome cannot say: nothing is kept of it. */
void relay_delivery_stop(void)
{
    for (struct delivery *d = running, *next; d; d = next) {
        struct rpc_req *q = d->q;

        next = d->next;
        if (d->step == AT_DOT)
            continue;
        d->step = AT_END;
        rpc_req_on_data(q, NULL, NULL);
        rpc_req_on_cancel(q, NULL, NULL);
        rpc_req_on_room(q, NULL, NULL);
        delivery_session_end(d, false);
        delivery_free(d);
        rpc_reply(q, E_CANCELED, NULL, NULL); /* frees d */
    }
}

/* ---- SEND ---- */

size_t relay_delivery_running(uint64_t *attempts, size_t max)
{
    size_t n = 0;

    for (struct delivery *d = running; d && n < max; d = d->next)
        if (d->cancelled && d->step == AT_DOT)
            attempts[n++] = d->m->attempt;
    return n;
}

static int outcomes_new(struct delivery *d)
{
    size_t n = d->m->n_recipients;

    d->out = ARENA_ARRAY(rpc_req_arena(d->q), n, Relay__Outcome);
    d->outs = ARENA_ARRAY(rpc_req_arena(d->q), n, Relay__Outcome *);
    if (!d->out || !d->outs)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        relay__outcome__init(&d->out[i]);
        d->outs[i] = &d->out[i];
    }
    return 0;
}

int relay_op_send(struct rpc_req *q, struct str body)
{
    struct arena *a = rpc_req_arena(q);
    Relay__SendRequest *m = RPC_UNPACK(a, body, relay__send_request);
    struct delivery *d = ARENA_NEW(a, struct delivery);

    if (!m || !d)
        return m ? E_NOMEM : E_SYNTAX;
    if (relay.stopping || relay.deliveries >= RUNNING_MAX)
        return E_UNAVAIL;
    if (m->n_recipients == 0 || m->n_recipients > 1000 || m->domain.len == 0)
        return E_RANGE;
    d->q = q;
    d->m = m;
    d->body.max = BODY_MAX;
    if (outcomes_new(d) < 0 || delivery_find(d) < 0)
        return E_NOMEM;
    d->next = running;
    d->at = &running;
    if (running)
        running->at = &d->next;
    running = d;
    relay.deliveries++;
    rpc_req_on_cancel(q, cancelled, d);
    rpc_req_on_data(q, body_came, d);
    return 0;
}
