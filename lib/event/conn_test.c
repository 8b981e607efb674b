/* lib/event: a connection keeps its limits, offers input again, and upgrades to TLS. */
#include "lib/base/test.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/event/conn.h"
#include "lib/tls/tls.h"
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

struct peer {
    struct loop *loop;
    struct conn *conn;
    struct buf got;
    struct tls_ctx *tls;
    int why;
    bool closed, hold, line_mode;
    struct timer later;
    int other;
};

static ssize_t peer_data(void *ctx, struct str in)
{
    struct peer *p = ctx;

    if (p->hold)
        return 0;
    if (p->line_mode) { /* STARTTLS at the first line */
        ptrdiff_t nl = str_chr(in, '\n');

        if (nl < 0)
            return 0;
        p->line_mode = false;
        CHECK(conn_write(p->conn, STR("220 go\r\n")) == 0);
        CHECK(conn_start_tls(p->conn, p->tls) == 0);
        return nl + 1;
    }
    CHECK(buf_puts(&p->got, in) == 0);
    if (str_find(buf_str(&p->got), STR("bye")) >= 0)
        conn_close(p->conn, 1000);
    else
        CHECK(conn_write(p->conn, STR("ok\r\n")) == 0);
    return (ssize_t)in.n;
}

static void peer_closed(void *ctx, int why)
{
    struct peer *p = ctx;

    p->closed = true;
    p->why = why;
    loop_stop(p->loop);
}

static const struct conn_ops peer_ops = { .on_data = peer_data, .on_close = peer_closed };
static const struct conn_limits small = { .in_max = 1000, .out_max = 1000, .out_low = 100 };

static void peer_start(struct peer *p, int sv[2])
{
    *p = (struct peer){ .loop = loop_new(), .got = { .max = KIB(8) } };
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    p->conn = conn_new(p->loop, sv[0], &small, &peer_ops, p);
    CHECK(p->conn != NULL);
}

static void peer_end(struct peer *p)
{
    buf_release(&p->got);
    loop_free(&p->loop);
}

static void test_echo_and_close(void **state UNUSED)
{
    struct peer p;
    int sv[2];
    char out[64];

    peer_start(&p, sv);
    CHECK(write(sv[1], "hello bye", 9) == 9);
    CHECK(shutdown(sv[1], SHUT_WR) == 0);
    loop_run(p.loop);
    CHECK(p.closed && p.why == 0 && str_eq_z(buf_str(&p.got), "hello bye"));
    CHECK(read(sv[1], out, sizeof out) == 0);
    close(sv[1]);
    peer_end(&p);
}

static void hang_up(struct timer *t)
{
    struct peer *p = CONTAINER_OF(t, struct peer, later);
    char out[64];

    CHECK(!p->closed); /* it has said all and waits for us */
    CHECK(read(p->other, out, sizeof out) == 4 && memcmp(out, "ok\r\n", 4) == 0);
    close(p->other);
}

static void test_last_words_arrive(void **state UNUSED)
{
    static char junk[50000];
    struct peer p;
    int sv[2];

    peer_start(&p, sv);
    p.other = sv[1];
    CHECK(conn_write(p.conn, STR("ok\r\n")) == 0);
    conn_close(p.conn, 10000);
    CHECK(write(sv[1], junk, sizeof junk) == sizeof junk); /* more than it would ever have buffered */
    CHECK(timer_init(&p.later, p.loop, hang_up) == 0);
    timer_set(&p.later, 10);
    loop_run(p.loop);
    CHECK(p.closed && p.why == 0);
    timer_release(&p.later);
    peer_end(&p);
}

static void test_input_limit(void **state UNUSED)
{
    struct peer p;
    char junk[1500] = { 1 };
    int sv[2];

    peer_start(&p, sv);
    p.hold = true; /* an owner that waits for an end that never comes */
    CHECK(write(sv[1], junk, sizeof junk) == sizeof junk);
    loop_run(p.loop);
    CHECK(p.closed && p.why == E_LIMIT);
    close(sv[1]);
    peer_end(&p);
}

static void test_output_limit(void **state UNUSED)
{
    struct peer p;
    char junk[1001] = { 1 };
    int sv[2];

    peer_start(&p, sv);
    CHECK(conn_write(p.conn, str_of(junk, 1001)) == E_LIMIT);
    CHECK(conn_write(p.conn, str_of(junk, 600)) == 0);
    CHECK(conn_write(p.conn, str_of(junk, 600)) == E_LIMIT && conn_out_pending(p.conn) == 600);
    conn_abort(p.conn, E_BUSY);
    loop_run(p.loop);
    CHECK(p.why == E_BUSY);
    close(sv[1]);
    peer_end(&p);
}

