#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/smtp/path.h"

#define REV SMTP_PATH_REVERSE
#define FWD SMTP_PATH_FORWARD
#define A8  "aaaaaaaa"
#define A64 A8 A8 A8 A8 A8 A8 A8 A8

static const struct {
    const char *in;
    uint32_t allow;
    int r;
    const char *print; /* canonical form */
    size_t unread;
} cases[] = {
    { "<a@b.example>", REV, 0, "a@b.example", 0 },
    { "<a@B.Example> SIZE=1", REV, 0, "a@b.example", 7 },
    { "<>", REV, 0, "", 0 },
    { "<>", FWD, E_SYNTAX, NULL, 0 },
    { "<Postmaster>", FWD, 0, "Postmaster", 0 },
    { "<postMASTER>", FWD, 0, "postMASTER", 0 },
    { "<postmaster>", REV, E_SYNTAX, NULL, 0 },
    { "<root>", FWD, E_SYNTAX, NULL, 0 },
    { "<@one,@two.example:a@b>", FWD, 0, "a@b", 0 },
    { "<@[127.0.0.1]:a@b>", REV, 0, "a@b", 0 },
    { "<@one,a@b>", REV, E_SYNTAX, NULL, 0 },
    { "<@one:>", REV, E_SYNTAX, NULL, 0 },
    { "<@:a@b>", REV, E_SYNTAX, NULL, 0 },
    { "<\"a\"@b>", FWD, 0, "a@b", 0 },
    { "<\"a b\"@b>", FWD, 0, "\"a b\"@b", 0 },
    { "<\"a\\\"b\\\\\"@b>", FWD, 0, "\"a\\\"b\\\\\"@b", 0 },
    { "<\"\\a\\b\"@b>", FWD, 0, "ab@b", 0 },
    { "<\">@x\"@b>", FWD, 0, "\">@x\"@b", 0 },
    { "<\"\"@b>", FWD, 0, "\"\"@b", 0 },
    { "<\"a@b>", FWD, E_SYNTAX, NULL, 0 },
    { "<\"a\\", FWD, E_SYNTAX, NULL, 0 },
    { "<\"a\"b@c>", FWD, E_SYNTAX, NULL, 0 },
    { "<.a@b>", FWD, E_SYNTAX, NULL, 0 },
    { "<a.@b>", FWD, E_SYNTAX, NULL, 0 },
    { "<a..b@c>", FWD, E_SYNTAX, NULL, 0 },
    { "<a.b+c=d/e@f>", FWD, 0, "a.b+c=d/e@f", 0 },
    { "<a b@c>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@b c>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@>", FWD, E_SYNTAX, NULL, 0 },
    { "<@b>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@b@c>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@b", FWD, E_SYNTAX, NULL, 0 },
    { "a@b", FWD, E_SYNTAX, NULL, 0 },
    { "<", FWD, E_SYNTAX, NULL, 0 },
    { "", FWD, E_SYNTAX, NULL, 0 },
    { "<a@-b>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@b->", FWD, E_SYNTAX, NULL, 0 },
    { "<a@b.>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@b..c>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@my_host>", REV, 0, "a@my_host", 0 },
    { "<a@b!c>", REV, E_SYNTAX, NULL, 0 },
    { "<a@[192.0.2.1]>", FWD, 0, "a@[192.0.2.1]", 0 },
    { "<a@[IPv6:2001:db8::1]>", FWD, 0, "a@[ipv6:2001:db8::1]", 0 },
    { "<a@[2001:db8::1]>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@[IPv6:1.2.3.4]>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@[256.1.1.1]>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@[x:y]>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@[]>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@[1.2.3.4>", FWD, E_SYNTAX, NULL, 0 },
    { "<" A64 "@b>", FWD, 0, A64 "@b", 0 },
    { "<" A64 "a@b>", FWD, E_LIMIT, NULL, 0 },
    { "<" A64 "a@b>", REV, 0, A64 "a@b", 0 },  /* VERP: see path.h */
    { "<a@" A64 ">", FWD, E_SYNTAX, NULL, 0 }, /* a label over 63 */
    { "<a@" A8 "." A8 A8 A8 A8 "." A8 A8 A8 A8 "." A8 A8 A8 A8 "." A8 A8 A8 A8 "." A8 A8 A8 A8 "." A8 A8 A8 A8
      "." A8 A8 A8 A8 "." A8 A8 A8 A8 ">",
      FWD, E_LIMIT, NULL, 0 },
    { "<\xc3\xbc@b\xc3\xbc.example>", FWD, 0, "\xc3\xbc@b\xc3\xbc.example", 0 },
    { "<\"\xc3\xbc b\"@c>", FWD, 0, "\"\xc3\xbc b\"@c", 0 },
    { "<\"\\\\\xc3\xbc\"@c>", FWD, 0, "\"\\\\\xc3\xbc\"@c", 0 },
    { "<\"\\\xc3\xbc\"@c>", FWD, E_SYNTAX, NULL, 0 },
    { "<\xc3@b>", FWD, E_SYNTAX, NULL, 0 },
    { "<\xc0\xaf@b>", FWD, E_SYNTAX, NULL, 0 },
    { "<a@\xed\xa0\x80>", FWD, E_SYNTAX, NULL, 0 },
    { "<\xc2\x85@b>", FWD, E_SYNTAX, NULL, 0 },
};

static void test_path(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct str in = str_from(cases[i].in);
        struct smtp_path p = { 0 };
        size_t used = 0;
        int r = smtp_path_parse(in, cases[i].allow, &p, &used);

        check_case = cases[i].in;
        CHECK(r == cases[i].r);
        if (r < 0)
            continue;
        CHECK(in.n - used == cases[i].unread);
        CHECK(smtp_path_print(&p, &out) == 0 && str_eq_z(buf_str(&out), cases[i].print));
        CHECK(smtp_path_is_null(&p) == (cases[i].print[0] == '\0'));
    }
    check_case = "";
}

static void test_mailbox(void **state UNUSED)
{
    struct smtp_path p;

    CHECK(smtp_mailbox_parse(STR("a@b"), 0, &p) == 0 && str_eq_z(p.domain, "b"));
    CHECK(smtp_mailbox_parse(STR("a@b>"), 0, &p) == E_SYNTAX);
    CHECK(smtp_mailbox_parse(STR(""), 0, &p) == E_SYNTAX);
    CHECK(smtp_mailbox_parse(STR("<a@b>"), 0, &p) == E_SYNTAX);
}

static void test_public_domain(void **state UNUSED)
{
    static const struct {
        const char *name;
        bool good;
    } names[] = {
        { "example.test", true }, { "a.b.c", true },      { "1.2.3.4a", true }, { "123.example", true },
        { "xn--a.xn--b", true },  { "localhost", false }, { "com", false },     { "1234", false },
        { "192.0.2.1", false },   { "mail.1", false },    { "", false },        { "example.", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        check_case = names[i].name;
        CHECK(smtp_domain_public(str_from(names[i].name)) == names[i].good);
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_path), cmocka_unit_test(test_mailbox),
                                        cmocka_unit_test(test_public_domain) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
