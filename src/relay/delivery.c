/* src/relay/delivery.c: one message to one destination.
 *
 * Hosts are tried in order until one takes an envelope; from then on the message is that host's. As long as
 * nothing of the body has gone out another host may be tried. Once the last dot is out the peer's answer is
 * the message's fate: that is told to the courier before, so that it knows what may have been delivered if we
 * die. */
#include "src/relay/relay.h"
#include "lib/base/log.h"
#include "lib/smtp/command.h"
#include <assert.h>

#define CONNECT_MS  30000
#define RUNNING_MAX 4096u
#define BODY_MAX    (RPC_WINDOW + 2 * RPC_DATA_MAX)

#define NOTES_MAX 32u

enum step { AT_ROUTE, AT_ADDRS, AT_TLSA, AT_DIAL, AT_SESSION, AT_ENVELOPE, AT_BODY, AT_DOT, AT_END };

struct delivery {
    struct rpc_req *q;
    Relay__SendRequest *m;
    enum step step;
    const struct route *route;
    size_t host;
    struct lookup *lookup;
    struct relay_sts_wait *sts;
    struct dane_find *dane;
    struct safety safety;
    struct need need;  /* of the host that is tried */
    Relay__Sts *newer; /* a policy for the courier */
    Relay__TlsNote *notes[NOTES_MAX];
    size_t nnotes;
    struct dial *dial;
    struct dial_addr addrs[DIAL_ADDRS_MAX];
    size_t naddrs, addr;
    struct session *s;
    Relay__Outcome *out, **outs;
    struct str *rcpt;
    size_t accepted;
    uint32_t offer;
    struct buf body; /* came, and has not been sent */
    uint64_t sent;
    bool body_end, clear, cancelled, trouble, uncertain, needs_7bit; /* clear: TLS failed with this host */
    bool unfit;            /* no host can do what REQUIRETLS asks for */
    const char *sts_error; /* the policy could not be had */
    unsigned code;         /* why the last host did not do, for when none does */
    const char *enhanced;
    char text[SMTP_ANSWER_TEXT_MAX + 80], peer[330], tls[80];
    struct delivery *next, **at;
};

static struct delivery *running;

static void next_host(struct delivery *d);

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

static void give_up(struct delivery *d, Relay__Outcome__Kind kind, unsigned code, const char *enhanced,
                    const char *text)
{
    if (d->s)
        relay_session_release(d->s, false);
    d->s = NULL;
    outcome_rest(d, kind, code, enhanced, text);
    finish(d);
}

static const char *why_text(int why)
{
    return why == E_AUTH      ? "it is not who it has to be"
           : why == E_TIMEOUT ? "no answer in time"
           : why == E_SYNTAX  ? "it does not speak SMTP"
           : why == E_LIMIT   ? "it says too much"
                              : "the connection was cut off";
}

/* ---- hosts ---- */

/* Nobody took it: what the last one said, or why there was none. */
static void no_host(struct delivery *d)
{
    d->trouble = !d->unfit;
    give_up(d, d->unfit ? RELAY__OUTCOME__KIND__FAILED : RELAY__OUTCOME__KIND__DEFERRED, d->code,
            d->enhanced ? d->enhanced : "4.4.1",
            d->text[0] ? d->text : "no mail server of the domain could be reached");
}

static void reason(struct delivery *d, unsigned code, const char *enhanced, const char *text)
{
    d->unfit = false;
    d->code = code;
    d->enhanced = enhanced;
    snprintf(d->text, sizeof d->text, "%s", text);
}

static void dialled(void *ctx, int fd, size_t which)
{
    struct delivery *d = ctx;
    const struct route_host *h = &d->route->hosts[d->host];
    bool tls = relay_conf.tls != RELAY_TLS_NEVER && !d->clear;
    struct dial_addr to = d->addrs[which];

    d->dial = NULL;
    if (fd < 0) {
        reason(d, 0, "4.4.1", fd == E_TIMEOUT ? "connecting took too long" : "the connection was refused");
        d->host++;
        next_host(d);
        return;
    }
    relay.dialled++;
    d->addrs[0] = to; /* in the clear: the same one again */
    d->naddrs = 1;
    d->step = AT_SESSION;
    if (!(d->s = relay_session_new(fd, h, &to, tls, &d->need, d)))
        give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
}