static void *tls_client(void *arg)
{
    int fd = *(int *)arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *s = SSL_new(ctx);
    char line[64];

    if (write(fd, "STARTTLS\r\n", 10) == 10 && read(fd, line, 8) == 8) {
        SSL_set_fd(s, fd);
        if (SSL_connect(s) == 1) {
            SSL_write(s, "secret", 6);
            SSL_read(s, line, sizeof line);
            SSL_write(s, "bye", 3);
            SSL_read(s, line, sizeof line);
        }
    }
    SSL_free(s);
    SSL_CTX_free(ctx);
    return NULL;
}

static void test_start_tls(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf cert = { .max = KIB(8) }, key = { .max = KIB(8) };
    const struct str names[] = { STR("mail.example.test"), STR("127.0.0.1") };
    struct tls_ctx *none = NULL;
    struct peer p;
    pthread_t client;
    int sv[2];

    CHECK(tls_self_signed(names, 2, 30, &cert, &key) == 0);
    peer_start(&p, sv);
    p.line_mode = true;
    CHECK(tls_ctx_new(buf_str(&cert), buf_str(&key), &p.tls) == 0);
    CHECK(tls_ctx_new(buf_str(&cert), STR("nonsense"), &p.tls) == E_SYNTAX);
    CHECK(buf_putz(&cert, "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n") == 0);
    CHECK(tls_ctx_new(buf_str(&cert), buf_str(&key), &none) == E_SYNTAX); /* an intermediate */
    CHECK(pthread_create(&client, NULL, tls_client, &sv[1]) == 0);
    loop_run(p.loop);
    pthread_join(client, NULL);
    CHECK(p.closed && p.why == 0 && str_eq_z(buf_str(&p.got), "secretbye"));
    close(sv[1]);
    tls_ctx_free(&p.tls);
    peer_end(&p);
}

/* ---- what a hostile peer may try ---- */

static void test_starttls_injection(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf cert = { .max = KIB(8) }, key = { .max = KIB(8) };
    struct peer p;
    int sv[2];

    CHECK(tls_self_signed(&STR("mail.example.test"), 1, 30, &cert, &key) == 0);
    peer_start(&p, sv);
    p.line_mode = true;
    CHECK(tls_ctx_new(buf_str(&cert), buf_str(&key), &p.tls) == 0);
    CHECK(write(sv[1], "STARTTLS\r\nsecret", 16) == 16);
    loop_run(p.loop);
    CHECK(p.closed && p.why == E_SYNTAX && p.got.n == 0);
    close(sv[1]);
    tls_ctx_free(&p.tls);
    peer_end(&p);
}

static struct {
    const char *next;
    size_t calls, moves;
} small_steps;

static ssize_t one_byte(void *ctx, struct str in)
{
    struct peer *p = ctx;

    small_steps.moves += small_steps.calls++ && in.p != small_steps.next;
    small_steps.next = in.p + 1;
    if (in.n == 1)
        conn_close(p->conn, 1000);
    return 1;
}

/* Many small lines in one read: the rest stays where it is. */
static void test_small_steps_move_nothing(void **state UNUSED)
{
    static const struct conn_ops ops = { .on_data = one_byte, .on_close = peer_closed };
    struct peer p = { .loop = loop_new() };
    char junk[900] = { 1 };
    int sv[2];

    memset(&small_steps, 0, sizeof small_steps);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    CHECK(write(sv[1], junk, sizeof junk) == sizeof junk && shutdown(sv[1], SHUT_WR) == 0);
    p.conn = conn_new(p.loop, sv[0], &small, &ops, &p);
    loop_run(p.loop);
    CHECK(p.closed && small_steps.calls == sizeof junk && small_steps.moves == 0);
    close(sv[1]);
    peer_end(&p);
}

static void stop_soon(struct timer *t)
{
    loop_stop(t->loop);
}

/* Time in which we do not listen is not the peer's silence. */
static void test_no_idle_while_paused(void **state UNUSED)
{
    struct timer stop;
    struct peer p;
    int sv[2];

    peer_start(&p, sv);
    CHECK(timer_init(&stop, p.loop, stop_soon) == 0);
    conn_idle_ms(p.conn, 2);
    conn_pause(p.conn);
    timer_set(&stop, 30);
    loop_run(p.loop);
    CHECK(!p.closed);
    conn_resume(p.conn);
    timer_set(&stop, 5000);
    loop_run(p.loop);
    CHECK(p.closed && p.why == E_TIMEOUT);
    timer_release(&stop);
    close(sv[1]);
    peer_end(&p);
}

/* ---- TLS peers with a will of their own ---- */

#define GREETING_BYTES MIB(2) /* more than a socket takes at once */
#define FLOOD_BYTES    MIB(6)

