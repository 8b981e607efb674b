#include "lib/dns/upstream.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include <netinet/in.h>

static const struct {
    const char *text, *resolve, *name; /* of the first */
    size_t n, addrs;
    int r;
} cases[] = {
    { "", NULL, NULL, 0, 0, 0 },
    { "https://dns.example/dns-query 192.0.2.1", "dns.example:443:192.0.2.1", "dns.example", 1, 1, 0 },
    { "https://dns.example:8443/q{?dns}  192.0.2.1   2001:db8::1 ,dns://127.0.0.1",
      "dns.example:8443:192.0.2.1,[2001:db8::1]", "dns.example:8443", 2, 2, 0 },
    { "https://192.0.2.1/dns-query", "192.0.2.1:443:192.0.2.1", "192.0.2.1", 1, 1, 0 },
    { "dns://127.0.0.1", "", "127.0.0.1", 1, 1, 0 },
    { "dns://127.0.0.1:5353/", "", "127.0.0.1:5353", 1, 1, 0 },
    { "dns://[::1]:53", "", "[::1]:53", 1, 1, 0 },
    { "dns://::1", "", "::1", 1, 1, 0 },
    { "https://dns.example/dns-query", NULL, NULL, 0, 0, E_SYNTAX },
    { "https://dns.example 192.0.2.1", NULL, NULL, 0, 0, E_SYNTAX },
    { "https://u@dns.example/q 192.0.2.1", NULL, NULL, 0, 0, E_SYNTAX },
    { "https://dns.example:0/q 192.0.2.1", NULL, NULL, 0, 0, E_SYNTAX },
    { "https://dns.example/q 192.0.2", NULL, NULL, 0, 0, E_SYNTAX },
    { "http://dns.example/q 192.0.2.1", NULL, NULL, 0, 0, E_SYNTAX },
    { "dns://localhost", NULL, NULL, 0, 0, E_SYNTAX },
    { "dns://127.0.0.1 127.0.0.2", NULL, NULL, 0, 0, E_SYNTAX },
    { "dns://127.0.0.1,,", NULL, NULL, 0, 0, E_SYNTAX },
    { "dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1,dns://1.1.1.1",
      NULL, NULL, 0, 0, E_LIMIT },
};

static void test_parse(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf err = { .max = KIB(1) };
        static struct dns_upstreams u;

        check_case = cases[i].text;
        u.n = 0;
        CHECK(dns_upstreams_parse(str_from(cases[i].text), &u, &err) == cases[i].r);
        CHECK((cases[i].r < 0) == (err.n > 0) && u.n == cases[i].n);
        if (u.n == 0)
            continue;
        CHECK(strcmp(u.v[0].resolve, cases[i].resolve) == 0 && strcmp(u.v[0].name, cases[i].name) == 0);
        CHECK(u.v[0].naddrs == cases[i].addrs);
        CHECK(dns_upstreams_have(&u, (struct sockaddr *)(void *)&u.v[0].addrs[0]));
    }
}

static void test_local(void **state UNUSED)
{
    static struct dns_upstreams u;
    struct sockaddr_in other = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };

    CHECK(dns_upstreams_parse(STR("dns://127.0.0.53, dns://::1, dns://192.168.1.1"), &u, NULL) == 0);
    CHECK(dns_upstream_is_local(&u.v[0]) && dns_upstream_is_local(&u.v[1]) &&
          !dns_upstream_is_local(&u.v[2]));
    CHECK(!dns_upstreams_have(&u, (struct sockaddr *)(void *)&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_local) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
