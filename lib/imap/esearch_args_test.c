#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/imap/esearch_args.h"

static struct arena arena = { .max = KIB(256) };

static void test_sources(void **state UNUSED)
{
    static const struct {
        const char *in, *rest, *yes, *no; /* yes, no: names; selected: "selected" is one of them */
        bool selected;
        int r;
    } rows[] = {
        /* RFC 7377 3 */
        { "IN (mailboxes \"folder1\" subtree \"folder2\") unseen", "unseen", "folder2/a/b", "folder1/a",
          false, 0 },
        { "IN (mailboxes \"folder1\" subtree-one \"folder2\") x", "x", "folder2/a", "folder2/a/b", false, 0 },
        { "in (Selected mailboxes (a b)) RETURN () ALL", "RETURN () ALL", "b", "c", true, 0 },
        { "IN (personal) ALL", "ALL", "anything", NULL, false, 0 },
        { "IN (inboxes) ALL", "ALL", "INBOX", "Sent", false, 0 },
        { "UNSEEN", "UNSEEN", NULL, "INBOX", true, 0 },
        { "IN () ALL", NULL, NULL, NULL, false, E_SYNTAX },
        { "IN (selected-delayed) ALL", NULL, NULL, NULL, false, E_SYNTAX },
        { "IN (personal (x y)) ALL", NULL, NULL, NULL, false, E_SYNTAX },
        { "IN (personal)", NULL, NULL, NULL, false, E_SYNTAX },
        { "IN personal ALL", NULL, NULL, NULL, false, E_SYNTAX },
        { "IN (mailboxes) ALL", NULL, NULL, NULL, false, E_SYNTAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct args a = args_of(&arena, str_from(rows[i].in), false);
        struct esearch_sources s;

        check_case = rows[i].in;
        CHECK(esearch_sources_parse(&a, &s) == rows[i].r);
        if (rows[i].r == 0) {
            CHECK(str_eq_z(str_skip(a.text, a.at), rows[i].rest) && s.selected == rows[i].selected);
            CHECK(!rows[i].yes || esearch_sources_match(&s, str_from(rows[i].yes), false));
            CHECK(!rows[i].no || !esearch_sources_match(&s, str_from(rows[i].no), false));
        }
        arena_reset(&arena);
    }
    check_case = "";
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sources) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
