/* "TLS-Required: No", whole and byte by byte. */
#include "src/courier/tls_required.h"
#include "lib/base/test.h"

static const struct {
    const char *text;
    bool no;
} cases[] = {
    { "TLS-Required: No\r\n\r\nbody\r\n", true },
    { "Subject: x\r\ntls-required:NO\r\nTo: y\r\n\r\n", true },
    { "TLS-Required:\r\n No\r\n\r\n", true },
    { "TLS-Required:\tNo \r\n", true },
    { "TLS-Required: No", true },
    { "TLS-Required: No\r\nTLS-Required: No\r\n\r\n", true },
    { "TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n", false },
    { "TLS-Required: Yes\r\n\r\n", false },
    { "TLS-Required: Not\r\n\r\n", false },
    { "TLS-Required: \r\n\r\n", false },
    { "X-TLS-Required: No\r\n\r\n", false },
    { "Subject: x\r\n TLS-Required: No\r\n\r\n", false },
    { "Subject: x\r\n\r\nTLS-Required: No\r\n", false },
    { "\r\nTLS-Required: No\r\n", false },
    { "TLS-Required: No but with very many words behind it that do not fit anywhere\r\n\r\n", false },
    { "", false },
};

static void test_cases(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_required whole = { .n = 0 }, bytes = { .n = 0 };
        struct str text = str_from(cases[i].text);

        check_case = cases[i].text;
        tls_required_feed(&whole, text);
        for (size_t k = 0; k < text.n; k++)
            tls_required_feed(&bytes, str_slice(text, k, k + 1));
        CHECK(tls_required_no(&whole) == cases[i].no);
        CHECK(tls_required_no(&bytes) == cases[i].no);
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
