/* src/relay/post.c: one webhook: its JSON is taken whole, its host looked up as a mail server is, and it is posted
 * to an address that may be dialled. No redirects: what was checked is where it goes. */
#include "lib/base/log.h"
#include "lib/http/http.h"
#include "src/relay/relay.h"
#include <netinet/in.h>

#define BODY_MAX    MIB(160)
#define POSTS_MAX   256u
#define ANSWER_MAX  KIB(256)
#define PORTS       8u
#define HEADER_MAX  200u
#define RETRY_MAX_S (24u * 3600)

struct post {
    struct rpc_req *q;
    Relay__PostRequest *m;
    struct route_host host;
    bool plain, out, cancelled; /* out: it may have arrived */
    char *url, *resolve;
    struct lookup *lookup;
    struct http_call *call;
    struct buf body;
    struct post *next, **at;
};

static struct post *running;
static size_t nrunning;
static struct http_client *client;

/* ---- how it went ---- */

struct verdict {
    Relay__Outcome__Kind kind;
    const char *enhanced, *text;
    uint32_t code, retry_s;
    bool trouble, uncertain;
};

static void finish(struct post *p, const struct verdict *v)
{
    Relay__SendResponse m = RELAY__SEND_RESPONSE__INIT;
    Relay__Outcome o = RELAY__OUTCOME__INIT, *list[] = { &o };
    struct rpc_req *q = p->q;

    o.kind = v->kind;
    o.code = v->code;
    o.enhanced = str_pb(str_from(v->enhanced));
    o.text = str_pb(str_from(v->text));
    o.retry_after_s = v->retry_s;
    m.outcomes = list;
    m.n_outcomes = 1;
    m.peer = str_pb(p->host.name);
    m.trouble = v->trouble;
    m.uncertain = v->uncertain;
    rpc_req_on_data(q, NULL, NULL);
    rpc_req_on_cancel(q, NULL, NULL);
    relay_keep(p->m->attempt, &m);
    *p->at = p->next;
    if (p->next)
        p->next->at = p->at;
    nrunning--;
    relay.deliveries--;
    relay_lookup_cancel(&p->lookup);
    if (p->call)
        http_cancel(p->call);
    buf_release(&p->body);
    rpc_reply(q, 0, &m.base, NULL); /* frees p with the request's arena */
}

static void end(struct post *p, Relay__Outcome__Kind kind, const char *enhanced, const char *text,
                bool trouble)
{
    struct verdict v = { .kind = kind, .enhanced = enhanced, .text = text, .trouble = trouble };

    finish(p, &v);
}

#define DEFERRED  RELAY__OUTCOME__KIND__DEFERRED
#define FAILED    RELAY__OUTCOME__KIND__FAILED
#define DELIVERED RELAY__OUTCOME__KIND__DELIVERED

/* 2xx: taken. What the client did wrong will not mend itself, but for those that say so (RFC 9110 15.5.9, RFC 6585
 * 4), and 425 (RFC 8470 5.2). Redirects are not followed. */
static void answered_http(struct verdict *v, const struct http_answer *a)
{
    unsigned s = (unsigned)a->status;

    v->code = s;
    v->kind = s >= 200 && s < 300                                       ? DELIVERED
              : s >= 500 || s < 200 || s == 408 || s == 425 || s == 429 ? DEFERRED
                                                                        : FAILED;
    v->enhanced = v->kind == DELIVERED ? "2.0.0" : v->kind == DEFERRED ? "4.3.0" : "5.3.0";
    v->text = v->kind == DELIVERED  ? "the webhook took it"
              : s >= 300 && s < 400 ? "the webhook redirects, which is not followed"
              : v->kind == FAILED   ? "the webhook refused it"
                                    : "the webhook cannot take it now";
    v->trouble = s == 429 || s == 503;
    if (v->kind == DEFERRED && a->got[0].n && str_to_u32(str_trim(a->got[0]), &v->retry_s) &&
        v->retry_s > RETRY_MAX_S)
        v->retry_s = RETRY_MAX_S;
}

