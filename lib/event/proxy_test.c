#include "lib/event/proxy.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static const struct {
    const char *name, *in;
    size_t n;
    ssize_t r;
    const char *peer; /* "" not known */
    unsigned port;
} cases[] = {
#define CASE(name, lit, r, peer, port)            \
    {                                             \
        name, lit, sizeof(lit) - 1, r, peer, port \
    }
    CASE("v1", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nEHLO", 45, "192.0.2.1", 56324),
    CASE("v1, IPv6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", 36, "2001:db8::1", 1),
    CASE("v1, unknown", "PROXY UNKNOWN\r\n", 15, "", 0),
    CASE("v1, unknown with more", "PROXY UNKNOWN ffff:f... 1 2\r\n", 29, "", 0),
    CASE("v1, no CRLF yet", "PROXY TCP4 192.0.2.1", 0, "", 0),
    CASE("v1, a bare LF is none", "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n", 0, "", 0),
    CASE("v1, port", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", E_SYNTAX, "", 0),
    CASE("v1, port with zero", "PROXY TCP4 192.0.2.1 198.51.100.1 01 443\r\n", E_SYNTAX, "", 0),
    CASE("v1, family", "PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n", E_SYNTAX, "", 0),
    CASE("v1, address", "PROXY TCP4 ::1 ::1 1 443\r\n", E_SYNTAX, "", 0),
    CASE(
        "v1, too long",
        "PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        E_LIMIT, "", 0),
    CASE("no header", "EHLO x\r\n", E_SYNTAX, "", 0),
    CASE("the beginning of one", "PRO", 0, "", 0),
    CASE("v2",
         V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"
            "EHLO",
         28, "192.0.2.1", 56324),
    CASE("v2 with TLV", V2 "\x21\x11\0\x0f\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb\x04\0\0", 31,
         "192.0.2.1", 56324),
    CASE("v2, local", V2 "\x20\0\0\0", 16, "", 0),
    CASE("v2, unix", V2 "\x21\x31\0\x01x", 17, "", 0),
    CASE("v2, short addresses", V2 "\x21\x11\0\x04\xc0\0\x02\x01", E_SYNTAX, "", 0),
    CASE("v2, version", V2 "\x31\x11\0\x0c", E_SYNTAX, "", 0),
    CASE("v2, too long", V2 "\x21\x11\xff\xff", E_LIMIT, "", 0),
    CASE("v2, half", V2 "\x21\x11\0\x0c\xc0", 0, "", 0),
};

static void peer_is(const struct proxy_peer *p, const char *text, unsigned port)
{
    const struct sockaddr *sa = (const void *)&p->sa;
    char z[INET6_ADDRSTRLEN] = "";
    unsigned got = 0;

    if (p->known && sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, z, sizeof z);
        got = ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
    } else if (p->known) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, z, sizeof z);
        got = ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
    }
    CHECK(str_eq_z(str_from(z), text) && got == port);
}

static void test_parse(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str in = str_of(cases[i].in, cases[i].n);
        struct proxy_peer p;
        size_t need = 0;

        check_case = cases[i].name;
        CHECK(proxy_parse(in, &p, &need) == cases[i].r);
        CHECK(cases[i].r != 0 || need > in.n);
        if (cases[i].r > 0)
            peer_is(&p, cases[i].peer, cases[i].port);
        for (size_t n = 1; cases[i].r > 0 && n < (size_t)cases[i].r; n++) { /* cut anywhere: more is needed */
            CHECK(proxy_parse(str_slice(in, 0, n), &p, &need) == 0);
            CHECK(need > n && need <= (size_t)cases[i].r);
        }
    }
}

/* ---- the gate ---- */

static struct {
    struct loop *loop;
    int fd;
    struct proxy_peer peer;
    bool passed;
} got;

static void accepted(void *ctx UNUSED, int fd, const struct sockaddr *peer, socklen_t len)
{
    got.fd = fd;
    got.passed = got.peer.known = true;
    memcpy(&got.peer.sa, peer, len);
    loop_stop(got.loop);
}

static void give_up(struct timer *t UNUSED)
{
    loop_stop(got.loop);
}

/* Sends the header byte by byte over a TCP connection of loopback, then "hello". */
static void through_gate(const char *from, struct str header)
{
    struct netset set;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    struct proxy_gate *g = NULL;
    struct timer end;

    memset(&got, 0, sizeof got);
    got.loop = loop_new();
    CHECK(netset_parse(str_from(from), &set) == 0);
    CHECK(bind(ls, (struct sockaddr *)&a, len) == 0 && listen(ls, 1) == 0 &&
          getsockname(ls, (struct sockaddr *)&a, &len) == 0);
    CHECK(connect(client, (struct sockaddr *)&a, len) == 0);
    fd = accept4(ls, (struct sockaddr *)&a, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(fd >= 0 && (g = proxy_gate_new(got.loop, &set, accepted, NULL)) != NULL);
    proxy_gate_accept(g, fd, (struct sockaddr *)&a, len);
    for (size_t i = 0; i < header.n; i++) {
        (void)send(client, header.p + i, 1, MSG_NOSIGNAL); /* it may have been closed already */
        loop_settle(got.loop);
    }
    (void)send(client, "hello", 5, MSG_NOSIGNAL);
    CHECK(timer_init(&end, got.loop, give_up) == 0);
    timer_set(&end, 2000);
    if (!got.passed)
        loop_run(got.loop);
    timer_release(&end);
    proxy_gate_free(&g);
    close(ls);
    close(client);
    loop_free(&got.loop);
}

static void test_gate(void **state UNUSED)
{
    char text[8] = "";

    check_case = "a host that is named";
    through_gate("127.0.0.0/8", STR("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"));
    CHECK(got.passed);
    peer_is(&got.peer, "192.0.2.1", 56324);
    CHECK(recv(got.fd, text, sizeof text, 0) == 5 && memcmp(text, "hello", 5) == 0);
    close(got.fd);
    check_case = "one that is not";
    through_gate("10.0.0.0/8", STR_NONE);
    CHECK(got.passed && ((struct sockaddr *)&got.peer.sa)->sa_family == AF_INET);
    close(got.fd);
    check_case = "a named host without a header";
    through_gate("127.0.0.1", STR("EHLO x\r\n"));
    CHECK(!got.passed);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_gate) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
