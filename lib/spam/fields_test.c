/* Fields that claim to be ours go, all others stay as they came; whole and byte by byte. */
#include "lib/base/test.h"
#include "lib/spam/fields.h"

static const struct {
    const char *in, *out;
    unsigned removed;
} cases[] = {
    { "A: 1\r\nX-Spam-Score: -5\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n\r\nbody\r\n", 1 },
    { "X-Spam-Status: No,\r\n\tscore=0\r\n tests=x\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n", 1 },
    { "x-spam-STATUS \t: No\n\nX-Spam-Score: 1\n", "\nX-Spam-Score: 1\n", 1 },
    { "X-Spam-Level: **\r\nX-Spam-Statusx: 1\r\nX-Spam: a\r\n",
      "X-Spam-Level: **\r\nX-Spam-Statusx: 1\r\nX-Spam: a\r\n", 0 },
    { "X-Spam-Score no colon\r\n\r\n", "X-Spam-Score no colon\r\n\r\n", 0 },
    { "X-Spam-Score\r\nA: 1\r\n\r\n", "X-Spam-Score\r\nA: 1\r\n\r\n", 0 },
    { "X-Spam-Score: 1\r\nX-Spam-Score: 2\r\n", "", 2 },
    { "X-Spam-Sco", "X-Spam-Sco", 0 },
    { "", "", 0 },
};

static void run(size_t step)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct spam_fields f = { .n = 0 };
        struct str in = str_from(cases[i].in);

        check_case = cases[i].in;
        for (size_t at = 0; at < in.n; at += step)
            CHECK(spam_fields_feed(&f, str_slice(in, at, at + step), false, &out) == 0);
        CHECK(spam_fields_feed(&f, STR(""), true, &out) == 0);
        CHECK(str_eq_z(buf_str(&out), cases[i].out) && f.removed == cases[i].removed);
    }
}

static void test_whole(void **state UNUSED)
{
    run(SIZE_MAX / 2);
}

static void test_byte_by_byte(void **state UNUSED)
{
    run(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_byte_by_byte) };

    return cmocka_run_group_tests_name("spam_fields", tests, NULL, NULL);
}
