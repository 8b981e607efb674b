#include "lib/smtp/answer.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

static const struct {
    const char *name, *in;
    ptrdiff_t r;
    unsigned code;
    const char *enhanced, *text;
} cases[] = {
    { "one line", "250 2.1.0 Ok\r\n", 14, 250, "2.1.0", "Ok" },
    { "no text", "250\r\n", 5, 250, "", "" },
    { "several", "550-5.1.1 No such\r\n550 5.1.1 user\r\n", 35, 550, "5.1.1", "No such user" },
    { "other class", "450 5.1.1 odd\r\n", 15, 450, "", "5.1.1 odd" },
    { "bare LF", "220 hi\nrest", 7, 220, "", "hi" },
    { "pipelined", "250 a\r\n250 b\r\n", 7, 250, "", "a" },
    { "waits", "250-a\r\n", 0, 0, "", "" },
    { "codes differ", "250-a\r\n251 b\r\n", E_SYNTAX, 0, "", "" },
    { "no code", "hello\r\n", E_SYNTAX, 0, "", "" },
    { "too low", "150 a\r\n", E_SYNTAX, 0, "", "" },
    { "too high", "600 a\r\n", E_SYNTAX, 0, "", "" },
    { "no space", "250x\r\n", E_SYNTAX, 0, "", "" },
    { "foreign bytes", "550 \x1b[2J\xff\r\n", 11, 550, "", "?[2J?" },
};

static void test_answers(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smtp_answer a = { .code = 0 };

        check_case = cases[i].name;
        CHECK(smtp_answer_read(str_from(cases[i].in), &a) == cases[i].r);
        CHECK(a.code == cases[i].code);
        CHECK(strcmp(a.enhanced, cases[i].enhanced) == 0);
        CHECK(strcmp(a.text, cases[i].text) == 0);
        for (size_t n = 0; cases[i].r > 0 && n < (size_t)cases[i].r; n++) /* cut anywhere: wait */
            CHECK(smtp_answer_read(str_of(cases[i].in, n), &a) == 0);
    }
    check_case = NULL;
}

static void test_limit(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = MIB(1) };
    struct smtp_answer a;

    while (b.n < SMTP_ANSWER_MAX + 10)
        CHECK(buf_putz(&b, "250-more\r\n") == 0);
    CHECK(smtp_answer_read(buf_str(&b), &a) == E_LIMIT);
}

static void test_offer(void **state UNUSED)
{
    struct smtp_offer o;

    smtp_offer_read(
        STR("250-PIPELINING example.org\r\n250-SIZE 1000\r\n250-starttls\r\n250-AUTH PLAIN\r\n250 DSN\r\n"),
        &o);
    CHECK(o.has == (SMTP_OFFER_SIZE | SMTP_OFFER_STARTTLS | SMTP_OFFER_DSN));
    CHECK(o.size_max == 1000);
}

static void test_xtext(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf b = { .max = KIB(1) };

    CHECK(smtp_xtext(&b, STR("a+b=c d\xc3\xa9")) == 0);
    CHECK(str_eq_z(buf_str(&b), "a+2Bb+3Dc+20d+C3+A9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers), cmocka_unit_test(test_limit),
                                        cmocka_unit_test(test_offer), cmocka_unit_test(test_xtext) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
