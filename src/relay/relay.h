/* src/relay/relay.h: what the files of the role share.
 *
 * route.c   where a domain's mail goes: hosts, and their addresses
 * session.c one connection to a server, from its greeting on: one message after the other
 * delivery.c one message for one destination: tries hosts until one takes the envelope, streams the body
 * post.c     one webhook
 * relay.c   requests, and outcomes that are kept until the courier has noted them */
#ifndef SRC_RELAY_RELAY_H
#define SRC_RELAY_RELAY_H
#include "lib/event/dial.h"
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
    size_t n; /* 0: `why`, and whether for good */
    bool permanent;
    const char *enhanced, *why;
};
typedef void route_fn(void *ctx, const struct route *r); /* r lives in the arena that was given */
typedef void addrs_fn(void *ctx, const struct dial_addr *addrs, size_t n, bool temporary, bool refused);
struct lookup; /* questions under way */
/* `done` once, never from inside; NULL: no memory. */
struct lookup *relay_route_find(struct arena *a, struct str domain, route_fn *done, void *ctx);
/* The addresses of a host, families in turn. temporary: nobody could say now; refused: there were only private ones. */
struct lookup *relay_route_addrs(struct arena *a, const struct route_host *h, addrs_fn *done, void *ctx);
/* Where our own MX listens; 0: nowhere. */
uint16_t relay_own_port(void);
void relay_lookup_cancel(struct lookup **l);

/* ---- session.c ---- */
/* Takes fd over. d hears relay_delivery_session_up, or relay_delivery_session_failed. NULL: no memory, fd is closed. */
struct session *relay_session_new(int fd, const struct route_host *h, const struct dial_addr *addr, bool tls,
                                  struct delivery *d);
/* One that is idle, to this host; d hears relay_delivery_session_up, soon. NULL: none. */
struct session *relay_session_reuse(const struct route_host *h, bool need_tls, struct delivery *d);
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
/* Before any envelope: connection, greeting, EHLO, TLS. The session is gone. code 0: no answer; tls: the handshake. */
void relay_delivery_session_failed(struct delivery *d, const struct smtp_answer *a, int why, bool tls);
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
size_t relay_post_ports(uint16_t *ports, size_t max);

/* ---- relay.c ---- */
/* Keep how it went until it is noted. */
void relay_keep(uint64_t attempt, const Relay__SendResponse *m);
#endif