static void dial(struct delivery *d)
{
    d->step = AT_DIAL;
    if (relay.connections >= relay_conf.connections_max)
        relay_session_close_idle();
    if (!(d->dial =
              dial_start(role_loop(relay.role), d->addrs, d->naddrs, relay_patience(CONNECT_MS), dialled, d)))
        give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
}

static const struct route_host *host_of(const struct delivery *d)
{
    return &d->route->hosts[d->host];
}

/* ---- what TLS reports are made of ---- */

/* result NULL: it went well. Without memory there is one note less. */
static void note(struct delivery *d, const struct session *s, const char *result, const char *why)
{
    struct arena *a = rpc_req_arena(d->q);
    Relay__TlsNote *n = d->nnotes < NOTES_MAX ? ARENA_NEW(a, Relay__TlsNote) : NULL;
    char peer[64] = "", own[64] = "";

    if (!n || host_of(d)->own || relay_conf.smarthost[0] || relay_conf.tls == RELAY_TLS_NEVER)
        return;
    relay__tls_note__init(n);
    if (s)
        relay_session_ends(s, peer, own, sizeof peer);
    n->policy = d->need.policy;
    n->result = str_pb(arena_dup(a, str_from(result)));
    n->mx = str_pb(host_of(d)->name);
    n->ip = str_pb(arena_dup(a, str_from(peer)));
    n->from_ip = str_pb(arena_dup(a, str_from(own)));
    n->reason = str_pb(arena_dup(a, str_from(why)));
    n->policy_text = str_pb(d->need.policy_text);
    d->notes[d->nnotes++] = n;
}

/* A connection is made: what became of its TLS. */
static void note_session(struct delivery *d)
{
    const char *why, *result = relay_session_tls_result(d->s, &why);

    if (d->clear || !relay_session_is_new(d->s))
        return;
    if (!relay_session_is_tls(d->s))
        note(d, d->s, "starttls-not-supported", "");
    else if (d->need.policy == RELAY__TLS_NOTE__POLICY__TLSA && d->need.peer.need != TLS_DANE)
        note(d, d->s, "tlsa-invalid", "no record that mail can use");
    else if (d->sts_error && d->need.policy == RELAY__TLS_NOTE__POLICY__NONE) {
        d->need.policy = RELAY__TLS_NOTE__POLICY__STS;
        note(d, d->s, d->sts_error, "");
    } else
        note(d, d->s, d->need.result ? d->need.result : result, d->need.result ? d->need.why : why);
}

/* ---- hosts, and what they have to keep ---- */

/* "MTA-STS: …": who asks stands first. */
static void reason_tls(struct delivery *d, const char *enhanced, const char *why, const char *more)
{
    static const char *const who[] = { "TLS", "MTA-STS", "DANE" };
    char text[300];

    snprintf(text, sizeof text, "%s: %s%s%s", who[d->need.policy], why, *more ? ": " : "", more);
    reason(d, 0, enhanced, text);
}

static void skip_host(struct delivery *d)
{
    d->host++;
    next_host(d);
}

/* What this host has to keep is known: true, or it is passed over. */
static bool host_may(struct delivery *d, const struct dane *dane)
{
    bool may = relay_need_of(rpc_req_arena(d->q), &d->safety, d->route, host_of(d), dane,
                             pb_str(d->m->domain), &d->need);

    if (may)
        return true;
    if (d->need.result)
        note(d, NULL, d->need.result, d->need.why);
    reason_tls(d, d->need.result || !d->need.why ? "4.7.5" : "5.7.30",
               d->need.why ? d->need.why : "out of memory", "");
    d->unfit = d->safety.requiretls && !d->need.result && d->need.why;
    return false;
}

static bool reuse(struct delivery *d)
{
    if (!(d->s = relay_session_reuse(host_of(d), &d->need, d)))
        return false;
    d->step = AT_SESSION;
    return true;
}

static void tlsa_came(void *ctx, const struct dane *dane)
{
    struct delivery *d = ctx;

    d->dane = NULL;
    if (dane->state == DANE_TROUBLE) {
        d->need = (struct need){ .policy = RELAY__TLS_NOTE__POLICY__TLSA };
        note(d, NULL, "dnssec-invalid", "its TLSA records cannot be looked up");
        reason_tls(d, "4.7.5", "the mail server's TLSA records cannot be looked up now", "");
        skip_host(d);
    } else if (!host_may(d, dane)) {
        skip_host(d);
    } else if (!reuse(d)) {
        dial(d);
    }
}

