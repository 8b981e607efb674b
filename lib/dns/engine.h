/* lib/dns/engine.h
 *
 * Questions in, answers out: from the cache, from a question of the same kind that is under way, or from
 * upstreams, one after another. It decides who is asked, how long, and what is believed; how bytes get there
 * is the transport's. No sockets, no timers: call dns_engine_tick now and then. One thread. */
#ifndef LIB_DNS_ENGINE_H
#define LIB_DNS_ENGINE_H
#include "lib/dns/cache.h"
#include "lib/dns/health.h"

#define DNS_TICK_MS      50 /* how often dns_engine_tick is wanted while dns_engine_busy */
#define DNS_ATTEMPTS_MAX 4u /* upstreams asked for one question */

struct dns_engine; /* opaque */
struct dns_wait;   /* somebody who waits for an answer */

enum {
    DNS_UP_PRIVATE =
        1 << 0, /* nobody can look in or answer in its place (TLS): padded, id 0 (RFC 8484 4.1) */
    DNS_UP_TRUST_AD = 1 << 1, /* its AD bit is believed */
    DNS_UP_MIX_CASE = 1 << 2, /* letters of names at random, to come back as they went */
};

struct dns_transport {
    /* Send it; dns_engine_heard(token) tells what came, never from inside. `query` is borrowed for the call.
     * Negative: it could not be sent. */
    int (*send)(void *ctx, size_t upstream, uint64_t token, struct str query);
    /* No longer wanted: dns_engine_heard is not called for it any more. */
    void (*cancel)(void *ctx, size_t upstream, uint64_t token);
    void *ctx;
};

struct dns_engine_conf {
    size_t upstreams; /* 1 to DNS_UPSTREAMS_MAX */
    uint32_t flags[DNS_UPSTREAMS_MAX];
    uint64_t cache_bytes, questions_max /* under way, each with as many waiting */;
    int64_t patience_ms;           /* without an answer the next upstream is asked as well */
    int64_t limit_ms;              /* then a question is given up */
    uint32_t keep_max_s, no_max_s; /* longest life in the cache, of "no" (RFC 2308 5) */
    bool prefetch;
};

struct dns_engine_counts {
    uint64_t asked, joined, given_up, refused, prefetched, forged;
    uint64_t questions; /* under way */
    struct dns_cache_counts cache;
};

struct dns_engine *dns_engine_new(const struct dns_engine_conf *c, const struct dns_transport *t);
/* Nobody is told anything any more. */
void dns_engine_free(struct dns_engine **e);

/* The reply is good for the call. */
typedef void dns_done_fn(void *ctx, const struct dns_reply *r);
/* 0: `done` is called, exactly once: maybe before this returns, within wait_ms otherwise (DNS_TIMEOUT);
 * *out is then what dns_engine_forget takes, NULL when it was called already. E_BUSY: too much is under way.
 * E_UNSUPPORTED: a type that is not known. E_NOMEM. */
MUST_CHECK int dns_engine_ask(struct dns_engine *e, const struct dns_name *name, uint16_t type,
                              int64_t wait_ms, dns_done_fn *done, void *ctx, struct dns_wait **out);
/* `done` is not called. The question goes on: its answer is for the cache. */
void dns_engine_forget(struct dns_wait *w);

/* What became of a query: a message, borrowed, or an E_*. Unknown tokens are those of questions that are over. */
struct dns_heard {
    int status;
    int64_t took_us; /* since it was sent */
    uint32_t age_s;  /* how long it lay in a cache of HTTP: its lives are so much shorter (RFC 8484 5.1) */
    struct str message;
};
void dns_engine_heard(struct dns_engine *e, uint64_t token, const struct dns_heard *h);

bool dns_engine_busy(const struct dns_engine *e);
void dns_engine_tick(struct dns_engine *e);
struct dns_engine_counts dns_engine_counts(const struct dns_engine *e);
const struct dns_health *dns_engine_health(const struct dns_engine *e, size_t upstream);
#endif
