/* src/relay/route.c: MX records, addresses, and who may not be dialled (RFC 5321 5.1, RFC 7505). */
#include "src/relay/relay.h"
#include "lib/base/rand.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#define ASK_MS 20000

struct lookup {
    struct resolve *q[2];
    struct timer later; /* answers that need no question come from here */
    struct arena *arena;
    struct str domain;
    uint16_t port;
    route_fn *route;
    addrs_fn *addrs;
    void *ctx;
    struct route *out;
    struct dial_addr v6[DIAL_ADDRS_MAX], v4[DIAL_ADDRS_MAX];
    size_t n6, n4, insecure;
    struct str led_to;
    bool temporary, refused, mx_asked;
};

static void lookup_free(struct lookup *l)
{
    resolve_cancel(&l->q[0]);
    resolve_cancel(&l->q[1]);
    timer_release(&l->later);
    free(l);
}

void relay_lookup_cancel(struct lookup **l)
{
    if (*l)
        lookup_free(*l);
    *l = NULL;
}

static struct lookup *lookup_new(struct arena *a, void *ctx, void (*fire)(struct timer *t))
{
    struct lookup *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->arena = a;
    l->ctx = ctx;
    if (timer_init(&l->later, role_loop(relay.role), fire) < 0) {
        free(l);
        return NULL;
    }
    return l;
}

/* ---- hosts ---- */

static void route_end(struct lookup *l)
{
    route_fn *done = l->route;
    struct route *out = l->out;
    void *ctx = l->ctx;

    lookup_free(l);
    done(ctx, out);
}

static void route_no(struct lookup *l, bool permanent, const char *enhanced, const char *why)
{
    l->out->n = 0;
    l->out->permanent = permanent;
    l->out->enhanced = enhanced;
    l->out->why = why;
    route_end(l);
}

static void host_add(struct lookup *l, struct str name)
{
    struct str copy = arena_dup(l->arena, name);

    if (l->out->n < ROUTE_HOSTS_MAX && copy.p)
        l->out->hosts[l->out->n++] = (struct route_host){ .name = copy, .port = l->port };
}

/* Equal preferences in any order, so that load is shared (RFC 5321 5.1). */
static void shuffle(const struct dns_record **v, size_t n)
{
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && v[to]->mx.preference == v[from]->mx.preference; to++)
            ;
        for (size_t i = to - from; i > 1; i--) {
            size_t k = rand_u64() % i;
            const struct dns_record *t = v[from + i - 1];

            v[from + i - 1] = v[from + k];
            v[from + k] = t;
        }
    }
}

/* ---- our own MX, on this machine ---- */

static bool own_addr(struct dial_addr *out)
{
    const struct conf_addr *c = relay_conf.mx_listen.n ? &relay_conf.mx_listen.v[0] : NULL;

    if (!c)
        return false;
    *out = (struct dial_addr){ .sa = c->sa, .len = c->len };
    if (c->sa.ss_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&out->sa;

        if (in->sin_addr.s_addr == htonl(INADDR_ANY))
            in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (c->sa.ss_family == AF_INET6) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)&out->sa;

        if (IN6_IS_ADDR_UNSPECIFIED(&in->sin6_addr))
            in->sin6_addr = in6addr_loopback;
    }
    return true;
}

uint16_t relay_own_port(void)
{
    struct dial_addr a;

    if (!own_addr(&a))
        return 0;
    return ntohs(a.sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&a.sa)->sin6_port
                                            : ((struct sockaddr_in *)(void *)&a.sa)->sin_port);
}

/* If we are in the list, whoever is not nearer than we are must not get it from us: mail would go in circles. Where nobody
 * is nearer it is for our own MX, which knows its domains and refuses others: a report to somebody here, an address of ours
 * that leads to several. */
static void take_mx(struct lookup *l, const struct dns_answer *a)
{
    const struct dns_record *v[DNS_RECORDS_MAX];
    uint32_t ours = UINT32_MAX;

    for (size_t i = 0; i < a->n; i++) {
        v[i] = &a->records[i];
        if (str_ieq(v[i]->mx.host, role_hostname(relay.role)) && v[i]->mx.preference < ours)
            ours = v[i]->mx.preference;
    }
    shuffle(v, a->n);
    for (size_t i = 0; i < a->n; i++)
        if (v[i]->mx.preference < ours)
            host_add(l, v[i]->mx.host);
    if (l->out->n == 0 && ours != UINT32_MAX && relay_own_port())
        l->out->hosts[l->out->n++] =
            (struct route_host){ .name = role_hostname(relay.role), .port = relay_own_port(), .own = true };
    if (l->out->n == 0)
        route_no(l, true, "5.4.6", "the mail server of that domain is this one, which does not know it");
    else
        route_end(l);
}

