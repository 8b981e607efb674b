/* Reports as servers write them, whole and cut at every byte. */
#include "lib/base/test.h"
#include "lib/mime/dsn.h"

static const char text[] =
    "Reporting-MTA: dns; mx.far.test\r\nArrival-Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
    "Original-Recipient: rfc822;bob@far.test\r\nFinal-Recipient: RFC822; <Bob@inner.far.test>\r\n"
    "action: Failed\r\nStatus: 5.1.1 (nobody)\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n  no such user\r\n"
    "Remote-MTA: dns; inner.far.test\r\n\r\n\r\n"
    "Final-Recipient: rfc822; eve@far.test\r\nAction: delayed\r\nStatus: 4.4.1\r\n";

static void test_report(void **state UNUSED)
{
    struct arena a = { .max = KIB(64) };
    struct dsn d;

    CHECK(dsn_parse(&a, str_from(text), &d) == 0);
    CHECK(str_eq_z(d.reporter, "mx.far.test") && d.n == 2);
    CHECK(str_eq_z(d.recipients[0].final, "Bob@inner.far.test"));
    CHECK(str_eq_z(d.recipients[0].original, "bob@far.test"));
    CHECK(str_ieq_z(d.recipients[0].action, "failed"));
    CHECK(str_eq_z(d.recipients[0].status, "5.1.1"));
    CHECK(str_find(d.recipients[0].diagnostic, STR("no such user")) > 0);
    CHECK(str_eq_z(d.recipients[0].remote, "inner.far.test"));
    CHECK(str_eq_z(d.recipients[1].status, "4.4.1"));
    arena_release(&a);
}

static void test_cut(void **state UNUSED)
{
    for (size_t n = 0; n < sizeof text; n++) {
        struct arena a = { .max = KIB(64) };
        struct dsn d;

        CHECK(dsn_parse(&a, str_of(text, n), &d) == 0 && d.n <= 2);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_report), cmocka_unit_test(test_cut) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
