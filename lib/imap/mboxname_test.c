#include "lib/base/test.h"
#include "lib/imap/mboxname.h"

static const struct {
    const char *wire, *utf8;
} good[] = {
    { "INBOX", "INBOX" },
    { "a&-b", "a&b" },
    { "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
      "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
    { "&AOk-", "\xc3\xa9" },
    { "&2D3eAA-", "\xf0\x9f\x98\x80" },
    { "&AOkA6Q-x&AOk-", "\xc3\xa9\xc3\xa9x\xc3\xa9" },
    { "", "" },
};

static const char *const bad[] = {
    "&",
    "&AOk",
    "&AO-",
    "&AOk=-",
    "&AGE-" /* 'a' must stand for itself */,
    "&AOk-&AOk-" /* superfluous shift */,
    "&2D0-" /* half a pair */,
    "&3gA-",
    "\xc3\xa9",
    "&AOm-" /* bits left over */,
    "&AOkA-",
    "&/-",
    "a\x7f",
};

static void test_mutf7(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(buf_release) struct buf dec = { .max = 200 }, enc = { .max = 200 };

        check_case = good[i].wire;
        CHECK(mutf7_decode(str_from(good[i].wire), &dec) == 0);
        CHECK(str_eq_z(buf_str(&dec), good[i].utf8));
        CHECK(mutf7_encode(str_from(good[i].utf8), &enc) == 0);
        CHECK(str_eq_z(buf_str(&enc), good[i].wire));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(buf_release) struct buf dec = { .max = 200 };

        check_case = bad[i];
        CHECK(mutf7_decode(str_from(bad[i]), &dec) == E_SYNTAX);
    }
    check_case = "";
}

static const struct {
    const char *wire;
    bool utf8;
    int r;
    const char *name;
} names[] = {
    { "inBox", false, 0, "INBOX" }, { "inbox/x", false, 0, "INBOX/x" },   { "inboxes", false, 0, "inboxes" },
    { "a/b/", false, 0, "a/b" },    { "e\xcc\x81", true, 0, "\xc3\xa9" }, { "&AOk-", true, 0, "&AOk-" },
    { "", false, E_RANGE, "" },     { "/", false, E_RANGE, "" },          { "/a", false, E_RANGE, "" },
    { "a//b", false, E_RANGE, "" }, { "a*", false, E_RANGE, "" },         { "a\x01", true, E_RANGE, "" },
    { "\xff", true, E_RANGE, "" },  { "&AOk", false, E_RANGE, "" },
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
        struct str out = STR("");

        check_case = names[i].wire;
        CHECK(mboxname_from_wire(&a, str_from(names[i].wire), names[i].utf8, &out) == names[i].r);
        CHECK(str_eq_z(out, names[i].name));
    }
    check_case = "";
    CHECK(mboxname_is_child(STR("a/b"), STR("a")) && !mboxname_is_child(STR("ab"), STR("a")));
}

static const struct {
    const char *pattern, *name;
    bool match;
} patterns[] = {
    { "*", "a/b/c", true },
    { "%", "a/b", false },
    { "%", "a", true },
    { "a/%", "a/b", true },
    { "a/%", "a/b/c", false },
    { "a/*", "a/b/c", true },
    { "%/%", "a/b", true },
    { "*b", "a/b", true },
    { "inbox", "INBOX", true },
    { "iNb%", "INBOX", true },
    { "inbox/x", "INBOX/x", true },
    { "inbox/X", "INBOX/x", false },
    { "A", "a", false },
    { "", "a", false },
    { "*a*b%c", "xaxb/bc", true },
    { "*a*b%c", "xaxb/c", false },
    { "%*", "a/b", true },
    { "a%", "a", true },
};

static void test_match(void **state)
{
    char slow[600], name[900];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        check_case = patterns[i].pattern;
        CHECK(mboxname_match(str_from(patterns[i].pattern), str_from(patterns[i].name)) == patterns[i].match);
    }
    check_case = "";
    memset(name, 'a', sizeof name);
    for (size_t i = 0; i < sizeof slow; i++)
        slow[i] = i % 2 ? 'a' : i % 4 ? '*' : '%';
    slow[sizeof slow - 1] = 'b';
    CHECK(!mboxname_match(str_of(slow, sizeof slow), str_of(name, sizeof name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutf7),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