static void answered(void *ctx, const struct http_answer *a)
{
    struct post *p = ctx;
    struct verdict v = { .kind = DEFERRED, .enhanced = "4.4.1", .trouble = true };

    p->call = NULL;
    if (a->status > 0) {
        answered_http(&v, a);
    } else if (a->status == E_TOO_BIG) { /* it was heard, and answers what nobody asked for */
        v = (struct verdict){ .kind = FAILED,
                              .enhanced = "5.3.0",
                              .text = "the webhook's answer is too long" };
    } else {
        v.uncertain = a->status == E_TIMEOUT;
        v.enhanced = a->status == E_AUTH ? "4.7.5" : "4.4.1";
        v.text = a->status == E_AUTH      ? "the webhook's certificate is not valid"
                 : a->status == E_TIMEOUT ? "the webhook did not answer in time"
                                          : "the webhook could not be reached";
    }
    finish(p, &v);
}

/* ---- on its way ---- */

static bool may_dial(void *ctx UNUSED, const struct sockaddr *sa)
{
    struct sockaddr_storage all = { .ss_family = sa->sa_family };

    if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
        return false;
    memcpy(&all, sa, sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    return relay_conf.private_networks || !dial_addr_private(&all);
}

static void post_out(struct post *p)
{
    static const char *const want[] = { "Retry-After", NULL };
    char id[HEADER_MAX], signature[HEADER_MAX], type[HEADER_MAX];
    const char *fields[] = { "User-Agent: Letterlock", id, signature, NULL };
    Relay__DotEvent e = RELAY__DOT_EVENT__INIT;
    struct http_request r = { .url = p->url,
                              .allow_plain = p->plain,
                              .resolve = p->resolve,
                              .type = p->m->type.len ? type : "application/json",
                              .body = buf_str(&p->body),
                              .body_stays = true,
                              .fields = fields,
                              .want = want,
                              .accept = "*/*",
                              .answer_max = ANSWER_MAX,
                              .deadline_ms = (int64_t)relay_conf.webhook_ms,
                              .done = answered,
                              .ctx = p };

    snprintf(id, sizeof id, "X-Webhook-Id: %.*s", STR_ARG(pb_str(p->m->id)));
    snprintf(signature, sizeof signature, "X-Webhook-Signature: %.*s", STR_ARG(pb_str(p->m->signature)));
    snprintf(type, sizeof type, "%.*s", STR_ARG(pb_str(p->m->type)));
    if (p->m->type.len)
        fields[1] = NULL;
    e.attempt = p->m->attempt;
    if (rpc_push(rpc_req_peer(p->q), RELAY__EVENT__DOT, &e.base) < 0)
        log_event(LOG_WARN, "relay.courier_does_not_read");
    p->out = true;
    if (!(p->call = http_ask(client, &r)))
        end(p, DEFERRED, "4.3.0", "out of memory", false);
}

static void addrs_came(void *ctx, const struct route_addrs *at)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(4) };
    struct post *p = ctx;
    int r;

    p->lookup = NULL;
    if (at->n == 0) {
        end(p, at->temporary || !at->refused ? DEFERRED : FAILED,
            at->temporary ? "4.4.3"
            : at->refused ? "5.7.1"
                          : "4.4.4",
            at->temporary ? "the webhook's address cannot be looked up now"
            : at->refused ? "the webhook's address is a private one"
                          : "the webhook's host has no address",
            at->temporary || !at->refused);
        return;
    }
    r = relay_resolve_text(&b, p->host.name, p->host.port, at);
    if (r == 0 && !p->host.literal && !(p->resolve = arena_dupz(rpc_req_arena(p->q), buf_str(&b))))
        r = E_NOMEM;
    if (r < 0)
        end(p, DEFERRED, "4.3.0", "out of memory", false);
    else
        post_out(p);
}

static void body_came(void *ctx, struct str data, bool last)
{
    struct post *p = ctx;

    if (p->out || buf_puts(&p->body, data) < 0) {
        end(p, DEFERRED, "4.3.0", "out of memory", false);
        return;
    }
    rpc_req_consumed(p->q, data.n);
    if (!last)
        return;
    if (p->body.n != p->m->bytes)
        end(p, DEFERRED, "4.3.0", "the message broke off", false);
    else if (!(p->lookup = relay_route_addrs(rpc_req_arena(p->q), &p->host, addrs_came, p)))
        end(p, DEFERRED, "4.3.0", "out of memory", false);
}

/* The courier is gone. What is out goes on to its answer. */
static void cancelled(void *ctx)
{
    struct post *p = ctx;

    p->cancelled = true;
    if (!p->out)
        end(p, DEFERRED, "4.3.0", "given up by the courier", false);
}

/* ---- URLs ---- */

