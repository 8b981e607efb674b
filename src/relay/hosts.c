/* src/relay/hosts.c: which server gets the message: routes, addresses, what each has to keep, and its connection. */
#include "src/relay/delivery.h"

#define CONNECT_MS 30000

/* Nobody took it: what the last one said, or why there was none. */
static void no_host(struct delivery *d)
{
    d->trouble = !d->unfit;
    delivery_give_up(d, d->unfit ? RELAY__OUTCOME__KIND__FAILED : RELAY__OUTCOME__KIND__DEFERRED, d->code,
                     d->enhanced ? d->enhanced : "4.4.1",
                     d->text[0] ? d->text : "no mail server of the domain could be reached");
}

void delivery_reason(struct delivery *d, unsigned code, const char *enhanced, const char *text)
{
    d->unfit = false;
    d->code = code;
    d->enhanced = enhanced;
    snprintf(d->text, sizeof d->text, "%s", text);
}

void delivery_reason_tls(struct delivery *d, const char *enhanced, const char *why, const char *more)
{
    static const char *const who[] = { "TLS", "MTA-STS", "DANE" };
    char text[300];

    snprintf(text, sizeof text, "%s: %s%s%s", who[d->need.policy], why, *more ? ": " : "", more);
    delivery_reason(d, 0, enhanced, text);
}

void delivery_skip_host(struct delivery *d)
{
    d->host++;
    delivery_next_host(d);
}

/* ---- its connection ---- */

const struct route_host *delivery_host(const struct delivery *d)
{
    return &d->route->hosts[d->host];
}

static void dialled(void *ctx, int fd, size_t which)
{
    struct delivery *d = ctx;
    bool tls = relay_conf.tls != RELAY_TLS_NEVER && !d->clear;
    struct dial_addr to = d->addrs[which];

    d->dial = NULL;
    if (fd < 0) {
        delivery_reason(d, 0, "4.4.1",
                        fd == E_TIMEOUT ? "connecting took too long" : "the connection was refused");
        delivery_skip_host(d);
        return;
    }
    relay.dialled++;
    d->addrs[0] = to; /* in the clear: the same one again */
    d->naddrs = 1;
    d->step = AT_SESSION;
    if (!(d->s = relay_session_new(fd, delivery_host(d), &to, tls, &d->need, d)))
        delivery_no_memory(d);
}

static void dial(struct delivery *d)
{
    d->step = AT_DIAL;
    if (relay.connections >= relay_conf.connections_max)
        relay_session_close_idle();
    if (!(d->dial =
              dial_start(role_loop(relay.role), d->addrs, d->naddrs, relay_patience(CONNECT_MS), dialled, d)))
        delivery_no_memory(d);
}

static bool reuse(struct delivery *d)
{
    if (!(d->s = relay_session_reuse(delivery_host(d), &d->need, d)))
        return false;
    d->step = AT_SESSION;
    return true;
}

/* ---- what it has to keep ---- */

/* What this host has to keep is known: true, or it is passed over. */
static bool host_may(struct delivery *d, const struct dane *dane)
{
    bool may = relay_need_of(rpc_req_arena(d->q), &d->safety, d->route, delivery_host(d), dane,
                             pb_str(d->m->domain), &d->need);

    if (may)
        return true;
    if (d->need.result)
        delivery_note(d, NULL, d->need.result, d->need.why);
    delivery_reason_tls(d, d->need.result || !d->need.why ? "4.7.5" : "5.7.30",
                        d->need.why ? d->need.why : "out of memory", "");
    d->unfit = d->safety.requiretls && !d->need.result && d->need.why;
    return false;
}

/* Signed records are looked for where all that leads there is authenticated (RFC 7672 2.2). */
static bool may_have_tlsa(const struct delivery *d)
{
    return d->safety.counts && relay_conf.dane && d->route->secure && !delivery_host(d)->own &&
           !delivery_host(d)->literal;
}

