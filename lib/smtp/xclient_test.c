#include "lib/smtp/xclient.h"
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static const struct {
    const char *in;
    int r;
    uint32_t given;
    const char *name, *addr, *helo, *login;
    uint16_t port;
    bool esmtp;
} cases[] = {
    { "NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP", 0,
      SMTP_XC_NAME | SMTP_XC_ADDR | SMTP_XC_PROTO, "spike.porcupine.org", "168.100.189.2", "", "", 0, true },
    { "ADDR=IPV6:2001:db8::7 PORT=25", 0, SMTP_XC_ADDR | SMTP_XC_PORT, "", "2001:db8::7", "", "", 25, false },
    { "name=[UNAVAILABLE] addr=[tempunavail]", 0, SMTP_XC_NAME | SMTP_XC_ADDR, "", NULL, "", "", 0, false },
    { "HELO=a+2Bb+3Dc LOGIN=x+20y DESTADDR=192.0.2.1 DESTPORT=25", 0,
      SMTP_XC_HELO | SMTP_XC_LOGIN | SMTP_XC_DESTADDR | SMTP_XC_DESTPORT, "", NULL, "a+b=c", "x y", 0,
      false },
    { "", E_SYNTAX },
    { "NAME", E_SYNTAX },
    { "COLOUR=red", E_SYNTAX },
    { "PORT=1 PORT=2", E_SYNTAX },
    { "PORT=65536", E_SYNTAX },
    { "PROTO=LMTP", E_SYNTAX },
    { "ADDR=192.0.2.256", E_SYNTAX },
    { "ADDR=2001:db8::1", E_SYNTAX },
    { "ADDR=IPV6:", E_SYNTAX },
    { "NAME=a_b\xc3\xbc.example", E_SYNTAX },
    { "NAME=a+0D+0AX", E_SYNTAX },
    { "HELO=a+0D+0Ab", E_SYNTAX },
    { "HELO=a+2", E_SYNTAX },
    { "HELO=a+2b", E_SYNTAX },
};

static void test_parse(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena a = { .max = KIB(8) };
        struct smtp_xclient x = { .given = 0 };
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        char text[INET6_ADDRSTRLEN] = "";

        check_case = cases[i].in;
        CHECK(smtp_xclient_parse(&a, str_from(cases[i].in), &x) == cases[i].r);
        if (cases[i].r < 0)
            continue;
        memcpy(&v4, &x.addr, sizeof v4);
        memcpy(&v6, &x.addr, sizeof v6);
        CHECK(x.given == cases[i].given && x.port == cases[i].port && x.esmtp == cases[i].esmtp);
        CHECK(str_eq_z(x.name, cases[i].name) && str_eq_z(x.helo, cases[i].helo) &&
              str_eq_z(x.login, cases[i].login));
        if (cases[i].addr)
            CHECK(inet_ntop(x.addr.ss_family,
                            x.addr.ss_family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, text,
                            sizeof text) &&
                  strcmp(text, cases[i].addr) == 0);
        else
            CHECK(x.addr.ss_family == AF_UNSPEC);
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