struct tls_peer {
    int fd;
    size_t greeting, flood;
    bool up;
};

static bool read_all(int fd, size_t n)
{
    char junk[4096];
    ssize_t got = 1;

    for (; n && got > 0; n -= (size_t)got)
        got = read(fd, junk, size_min(n, sizeof junk));
    return n == 0;
}

static void *tls_peer_run(void *arg)
{
    static const char block[10000];
    struct tls_peer *t = arg;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *s = SSL_new(ctx);

    if (write(t->fd, "STARTTLS\r\n", 10) == 10 && read_all(t->fd, t->greeting)) {
        SSL_set_fd(s, t->fd);
        t->up = SSL_connect(s) == 1;
        for (size_t n = 0; t->up && n < t->flood; n += sizeof block)
            t->up = SSL_write(s, block, sizeof block) == sizeof block;
        if (t->up) {
            SSL_write(s, "bye", 3);
            SSL_shutdown(s);
        }
    }
    shutdown(t->fd, SHUT_WR);
    SSL_free(s);
    SSL_CTX_free(ctx);
    return NULL;
}

static struct {
    struct peer p;
    struct timer other;
    size_t greeting, got, since, most;
    bool secure, in_data, nested;
} flood;

static ssize_t flood_data(void *ctx UNUSED, struct str in)
{
    static char junk[GREETING_BYTES];

    flood.in_data = true;
    if (!flood.secure) {
        CHECK(str_eq(in, STR("STARTTLS\r\n")));
        CHECK(conn_write(flood.p.conn, str_of(junk, flood.greeting)) == 0);
        CHECK(conn_start_tls(flood.p.conn, flood.p.tls) == 0);
    } else {
        CHECK(conn_write(flood.p.conn, STR("")) == 0);
        flood.got += in.n;
        flood.since += in.n;
        flood.most = size_max(flood.most, flood.since);
    }
    flood.in_data = false;
    return (ssize_t)in.n;
}

static void flood_drain(void *ctx UNUSED)
{
    flood.nested |= flood.in_data;
}

static void flood_secure(void *ctx UNUSED)
{
    flood.secure = true;
}

/* Someone else's turn on the same loop. */
static void other_turn(struct timer *t)
{
    flood.since = 0;
    timer_set(t, 0);
}

static void flood_run(size_t greeting, size_t bytes)
{
    static const struct conn_ops ops = {
        .on_data = flood_data, .on_drain = flood_drain, .on_secure = flood_secure, .on_close = peer_closed
    };
    static const struct conn_limits lim = { .in_max = KIB(64), .out_max = MIB(4), .out_low = KIB(64) };
    CLEANUP(buf_release) struct buf cert = { .max = KIB(8) }, key = { .max = KIB(8) };
    pthread_t thread;
    int sv[2];
    struct tls_peer peer = { .greeting = greeting, .flood = bytes };

    memset(&flood, 0, sizeof flood);
    flood.greeting = greeting;
    flood.p.loop = loop_new();
    CHECK(tls_self_signed(&STR("mail.example.test"), 1, 30, &cert, &key) == 0);
    CHECK(tls_ctx_new(buf_str(&cert), buf_str(&key), &flood.p.tls) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
    peer.fd = sv[1];
    flood.p.conn = conn_new(flood.p.loop, sv[0], &lim, &ops, &flood.p);
    CHECK(timer_init(&flood.other, flood.p.loop, other_turn) == 0);
    timer_set(&flood.other, 0);
    CHECK(pthread_create(&thread, NULL, tls_peer_run, &peer) == 0);
    loop_run(flood.p.loop);
    pthread_join(thread, NULL);
    CHECK(peer.up && flood.secure && flood.p.closed && flood.p.why == 0);
    timer_release(&flood.other);
    close(sv[1]);
    tls_ctx_free(&flood.p.tls);
    loop_free(&flood.p.loop);
}

static void test_greeting_goes_before_the_handshake(void **state UNUSED)
{
    flood_run(GREETING_BYTES, 0);
    CHECK(!flood.nested && flood.got == 3);
}

static void test_fast_tls_peer_starves_nobody(void **state UNUSED)
{
    flood_run(10, FLOOD_BYTES);
    CHECK(flood.got >= FLOOD_BYTES);
    CHECK(flood.most <= KIB(512));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_and_close),
        cmocka_unit_test(test_last_words_arrive),
        cmocka_unit_test(test_input_limit),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_start_tls),
        cmocka_unit_test(test_starttls_injection),
        cmocka_unit_test(test_small_steps_move_nothing),
        cmocka_unit_test(test_no_idle_while_paused),
        cmocka_unit_test(test_greeting_goes_before_the_handshake),
        cmocka_unit_test(test_fast_tls_peer_starves_nobody),
    };

    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
