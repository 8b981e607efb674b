#include "lib/dns/upstream.h"
#include "lib/base/errors.h"
#include "lib/dns/name.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static int bad(struct buf *err, int code, struct str what, const char *why)
{
    int r = err ? buf_printf(err, "%.*s: %s", STR_ARG(what), why) : 0;

    (void)r; /* without room there is no text */
    return code;
}

static bool take_address(struct str text, uint16_t port, struct sockaddr_storage *out)
{
    char z[INET6_ADDRSTRLEN];
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = str_slice(text, 1, text.n - 1);
    if (text.n == 0 || text.n >= sizeof z)
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    *out = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
    if (inet_pton(AF_INET, z, &v4.sin_addr) == 1)
        memcpy(out, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, z, &v6.sin6_addr) == 1)
        memcpy(out, &v6, sizeof v6);
    return out->ss_family != AF_UNSPEC;
}

/* "host", "host:port", "[v6]:port"; a bare v6 has no port. */
static bool split_port(struct str s, uint16_t *port, struct str *host)
{
    ptrdiff_t colon = str_rchr(s, ':'), bracket = str_rchr(s, ']');
    uint32_t v;

    *host = s;
    if (colon < 0 || colon < bracket || (bracket < 0 && str_chr(s, ':') != colon))
        return true;
    if (!str_to_u32(str_skip(s, (size_t)colon + 1), &v) || v == 0 || v > 65535)
        return false;
    *port = (uint16_t)v;
    *host = str_slice(s, 0, (size_t)colon);
    return true;
}

static bool copy(char *out, size_t cap, struct str s)
{
    if (s.n >= cap)
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static int put_resolve(struct dns_upstream *u, struct str host)
{
    CLEANUP(buf_release) struct buf b = { .max = sizeof u->resolve };
    int r = buf_printf(&b, "%.*s:%u:", STR_ARG(host), u->port);

    for (size_t i = 0; i < u->naddrs && r == 0; i++) {
        char text[INET6_ADDRSTRLEN] = "";
        bool v6 = u->addrs[i].ss_family == AF_INET6;
        struct sockaddr_in v4;
        struct sockaddr_in6 six;

        memcpy(&v4, &u->addrs[i], sizeof v4);
        memcpy(&six, &u->addrs[i], sizeof six);
        inet_ntop(u->addrs[i].ss_family, v6 ? (void *)&six.sin6_addr : (void *)&v4.sin_addr, text,
                  sizeof text);
        r = buf_printf(&b, v6 ? "%s[%s]" : "%s%s", i ? "," : "", text);
    }
    return r < 0 || !copy(u->resolve, sizeof u->resolve, buf_str(&b)) ? E_LIMIT : 0;
}

static bool url_chars(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("\"<>\\^`{|}#@", s.p[i]))
            return false;
    return true;
}

static int parse_https(struct str url, struct str addrs, struct dns_upstream *u, struct buf *err)
{
    struct str rest = str_skip(url, sizeof "https://" - 1), authority, host, one;
    ptrdiff_t slash = str_chr(rest, '/');

    if (str_ends(url, STR("{?dns}"))) /* the template of RFC 8484 4.1.1 */
        url.n -= sizeof "{?dns}" - 1;
    authority = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    u->https = true;
    u->port = 443;
    if (slash < 0 || !url_chars(url) || !split_port(authority, &u->port, &host))
        return bad(err, E_SYNTAX, url, "expected https://host/path");
    if (!copy(u->url, sizeof u->url, url) || !copy(u->name, sizeof u->name, authority))
        return bad(err, E_LIMIT, url, "too long");
    if (take_address(host, u->port, &u->addrs[0]))
        u->naddrs = 1; /* the URL says where */
    else if (!dns_is_host(host))
        return bad(err, E_SYNTAX, host, "no name of a host");
    for (; addrs.n > 0; addrs = str_trim(addrs)) {
        str_cut(addrs, ' ', &one, &addrs);
        if (u->naddrs == DNS_UPSTREAM_ADDRS_MAX)
            return bad(err, E_LIMIT, url, "too many addresses");
        if (!take_address(one, u->port, &u->addrs[u->naddrs++]))
            return bad(err, E_SYNTAX, one, "no address");
    }
    if (u->naddrs == 0)
        return bad(err, E_SYNTAX, url, "needs the addresses of its host: https://host/path 192.0.2.1");
    return put_resolve(u, host) < 0 ? bad(err, E_LIMIT, url, "too long") : 0;
}

static int parse_plain(struct str url, struct str more, struct dns_upstream *u, struct buf *err)
{
    struct str rest = str_skip(url, sizeof "dns://" - 1), host;

    u->port = 53;
    if (str_ends(rest, STR("/")))
        rest.n--;
    if (more.n > 0 || !split_port(rest, &u->port, &host) || !take_address(host, u->port, &u->addrs[0]))
        return bad(err, E_SYNTAX, url, "expected dns://address or dns://address:port");
    u->naddrs = 1;
    return copy(u->name, sizeof u->name, rest) ? 0 : bad(err, E_LIMIT, url, "too long");
}

int dns_upstreams_parse(struct str text, struct dns_upstreams *out, struct buf *err)
{
    struct dns_upstreams r = { .n = 0 };
    struct str one, url, addrs;
    int e;

    text = str_trim(text);
    while (text.n > 0) {
        str_cut(text, ',', &one, &text);
        str_cut(str_trim(one), ' ', &url, &addrs);
        addrs = str_trim(addrs);
        if (r.n == DNS_UPSTREAMS_MAX)
            return bad(err, E_LIMIT, url, "one upstream too many");
        if (str_istarts(url, STR("https://")))
            e = parse_https(url, addrs, &r.v[r.n++], err);
        else if (str_istarts(url, STR("dns://")))
            e = parse_plain(url, addrs, &r.v[r.n++], err);
        else
            e = bad(err, E_SYNTAX, url, "expected https://host/path and addresses, or dns://address");
        if (e < 0)
            return e;
    }
    *out = r;
    return 0;
}

static bool same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    struct sockaddr_in a4, b4;
    struct sockaddr_in6 a6, b6;

    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET) {
        memcpy(&a4, a, sizeof a4);
        memcpy(&b4, b, sizeof b4);
        return a4.sin_addr.s_addr == b4.sin_addr.s_addr;
    }
    memcpy(&a6, a, sizeof a6);
    memcpy(&b6, b, sizeof b6);
    return memcmp(&a6.sin6_addr, &b6.sin6_addr, sizeof a6.sin6_addr) == 0;
}

bool dns_upstreams_have(const struct dns_upstreams *u, const struct sockaddr *sa)
{
    for (size_t i = 0; i < u->n; i++)
        for (size_t k = 0; k < u->v[i].naddrs; k++)
            if (same_host(sa, (const struct sockaddr *)(const void *)&u->v[i].addrs[k]))
                return true;
    return false;
}

bool dns_upstream_is_local(const struct dns_upstream *u)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, &u->addrs[0], sizeof v4);
    memcpy(&v6, &u->addrs[0], sizeof v6);
    return v4.sin_family == AF_INET ? ntohl(v4.sin_addr.s_addr) >> 24 == 127
                                    : IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}