/* Signed records are looked for where all that leads there is authenticated (RFC 7672 2.2). */
static bool may_have_tlsa(const struct delivery *d)
{
    return d->safety.counts && relay_conf.dane && d->route->secure && !host_of(d)->own &&
           !host_of(d)->literal;
}

static void addrs_came(void *ctx, const struct route_addrs *r)
{
    struct arena *a = rpc_req_arena(((struct delivery *)ctx)->q);
    struct delivery *d = ctx;

    d->lookup = NULL;
    if (r->n == 0) {
        reason(d, 0, r->temporary ? "4.4.3" : "5.4.4",
               r->temporary ? "a mail server's address cannot be looked up now"
               : r->refused ? "the mail server's address is a private one"
                            : "the mail server has no address");
        skip_host(d);
        return;
    }
    memcpy(d->addrs, r->v, r->n * sizeof *r->v);
    d->naddrs = r->n;
    if (!may_have_tlsa(d)) {
        dial(d);
    } else if (r->secure) {
        d->step = AT_TLSA;
        if (!(d->dane = relay_dane_find(a, host_of(d)->name, r->led_to, host_of(d)->port, tlsa_came, d)))
            give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
    } else if (!host_may(d, NULL)) {
        skip_host(d);
    } else if (!reuse(d)) {
        dial(d);
    }
}

static void next_host(struct delivery *d)
{
    d->clear = false;
    for (; d->host < d->route->n; d->host++)
        if (may_have_tlsa(d) || host_may(d, NULL))
            break;
    if (d->host >= d->route->n) {
        no_host(d);
        return;
    }
    if (!may_have_tlsa(d) && reuse(d))
        return;
    d->step = AT_ADDRS;
    if (!(d->lookup = relay_route_addrs(rpc_req_arena(d->q), host_of(d), addrs_came, d)))
        give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
}

static void begin(struct delivery *d)
{
    const struct route *r = d->route;

    if (!r || d->sts)
        return; /* the other one is still to come */
    if (r->n > 0) {
        next_host(d);
        return;
    }
    d->trouble = !r->permanent;
    give_up(d, r->permanent ? RELAY__OUTCOME__KIND__FAILED : RELAY__OUTCOME__KIND__DEFERRED, 0, r->enhanced,
            r->why);
}

static void route_came(void *ctx, const struct route *r)
{
    struct delivery *d = ctx;

    d->lookup = NULL;
    d->route = r;
    begin(d);
}

static void sts_came(void *ctx, const struct relay_sts *s)
{
    struct delivery *d = ctx;
    struct arena *a = rpc_req_arena(d->q);
    struct str text = s->fetched_ms ? arena_dup(a, s->text) : STR_NONE;

    d->sts = NULL;
    d->safety.sts_applies = s->applies && text.p && sts_policy_parse(text, &d->safety.sts) == 0;
    d->sts_error = s->known ? NULL : s->error;
    if (text.p && s->fetched_ms > (d->m->sts ? d->m->sts->fetched_ms : 0) &&
        (d->newer = ARENA_NEW(a, Relay__Sts))) {
        relay__sts__init(d->newer);
        d->newer->id = str_pb(arena_dup(a, s->id));
        d->newer->text = str_pb(text);
        d->newer->fetched_ms = s->fetched_ms;
    }
    begin(d);
}

static bool tls_failure_is_no(const struct delivery *d)
{
    return d->need.strict || d->m->requiretls || host_of(d)->tls || relay_conf.smarthost[0];
}

void relay_delivery_session_failed(struct delivery *d, const struct session *s,
                                   const struct session_failure *f)
{
    d->s = NULL;
    if (f->result)
        note(d, s, f->result, f->text);
    if (f->tls && !tls_failure_is_no(d)) {
        d->clear = true; /* RFC 7435: opportunistic. Once more, without */
        dial(d);
        return;
    }
    if (f->answer)
        reason(d, f->answer->code, "4.3.0", f->answer->text);
    else if (f->tls)
        reason_tls(d, "4.7.5", f->why == E_AUTH ? f->result : "TLS failed",
                   *f->text ? f->text : why_text(f->why));
    else
        reason(d, 0, "4.4.2", why_text(f->why));
    skip_host(d);
}

/* ---- the envelope ---- */

static const char *no_space(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return NULL;
    return s.p;
}

