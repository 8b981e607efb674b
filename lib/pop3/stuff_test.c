#include "lib/pop3/stuff.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

static const struct {
    const char *name, *in, *out;
    uint64_t lines;
} cases[] = {
    { "plain", "A: b\r\n\r\nhi\r\n", "A: b\r\n\r\nhi\r\n.\r\n", STUFF_ALL },
    { "dots", ".\r\n\r\n..\r\n.x\r\n", "..\r\n\r\n...\r\n..x\r\n.\r\n", STUFF_ALL },
    { "no last line end", "A: b\r\n\r\nhi", "A: b\r\n\r\nhi\r\n.\r\n", STUFF_ALL },
    { "a bare LF ends no line", "A: b\r\n\r\nx\n.y\r\n", "A: b\r\n\r\nx\n.y\r\n.\r\n", STUFF_ALL },
    { "a dot inside", "A: .b\r\n\r\n", "A: .b\r\n\r\n.\r\n", STUFF_ALL },
    { "empty", "", ".\r\n", STUFF_ALL },
    { "top 0", "A: b\r\n\r\nhi\r\n", "A: b\r\n\r\n.\r\n", 0 },
    { "top 1", "A: b\r\n\r\nhi\r\nyou\r\n", "A: b\r\n\r\nhi\r\n.\r\n", 1 },
    { "top counts empty lines", "A: b\r\n\r\n\r\nyou\r\n", "A: b\r\n\r\n\r\n.\r\n", 1 },
    { "top beyond", "A: b\r\n\r\nhi\r\n", "A: b\r\n\r\nhi\r\n.\r\n", 9 },
    { "top of a header alone", "A: b\r\n", "A: b\r\n.\r\n", 3 },
    { "CR CR LF", "A\r\r\n\r\n.\r\n", "A\r\r\n\r\n..\r\n.\r\n", STUFF_ALL },
};

static void run(size_t slice)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct str in = str_from(cases[i].in);
        struct stuff s;

        check_case = cases[i].name;
        stuff_init(&s, cases[i].lines);
        for (size_t at = 0; at < in.n; at += slice)
            CHECK(stuff_feed(&s, str_slice(in, at, at + slice), &out) == 0);
        CHECK(stuff_end(&s, &out) == 0);
        CHECK(str_eq_z(buf_str(&out), cases[i].out));
    }
}

static void test_whole(void **state UNUSED)
{
    run(KIB(1));
}
static void test_slices(void **state UNUSED)
{
    run(1);
    run(2);
    run(3);
}

static void test_limit(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 4 };

    struct stuff s;

    stuff_init(&s, STUFF_ALL);
    CHECK(stuff_feed(&s, STR("hello\r\n"), &out) == E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_slices),
                                        cmocka_unit_test(test_limit) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
