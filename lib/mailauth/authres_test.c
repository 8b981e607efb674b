/* Authentication-Results: reading, writing, and taking forged ones away. */
#include "lib/base/test.h"
#include "lib/mailauth/authres.h"

static const struct {
    const char *name, *in, *out; /* out NULL: not well-formed */
} cases[] = {
    { "none", "example.org 1; none", "example.org 1; none" },
    { "RFC 8601 B.2", "example.com; none", "example.com; none" },
    { "RFC 8601 B.3", "example.com;\r\n spf=pass smtp.mailfrom=example.net",
      "example.com;\r\n\tspf=pass smtp.mailfrom=example.net" },
    { "RFC 8601 B.4",
      "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
      "example.com;\r\n\tauth=pass (cram-md5) smtp.auth=sender@example.net;\r\n\tspf=pass smtp.mailfrom=example.net" },
    { "RFC 8601 B.6: comments everywhere",
      "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
      " policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462",
      "foo.example.net 1;\r\n\tdkim/1=fail policy.expired=1362471462" },
    { "quoted", "a; dkim=fail reason=\"no \\\"key\\\"\" header.d=x",
      "a;\r\n\tdkim=fail reason=\"no \\\"key\\\"\" header.d=x" },
    { "quoted local part", "a; spf=pass smtp.mailfrom=\"a b\"@c",
      "a;\r\n\tspf=pass smtp.mailfrom=\"a b@c\"" },
    { "base64 without quotes, as many write it",
      "a; dkim=pass header.b=ab/c+d=", "a;\r\n\tdkim=pass header.b=\"ab/c+d=\"" },
    { "semicolon at the end", "a; dkim=pass;", "a;\r\n\tdkim=pass" },
    { "quoted id", "\"a b\"; none", "\"a b\"; none" },
    { "no results", "a", "a; none" },
    { "empty", "", NULL },
    { "no value", "a; dkim=", NULL },
    { "no equals", "a; dkim", NULL },
    { "open comment", "a; dkim=pass (oh", NULL },
    { "open quote", "a; dkim=pass header.d=\"x", NULL },
    { "none after some", "a; dkim=pass; none", NULL },
    { "control", "a; dkim=pass header.d=\"x\001\"", NULL },
    { "version 0", "a 0; none", NULL },
};

static void test_parse_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
        CLEANUP(buf_release) struct buf one = { .max = KIB(8) }, two = { .max = KIB(8) };
        struct authres x;
        int r;

        check_case = cases[i].name;
        r = authres_parse(&a, str_from(cases[i].in), &x);
        CHECK((r == 0) == (cases[i].out != NULL));
        if (r < 0)
            continue;
        CHECK(authres_print(&one, &x) == 0);
        CHECK(str_eq_z(buf_str(&one), cases[i].out));
        CHECK(authres_parse(&a, buf_str(&one), &x) == 0 && authres_print(&two, &x) == 0);
        CHECK(str_eq(buf_str(&one), buf_str(&two)));
    }
    check_case = "";
}

static void test_limits(void **state)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(64) };
    CLEANUP(buf_release) struct buf in = { .max = KIB(64) };
    struct authres x;

    (void)state;
    CHECK(buf_putz(&in, "a") == 0);
    for (unsigned i = 0; i <= AUTHRES_RESULTS_MAX; i++)
        CHECK(buf_putz(&in, "; dkim=pass") == 0);
    CHECK(authres_parse(&a, buf_str(&in), &x) == E_LIMIT);
}

static void test_add(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(8) };
    struct authres x = { .id = STR("mx.example") };
    struct authres_result *r = authres_add(&x, STR("spf"), STR("fail"));

    (void)state;
    r->reason = STR("line\r\nX-Evil: 1");
    authres_prop(r, "smtp", "mailfrom", STR("a b@c"));
    authres_prop(NULL, "smtp", "mailfrom", STR("x"));
    CHECK(authres_print(&out, &x) == 0);
    CHECK(str_eq_z(buf_str(&out),
                   "mx.example;\r\n\tspf=fail reason=\"line??X-Evil: 1\" smtp.mailfrom=\"a b@c\""));
}

