#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/dns/name.h"
#include <arpa/inet.h>
#include <netinet/in.h>

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
    const char *name, *in, *out; /* NULL: r */
    int r;
} cases[] = {
    { "plain", "example.org", "example.org", 0 },
    { "case", "ExAmPle.ORG", "example.org", 0 },
    { "final dot", "example.org.", "example.org", 0 },
    { "root", ".", ".", 0 },
    { "underscores", "_dmarc._x.example.org", "_dmarc._x.example.org", 0 },
    { "slash of RFC 2317", "1.0/25.2.0.192.in-addr.arpa", "1.0/25.2.0.192.in-addr.arpa", 0 },
    { "international",
      "b\xc3\xbc"
      "cher.example",
      "xn--bcher-kva.example", 0 },
    { "international, capital",
      "B\xc3\x9c"
      "CHER.example",
      "xn--bcher-kva.example", 0 },
    { "international, decomposed",
      "bu\xcc\x88"
      "cher.example",
      "xn--bcher-kva.example", 0 },
    { "international, sharp s stays",
      "stra\xc3\x9f"
      "e.example",
      "xn--strae-oqa.example", 0 },
    { "international, underscore",
      "_dmarc.b\xc3\xbc"
      "cher.example",
      "_dmarc.xn--bcher-kva.example", 0 },
    { "ideographic full stop",
      "a\xe3\x80\x82"
      "example",
      "a.example", 0 },
    { "escape", "a\\046b.example", "a\\046b.example", 0 },
    { "escape of a letter", "\\a\\066.example", "ab.example", 0 },
    { "space", "a b.example", "a\\032b.example", 0 },
    { "empty", "", NULL, E_SYNTAX },
    { "two dots", "a..b", NULL, E_SYNTAX },
    { "dot first", ".a", NULL, E_SYNTAX },
    { "escape cut", "a\\04", NULL, E_SYNTAX },
    { "escape over 255", "a\\300.b", NULL, E_SYNTAX },
    { "no UTF-8", "a\xff.example", NULL, E_SYNTAX },
    { "label of 63", L63 ".x", L63 ".x", 0 },
    { "label of 64", "a" L63 ".x", NULL, E_LIMIT },
    { "name of 255 on the wire",
      L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi",
      L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi", 0 },
    { "name of 256", L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij",
      NULL, E_LIMIT },
};

static void test_names(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf text = { .max = DNS_TEXT_MAX };
        struct dns_name n = { .n = 0 }, again, wired;

        check_case = cases[i].name;
        CHECK(dns_name_parse(str_from(cases[i].in), &n) == cases[i].r);
        if (cases[i].r < 0)
            continue;
        CHECK(dns_name_print(&n, &text) == 0);
        CHECK(str_eq_z(buf_str(&text), cases[i].out));
        CHECK(dns_name_parse(buf_str(&text), &again) == 0 && dns_name_eq(&n, &again));
        CHECK(dns_name_from_wire(str_of(n.wire, n.n), &wired) == 0 && dns_name_eq(&n, &wired));
        CHECK(dns_name_from_wire(str_of(n.wire, n.n - 1u), &wired) == E_SYNTAX);
    }
}

static void test_hosts(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool host;
    } rows[] = { { "mx.example.org", true },
                 { "1.2.3.4", true },
                 { "a", true },
                 { "a-b.c", true },
                 { "-a.b", false },
                 { "a-.b", false },
                 { "a_b.c", false },
                 { "", false },
                 { "a..b", false },
                 { "a.", false },
                 { ".", false },
                 { "a b.c", false },
                 { L63, true },
                 { "x" L63, false } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].text;
        CHECK(dns_is_host(str_from(rows[i].text)) == rows[i].host);
    }
}

static void test_reverse(void **state UNUSED)
{
    static const struct {
        const char *address, *suffix, *out;
    } rows[] = {
        { "192.0.2.7", "", "7.2.0.192.in-addr.arpa" },
        { "192.0.2.7", "zen.example", "7.2.0.192.zen.example" },
        { "::ffff:192.0.2.7", "", "7.2.0.192.in-addr.arpa" },
        { "2001:db8::567:89ab", "",
          "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf text = { .max = DNS_TEXT_MAX };
        struct sockaddr_in v4 = { .sin_family = AF_INET };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        bool is4 = inet_pton(AF_INET, rows[i].address, &v4.sin_addr) == 1;

        check_case = rows[i].address;
        CHECK(is4 || inet_pton(AF_INET6, rows[i].address, &v6.sin6_addr) == 1);
        CHECK(dns_name_reverse(is4 ? (struct sockaddr *)(void *)&v4 : (struct sockaddr *)(void *)&v6,
                               str_from(rows[i].suffix), &text) == 0);
        CHECK(str_eq_z(buf_str(&text), rows[i].out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_hosts),
                                        cmocka_unit_test(test_reverse) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
