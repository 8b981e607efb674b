/* lib/event/conn.c
 *
 * Reading and writing are done with our own buffers on libevent's readiness events, and OpenSSL is
 * called directly: that gives limits on both buffers, memory that is given back while a connection
 * is idle, and a close_notify that is really sent, none of which bufferevents offer.
 *
 * Callbacks never nest: what they ask for (resume, abort, flush) is done by `kick`, an event that
 * runs soon on the loop. A conn that is dead takes no more input and frees itself in its kick.
 * A kick runs before the loop looks at other descriptors again, so it never reads: a peer that sends
 * as fast as we read would have the loop for itself. Reading on is left to `more`, a timer. */
#include "lib/event/conn_private.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/tls/peer.h"
#include "lib/tls/tls.h"
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#define READ_CHUNK KIB(16)
#define READ_TURN  KIB(128) /* bytes of one connection before others get their turn */

static void kick(struct conn *c)
{
    event_active(c->kick, EV_TIMEOUT, 0);
}

static void die(struct conn *c, int why)
{
    if (c->dead)
        return;
    c->dead = true;
    c->why = why;
    event_del(c->rd);
    event_del(c->wr);
    kick(c);
}

static int64_t now_ms(void)
{
    return clock_mono_us() / 1000; /* libevent's timers are real, so this is too */
}

/* No input is the owner's between conn_start_tls and on_secure. */
static bool tls_begins(const struct conn *c)
{
    return c->tls == TLS_FLUSH || c->tls == TLS_HANDSHAKE;
}

/* Nobody wants input now. */
static bool is_paused(const struct conn *c)
{
    return c->paused && !tls_begins(c) && !c->closing;
}

/* Who pauses mostly goes on before anything comes: the kernel hears of a pause only when something does
 * (on_readable), which saves two system calls for each command. */
static void want_read(struct conn *c)
{
    bool full = c->in.n >= c->lim.in_max || c->tls == TLS_FLUSH;

    if (c->dead || c->eof || (c->closing ? !c->said_all : full))
        event_del(c->rd);
    else if (!is_paused(c))
        event_add(c->rd, NULL);
}

/* What an SSL call's failure means: 0 try again later, 1 orderly end, or an E_*. */
static int ssl_outcome(struct conn *c, int r)
{
    int e = SSL_get_error(c->ssl, r);

    ERR_clear_error();
    switch (e) {
    case SSL_ERROR_WANT_READ: return 0;
    case SSL_ERROR_WANT_WRITE: event_add(c->wr, NULL); return 0;
    case SSL_ERROR_ZERO_RETURN: return 1;
    default: return E_CLOSED;
    }
}

/* Bytes read, 0 for nothing now, -1 for the end (c->eof or dead is set). */
static ssize_t read_raw(struct conn *c, void *p, size_t n)
{
    ssize_t got;

    if (c->ssl) {
        int r, outcome;

        ERR_clear_error(); /* SSL_get_error would take what another left for its own */
        r = SSL_read(c->ssl, p, (int)n);
        c->ssl_dry = r <= 0;
        if (r > 0)
            return r;
        outcome = ssl_outcome(c, r);
        if (outcome == 0)
            return 0;
        if (outcome < 0)
            die(c, outcome); /* cut off: EOF without close_notify is a failure */
        c->eof = true;
        return -1;
    }
    got = read(c->fd, p, n);
    if (got > 0)
        return got;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got < 0)
        die(c, E_CLOSED);
    c->eof = true;
    return -1;
}

/* The same, through the compression layer. A small input may stand for a large output, which comes in pieces of
 * what the owner has room for. */
static ssize_t read_deflated(struct conn *c, void *p, size_t n)
{
    for (;;) {
        struct str in = buf_str(&c->z_in);
        ssize_t got;

        if (in.n || c->z_more) {
            got = deflate_layer_in(c->z, &in, p, n);
            buf_drop(&c->z_in, c->z_in.n - in.n);
            c->z_more = got == (ssize_t)n;
            if (got < 0) {
                die(c, (int)got);
                return -1;
            }
            if (got > 0)
                return got;
        }
        c->z_in.max = READ_CHUNK + c->z_in.n;
        if (!buf_reserve(&c->z_in, READ_CHUNK)) {
            die(c, E_NOMEM);
            return -1;
        }
        got = read_raw(c, c->z_in.p + c->z_in.n, READ_CHUNK);
        if (got <= 0) {
            if (c->z_in.n == 0)
                buf_release(&c->z_in);
            return got;
        }
        c->z_in.n += (size_t)got;
    }
}