static const struct {
    const char *name, *in, *out;
    unsigned removed;
} filters[] = {
    { "nothing to do", "From: a\r\n\r\nbody\r\n", "From: a\r\n\r\nbody\r\n", 0 },
    { "one of ours", "A: 1\r\nAuthentication-Results: mx.test; spf=pass\r\n\tfolded\r\nB: 2\r\n\r\nx",
      "A: 1\r\nB: 2\r\n\r\nx", 1 },
    { "case, comments, space", "AUTHENTICATION-RESULTS \t:\r\n (hi) MX.Test 1; none\r\nB: 2\r\n\r\n",
      "B: 2\r\n\r\n", 1 },
    { "quoted", "Authentication-Results: \"mx.t\\est\"; none\r\n\r\n", "\r\n", 1 },
    { "of others", "Authentication-Results: mx.test.example; none\r\n\r\n",
      "Authentication-Results: mx.test.example; none\r\n\r\n", 0 },
    { "unreadable", "Authentication-Results: (mx.test; none\r\nA: 1\r\n\r\n", "A: 1\r\n\r\n", 1 },
    { "two in a row", "Authentication-Results: mx.test\r\nAuthentication-Results: mx.test\r\n\r\n", "\r\n",
      2 },
    { "in the body", "A: 1\r\n\r\nAuthentication-Results: mx.test\r\n",
      "A: 1\r\n\r\nAuthentication-Results: mx.test\r\n", 0 },
    { "not ended", "Authentication-Results: mx.test", "", 1 },
    { "another name", "Authentication-Results-X: mx.test\r\nAuthentication-Result: mx.test\r\n\r\n",
      "Authentication-Results-X: mx.test\r\nAuthentication-Result: mx.test\r\n\r\n", 0 },
    { "no colon", "Authentication-Results\r\n mx.test\r\n\r\n", "Authentication-Results\r\n mx.test\r\n\r\n",
      0 },
    { "empty message", "", "", 0 },
    { "no header", "\r\nAuthentication-Results: mx.test\r\n", "\r\nAuthentication-Results: mx.test\r\n", 0 },
};

static void test_filter(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        struct str in = str_from(filters[i].in);

        check_case = filters[i].name;
        for (size_t slice = 1; slice < 60; slice += 4) {
            CLEANUP(buf_release) struct buf out = { .max = KIB(8) };
            CLEANUP(authres_filter_release) struct authres_filter f;

            authres_filter_init(&f, STR("mx.test"));
            for (size_t at = 0; at < in.n; at += slice)
                CHECK(authres_filter_feed(&f, str_slice(in, at, at + slice), &out) == 0);
            CHECK(authres_filter_end(&f, &out) == 0);
            CHECK(str_eq_z(buf_str(&out), filters[i].out));
            CHECK(f.removed == filters[i].removed);
        }
    }
    check_case = "";
}

static void test_filter_long(void **state)
{
    CLEANUP(buf_release) struct buf in = { .max = KIB(64) }, out = { .max = KIB(64) };
    CLEANUP(authres_filter_release) struct authres_filter f;

    (void)state;
    CHECK(buf_putz(&in, "Authentication-Results: mx.test; x=y") == 0);
    for (int i = 0; i < 2000; i++)
        CHECK(buf_putz(&in, "\r\n\tcomment") == 0);
    CHECK(buf_putz(&in, "\r\nA: 1\r\n\r\n") == 0);
    authres_filter_init(&f, STR("mx.test"));
    CHECK(authres_filter_feed(&f, buf_str(&in), &out) == 0 && authres_filter_end(&f, &out) == 0);
    CHECK(str_eq_z(buf_str(&out), "A: 1\r\n\r\n") && f.removed == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_print), cmocka_unit_test(test_limits),      cmocka_unit_test(test_add),
        cmocka_unit_test(test_filter),      cmocka_unit_test(test_filter_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
