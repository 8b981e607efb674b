/* src/common/peers.h
 *
 * How many connections each network has: IPv4 /24, IPv6 /64 (IPv4-mapped addresses count as IPv4). A
 * network without connections costs nothing. */
#ifndef SRC_COMMON_PEERS_H
#define SRC_COMMON_PEERS_H
#include "lib/base/base.h"
#include <sys/socket.h>

#define PEER_TEXT_MAX 64u

struct peer_network {
    uint8_t addr[8]; /* the network part */
    uint8_t bits;    /* 24, 64; 0: neither IPv4 nor IPv6 */
};
struct peers; /* opaque */

struct peers *peers_new(void);
void peers_free(struct peers **p);
/* Count one more of this network: 0, E_LIMIT when it has `max`, E_NOMEM. */
MUST_CHECK int peers_take(struct peers *p, const struct peer_network *n, uint64_t max);
void peers_give(struct peers *p, const struct peer_network *n);

/* Loopback: a program of this machine, or a balancer that says nothing of its clients. */
bool peer_is_local(const struct sockaddr *sa);
struct peer_network peer_network_of(const struct sockaddr *sa);
/* "192.0.2.1", "2001:db8::1"; "unknown". */
void peer_text(const struct sockaddr *sa, char out[PEER_TEXT_MAX]);
/* "192.0.2.0/24", "2001:db8::/56": what bad logins are counted by, over all protocols. A customer has a /56. */
void peer_penalty_text(const struct sockaddr *sa, char out[PEER_TEXT_MAX]);
/* "192.0.2.0/24", "2001:db8::/64". */
void peer_network_text(const struct peer_network *n, char out[PEER_TEXT_MAX]);
#endif