static ssize_t read_some(struct conn *c, void *p, size_t n)
{
    return c->z ? read_deflated(c, p, n) : read_raw(c, p, n);
}

static void handshake(struct conn *c)
{
    int r, outcome;

    ERR_clear_error();
    r = SSL_do_handshake(c->ssl);
    if (r == 1) {
        c->tls = TLS_UP;
        if (c->ops->on_secure)
            c->ops->on_secure(c->ctx);
        want_read(c);
        kick(c);
        return;
    }
    c->tls_why = ERR_reason_error_string(ERR_peek_last_error());
    outcome = ssl_outcome(c, r);
    if (outcome != 0)
        die(c, E_CLOSED);
}

/* Write what the socket takes. Calls nobody. */
static void write_out(struct conn *c)
{
    if (c->tls == TLS_HANDSHAKE)
        return;
    while (!c->dead && c->out_done < c->out.n) {
        const char *p = c->out.p + c->out_done;
        size_t n = size_min(c->out.n - c->out_done, MIB(1));
        ssize_t w;

        if (c->tls == TLS_UP) {
            int r, outcome;

            ERR_clear_error();
            r = SSL_write(c->ssl, p, (int)n);
            outcome = r > 0 ? 0 : ssl_outcome(c, r);
            if (outcome != 0)
                die(c, E_CLOSED);
            w = r > 0 ? r : 0;
        } else {
            w = send(c->fd, p, n, MSG_NOSIGNAL);
            if (w < 0 && errno != EAGAIN && errno != EINTR)
                die(c, E_CLOSED);
            w = w < 0 ? 0 : w;
        }
        if (w == 0)
            break;
        c->out_done += (size_t)w;
        c->last_out_ms = now_ms();
    }
    if (c->out_done == c->out.n) {
        buf_release(&c->out); /* an idle connection holds no buffers */
        c->out_done = 0;
    } else if (c->out_done >= KIB(64) && c->out_done * 2 >= c->out.n) {
        buf_drop(&c->out, c->out_done);
        c->out_done = 0;
    }
    if (!c->dead && c->out.n) {
        event_add(c->wr, NULL);
        if (c->stall_ms && !timer_is_set(&c->stall))
            timer_set(&c->stall, c->stall_ms);
    }
    if (c->out.n == 0 && c->tls == TLS_FLUSH) {
        c->tls = TLS_HANDSHAKE;
        want_read(c);
        if (!c->dead)
            event_add(c->wr, NULL); /* a client speaks first */
    }
}

static void flush_out(struct conn *c)
{
    write_out(c);
    if (c->above_low && conn_out_pending(c) < c->lim.out_low) {
        c->above_low = false;
        if (!c->dead && !c->closing && c->ops->on_drain)
            c->ops->on_drain(c->ctx);
    }
}

/* Offer what is buffered until it is used up, declined, or the owner paused. What was used is dropped
 * once, at the end: a peer that sends many small lines must not have the rest moved for each. */
static void offer(struct conn *c)
{
    while (c->in_done < c->in.n && !c->paused && !c->dead && !c->closing && !c->offered && !tls_begins(c)) {
        ssize_t used = c->ops->on_data(c->ctx, str_skip(buf_str(&c->in), c->in_done));

        if (used < 0) {
            die(c, (int)used);
            break;
        }
        assert((size_t)used <= c->in.n - c->in_done);
        c->in_done += (size_t)used;
        if (used == 0 && !c->paused) {
            c->offered = true;
            if (conn_in_pending(c) >= c->lim.in_max)
                die(c, E_LIMIT);
        }
    }
    buf_drop(&c->in, c->in_done);
    c->in_done = 0;
    if (c->in.n && c->z_begins)
        die(c, E_SYNTAX); /* RFC 4978 3: nothing may be sent before the answer to COMPRESS */
    c->z_begins = false;
    if (c->in.n && tls_begins(c))
        die(c, E_SYNTAX); /* clear text behind STARTTLS must not pass for what came by TLS (CVE-2011-0411) */
    if (c->in.n == 0)
        buf_release(&c->in);
}

