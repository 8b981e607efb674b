/* lib/base/netset.h
 *
 * A set of hosts and networks as an operator writes it: "127.0.0.1, 10.0.0.0/8, 2001:db8::/32". IPv4-mapped
 * addresses count as IPv4. No names, no DNS. */
#ifndef LIB_BASE_NETSET_H
#define LIB_BASE_NETSET_H
#include "lib/base/str.h"
#include <sys/socket.h>

#define NETSET_MAX 64u

struct netset {
    struct net {
        uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
        uint8_t bits;     /* of addr: 96 and more for IPv4 */
    } v[NETSET_MAX];
    size_t n;
};

/* Comma list, may be empty. E_SYNTAX; E_RANGE (a prefix too long, or bits behind it); E_LIMIT. */
MUST_CHECK int netset_parse(struct str text, struct netset *out);
bool netset_has(const struct netset *s, const struct sockaddr *sa);
#endif
