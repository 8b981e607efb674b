/* lib/event/proxy.h
 *
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt, 2.1 and 2.2): what a balancer says of the
 * client before the client's first byte. proxy_parse is pure; a gate accepts for a listener's owner: who comes
 * from a host that is named must say it, within time, and everybody else passes as he is. */
#ifndef LIB_EVENT_PROXY_H
#define LIB_EVENT_PROXY_H
#include "lib/base/netset.h"
#include "lib/event/conn.h"

#define PROXY_V1_MAX     107u /* with CRLF */
#define PROXY_HEADER_MAX 2048u
#define PROXY_WAIT_MS    5000

struct proxy_peer {
    bool known; /* false: LOCAL or UNKNOWN: the balancer itself, as for health checks */
    struct sockaddr_storage sa;
    socklen_t len;
};

/* Bytes of the header that `in` begins with, and *out; 0: more is needed, *need_out bytes in all at least;
 * E_SYNTAX: no such header; E_LIMIT: too long. */
MUST_CHECK ssize_t proxy_parse(struct str in, struct proxy_peer *out, size_t *need_out);

struct proxy_gate; /* opaque */

/* `from` is borrowed for the gate's life; fn gets descriptors as from a listener. NULL: out of memory. */
struct proxy_gate *proxy_gate_new(struct loop *l, const struct netset *from, listener_fn *fn, void *ctx);
/* A listener_fn: ctx is the gate. */
void proxy_gate_accept(void *gate, int fd, const struct sockaddr *peer, socklen_t len);
/* Those who have not said their line are closed. */
void proxy_gate_free(struct proxy_gate **g);
#endif