static void tlsa_came(void *ctx, const struct dane *dane)
{
    struct delivery *d = ctx;

    d->dane = NULL;
    if (dane->state == DANE_TROUBLE) {
        d->need = (struct need){ .policy = RELAY__TLS_NOTE__POLICY__TLSA };
        delivery_note(d, NULL, "dnssec-invalid", "its TLSA records cannot be looked up");
        delivery_reason_tls(d, "4.7.5", "the mail server's TLSA records cannot be looked up now", "");
        delivery_skip_host(d);
    } else if (!host_may(d, dane)) {
        delivery_skip_host(d);
    } else if (!reuse(d)) {
        dial(d);
    }
}

static void addrs_came(void *ctx, const struct route_addrs *r)
{
    struct arena *a = rpc_req_arena(((struct delivery *)ctx)->q);
    struct delivery *d = ctx;

    d->lookup = NULL;
    if (r->n == 0) {
        delivery_reason(d, 0, r->temporary ? "4.4.3" : "5.4.4",
                        r->temporary ? "a mail server's address cannot be looked up now"
                        : r->refused ? "the mail server's address is a private one"
                                     : "the mail server has no address");
        delivery_skip_host(d);
        return;
    }
    memcpy(d->addrs, r->v, r->n * sizeof *r->v);
    d->naddrs = r->n;
    if (!may_have_tlsa(d)) {
        dial(d);
    } else if (r->secure) {
        d->step = AT_TLSA;
        if (!(d->dane = relay_dane_find(a, delivery_host(d)->name, r->led_to, delivery_host(d)->port,
                                        tlsa_came, d)))
            delivery_no_memory(d);
    } else if (!host_may(d, NULL)) {
        delivery_skip_host(d);
    } else if (!reuse(d)) {
        dial(d);
    }
}

void delivery_next_host(struct delivery *d)
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
    if (!(d->lookup = relay_route_addrs(rpc_req_arena(d->q), delivery_host(d), addrs_came, d)))
        delivery_no_memory(d);
}

/* ---- where there are any ---- */

static void begin(struct delivery *d)
{
    const struct route *r = d->route;

    if (!r || d->sts)
        return; /* the other one is still to come */
    if (r->n > 0) {
        delivery_next_host(d);
        return;
    }
    d->trouble = !r->permanent;
    delivery_give_up(d, r->permanent ? RELAY__OUTCOME__KIND__FAILED : RELAY__OUTCOME__KIND__DEFERRED, 0,
                     r->enhanced, r->why);
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

int delivery_find(struct delivery *d)
{
    Relay__SendRequest *m = d->m;

    d->safety.requiretls = m->requiretls; /* which counts for more than "TLS-Required: No" (RFC 8689 4.1) */
    d->safety.counts = !relay_conf.smarthost[0] && relay_conf.tls != RELAY_TLS_NEVER &&
                       m->domain.data[0] != '[' && (m->requiretls || !m->tls_optional);
    if (!(d->lookup = relay_route_find(rpc_req_arena(d->q), pb_str(m->domain), route_came, d)))
        return E_NOMEM;
    if (d->safety.counts && relay_conf.mta_sts)
        d->sts = relay_sts_find(pb_str(m->domain), m->sts, sts_came, d);
    return 0;
}

/* ---- it did not do ---- */

static bool tls_failure_is_no(const struct delivery *d)
{
    return d->need.strict || d->m->requiretls || delivery_host(d)->tls || relay_conf.smarthost[0];
}

void relay_delivery_session_failed(struct delivery *d, const struct session *s,
                                   const struct session_failure *f)
{
    d->s = NULL;
    if (f->result)
        delivery_note(d, s, f->result, f->text);
    if (f->tls && !tls_failure_is_no(d)) {
        d->clear = true; /* RFC 7435: opportunistic. Once more, without */
        dial(d);
        return;
    }
    if (f->answer)
        delivery_reason(d, f->answer->code, "4.3.0", f->answer->text);
    else if (f->tls)
        delivery_reason_tls(d, "4.7.5", f->why == E_AUTH ? f->result : "TLS failed",
                            *f->text ? f->text : delivery_why_text(f->why));
    else
        delivery_reason(d, 0, "4.4.2", delivery_why_text(f->why));
    delivery_skip_host(d);
}
