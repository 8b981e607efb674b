#include "lib/imap/list_args.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include "lib/imap/status_items.h"

static const struct {
    const char *text;
    int r;
    uint32_t select, returns, status;
    bool extended, separator;
    const char *patterns;
} cases[] = {
    { " \"\" \"*\"", 0, 0, 0, 0, false, false, "*" },
    { " a/ %", 0, 0, 0, 0, false, false, "a/%" },
    { " \"\" \"\"", 0, 0, 0, 0, false, true, "" },
    { " () \"\" *", 0, 0, 0, 0, true, false, "*" },
    { " () \"\" \"\"", 0, 0, 0, 0, true, false, "" },
    { " (SUBSCRIBED) \"\" *", 0, LIST_SUBSCRIBED, 0, 0, true, false, "*" },
    { " (subscribed Recursivematch SUBSCRIBED) \"\" %", 0, LIST_SUBSCRIBED | LIST_RECURSIVEMATCH, 0, 0, true,
      false, "%" },
    { " (REMOTE SPECIAL-USE) \"\" *", 0, LIST_REMOTE | LIST_SPECIAL_USE, 0, 0, true, false, "*" },
    { " (RECURSIVEMATCH) \"\" *", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " (REMOTE RECURSIVEMATCH) \"\" *", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " (SHARED) \"\" *", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " (SUBSCRIBED)\"\" *", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " \"\" (INBOX Drafts Sent/%)", 0, 0, 0, 0, true, false, "INBOX Drafts Sent/%" },
    { " \"\" ()", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " \"\" (a b", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " \"\" % RETURN (CHILDREN)", 0, 0, LIST_RETURN_CHILDREN, 0, true, false, "%" },
    { " \"\" % RETURN ()", 0, 0, 0, 0, true, false, "%" },
    { " \"\" % RETURN (STATUS (MESSAGES UNSEEN) SUBSCRIBED)", 0, 0,
      LIST_RETURN_STATUS | LIST_RETURN_SUBSCRIBED, BIT(STATUS_MESSAGES) | BIT(STATUS_UNSEEN), true, false,
      "%" },
    { " \"\" % RETURN (STATUS)", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " \"\" % RETURN (NOTHING)", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { " \"\" % RETURN (CHILDREN) x", E_SYNTAX, 0, 0, 0, false, false, NULL },
    { "", E_SYNTAX, 0, 0, 0, false, false, NULL },
};

static void test_parse(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = { .max = KIB(64) };
        struct args a = args_of(&arena, str_from(cases[i].text), false);
        struct buf patterns = { .max = KIB(4) };
        struct list_args l = { 0 };

        check_case = cases[i].text;
        CHECK(list_args_parse(&a, &l) == cases[i].r);
        CHECK(l.select == cases[i].select && l.returns == cases[i].returns && l.status == cases[i].status);
        CHECK(l.extended == cases[i].extended && l.separator == cases[i].separator);
        for (size_t k = 0; k < l.npatterns; k++)
            CHECK((k == 0 || buf_putc(&patterns, ' ') == 0) && buf_puts(&patterns, l.patterns[k]) == 0);
        CHECK(!cases[i].patterns || str_eq_z(buf_str(&patterns), cases[i].patterns));
        buf_release(&patterns);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
