/* src/relay/relay.h: what the files of the role share.
 *
 * route.c   where a domain's mail goes: hosts, and their addresses
 * sts.c     what a domain asks of the way to its servers (MTA-STS)
 * dane.c    what a server's own records say of it (DANE)
 * safety.c  which of both counts for a host, and what became of it
 * session.c one connection to a server, from its greeting on: one message after the other
 * delivery.c one message for one destination: tries hosts (hosts.c) until one takes the envelope, streams the body
 * post.c     one webhook
 * relay.c   requests, and outcomes that are kept until the courier has noted them */
#ifndef SRC_RELAY_RELAY_H
#define SRC_RELAY_RELAY_H
#include "lib/event/dial.h"
#include "lib/smtp/sts.h"
#include "lib/tls/peer.h"
#include "lib/smtp/answer.h"
#include "proto/relay.pb-c.h"
#include "src/common/resolve.h"
#include "src/common/role.h"
#include "src/relay/conf.h"

struct delivery;
struct session;

extern struct relay {
    struct role *role;
    struct tls_ctx *tls;          /* as a client */
    struct tls_ctx *tls_verified; /* to the smarthost */
    struct tls_ctx *tls_pkix;     /* knows authorities; who looks decides */
    uint8_t boot[16];
    bool stopping;
    size_t connections, deliveries;
    uint64_t dialled, reused, with_tls, resumed, messages;
} relay;

/* Milliseconds of RFC 5321's limit, as configured. */
int64_t relay_patience(int64_t ms);

/* ---- route.c ---- */
#define ROUTE_HOSTS_MAX 20u
struct route_host {
    struct str name; /* as A-labels, or an address literal's text without brackets */
    uint16_t port;
    bool literal, tls; /* tls: from the first byte */
    bool own;          /* our own MX, where it listens */
    bool verify;       /* its certificate has to be of that name */
};
struct route {
    struct route_host hosts[ROUTE_HOSTS_MAX];
    size_t n;    /* 0: `why`, and whether for good */
    bool secure; /* the list of hosts is authenticated (DNSSEC) */
    bool permanent;
    const char *enhanced, *why;
};
typedef void route_fn(void *ctx, const struct route *r); /* r lives in the arena that was given */
struct route_addrs {
    const struct dial_addr *v;
    size_t n;
    bool temporary;    /* nobody could say now */
    bool refused;      /* there were only private ones */
    bool secure;       /* all that were found are authenticated */
    struct str led_to; /* where aliases led; in the arena */
};
typedef void addrs_fn(void *ctx, const struct route_addrs *r);
struct lookup; /* questions under way */
/* `done` once, never from inside; NULL: no memory. */
struct lookup *relay_route_find(struct arena *a, struct str domain, route_fn *done, void *ctx);
/* The addresses of a host, families in turn. */
struct lookup *relay_route_addrs(struct arena *a, const struct route_host *h, addrs_fn *done, void *ctx);
/* Where our own MX listens; 0: nowhere. */
uint16_t relay_own_port(void);
void relay_lookup_cancel(struct lookup **l);

/* "+host:port:address,…" for lib/http. E_SYNTAX, E_LIMIT. */
MUST_CHECK int relay_resolve_text(struct buf *b, struct str host, uint16_t port, const struct route_addrs *r);

/* ---- sts.c ---- */
struct relay_sts { /* good for the call */
    bool known;    /* there is a policy whose time is not over */
    bool applies;  /* and it asks for something */
    struct sts_policy policy;
    struct str id, text; /* fetched_ms 0: none */
    int64_t fetched_ms;
    const char *error; /* RFC 8460 4.3: why it could not be fetched the last time; NULL */
};
struct relay_sts_wait;
typedef void relay_sts_fn(void *ctx, const struct relay_sts *s);
/* had: what the courier knows; may be NULL. `done` once, never from inside; NULL: no memory, or no such name. */
struct relay_sts_wait *relay_sts_find(struct str domain, const Relay__Sts *had, relay_sts_fn *done,
                                      void *ctx);
void relay_sts_cancel(struct relay_sts_wait **w);
int relay_op_refresh(struct rpc_req *q, struct str body);

/* ---- dane.c ---- */
enum dane_state {
    DANE_NONE,     /* nothing is asked for */
    DANE_UNUSABLE, /* TLS, of whoever (RFC 7672 2.2) */
    DANE_USABLE,
    DANE_TROUBLE, /* nobody can say now: this host must wait */
};
struct dane {
    enum dane_state state;
    struct str base; /* whose records they are */
    struct tls_tlsa *v;
    size_t n;
};
typedef void dane_fn(void *ctx, const struct dane *d); /* its parts live in the arena */
struct dane_find;
struct dane_find *relay_dane_find(struct arena *a, struct str host, struct str led_to, uint16_t port,
                                  dane_fn *done, void *ctx);
