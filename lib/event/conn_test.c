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
    struct peer p;
    pthread_t client;
    int sv[2];

    CHECK(tls_self_signed(names, 2, 30, &cert, &key) == 0);
    peer_start(&p, sv);
    p.line_mode = true;
    CHECK(tls_ctx_new(buf_str(&cert), buf_str(&key), &p.tls) == 0);
    CHECK(tls_ctx_new(buf_str(&cert), STR("nonsense"), &p.tls) == E_SYNTAX);
    CHECK(pthread_create(&client, NULL, tls_client, &sv[1]) == 0);
    loop_run(p.loop);
    pthread_join(client, NULL);
    CHECK(p.closed && p.why == 0 && str_eq_z(buf_str(&p.got), "secretbye"));
    close(sv[1]);
    tls_ctx_free(&p.tls);
    peer_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_and_close),
        cmocka_unit_test(test_last_words_arrive),
        cmocka_unit_test(test_input_limit),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_start_tls),
    };

    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