static void mx_came(void *ctx, const struct dns_answer *a)
{
    struct lookup *l = ctx;

    l->q[0] = NULL;
    l->out->secure = a->ad;
    if (dns_status_is_temporary(a->status))
        route_no(l, false, "4.4.3", "the domain's mail servers cannot be looked up now");
    else if (dns_is_null_mx(a))
        route_no(l, true, "5.1.10", "the domain takes no mail (null MX)"); /* RFC 7505 3 */
    else if (a->status == DNS_OK)
        take_mx(l, a);
    else if (a->status == DNS_NODATA) {
        host_add(l, l->domain); /* the implicit MX (RFC 5321 5.1): only where there is none */
        route_end(l);
    } else
        route_no(l, true, "5.1.2", "there is no such domain");
}

/* "host:port", "[2001:db8::1]:port". Port 465: TLS from the first byte. */
static bool smarthost(struct lookup *l, struct str text)
{
    ptrdiff_t colon = str_rchr(text, ':');
    struct str name = text;
    uint32_t port = 587;

    if (colon >= 0 && text.p[text.n - 1] != ']' && str_to_u32(str_skip(text, (size_t)colon + 1), &port))
        name = str_slice(text, 0, (size_t)colon);
    if (port == 0 || port > UINT16_MAX || name.n == 0)
        return false;
    l->out->hosts[0] =
        (struct route_host){ .name = name, .port = (uint16_t)port, .tls = port == 465, .verify = true };
    if (name.p[0] == '[' && name.p[name.n - 1] == ']') {
        l->out->hosts[0].literal = true;
        l->out->hosts[0].name = str_slice(name, 1, name.n - 1);
    }
    l->out->n = 1;
    return true;
}

static void route_later(struct timer *t)
{
    struct lookup *l = CONTAINER_OF(t, struct lookup, later);

    if (l->out->n > 0 || l->out->why)
        route_end(l);
    else
        route_no(l, false, "4.4.3", "the domain's mail servers cannot be looked up now");
}

struct lookup *relay_route_find(struct arena *a, struct str domain, route_fn *done, void *ctx)
{
    struct dns_question q = { domain, DNS_MX };
    struct lookup *l = lookup_new(a, ctx, route_later);

    if (!l)
        return NULL;
    l->route = done;
    l->domain = domain;
    l->port = (uint16_t)relay_conf.smtp_port;
    if (!(l->out = ARENA_NEW(a, struct route))) {
        lookup_free(l);
        return NULL;
    }
    if (relay_conf.smarthost[0]) {
        if (!smarthost(l, str_from(relay_conf.smarthost))) {
            l->out->why = "courier.smarthost is not host:port";
            l->out->enhanced = "4.3.5";
        }
        timer_set(&l->later, 0);
    } else if (domain.n > 2 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']') {
        struct str text = str_slice(domain, 1, domain.n - 1);

        if (str_istarts(text, STR("IPv6:")))
            text = str_skip(text, 5);
        l->out->hosts[0] = (struct route_host){ .name = text, .port = l->port, .literal = true };
        l->out->n = 1;
        timer_set(&l->later, 0);
    } else if (!(l->q[0] = resolve_ask(role_link(relay.role, ROLE_RESOLVER), &q, ASK_MS, mx_came, l))) {
        timer_set(&l->later, 0);
    }
    return l;
}

/* ---- addresses ---- */

static void addr_add(struct lookup *l, int family, const void *bytes)
{
    struct dial_addr a = { .len = 0 };

    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a.sa;

        in->sin_family = AF_INET;
        in->sin_port = htons(l->port);
        memcpy(&in->sin_addr, bytes, 4);
        a.len = sizeof *in;
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)&a.sa;

        in->sin6_family = AF_INET6;
        in->sin6_port = htons(l->port);
        memcpy(&in->sin6_addr, bytes, 16);
        a.len = sizeof *in;
    }
    if (!relay_conf.private_networks && dial_addr_private(&a.sa)) {
        l->refused = true;
        return;
    }
    if (family == AF_INET && l->n4 < DIAL_ADDRS_MAX)
        l->v4[l->n4++] = a;
    else if (family == AF_INET6 && l->n6 < DIAL_ADDRS_MAX)
        l->v6[l->n6++] = a;
}

