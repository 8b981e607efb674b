/* src/resolver/transport.h
 *
 * The two ways to an upstream. Both take bytes and tell the engine what came back; neither knows what they
 * mean. A query is known by its token until it was answered or cancelled. */
#ifndef SRC_RESOLVER_TRANSPORT_H
#define SRC_RESOLVER_TRANSPORT_H
#include "lib/dns/upstream.h"
#include "lib/dns/engine.h"
#include "lib/event/loop.h"
#include "src/resolver/conf.h"

typedef void heard_fn(void *ctx, const struct dns_upstream *u, uint64_t token, const struct dns_heard *h);

/* ---- doh.c: DNS over HTTPS (RFC 8484) ---- */
struct doh; /* opaque */
/* Before the sandbox. NULL: the log says why. */
struct doh *doh_new(struct loop *l, const struct resolver_conf *c, const struct dns_upstreams *u,
                    heard_fn *heard, void *ctx);
void doh_free(struct doh **d);
MUST_CHECK int doh_send(struct doh *d, const struct dns_upstream *u, uint64_t token, struct str query);
void doh_cancel(struct doh *d, uint64_t token);

/* ---- plain.c: UDP, and TCP for what does not fit (RFC 1035 4.2, RFC 7766) ---- */
struct plain; /* opaque */
struct plain *plain_new(struct loop *l, heard_fn *heard, void *ctx);
MUST_CHECK int plain_send(struct plain *p, const struct dns_upstream *u, uint64_t token, struct str query);
void plain_cancel(struct plain *p, uint64_t token);
#endif