/* Orderly end of input: once everything was offered and the owner is not busy with it. */
static void end_of_input(struct conn *c)
{
    if (!c->eof || c->dead || c->closing || c->paused)
        return;
    if (c->in.n && !c->offered)
        return;
    conn_close(c, 5000);
}

/* Our last words are out: say that they are the last, but do not close yet. Closing while input waits
 * makes the kernel reset the connection, and the peer may never see what we said (RFC 9293 3.6). What
 * still comes is thrown away, until the peer hangs up or the linger time is over. */
static void say_all(struct conn *c)
{
    if (c->said_all)
        return;
    c->said_all = true;
    if (c->ssl && !SSL_in_init(c->ssl))
        SSL_shutdown(c->ssl); /* close_notify, so that the peer knows nothing was cut off */
    ERR_clear_error();
    shutdown(c->fd, SHUT_WR);
    if (c->eof)
        die(c, 0);
    else
        event_add(c->rd, NULL);
}

static void throw_away(struct conn *c)
{
    char waste[4096];

    for (size_t turn = 0; turn < READ_TURN; turn += sizeof waste) {
        ssize_t got = read(c->fd, waste, sizeof waste);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            die(c, 0);
            return;
        }
    }
}

/* OpenSSL reads ahead: records that came together cost one system call. */
static bool ssl_waits(const struct conn *c)
{
    return c->tls == TLS_UP && !c->ssl_dry && SSL_has_pending(c->ssl);
}

/* Bytes wait inside OpenSSL or the compression layer: no event will tell. */
static void read_more(struct conn *c)
{
    bool waits = ssl_waits(c) || c->z_in.n || c->z_more;

    if (waits && !c->paused && !c->closing && c->in.n < c->lim.in_max)
        timer_set(&c->more, 0);
}

static void on_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *ctx)
{
    struct conn *c = ctx;
    size_t turn = 0;

    if (c->said_all) {
        throw_away(c);
        return;
    }
    if (c->tls == TLS_HANDSHAKE) {
        handshake(c);
        return;
    }
    if (is_paused(c)) {
        event_del(c->rd); /* want_read asks again after conn_resume */
        return;
    }
    while (!c->dead && !c->closing && !c->eof && !c->paused && !tls_begins(c) && turn < READ_TURN &&
           c->in.n < c->lim.in_max) {
        size_t n = size_min(READ_CHUNK, c->lim.in_max - c->in.n);
        void *p = (c->in.max = c->lim.in_max, buf_reserve(&c->in, n));
        ssize_t got = p ? read_some(c, p, n) : (die(c, E_NOMEM), -1);

        if (got <= 0)
            break;
        c->in.n += (size_t)got;
        turn += (size_t)got;
        c->offered = false;
        c->last_in_ms = now_ms();
        if (c->z || !ssl_waits(c)) /* commands in records of their own are seen together */
            offer(c);
    }
    if (c->in.n && !c->dead)
        offer(c);
    if (c->in.n == 0)
        buf_release(&c->in);
    if (c->dead)
        return;
    read_more(c);
    end_of_input(c);
    want_read(c);
}

static void on_more(struct timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, more);

    if (!c->dead && !c->closing)
        on_readable(c->fd, 0, c);
}

static void on_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *ctx)
{
    struct conn *c = ctx;

    if (c->tls == TLS_HANDSHAKE)
        handshake(c);
    else
        flush_out(c);
    if (c->closing || c->out.n == 0)
        kick(c);
}

static void conn_destroy(struct conn *c)
{
    int why = c->why;

    if (c->ssl) {
        if (!c->said_all && !SSL_in_init(c->ssl))
            SSL_shutdown(c->ssl);
        ERR_clear_error();
        SSL_free(c->ssl);
    }
    event_free(c->rd);
    event_free(c->wr);
    event_free(c->kick);
    timer_release(&c->idle);
    timer_release(&c->stall);
    timer_release(&c->linger);
    timer_release(&c->more);
    buf_release(&c->in);
    buf_release(&c->out);
    buf_release(&c->z_in);
    deflate_layer_free(&c->z);
    close(c->fd);
    c->ops->on_close(c->ctx, why);
    free(c);
}