size_t relay_post_ports(uint16_t *ports, size_t max)
{
    struct str rest = str_from(relay_conf.webhook_ports), one;
    size_t n = 0;
    uint32_t port;

    while (rest.n && n < size_min(max, PORTS)) {
        (void)str_cut(rest, ',', &one, &rest);
        if (str_to_u32(str_trim(one), &port) && port > 0 && port < 65536)
            ports[n++] = (uint16_t)port;
    }
    return n;
}

static bool port_allowed(uint16_t port)
{
    uint16_t ports[PORTS];
    size_t n = relay_post_ports(ports, PORTS);

    for (size_t i = 0; i < n; i++)
        if (ports[i] == port)
            return true;
    return false;
}

/* scheme://host[:port][/…]; the directory looked at the rest when the webhook was made. */
static bool url_read(struct post *p)
{
    struct str url = pb_str(p->m->url), rest, host;
    size_t end = 0;
    ptrdiff_t colon;
    uint32_t port;

    p->plain = str_istarts(url, STR("http://"));
    if (!p->plain && !str_istarts(url, STR("https://")))
        return false;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7F)
            return false;
    rest = str_skip(url, p->plain ? 7 : 8);
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
        end++;
    host = str_slice(rest, 0, end);
    port = p->plain ? 80 : 443;
    colon = str_rchr(host, ':');
    if (colon >= 0 && str_chr(str_skip(host, (size_t)colon), ']') < 0) {
        if (!str_to_u32(str_skip(host, (size_t)colon + 1), &port) || port == 0 || port > 65535)
            return false;
        host.n = (size_t)colon;
    }
    if (host.n == 0 || host.n > 255 || str_chr(host, '@') >= 0)
        return false;
    p->host = (struct route_host){ .name = host, .port = (uint16_t)port };
    if (host.p[0] == '[') {
        if (host.n < 3 || host.p[host.n - 1] != ']')
            return false;
        p->host.name = str_slice(host, 1, host.n - 1);
        p->host.literal = true;
    }
    return (p->url = arena_dupz(rpc_req_arena(p->q), url)) != NULL;
}

/* Where the last label begins with a digit there is no name (RFC 3696 2) but an address, which libcurl reads in odd
 * forms, too: those find no address here. */
static void literal_v4(struct post *p)
{
    struct str h = p->host.name;

    h = str_skip(h, (size_t)(str_rchr(h, '.') + 1));
    p->host.literal = p->host.literal || (h.n > 0 && ascii_digit(h.p[0]));
}

/* ---- POST ---- */

size_t relay_post_running(uint64_t *attempts, size_t max)
{
    size_t n = 0;

    for (struct post *p = running; p && n < max; p = p->next)
        if (p->cancelled && p->out)
            attempts[n++] = p->m->attempt;
    return n;
}

int relay_op_post(struct rpc_req *q, struct str body)
{
    struct arena *a = rpc_req_arena(q);
    Relay__PostRequest *m = RPC_UNPACK(a, body, relay__post_request);
    struct post *p = ARENA_NEW(a, struct post);

    if (!m || !p)
        return m ? E_NOMEM : E_SYNTAX;
    if (relay.stopping || nrunning >= POSTS_MAX || !client)
        return E_UNAVAIL;
    if (m->bytes == 0 || m->bytes > BODY_MAX)
        return E_RANGE;
    p->q = q;
    p->m = m;
    p->body.max = (size_t)m->bytes;
    p->next = running;
    p->at = &running;
    if (running)
        running->at = &p->next;
    running = p;
    nrunning++;
    relay.deliveries++;
    rpc_req_on_cancel(q, cancelled, p);
    rpc_req_on_data(q, body_came, p);
    if (!url_read(p)) {
        end(p, FAILED, "5.1.3", "the webhook's URL cannot be read", false);
        return 0;
    }
    literal_v4(p);
    if (!port_allowed(p->host.port))
        end(p, FAILED, "5.7.1", "the webhook's port is not among relay.webhook_ports", false);
    return 0;
}

struct http_client *relay_http(void)
{
    return client;
}

void relay_post_open(void)
{
    const char *err = NULL;

    client = http_client_new(role_loop(relay.role), relay_conf.ca_file, may_dial, NULL, &err);
    if (err || !client)
        log_event(LOG_WARN, "relay.no_authorities", F_Z("why", err ? err : "out of memory"),
                  F_Z("file", relay_conf.ca_file));
}
