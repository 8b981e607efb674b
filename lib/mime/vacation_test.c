/* Which messages a program may answer, and what its answer looks like. */
#include "lib/base/test.h"
#include "lib/mime/vacation.h"

#define HEAD "From: Bob <bob@far.test>\r\nTo: ann@here.test\r\nMessage-ID: <1@far.test>\r\n"

static void test_refused(void **state UNUSED)
{
    static const struct {
        const char *sender, *header, *why; /* why NULL: it may */
    } cases[] = {
        { "bob@far.test", HEAD "\r\n", NULL },
        { "", HEAD "\r\n", "no sender" },
        { "bob@far.test", HEAD "Auto-Submitted: no\r\n\r\n", NULL },
        { "bob@far.test", HEAD "Auto-Submitted: auto-replied (vacation)\r\n\r\n", "automatic" },
        { "bob@far.test", HEAD "auto-submitted:\r\n auto-generated; x=y\r\n\r\n", "automatic" },
        { "bob@far.test", HEAD "List-Id: <x.far.test>\r\n\r\n", "list" },
        { "bob@far.test", HEAD "List-Unsubscribe: <https://x>\r\n\r\n", "list" },
        { "bob@far.test", HEAD "Precedence: BULK\r\n\r\n", "bulk" },
        { "bob@far.test", HEAD "Precedence: first-class\r\n\r\n", NULL },
        { "bob@far.test", HEAD "X-Auto-Response-Suppress: DR, OOF\r\n\r\n", "asks for none" },
        { "owner-x@far.test", HEAD "\r\n", "machine" },
        { "x-request@far.test", HEAD "\r\n", "machine" },
        { "MAILER-DAEMON@far.test", HEAD "\r\n", "machine" },
        { "Ann@HERE.test", HEAD "\r\n", "own" },
        { "bounce+x@here.test", "From: ann@here.test\r\nTo: ann@here.test\r\n\r\n", "own" },
        { "bob@far.test", "From: bob@far.test\r\nTo: other@here.test\r\n\r\n", "not addressed" },
        { "bob@far.test",
          "From: bob@far.test\r\nTo: x: other@here.test;\r\nCc: a,\r\n <ANN@here.test>\r\n\r\n", NULL },
        { "bob@far.test", "From: bob@far.test\r\nTo: Ann <ann+shop@here.test>\r\n\r\n", NULL },
        { "bob@far.test", "To: ann@here.test.evil.test\r\n\r\n", "not addressed" },
    };
    const struct str own[] = { STR("ann@here.test"), STR("ann+shop@here.test") };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = { .max = KIB(64) };
        const char *why =
            vacation_refused(&a, str_from(cases[i].header), str_from(cases[i].sender), own, ARRAY_LEN(own));

        if ((why == NULL) != (cases[i].why == NULL) || (why && strcmp(why, cases[i].why) != 0))
            print_message("case %zu: %s\n", i, why ? why : "answered");
        CHECK((why == NULL) == (cases[i].why == NULL) && (!why || strcmp(why, cases[i].why) == 0));
        arena_release(&a);
    }
}

static void test_whom(void **state UNUSED)
{
    struct arena a = { .max = KIB(64) };

    CHECK(str_eq_z(vacation_whom(&a, STR(HEAD "\r\n"), STR("bounce+1@far.test")), "bob@far.test"));
    CHECK(str_eq_z(vacation_whom(&a, STR(HEAD "\r\n"), STR("Else@other.test")), "else@other.test"));
    CHECK(str_eq_z(vacation_whom(&a, STR("\r\n"), STR("x@far.test")), "x@far.test"));
    arena_release(&a);
}

static bool has(const struct buf *b, const char *text)
{
    return str_find(buf_str(b), str_from(text)) >= 0;
}

static void test_written(void **state UNUSED)
{
    struct vacation_reply v = { .from = STR("ann@here.test"),
                                .to = STR("bob@far.test"),
                                .text = STR("away\nuntil May"),
                                .header = STR("Subject: =?utf-8?q?h=C3=BC?=\r\nMessage-ID: <1@far.test>\r\n"
                                              "References: <a@x>\r\n <b@x>\r\n\r\n"),
                                .id = STR("z@here.test") };
    struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf b = { .max = KIB(64) };

    CHECK(vacation_write(&a, &v, &b) == 0);
    CHECK(has(&b, "Subject: Auto: =?utf-8?q?h=C3=BC?=\r\n"));
    CHECK(has(&b, "In-Reply-To: <1@far.test>\r\nReferences: <a@x>\r\n <b@x>\r\n <1@far.test>\r\n"));
    CHECK(has(&b, "Auto-Submitted: auto-replied"));
    CHECK(has(&b, "\r\n\r\naway\r\nuntil May\r\n"));
    buf_clear(&b);
    v.subject = STR("Ich bin f\xC3\xBCr l\xC3\xA4nger weg, und zwar wirklich l\xC3\xA4nger als sonst");
    v.text = STR("\xC3\xA4");
    v.header = STR("Message-ID: <no id>\r\n\r\n");
    CHECK(vacation_write(&a, &v, &b) == 0);
    CHECK(has(&b, "Subject: =?utf-8?B?") && has(&b, "?=\r\n =?utf-8?B?"));
    CHECK(!has(&b, "In-Reply-To") && has(&b, "base64\r\n\r\nw6QNCg==\r\n"));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_refused), cmocka_unit_test(test_whom),
                                        cmocka_unit_test(test_written) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