static void on_kick(evutil_socket_t fd UNUSED, short what UNUSED, void *ctx)
{
    struct conn *c = ctx;

    if (!c->dead)
        flush_out(c);
    if (!c->dead && c->closing && c->out.n == 0)
        say_all(c);
    if (c->dead) {
        conn_destroy(c);
        return;
    }
    offer(c);
    if (c->dead)
        return; /* kicked again */
    read_more(c);
    end_of_input(c);
    want_read(c);
}

static void on_idle_timer(struct timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, idle);
    int64_t left = c->last_in_ms + c->idle_ms - now_ms();

    if (!c->idle_ms || c->dead || c->closing)
        return;
    if (c->paused && !tls_begins(c))
        left = c->idle_ms; /* it is we who do not listen */
    if (left > 0) {
        timer_set(t, left);
        return;
    }
    c->last_in_ms = now_ms();
    timer_set(t, c->idle_ms);
    if (c->ops->on_idle)
        c->ops->on_idle(c->ctx);
    else
        die(c, E_TIMEOUT);
}

static void on_stall_timer(struct timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, stall);
    int64_t left = c->last_out_ms + c->stall_ms - now_ms();

    if (!c->stall_ms || c->dead || conn_out_pending(c) == 0)
        return;
    if (left > 0)
        timer_set(t, left);
    else
        die(c, E_TIMEOUT);
}

static void on_linger_timer(struct timer *t)
{
    die(CONTAINER_OF(t, struct conn, linger), 0);
}

struct conn *conn_new(struct loop *l, int fd, const struct conn_limits *lim, const struct conn_ops *ops,
                      void *ctx)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c) {
        close(fd);
        return NULL;
    }
    evutil_make_socket_nonblocking(fd);
    *c = (struct conn){ .loop = l, .ops = ops, .ctx = ctx, .lim = *lim, .fd = fd };
    c->last_in_ms = c->last_out_ms = now_ms();
    c->rd = event_new(loop_base(l), fd, EV_READ | EV_PERSIST, on_readable, c);
    c->wr = event_new(loop_base(l), fd, EV_WRITE, on_writable, c);
    c->kick = event_new(loop_base(l), -1, 0, on_kick, c);
    if (!c->rd || !c->wr || !c->kick || timer_init(&c->idle, l, on_idle_timer) < 0 ||
        timer_init(&c->stall, l, on_stall_timer) < 0 || timer_init(&c->linger, l, on_linger_timer) < 0 ||
        timer_init(&c->more, l, on_more) < 0) {
        if (c->rd)
            event_free(c->rd);
        if (c->wr)
            event_free(c->wr);
        if (c->kick)
            event_free(c->kick);
        timer_release(&c->idle);
        timer_release(&c->stall);
        timer_release(&c->linger);
        timer_release(&c->more);
        close(fd);
        free(c);
        return NULL;
    }
    event_add(c->rd, NULL);
    return c;
}

int conn_write(struct conn *c, struct str s)
{
    int r;

    if (c->dead || c->closing)
        return E_CLOSED;
    if (s.n == 0)
        return 0;
    if (s.n > c->lim.out_max || conn_out_pending(c) > c->lim.out_max - s.n)
        return E_LIMIT;
    c->out.max =
        c->lim.out_max + c->out_done + (c->z ? 2 * READ_CHUNK : 0); /* the layer asks for whole pieces */
    if (c->out.n == 0)
        c->last_out_ms = now_ms();
    if (c->z && (r = deflate_layer_out(c->z, s, &c->out)) < 0)
        die(c, r); /* half of it is in the stream: it cannot be taken back */
    else if (!c->z)
        r = buf_puts(&c->out, s);
    if (r < 0)
        return r;
    if (conn_out_pending(c) >= c->lim.out_low)
        c->above_low = true;
    kick(c);
    return 0;
}

size_t conn_out_pending(const struct conn *c)
{
    return c->out.n - c->out_done;
}

static int start_tls(struct conn *c, struct tls_ctx *tls)
{
    if (c->dead || c->closing || c->ssl)
        return E_CLOSED;
    write_out(c); /* the clear-text go-ahead; what the socket does not take now goes before the handshake */
    if (c->dead)
        return E_CLOSED;
    c->ssl = SSL_new(tls_ctx_ssl(tls));
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) {
        die(c, E_NOMEM);
        return E_NOMEM;
    }
    SSL_set_read_ahead(c->ssl, 1);
    c->tls = c->out.n ? TLS_FLUSH : TLS_HANDSHAKE;
    kick(c);
    want_read(c);
    return 0;
}