static int put_notify(struct buf *b, uint32_t notify)
{
    static const char *const words[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
    bool any = false;
    int r = buf_putz(b, " NOTIFY=");

    for (unsigned i = 0; i < ARRAY_LEN(words) && r == 0; i++)
        if (notify & BIT(i)) {
            r = buf_printf(b, "%s%s", any ? "," : "", words[i]);
            any = true;
        }
    return r;
}

static int put_rcpt(struct delivery *d, size_t i, struct buf *b)
{
    const Relay__Recipient *x = d->m->recipients[i];
    bool dsn = (d->offer & SMTP_OFFER_DSN) != 0;
    int r;

    if (!no_space(pb_str(x->to)) && x->to.len)
        return E_SYNTAX;
    r = buf_printf(b, "RCPT TO:<%.*s>", STR_ARG(pb_str(x->to)));
    if (r == 0 && dsn && x->notify)
        r = put_notify(b, x->notify);
    if (r == 0 && dsn && x->orcpt.len && no_space(pb_str(x->orcpt))) {
        struct str type, address;

        if (str_cut(pb_str(x->orcpt), ';', &type, &address) && smtp_xtext_decode(address, NULL) == 0)
            r = buf_printf(b, " ORCPT=%.*s;%.*s", STR_ARG(type), STR_ARG(address)); /* is xtext as it came */
    }
    return r < 0 ? r : buf_putz(b, "\r\n");
}

static int put_mail(struct delivery *d, const struct smtp_offer *o, struct buf *b)
{
    const Relay__SendRequest *m = d->m;
    int r;

    if (m->sender.len && !no_space(pb_str(m->sender)))
        return E_SYNTAX;
    r = buf_printf(b, "MAIL FROM:<%.*s>", STR_ARG(pb_str(m->sender)));
    if (r == 0 && (o->has & SMTP_OFFER_SIZE))
        r = buf_printf(b, " SIZE=%llu", (unsigned long long)m->bytes);
    if (r == 0 && (o->has & SMTP_OFFER_8BITMIME))
        r = buf_putz(b, m->eightbit ? " BODY=8BITMIME" : " BODY=7BIT");
    if (r == 0 && m->smtputf8)
        r = buf_putz(b, " SMTPUTF8");
    if (r == 0 && m->requiretls &&
        (o->has & SMTP_OFFER_REQUIRETLS)) /* a bounce goes without: keeps_requiretls */
        r = buf_putz(b, " REQUIRETLS");
    if (r == 0 && (o->has & SMTP_OFFER_DSN) && m->ret)
        r = buf_putz(b, m->ret == 1 ? " RET=FULL" : " RET=HDRS");
    if (r == 0 && (o->has & SMTP_OFFER_DSN) && m->envid.len && (r = buf_putz(b, " ENVID=")) == 0)
        r = smtp_xtext(b, pb_str(m->envid));
    if (r == 0 && (o->has & SMTP_OFFER_DELIVERBY) && m->deliver_by_s)
        r = buf_printf(b, " BY=%lld;%c", (long long)m->deliver_by_s, m->deliver_by_notify ? 'N' : 'R');
    if (r == 0 && (o->has & SMTP_OFFER_MT_PRIORITY) && m->priority)
        r = buf_printf(b, " MT-PRIORITY=%d", (int)m->priority);
    return r < 0 ? r : buf_putz(b, "\r\n");
}

static bool needs_utf8(const struct delivery *d)
{
    bool yes = d->m->smtputf8 || !str_is_ascii(pb_str(d->m->sender));

    for (size_t i = 0; i < d->m->n_recipients && !yes; i++)
        yes = !str_is_ascii(pb_str(d->m->recipients[i]->to));
    return yes;
}

/* What this server lacks that the message cannot do without: NULL, or why, with its enhanced code. */
static const char *lacks(const struct delivery *d, const struct smtp_offer *o, const char **enhanced)
{
    *enhanced = "5.6.7";
    if (needs_utf8(d) && !(o->has & SMTP_OFFER_SMTPUTF8))
        return "the mail server takes no internationalized mail (SMTPUTF8)";
    *enhanced = "5.3.4";
    if (o->size_max && d->m->bytes > o->size_max)
        return "the message is larger than the mail server takes";
    return NULL;
}

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
    int r = put_mail(d, o, &b);

    if (r < 0 || !(d->rcpt = ARENA_ARRAY(a, d->m->n_recipients, struct str)))
        return r < 0 ? r : E_NOMEM;
    mail = arena_dup(a, buf_str(&b));
    for (size_t i = 0; i < d->m->n_recipients; i++) {
        buf_clear(&b);
        if ((r = put_rcpt(d, i, &b)) < 0)
            return r;
        if (!(d->rcpt[i] = arena_dup(a, buf_str(&b))).p)
            return E_NOMEM;
    }
    d->step = AT_ENVELOPE;
    return mail.p ? relay_session_begin(d->s, mail, d->rcpt, d->m->n_recipients) : E_NOMEM;
}

