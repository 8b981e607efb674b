/* lib/event/dial.h
 *
 * Connect to whichever of several addresses answers first (RFC 8305): one after the other, a little apart, in
 * the order given, which alternates families. Bytes and names are somebody else's. */
#ifndef LIB_EVENT_DIAL_H
#define LIB_EVENT_DIAL_H
#include "lib/event/loop.h"
#include <sys/socket.h>

#define DIAL_ADDRS_MAX 16u
#define DIAL_APART_MS  250 /* RFC 8305 5: "250 milliseconds" */

struct dial; /* opaque */
struct dial_addr {
    struct sockaddr_storage sa;
    socklen_t len;
};

/* fd >= 0: connected, the caller's now, to the address at `which`. Else E_TIMEOUT, E_CLOSED (all refused), E_LIMIT
 * (no descriptors). */
typedef void dial_fn(void *ctx, int fd, size_t which);

/* `done` once, never from inside this call. n in 1 .. DIAL_ADDRS_MAX (more are left out). NULL: no memory. */
struct dial *dial_start(struct loop *l, const struct dial_addr *addrs, size_t n, int64_t timeout_ms,
                        dial_fn *done, void *ctx);
/* `done` is not called. Sets NULL, accepts NULL. */
void dial_cancel(struct dial **d);
/* Not of the public Internet: loopback, private, link-local, multicast, unspecified, documentation. */
bool dial_addr_private(const struct sockaddr_storage *sa);
#endif
