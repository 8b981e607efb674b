/* lib/dns/upstream.h
 *
 * The servers that are asked, as an operator writes them:
 *   https://dns.example/dns-query 192.0.2.1 2001:db8::1, dns://127.0.0.1
 * a URL (RFC 8484) with the addresses of its host, since there is nobody yet to ask for them; or the address
 * of a server that speaks plain DNS. Text only. */
#ifndef LIB_DNS_UPSTREAM_H
#define LIB_DNS_UPSTREAM_H
#include "lib/dns/health.h"
#include "lib/base/buf.h"
#include <sys/socket.h>

#define DNS_UPSTREAM_ADDRS_MAX 8u
#define DNS_URL_MAX            512u

struct dns_upstream {
    bool https;
    char url[DNS_URL_MAX];     /* https: without a template's "{?dns}" */
    char resolve[DNS_URL_MAX]; /* https: "host:port:address,address" as lib/http wants it */
    char name[128];            /* for people: host or address */
    uint16_t port;
    struct sockaddr_storage addrs[DNS_UPSTREAM_ADDRS_MAX]; /* with the port */
    size_t naddrs;
};
struct dns_upstreams {
    struct dns_upstream v[DNS_UPSTREAMS_MAX];
    size_t n;
};

/* Comma list; an empty one is fine. E_SYNTAX, E_LIMIT with a line in err (may be NULL). */
MUST_CHECK int dns_upstreams_parse(struct str text, struct dns_upstreams *out, struct buf *err);
/* Is it an address of one of them (any port)? */
bool dns_upstreams_have(const struct dns_upstreams *u, const struct sockaddr *sa);
/* This machine's own. */
bool dns_upstream_is_local(const struct dns_upstream *u);
#endif
