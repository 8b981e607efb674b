/* Texts of MTA-STS and of TLS reports, whole and cut off at every byte. */
#include "lib/smtp/sts.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include <stdlib.h>

static const struct {
    const char *txt, *id;
    int r;
} records[] = {
    { "v=STSv1; id=20160831085700Z;", "20160831085700Z", 0 },
    { "v=STSv1;id=a", "a", 0 },
    { "v=STSv1 ; id=a ; x=y ; ", "a", 0 },
    { "v=STSv1; id=a; id=b", "a", 0 },
    { "v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012", 0 },
    { "v=STSv1; id=123456789012345678901234567890123", NULL, E_SYNTAX },
    { "v=STSv1; id=", NULL, E_SYNTAX },
    { "v=STSv1; id=a-b", NULL, E_SYNTAX },
    { "v=STSv1;", NULL, E_SYNTAX },
    { "v=STSv1; x=y", NULL, E_SYNTAX },
    { "v=STSv1; id=a;; x=y", NULL, E_SYNTAX },
    { "v=STSv1; id=a; junk", NULL, E_SYNTAX },
    { "v=STSv1", NULL, E_NOTFOUND },
    { "v=STSv10; id=a", NULL, E_NOTFOUND },
    { "V=STSv1; id=a", NULL, E_NOTFOUND },
    { "v=spf1 -all", NULL, E_NOTFOUND },
    { "", NULL, E_NOTFOUND },
};

static void test_records(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        struct str id = STR_NONE;

        check_case = records[i].txt;
        CHECK(sts_record_parse(str_from(records[i].txt), &id) == records[i].r);
        CHECK(records[i].r < 0 || str_eq_z(id, records[i].id));
    }
    check_case = "";
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 86400\n"
static const struct {
    const char *text;
    int r;
    enum sts_mode mode;
    uint32_t age;
    size_t nmx;
} policies[] = {
    { "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n",
      0, STS_ENFORCE, 604800, 2 },
    { "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 1", 0, STS_TESTING, 1, 1 },
    { "mode:none \nmax_age:\t0\nversion:STSv1", 0, STS_NONE, 0, 0 },
    { HEAD "mx: a.example\nmode: none\nmax_age: 5\nversion: x\n", 0, STS_ENFORCE, 86400, 1 },
    { HEAD "mx: a.example\nnew_field: what it will\n\n", 0, STS_ENFORCE, 86400, 1 },
    { "version: STSv1\nmode: enforce\nmax_age: 9999999999\nmx: a.example\n", 0, STS_ENFORCE, STS_MAX_AGE_MAX,
      1 },
    { HEAD, E_SYNTAX, 0, 0, 0 },
    { "version: STSv1\nmode: enforce\nmx: a.example\n", E_SYNTAX, 0, 0, 0 },
    { "mode: enforce\nmax_age: 1\nmx: a.example\n", E_SYNTAX, 0, 0, 0 },
    { "version: STSv2\nmode: enforce\nmax_age: 1\nmx: a.example\n", E_SYNTAX, 0, 0, 0 },
    { "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a.example\n", E_SYNTAX, 0, 0, 0 },
    { "version: STSv1\nmode: enforce\nmax_age: -1\nmx: a.example\n", E_SYNTAX, 0, 0, 0 },
    { "version: STSv1\nmode: enforce\nmax_age: 12345678901\nmx: a.example\n", E_SYNTAX, 0, 0, 0 },
    { HEAD "mx: \n", E_SYNTAX, 0, 0, 0 },
    { HEAD "mx: *.\n", E_SYNTAX, 0, 0, 0 },
    { HEAD "mx: a.*.example\n", E_SYNTAX, 0, 0, 0 },
    { HEAD "mx: a..example\n", E_SYNTAX, 0, 0, 0 },
    { HEAD "mx: .example\n", E_SYNTAX, 0, 0, 0 },
    { HEAD "mx: a.example\n<html>\n", E_SYNTAX, 0, 0, 0 },
    { "", E_SYNTAX, 0, 0, 0 },
};

