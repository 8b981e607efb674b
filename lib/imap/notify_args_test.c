#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/imap/notify_args.h"

static struct arena arena = { .max = KIB(256) };

static int parse(const char *text, struct notify_args *out)
{
    struct args a = args_of(&arena, str_from(text), false);

    return notify_args_parse(&a, out);
}

static void set(void **state UNUSED)
{
    struct notify_args n;

    /* the example of RFC 5465 3.1, with the events that must stand together */
    CHECK(parse(" set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) "
                "MessageExpunge) (subtree Lists (MessageNew MessageExpunge))",
                &n) == 0);
    CHECK(n.status && !n.delayed && n.selected == (NOTIFY_NEW | NOTIFY_EXPUNGE) && n.n == 1);
    CHECK(str_eq_z(n.fetch, "(uid body.peek[header.fields (from to subject)])"));
    CHECK(n.groups[0].where.kind == MBOX_SUBTREE && n.groups[0].where.n == 1 &&
          str_eq_z(n.groups[0].where.names[0], "Lists"));
    CHECK(parse(" SET (mailboxes (INBOX \"two words\" x\t) (MailboxName))", &n) == E_SYNTAX);
    CHECK(parse(" SET (mailboxes (inbox \"two words\" a//b) (MailboxName)) (PERSONAL (SubscriptionChange)) "
                "(Selected-Delayed NONE) (inboxes NONE)",
                &n) == 0);
    CHECK(n.n == 2 && n.groups[0].where.n == 2 && str_eq_z(n.groups[0].where.names[0], "INBOX") &&
          n.groups[1].events == NOTIFY_SUBSCRIPTION && n.delayed && !n.selected && !n.status && !n.fetch.n);
    CHECK(parse(" NONE", &n) == 0 && n.n == 0 && !n.selected);
    arena_reset(&arena);
}

static void refused(void **state UNUSED)
{
    static const struct {
        const char *text;
        int r;
    } rows[] = {
        { "", E_SYNTAX },
        { " NONE ", E_SYNTAX },
        { " SET", E_SYNTAX },
        { " SET ", E_SYNTAX },
        { " SET STATUS", E_SYNTAX },
        { " SET ()", E_SYNTAX },
        { " SET (personal)", E_SYNTAX },
        { " SET (personal ())", E_SYNTAX },
        { " SET (subtree (MessageNew MessageExpunge))", E_SYNTAX },
        { " SET (subtree-one a (MessageNew MessageExpunge))", E_SYNTAX },
        { " SET (personal (MessageNew))", E_SYNTAX },
        { " SET (personal (MessageExpunge))", E_SYNTAX },
        { " SET (personal (FlagChange MessageNew))", E_SYNTAX },
        { " SET (personal (MessageNew (UID) MessageExpunge))", E_SYNTAX },
        { " SET (selected (MessageNew (FAST) MessageExpunge))", E_SYNTAX },
        { " SET (selected (MessageNew () MessageExpunge))", E_SYNTAX },
        { " SET (selected (MailboxName))", E_SYNTAX },
        { " SET (selected NONE) (selected-delayed NONE)", E_SYNTAX },
        { " SET (personal (MailboxName)) ", E_SYNTAX },
        { " SET (personal (MailboxName))x", E_SYNTAX },
        { " SET (personal (AnnotationChange MessageNew MessageExpunge))", E_UNSUPPORTED },
        { " SET (personal (AnnotationChange))", E_UNSUPPORTED },
        { " SET (selected (AnnotationChange MessageNew MessageExpunge))", E_UNSUPPORTED },
        { " SET (personal (X-Moon)) (x", E_SYNTAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct notify_args n;

        check_case = rows[i].text;
        CHECK(parse(rows[i].text, &n) == rows[i].r);
        arena_reset(&arena);
    }
}

static void match(void **state UNUSED)
{
    static const struct {
        const char *filter, *name;
        bool subscribed, match;
    } rows[] = {
        { "selected", "INBOX", true, false },        { "inboxes", "INBOX", false, true },
        { "inboxes", "Sent", true, false },          { "personal", "a/b", false, true },
        { "subscribed", "a", true, true },           { "subscribed", "a", false, false },
        { "subtree a", "a", false, true },           { "subtree a", "a/b/c", false, true },
        { "subtree a", "ab", false, false },         { "subtree (x a)", "a/b", false, true },
        { "subtree-one a", "a", false, true },       { "subtree-one a", "a/b", false, true },
        { "subtree-one a", "a/b/c", false, false },  { "mailboxes a", "a", false, true },
        { "mailboxes a", "a/b", false, false },      { "mailboxes \"%\"", "a", false, false },
        { "mailboxes inbox", "INBOX", false, true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct args a = args_of(&arena, str_from(rows[i].filter), false);
        struct mbox_filter f;

        check_case = rows[i].filter;
        CHECK(mbox_filter_parse(&a, ~UINT32_C(0), &f) == 0);
        CHECK(mbox_filter_match(&f, str_from(rows[i].name), rows[i].subscribed) == rows[i].match);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(set), cmocka_unit_test(refused),
                                        cmocka_unit_test(match) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
