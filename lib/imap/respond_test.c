#include "lib/base/test.h"
#include "lib/imap/respond.h"

static const struct {
    const char *name;
    struct str in;
    const char *string, *astring;
} strings[] = {
    { "atom", STR("abc"), "\"abc\"", "abc" },
    { "empty", STR(""), "\"\"", "\"\"" },
    { "NIL", STR("nil"), "\"nil\"", "\"nil\"" },
    { "escapes", STR("a\"b\\"), "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\"" },
    { "CRLF", STR("a\r\nb"), "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
    { "NUL", STR("a\0b\0"), "{4}\r\na b ", "{4}\r\na b " },
    { "8 bit", STR("\xc3\xa9"), "{2}\r\n\xc3\xa9", "{2}\r\n\xc3\xa9" },
};

static void test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        CLEANUP(buf_release) struct buf b = { .max = 100 }, c = { .max = 100 };
        struct resp w = { .out = &b }, v = { .out = &c };

        check_case = strings[i].name;
        resp_string(&w, strings[i].in);
        resp_astring(&v, strings[i].in);
        CHECK(w.r == 0 && str_eq_z(buf_str(&b), strings[i].string));
        CHECK(v.r == 0 && str_eq_z(buf_str(&c), strings[i].astring));
    }
    check_case = "";
}

static void test_lines(void **state)
{
    CLEANUP(buf_release) struct buf b = { .max = 1000 };
    const struct str keywords[] = { STR("$Todo"), STR("x") };
    const struct imap_flags flags = { IMAP_FLAG_SEEN | IMAP_FLAG_RECENT, keywords, 2 };
    struct resp w = { .out = &b };

    (void)state;
    resp_status(&w, STR("a1"), "NO", "UNAVAILABLE", STR("try\r\nlater \xc3\xa9"));
    resp_status(&w, STR_NONE, "OK", NULL, STR(""));
    resp_flags(&w, &flags);
    resp_z(&w, " ");
    resp_mailbox(&w, STR("\xc3\xa9&"));
    resp_z(&w, " ");
    w.utf8 = true;
    resp_mailbox(&w, STR("\xc3\xa9\""));
    resp_nstring(&w, STR_NONE);
    resp_date_time(&w, 0);
    resp_crlf(&w);
    CHECK(w.r == 0);
    CHECK(str_eq_z(buf_str(&b), "a1 NO [UNAVAILABLE] try??later ??\r\n* OK Done\r\n(\\Seen \\Recent $Todo x) "
                                "\"&AOk-&-\" \"\xc3\xa9\\\"\"NIL\" 1-Jan-1970 00:00:00 +0000\"\r\n") ||
          str_eq_z(buf_str(&b), "a1 NO [UNAVAILABLE] try??later ??\r\n* OK Done\r\n(\\Seen \\Recent $Todo x) "
                                "&AOk-&- \"\xc3\xa9\\\"\"NIL\" 1-Jan-1970 00:00:00 +0000\"\r\n"));
    b.max = b.n;
    resp_z(&w, "more");
    CHECK(w.r == E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_strings), cmocka_unit_test(test_lines) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
