#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/mime/fold.h"
#include "lib/regex/fold.h"
#include "lib/regex/re2.h"
#include <stdio.h>
#include <time.h>

static int has(const char *pattern, const char *text)
{
    CLEANUP(buf_release) struct buf p = { .max = KIB(64) }, t = { .max = KIB(64) };
    struct regex *r;
    int found;

    CHECK(regex_fold(str_from(pattern), &p) == 0 && mime_fold_append(str_from(text), &t) == 0);
    if (!(r = regex_new(p.p ? p.p : "", p.n, NULL, 0)))
        return -1;
    found = regex_has(r, t.p ? t.p : "", t.n);
    regex_free(&r);
    return found;
}

static void test_match(void **state)
{
    static const struct {
        const char *pattern, *text;
        int want;
    } rows[] = {
        { "inv.ice", "Your INVOICE", 1 },
        { "^your", "Your invoice", 1 },
        { "^invoice", "Your invoice", 0 },
        { "ice$", "Your invoice", 1 },
        { "[0-9]{4}", "ab 1234", 1 },
        { "caf\xC3\xA9", "un CAF\xC3\x89!", 1 },
        { "caf\xC3\xA9+$", "cafe\xCC\x81\xCC\x81", 0 },
        { "stra(ss|\xC3\x9F)e", "STRASSE", 1 },
        { "a b", "a \t\r\n b", 1 },
        { "(", "x", -1 },
        { "a{1001}", "a", -1 },
        { "((a{100}){100}){100}", "a", -1 },
        { "", "anything", 1 },
        { "\\bword\\b", "a word here", 1 },
        { "x(?#", "x", -1 },
        { "[\xD0\x96]", "\xD0\xB6", 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].pattern;
        CHECK(has(rows[i].pattern, rows[i].text) == rows[i].want);
    }
    check_case = "";
}

static void test_lines(void **state)
{
    struct regex *r = regex_new("^b.*c$", 6, NULL, 0);
    size_t from = 0, to = 0;
    char why[100] = "";

    (void)state;
    CHECK(r && regex_has(r, "a\nb c\nd\n", 8) == 1 && regex_has(r, "b\nc\n", 4) == 0);
    CHECK(regex_find(r, "a\nb c\nd\n", 8, &from, &to) == 1 && from == 2 && to == 5);
    regex_free(&r);
    CHECK(!regex_new("a)", 2, why, sizeof why) && *why);
}

static void test_linear(void **state)
{
    static char text[KIB(256)];
    struct regex *r = regex_new("^(a+)+$", 7, NULL, 0);
    clock_t from = clock();

    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = 'b';
    CHECK(r && regex_has(r, text, sizeof text) == 0);
    CHECK(clock() - from <
          2 * CLOCKS_PER_SEC); /* a machine that backtracks would need longer than there is */
    regex_free(&r);
}

/* In folded text it makes no difference whether capitals are looked for too. */
static void test_small(void **state)
{
    static const char *const patterns[] = { "ref[0-9a-f]{3}", "[+-_]b",   "[]+-_]b",      "[^a]b",
                                            "\\Bx\\S",        "\\p{Lu}b", "[[:upper:]]b", "[!-~]{4}",
                                            "inv.ice$",       "Inv",      "\\x41",        "[@-`]z" };
    static const char *const texts[] = {
        "a reff12 b", "ab _b", "xx y", "invoice\nno", "az `z @z", "", "-b +b"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
            char both[64];
            struct regex *a = regex_new(patterns[i], strlen(patterns[i]), NULL, 0), *b;

            snprintf(both, sizeof both, "(?i)%s", patterns[i]);
            b = regex_new(both, strlen(both), NULL, 0);
            check_case = patterns[i];
            CHECK(a && b &&
                  regex_has(a, texts[k], strlen(texts[k])) == regex_has(b, texts[k], strlen(texts[k])));
            regex_free(&a);
            regex_free(&b);
        }
    check_case = "";
}

static void test_literals(void **state)
{
    static const struct {
        const char *pattern, *want;
    } rows[] = {
        { "invoice", "invoice\n" },
        { "inv.oice", "inv\noice\n" },
        { "Invoice?", "invoic\n" },
        { "abcd*", "abc\n" },
        { "abcd+e", "abcd\n" },
        { "a|b", "" },
        { "(a|b)cde", "cde\n" },
        { "[abc]def", "def\n" },
        { "[]x]def", "def\n" },
        { "abc(def)?ghi", "abc\nghi\n" },
        { "a\\.b\\.c", "a.b.c\n" },
        { "abc\\d{3}def", "abc\ndef\n" },
        { "ab", "" },
        { "^(a+)+$", "" },
        { "\\Qa|b\\E", "" },
        { "[[:alpha:]]xyz", "xyz\n" },
        { "(?i)AbCd", "abcd\n" },
        { "ab{2}cdef", "cdef\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(4) };

        check_case = rows[i].pattern;
        CHECK(regex_literals(str_from(rows[i].pattern), &out) == 0);
        if (!str_eq_z(buf_str(&out), rows[i].want))
            print_error("%.*s\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i].want));
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match), cmocka_unit_test(test_lines),    cmocka_unit_test(test_linear),
        cmocka_unit_test(test_small), cmocka_unit_test(test_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
