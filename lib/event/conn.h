/* lib/event/conn.h
 *
 * A stream connection, clear or TLS, with limits on both buffers and time. It knows bytes, not
 * protocols. Callbacks run on the loop; a callback may close or abort the connection, after which
 * no callback comes but on_close. The owner frees its own state in on_close. */
#ifndef LIB_EVENT_CONN_H
#define LIB_EVENT_CONN_H
#include "lib/base/str.h"
#include "lib/event/loop.h"
#include <sys/socket.h>

struct conn; /* opaque */
struct tls_ctx;

struct conn_ops {
    /* Buffered input, all of it in one slice. Returns bytes used (0: wait for more; input at in_max
     * that makes no progress closes the connection with E_LIMIT), or a negative E_* that aborts it. */
    ssize_t (*on_data)(void *ctx, struct str in);
    /* Output fell under out_low after conn_write had passed it: room to go on. May be NULL. */
    void (*on_drain)(void *ctx);
    /* TLS is up (after conn_start_tls). May be NULL. */
    void (*on_secure)(void *ctx);
    /* Nothing came in for the time set (while paused it stands still); NULL: the connection is aborted with E_TIMEOUT. */
    void (*on_idle)(void *ctx);
    /* Gone: why is 0 (closed by us or orderly by the peer, TLS close_notify seen), E_CLOSED (cut off:
     * EOF without close_notify, reset), E_TIMEOUT, E_LIMIT, E_IO. The conn is freed after it. */
    void (*on_close)(void *ctx, int why);
};

struct conn_limits {
    size_t in_max;  /* input buffered at most, bytes */
    size_t out_max; /* conn_write beyond this fails with E_LIMIT */
    size_t out_low; /* on_drain below this */
};

/* Takes over fd (non-blocking is set here). NULL when memory runs out: fd is closed. */
struct conn *conn_new(struct loop *l, int fd, const struct conn_limits *lim, const struct conn_ops *ops,
                      void *ctx);
/* Copies. 0, E_LIMIT (nothing was queued), E_CLOSED. */
MUST_CHECK int conn_write(struct conn *c, struct str s);
size_t conn_out_pending(const struct conn *c);
/* Server side TLS from here on, once what was written has gone out in the clear. Clear text that came
 * behind what on_data returns as used (outside of on_data: conn_in_pending > 0) aborts the connection
 * with E_SYNTAX. Blocks nothing; on_secure follows. */
MUST_CHECK int conn_start_tls(struct conn *c, struct tls_ctx *tls);
/* The same as a client: `host` is who we want to speak with (SNI; NULL: not said), `resume` an earlier session
 * with it or NULL. A handshake that fails closes the connection with E_CLOSED before on_secure. */
struct ssl_session_st;
MUST_CHECK int conn_start_tls_client(struct conn *c, struct tls_ctx *tls, const char *host,
                                     struct ssl_session_st *resume);
/* The same, for whom `peer` says (lib/tls/peer.h; borrowed until on_secure or on_close): look at conn_tls_verdict in on_secure. E_SYNTAX,
 * E_NOMEM: nothing goes out; abort it. */
struct tls_peer;
MUST_CHECK int conn_start_tls_peer(struct conn *c, struct tls_ctx *tls, const struct tls_peer *peer,
                                   struct ssl_session_st *resume);
/* enum tls_verdict; *why_out is static. */
int conn_tls_verdict(const struct conn *c, const struct tls_peer *peer, const char **why_out);
/* Why the handshake failed, for people: static, "" when nobody knows. Good in on_close, too. */
const char *conn_tls_why(const struct conn *c);
/* What to resume with later: the caller's, to be freed (SSL_SESSION_free); NULL when there is nothing. Late in
 * the connection: servers send it when they like. */
struct ssl_session_st *conn_tls_session(struct conn *c);
bool conn_tls_resumed(const struct conn *c);
/* Compress both ways from here on: what was written so far goes out plain (RFC 4978). What came behind what
 * on_data returns as used aborts the connection with E_SYNTAX. E_NOMEM: nothing has changed. */
MUST_CHECK int conn_start_deflate(struct conn *c);
bool conn_is_tls(const struct conn *c);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; "" without TLS. */
const char *conn_tls_version(const struct conn *c);
const char *conn_tls_cipher(const struct conn *c);
size_t conn_in_pending(const struct conn *c);
/* Stop / go on reading (back-pressure). Input that is buffered already is offered again on resume. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
/* Time without input until on_idle; 0: none. */
void conn_idle_ms(struct conn *c, int64_t ms);
/* Time that unsent output may stand still until abort with E_TIMEOUT; 0: none. */
void conn_stall_ms(struct conn *c, int64_t ms);
void conn_limits_set(struct conn *c, const struct conn_limits *lim);
/* Flush what was written, send close_notify, wait for the peer to hang up (what it still sends is thrown
 * away, so that it is not reset before it has read our last words), close; on_close(0) follows, after
 * linger_ms at the latest. */
void conn_close(struct conn *c, int64_t linger_ms);
/* Now: on_close(why) is called from the loop soon, never from inside this call. */
void conn_abort(struct conn *c, int why);
int conn_fd(const struct conn *c);

/* Accepts on a listening descriptor (inherited, non-blocking). */
struct listener; /* opaque */
typedef void listener_fn(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len);
struct listener *listener_new(struct loop *l, int fd, listener_fn *fn, void *ctx);
/* Out of descriptors, or over a cap: stop accepting for a while. */
void listener_pause(struct listener *s, int64_t ms);
void listener_free(struct listener **s);
#endif