void relay_dane_cancel(struct dane_find **f);

/* ---- safety.c ---- */
struct need {
    struct tls_peer peer;          /* parts live in the delivery's arena */
    bool strict;                   /* nothing goes out unless it is kept */
    uint64_t tag;                  /* of what has to be proven; 0: nothing */
    Relay__TlsNote__Policy policy; /* who asks */
    const char *result, *why;      /* with false: RFC 8460 4.3, and words */
    struct str policy_text;        /* its lines */
};
struct safety {  /* what is known of the way of one message */
    bool counts; /* policies do */
    bool requiretls, sts_applies;
    struct sts_policy sts;
};
/* What this host has to keep; false: nothing can go there, see result and why. */
bool relay_need_of(struct arena *a, const struct safety *f, const struct route *r, const struct route_host *h,
                   const struct dane *d, struct str domain, struct need *out);
/* RFC 8460 4.3 of a verdict that is not TLS_FINE; static. */
const char *relay_verdict_result(enum tls_verdict v, enum tls_need need);

/* ---- session.c ---- */
struct session_failure {
    const struct smtp_answer *answer; /* NULL: there was none */
    int why;
    bool tls;           /* it was the handshake, or who answered */
    const char *result; /* RFC 8460 4.3; NULL: not about TLS */
    const char *text;   /* more words about TLS; "" */
};
/* Takes fd over. d hears relay_delivery_session_up, or relay_delivery_session_failed. NULL: no memory, fd is closed. */
struct session *relay_session_new(int fd, const struct route_host *h, const struct dial_addr *addr, bool tls,
                                  const struct need *need, struct delivery *d);
/* One that is idle, to this host, and has proven what is needed; d hears relay_delivery_session_up, soon. NULL: none. */
struct session *relay_session_reuse(const struct route_host *h, const struct need *need, struct delivery *d);
/* Nothing was sent over it before. */
bool relay_session_is_new(const struct session *s);
/* What TLS found: RFC 8460 4.3, NULL: all is well; *why_out: more words. */
const char *relay_session_tls_result(const struct session *s, const char **why_out);
/* Their addresses as text. */
void relay_session_ends(const struct session *s, char *peer, char *own, size_t n);
const struct smtp_offer *relay_session_offer(const struct session *s);
bool relay_session_is_tls(const struct session *s);
const char *relay_session_peer(const struct session *s); /* "mx.example.org [192.0.2.1]" */
void relay_session_tls_text(const struct session *s, char *out, size_t n);
/* MAIL, RCPT for each of n, DATA. The lines end in CRLF. Answers come to relay_delivery_answer with 0 for MAIL, 1 … n for
 * RCPT, n + 1 for DATA, n + 2 for the end. */
MUST_CHECK int relay_session_begin(struct session *s, struct str mail, const struct str *rcpt, size_t n);
/* After DATA was answered with 354: pieces of the body (dots are stuffed), as long as there is room. */
size_t relay_session_room(const struct session *s);
MUST_CHECK int relay_session_body(struct session *s, struct str piece);
MUST_CHECK int relay_session_dot(struct session *s);
/* The delivery needs it no more: it may be used again (clean: between messages), or is ended. */
void relay_session_release(struct session *s, bool clean);
void relay_session_close_idle(void);

/* ---- delivery.c ---- */
int relay_op_send(struct rpc_req *q, struct str body);
void relay_delivery_session_up(struct delivery *d);
/* Before any envelope: connection, greeting, EHLO, TLS. The session is about to go. */
void relay_delivery_session_failed(struct delivery *d, const struct session *s,
                                   const struct session_failure *f);
/* The connection broke later; the session is gone. reused: others were sent over it before. */
void relay_delivery_session_lost(struct delivery *d, int why, bool reused);
void relay_delivery_answer(struct delivery *d, size_t which, const struct smtp_answer *a);
void relay_delivery_room(struct delivery *d);
/* Break off whatever is not out whole: nobody has it, and its courier takes it back. */
void relay_delivery_stop(void);
size_t relay_delivery_running(uint64_t *attempts, size_t max);

/* ---- post.c ---- */
int relay_op_post(struct rpc_req *q, struct str body);
size_t relay_post_running(uint64_t *attempts, size_t max);
/* Before the sandbox. Without certificates of authorities only http:// works: logged. */
void relay_post_open(void);
/* For whoever else asks over HTTPS: addresses that may be dialled only. NULL: there is none. */
struct http_client;
struct http_client *relay_http(void);
size_t relay_post_ports(uint16_t *ports, size_t max);

/* ---- relay.c ---- */
/* Keep how it went until it is noted. */
void relay_keep(uint64_t attempt, const Relay__SendResponse *m);
#endif
