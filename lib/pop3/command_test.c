#include "lib/pop3/command.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

static const struct {
    const char *line, *keyword, *rest;
    int r;
} lines[] = {
    { "NOOP", "NOOP", "", 0 },
    { "top 1 10", "top", "1 10", 0 },
    { "PASS  two spaces ", "PASS", " two spaces ", 0 },
    { "STLS", "STLS", "", 0 },
    { "UTF8", "UTF8", "", 0 },
    { "", "", "", E_SYNTAX },
    { " NOOP", "", "", E_SYNTAX },
    { "QU", "", "", E_SYNTAX },
    { "LIST\t1", "", "", E_SYNTAX },
    { "GETMEALLTHEMAIL", "", "", E_SYNTAX },
};

static void test_parse(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct pop3_command c = { 0 };

        check_case = lines[i].line;
        CHECK(pop3_command_parse(str_from(lines[i].line), &c) == lines[i].r);
        if (lines[i].r < 0)
            continue;
        CHECK(str_eq_z(c.keyword, lines[i].keyword));
        CHECK(str_eq_z(c.rest, lines[i].rest));
    }
}

static const struct {
    const char *rest, *left;
    uint32_t n;
    int r;
} numbers[] = {
    { "1", "", 1, 0 },           { "17 3", "3", 17, 0 },           { "007", "", 7, 0 },
    { "", "", 0, E_SYNTAX },     { " 1", " 1", 0, E_SYNTAX },      { "-1", "-1", 0, E_SYNTAX },
    { "1x", "1x", 0, E_SYNTAX }, { "4294967296", "", 0, E_RANGE },
};

static void test_number(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct str rest = str_from(numbers[i].rest);
        uint32_t n = 0;

        check_case = numbers[i].rest;
        CHECK(pop3_number(&rest, &n) == numbers[i].r);
        CHECK(n == numbers[i].n && str_eq_z(rest, numbers[i].left));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_number) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