int conn_start_tls(struct conn *c, struct tls_ctx *tls)
{
    int r = start_tls(c, tls);

    if (r == 0)
        SSL_set_accept_state(c->ssl);
    return r;
}

int conn_start_tls_client(struct conn *c, struct tls_ctx *tls, const char *host,
                          struct ssl_session_st *resume)
{
    int r = start_tls(c, tls);

    if (r < 0)
        return r;
    SSL_set_connect_state(c->ssl);
    if (host && SSL_set_tlsext_host_name(c->ssl, host) != 1)
        r = E_NOMEM;
    if (tls_ctx_verifies(tls) &&
        (!host || (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host) != 1 &&
                   SSL_set1_host(c->ssl, host) != 1)))
        r = E_NOMEM; /* a name that cannot be checked would be one that nobody checks */
    if (resume)
        SSL_set_session(c->ssl, resume);
    ERR_clear_error();
    event_active(c->wr, EV_WRITE, 0); /* we speak first */
    return r;
}

int conn_start_tls_peer(struct conn *c, struct tls_ctx *tls, const struct tls_peer *peer,
                        struct ssl_session_st *resume)
{
    int r = start_tls(c, tls);

    if (r < 0 || (r = tls_peer_set(c->ssl, peer)) < 0)
        return r;
    SSL_set_connect_state(c->ssl);
    if (resume)
        SSL_set_session(c->ssl, resume);
    ERR_clear_error();
    event_active(c->wr, EV_WRITE, 0); /* we speak first */
    return 0;
}

int conn_tls_verdict(const struct conn *c, const struct tls_peer *peer, const char **why_out)
{
    return (int)tls_peer_verdict(c->ssl, peer, why_out);
}

const char *conn_tls_why(const struct conn *c)
{
    return c->tls_why ? c->tls_why : "";
}

struct ssl_session_st *conn_tls_session(struct conn *c)
{
    SSL_SESSION *s = c->tls == TLS_UP ? SSL_get1_session(c->ssl) : NULL;

    if (s && !SSL_SESSION_is_resumable(s)) {
        SSL_SESSION_free(s);
        s = NULL;
    }
    return s;
}

bool conn_tls_resumed(const struct conn *c)
{
    return c->tls == TLS_UP && SSL_session_reused(c->ssl);
}

int conn_start_deflate(struct conn *c)
{
    if (c->dead || c->closing || c->z)
        return E_CLOSED;
    c->z = deflate_layer_new();
    if (!c->z)
        return E_NOMEM;
    c->z_begins = true;
    kick(c);
    return 0;
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls == TLS_UP;
}

const char *conn_tls_version(const struct conn *c)
{
    return c->tls == TLS_UP ? SSL_get_version(c->ssl) : "";
}

const char *conn_tls_cipher(const struct conn *c)
{
    return c->tls == TLS_UP ? SSL_get_cipher_name(c->ssl) : "";
}

size_t conn_in_pending(const struct conn *c)
{
    return c->in.n - c->in_done;
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    want_read(c);
}

void conn_resume(struct conn *c)
{
    if (!c->paused)
        return;
    c->paused = false;
    c->offered = false;
    c->last_in_ms = now_ms();
    kick(c);
}

void conn_idle_ms(struct conn *c, int64_t ms)
{
    c->idle_ms = ms;
    c->last_in_ms = now_ms();
    if (ms)
        timer_set(&c->idle, ms);
    else
        timer_clear(&c->idle);
}

void conn_stall_ms(struct conn *c, int64_t ms)
{
    c->stall_ms = ms;
}

void conn_limits_set(struct conn *c, const struct conn_limits *lim)
{
    c->lim = *lim;
    want_read(c);
}

void conn_close(struct conn *c, int64_t linger_ms)
{
    if (c->dead || c->closing)
        return;
    c->closing = true;
    event_del(c->rd);
    timer_set(&c->linger, linger_ms);
    kick(c);
}

void conn_abort(struct conn *c, int why)
{
    die(c, why);
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}