static void test_policies(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct str text = str_from(policies[i].text), mx;
        struct sts_policy p;
        size_t at = 0, n = 0;

        check_case = policies[i].text;
        CHECK(sts_policy_parse(text, &p) == policies[i].r);
        if (policies[i].r < 0)
            continue;
        CHECK(p.mode == policies[i].mode && p.max_age_s == policies[i].age && p.nmx == policies[i].nmx);
        while (sts_policy_mx(&p, &at, &mx))
            n++;
        CHECK(n == p.nmx);
    }
    check_case = "";
}

/* Each length in memory of its own, so that a byte too far is seen; what is taken has all it needs. */
static void test_cut_off(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        for (size_t n = 0; n <= strlen(policies[i].text); n++) {
            char *copy = malloc(n ? n : 1);
            struct sts_policy p;

            memcpy(copy, policies[i].text, n);
            if (sts_policy_parse(str_of(copy, n), &p) == 0)
                CHECK(p.mode == STS_NONE || p.nmx > 0);
            free(copy);
        }
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        for (size_t n = 0; n <= strlen(records[i].txt); n++) {
            char *copy = malloc(n ? n : 1);
            struct str id;

            memcpy(copy, records[i].txt, n);
            if (sts_record_parse(str_of(copy, n), &id) == 0)
                CHECK(id.n > 0 && id.p >= copy && id.p + id.n <= copy + n);
            free(copy);
        }
}

static const struct {
    const char *host;
    bool yes;
} hosts[] = {
    { "mail.example.com", true },   { "MAIL.Example.COM.", true },
    { "a.example.net", true },      { "A.EXAMPLE.net", true },
    { "example.net", false },       { "a.b.example.net", false },
    { ".example.net", false },      { "mail.example.org", false },
    { "xmail.example.com", false }, { "", false },
};

static void test_hosts(void **state UNUSED)
{
    struct sts_policy p;

    CHECK(sts_policy_parse(STR(HEAD "mx: mail.example.com\nmx: *.example.net\n"), &p) == 0);
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        check_case = hosts[i].host;
        CHECK(sts_policy_allows(&p, str_from(hosts[i].host)) == hosts[i].yes);
    }
    check_case = "";
}

static void test_too_much(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf text = { .max = MIB(1) };
    struct sts_policy p;

    CHECK(buf_puts(&text, STR(HEAD)) == 0);
    for (size_t i = 0; i <= STS_MX_MAX; i++)
        CHECK(buf_printf(&text, "mx: m%zu.example\n", i) == 0);
    CHECK(sts_policy_parse(buf_str(&text), &p) == E_LIMIT);
    while (text.n <= STS_TEXT_MAX)
        CHECK(buf_putc(&text, '\n') == 0);
    CHECK(sts_policy_parse(buf_str(&text), &p) == E_TOO_BIG);
}

static const struct {
    const char *txt, *uris; /* with spaces between them */
    int r;                  /* at the end */
} reports[] = {
    { "v=TLSRPTv1;rua=mailto:reports@example.com", "mailto:reports@example.com", 0 },
    { "v=TLSRPTv1; rua=mailto:a@b.example, https://r.example/v1?x=1;",
      "mailto:a@b.example https://r.example/v1?x=1", 0 },
    { "v=TLSRPTv1; ext=1; rua=mailto:a@b.example", "mailto:a@b.example", 0 },
    { "v=TLSRPTv1; rua=", "", E_SYNTAX },
    { "v=TLSRPTv1; rua=nothing", "", E_SYNTAX },
    { "v=TLSRPTv1;", "", E_SYNTAX },
    { "v=TLSRPTv2; rua=mailto:a@b.example", "", E_NOTFOUND },
    { "v=STSv1; id=1", "", E_NOTFOUND },
};

static void test_reports(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
        CLEANUP(buf_release) struct buf got = { .max = 300 };
        struct str uri;
        size_t at = 0;
        int r;

        check_case = reports[i].txt;
        while ((r = tlsrpt_record_next(str_from(reports[i].txt), &at, &uri)) == 1)
            CHECK(buf_printf(&got, "%s%.*s", got.n ? " " : "", STR_ARG(uri)) == 0);
        CHECK(r == reports[i].r && str_eq_z(buf_str(&got), reports[i].uris));
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_policies), cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_hosts),   cmocka_unit_test(test_too_much), cmocka_unit_test(test_reports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