void relay_delivery_session_up(struct delivery *d)
{
    const struct smtp_offer *o = relay_session_offer(d->s);
    const char *enhanced, *why;

    snprintf(d->peer, sizeof d->peer, "%s", relay_session_peer(d->s));
    relay_session_tls_text(d->s, d->tls, sizeof d->tls);
    d->offer = o->has;
    note_session(d);
    if (d->need.strict && !d->m->requiretls && !relay_session_is_tls(d->s)) {
        reason_tls(d, "4.7.5", "the mail server offers no TLS, which has to be", "");
        relay_session_release(d->s, true);
        d->s = NULL;
        skip_host(d);
        return;
    }
    if ((d->m->requiretls && !keeps_requiretls(d, o)) ||
        (relay_conf.smarthost[0] && relay_conf.tls != RELAY_TLS_NEVER && !relay_session_is_tls(d->s))) {
        reason(d, 0, "5.7.30",
               "the mail server cannot keep what was asked for (REQUIRETLS)"); /* RFC 8689 5 */
        relay_session_release(d->s, true);
        d->s = NULL;
        d->host++;
        if (d->host < d->route->n)
            next_host(d);
        else
            give_up(d, d->m->requiretls ? RELAY__OUTCOME__KIND__FAILED : RELAY__OUTCOME__KIND__DEFERRED, 0,
                    "5.7.30", d->text);
        return;
    }
    if ((why = lacks(d, o, &enhanced))) {
        relay_session_release(d->s, true);
        d->s = NULL;
        give_up(d, RELAY__OUTCOME__KIND__FAILED, 0, enhanced, why);
        return;
    }
    if (d->m->eightbit && !(o->has & SMTP_OFFER_8BITMIME)) {
        d->needs_7bit = true;
        relay_session_release(d->s, true);
        d->s = NULL;
        give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.6.3",
                "the message has bytes above 127, and the mail server takes none (8BITMIME)");
        return;
    }
    if (envelope(d, o) < 0)
        give_up(d, RELAY__OUTCOME__KIND__FAILED, 0, "5.1.3", "an address cannot be written in SMTP");
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
    relay_session_release(d->s, clean && a->code != 421);
    d->s = NULL;
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
    relay_session_release(d->s, false);
    d->s = NULL;
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
    relay_session_release(d->s, true);
    d->s = NULL;
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
        next_host(d);
        return;
    }
    d->uncertain = d->step == AT_DOT; /* RFC 5321 4.5.4.1: it may have been taken */
    d->trouble = true;
    outcome_rest(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.4.2", why_text(why));
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
        give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
}

void relay_delivery_room(struct delivery *d)
{
    size_t n;

    if (d->step != AT_BODY)
        return;
    while ((n = size_min(d->body.n, relay_session_room(d->s))) > 0) {
        if (relay_session_body(d->s, str_slice(buf_str(&d->body), 0, n)) < 0) {
            give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
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
            give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "the message broke off");
    }
}

static void body_came(void *ctx, struct str data, bool end)
{
    struct delivery *d = ctx;

    d->body_end |= end;
    if (buf_puts(&d->body, data) < 0) {
        give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "out of memory");
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
    give_up(d, RELAY__OUTCOME__KIND__DEFERRED, 0, "4.3.0", "given up by the courier");
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
        if (d->s)
            relay_session_release(d->s, false);
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
    d->safety.requiretls = m->requiretls; /* which counts for more than "TLS-Required: No" (RFC 8689 4.1) */
    d->safety.counts = !relay_conf.smarthost[0] && relay_conf.tls != RELAY_TLS_NEVER &&
                       m->domain.data[0] != '[' && (m->requiretls || !m->tls_optional);
    if (outcomes_new(d) < 0 || !(d->lookup = relay_route_find(a, pb_str(m->domain), route_came, d)))
        return E_NOMEM;
    if (d->safety.counts && relay_conf.mta_sts)
        d->sts = relay_sts_find(pb_str(m->domain), m->sts, sts_came, d);
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
