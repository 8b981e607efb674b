#include "lib/base/netset.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static const struct {
    const char *text;
    int r;
    const char *in, *out; /* comma lists of addresses */
} cases[] = {
    { "", 0, "", "127.0.0.1,::1" },
    { "127.0.0.1", 0, "127.0.0.1,::ffff:127.0.0.1", "127.0.0.2,::1" },
    { " 10.0.0.0/8 , 2001:db8::/32 ", 0, "10.9.8.7,2001:db8:1::1", "11.0.0.1,2001:db9::1" },
    { "192.0.2.128/25", 0, "192.0.2.129,192.0.2.255", "192.0.2.127" },
    { "0.0.0.0/0", 0, "8.8.8.8", "::1" },
    { "::/0", 0, "8.8.8.8,::1", "" },
    { "10.1.2.3/8", E_RANGE, "", "" },
    { "10.0.0.0/33", E_RANGE, "", "" },
    { "10.0.0.0/", E_SYNTAX, "", "" },
    { "localhost", E_SYNTAX, "", "" },
    { "127.0.0.1,,", E_SYNTAX, "", "" },
};

static void check_all(const struct netset *s, const char *list, bool want)
{
    struct str rest = str_from(list), item;

    while (rest.n) {
        struct sockaddr_in a4 = { .sin_family = AF_INET };
        struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
        char z[64] = "";

        str_cut(rest, ',', &item, &rest);
        memcpy(z, item.p, item.n);
        if (inet_pton(AF_INET, z, &a4.sin_addr) == 1) {
            CHECK(netset_has(s, (struct sockaddr *)&a4) == want);
        } else {
            CHECK(inet_pton(AF_INET6, z, &a6.sin6_addr) == 1);
            CHECK(netset_has(s, (struct sockaddr *)&a6) == want);
        }
    }
}

static void test_netset(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct netset s = { .n = 0 };

        check_case = cases[i].text;
        CHECK(netset_parse(str_from(cases[i].text), &s) == cases[i].r);
        check_all(&s, cases[i].in, true);
        check_all(&s, cases[i].out, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_netset) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
