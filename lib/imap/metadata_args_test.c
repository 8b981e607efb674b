#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/imap/metadata_args.h"

static struct arena arena = { .max = KIB(256) };

static int get(const char *text, struct metadata_args *out)
{
    struct args a = args_of(&arena, str_from(text), false);

    return metadata_get_parse(&a, out);
}

static int set(const char *text, struct metadata_args *out)
{
    struct args a = args_of(&arena, str_from(text), false);

    return metadata_set_parse(&a, out);
}

static void test_get(void **state)
{
    static const char *const bad[] = {
        "",
        " INBOX",
        " INBOX ()",
        " INBOX /comment",
        " INBOX /shared/a//b",
        " INBOX /shared/a/",
        " INBOX (/shared/a*)",
        " INBOX (DEPTH 2) /shared/a",
        " (MAXSIZE x) INBOX /shared/a",
        " INBOX /shared/a /shared/b",
        " INBOX /shareda/b",
        " INBOX \"/shared/\xc3\xa4\"",
    };
    struct metadata_args m;

    (void)state;
    CHECK(get(" \"\" /shared/comment", &m) == 0 && m.mailbox.n == 0 && m.n == 1 && m.depth == 0 &&
          !m.has_max);
    CHECK(get(" INBOX (MAXSIZE 1024 DEPTH infinity) (/shared/a /PRIVATE/b)", &m) == 0 && m.n == 2 &&
          m.depth == 2 && m.max_bytes == 1024);
    CHECK(get(" (DEPTH 1) {5+}\r\nINBOX (/shared)", &m) == 0 && m.depth == 1 &&
          str_eq_z(m.entries[0], "/shared"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        check_case = bad[i];
        CHECK(get(bad[i], &m) == E_SYNTAX);
    }
    check_case = "";
    CHECK(get(" a%b /shared/comment", &m) < 0);
    arena_release(&arena);
}

static void test_set(void **state)
{
    static const char *const bad[] = {
        " INBOX",
        " INBOX /shared/a NIL",
        " INBOX ()",
        " INBOX (/shared/a)",
        " INBOX (/shared NIL)",
        " INBOX (/shared/vendor/x NIL)",
        " INBOX (/shared/a x)",
        " INBOX (/shared/a NIL) ",
    };
    struct metadata_args m;

    (void)state;
    CHECK(set(" INBOX (/shared/vendor/x/y NIL /private/a \"\" /private/b ~{3+}\r\na\x01z)", &m) == 0 &&
          m.n == 3);
    CHECK(!m.items[0].value.p && m.items[1].value.p && m.items[1].value.n == 0 && m.items[2].value.n == 3);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        check_case = bad[i];
        CHECK(set(bad[i], &m) == E_SYNTAX);
    }
    check_case = "";
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_get), cmocka_unit_test(test_set) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