static void addrs_end(struct lookup *l)
{
    struct dial_addr list[DIAL_ADDRS_MAX];
    addrs_fn *done = l->addrs;
    void *ctx = l->ctx;
    struct route_addrs r = {
        .v = list, .temporary = l->temporary, .refused = l->refused, .led_to = l->led_to
    };
    size_t n = 0;

    for (size_t i = 0; n < DIAL_ADDRS_MAX && (i < l->n6 || i < l->n4);
         i++) { /* RFC 8305 4: families in turn */
        if (i < l->n6)
            list[n++] = l->v6[i];
        if (i < l->n4 && n < DIAL_ADDRS_MAX)
            list[n++] = l->v4[i];
    }
    r.n = n;
    r.secure = n > 0 && l->insecure == 0;
    lookup_free(l);
    done(ctx, &r);
}

static void addr_came(struct lookup *l, size_t which, const struct dns_answer *a)
{
    l->q[which] = NULL;
    l->temporary |= dns_status_is_temporary(a->status);
    l->insecure += a->n > 0 && !a->ad;
    if (a->n > 0 && a->ad && !l->led_to.n)
        l->led_to = arena_dup(l->arena, a->name);
    for (size_t i = 0; i < a->n; i++) {
        const struct dns_record *r = &a->records[i];

        if (r->type == DNS_A)
            addr_add(l, AF_INET, r->a);
        else if (r->type == DNS_AAAA)
            addr_add(l, AF_INET6, r->aaaa);
    }
    if (!l->q[0] && !l->q[1])
        addrs_end(l);
}

static void a_came(void *ctx, const struct dns_answer *a)
{
    addr_came(ctx, 0, a);
}

static void aaaa_came(void *ctx, const struct dns_answer *a)
{
    addr_came(ctx, 1, a);
}

static void addrs_later(struct timer *t)
{
    addrs_end(CONTAINER_OF(t, struct lookup, later));
}

struct lookup *relay_route_addrs(struct arena *a, const struct route_host *h, addrs_fn *done, void *ctx)
{
    struct dns_question v4 = { h->name, DNS_A }, v6 = { h->name, DNS_AAAA };
    struct rpc_link *to = role_link(relay.role, ROLE_RESOLVER);
    struct lookup *l = lookup_new(a, ctx, addrs_later);
    char text[64];
    uint8_t bytes[16];

    if (!l)
        return NULL;
    l->addrs = done;
    l->port = h->port;
    if (h->name.n < sizeof text) {
        memcpy(text, h->name.p, h->name.n);
        text[h->name.n] = '\0';
        if (h->literal && inet_pton(AF_INET, text, bytes) == 1)
            addr_add(l, AF_INET, bytes);
        else if (h->literal && inet_pton(AF_INET6, text, bytes) == 1)
            addr_add(l, AF_INET6, bytes);
    }
    if (h->own && own_addr(&l->v4[0])) /* of either family: it is the only one */
        l->n4 = 1;
    if (h->literal || h->own) {
        timer_set(&l->later, 0);
        return l;
    }
    l->q[0] = resolve_ask(to, &v4, ASK_MS, a_came, l);
    l->q[1] = resolve_ask(to, &v6, ASK_MS, aaaa_came, l);
    if (!l->q[0] && !l->q[1]) {
        l->temporary = true;
        timer_set(&l->later, 0);
    }
    return l;
}

static int put_address(struct buf *b, const struct dial_addr *a)
{
    char text[INET6_ADDRSTRLEN] = "";
    const void *bytes = a->sa.ss_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)(const void *)&a->sa)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)(const void *)&a->sa)->sin6_addr;

    if (!inet_ntop(a->sa.ss_family, bytes, text, sizeof text))
        return E_SYNTAX;
    return buf_printf(b, a->sa.ss_family == AF_INET ? "%s" : "[%s]", text);
}

int relay_resolve_text(struct buf *b, struct str host, uint16_t port, const struct route_addrs *r)
{
    int e = buf_printf(b, "+%.*s:%u:", STR_ARG(host), (unsigned)port);

    for (size_t i = 0; i < r->n && e == 0; i++)
        if (i == 0 || (e = buf_putc(b, ',')) == 0)
            e = put_address(b, &r->v[i]);
    return e;
}
