/* lib/event/conn_private.h: what a connection keeps, for conn.c only. */
#ifndef LIB_EVENT_CONN_PRIVATE_H
#define LIB_EVENT_CONN_PRIVATE_H
#include "lib/base/buf.h"
#include "lib/event/conn.h"
#include "lib/event/deflate.h"
#include <event2/event.h>
#include <openssl/ssl.h>

/* TLS_FLUSH: clear text is still going out, and nobody may read before it has. */
enum tls_state { TLS_NONE, TLS_FLUSH, TLS_HANDSHAKE, TLS_UP };

struct conn {
    struct loop *loop;
    const struct conn_ops *ops;
    void *ctx;
    struct conn_limits lim;
    SSL *ssl;
    const char *tls_why; /* the handshake failed: OpenSSL's words, static */
    enum tls_state tls;
    struct buf in, out;
    struct deflate_layer *z; /* NULL: nothing is compressed */
    struct buf z_in;         /* came, and has not been decompressed */
    bool z_begins, z_more;   /* z_more: the layer may have more to give without more input */
    size_t in_done;          /* bytes of in used already, while they are offered */
    size_t out_done;         /* bytes of out written already */
    struct event *rd, *wr, *kick;
    struct timer idle, stall, linger, more;
    int64_t idle_ms, stall_ms, last_in_ms, last_out_ms;
    int fd, why;
    bool paused, closing, dead, eof, above_low;
    bool offered;  /* `in` was declined as it stands */
    bool ssl_dry;  /* what waits in OpenSSL, if anything, is no whole record */
    bool said_all; /* closing, and everything was sent: only waiting for the peer to hang up */
};
#endif
