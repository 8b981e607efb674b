#include "lib/base/test.h"
#include "lib/imap/args.h"
#include "lib/imap/datetime.h"
#include "lib/imap/status_items.h"
#include "lib/imap/store_args.h"

static const struct {
    const char *in, *out; /* out NULL: a syntax error */
    size_t used;
} astrings[] = {
    { "abc def", "abc", 3 },
    { "a]b", "a]b", 3 },
    { "\"a b\" c", "a b", 5 },
    { "\"a \\\"b\\\\\"", "a \"b\\", 9 },
    { "\"\"", "", 2 },
    { "\"\xc3\xa9\"", "\xc3\xa9", 4 },
    { "{3}\r\na\"b c", "a\"b", 8 },
    { "{3+}\r\nabc", "abc", 9 },
    { "{0}\r\n", "", 5 },
    { "\"abc", NULL, 0 },
    { "\"a\\b\"", NULL, 0 },
    { "\"a\r\nb\"", NULL, 0 },
    { "\"\xff\"", NULL, 0 },
    { "{4}\r\nabc", NULL, 0 },
    { "{3}abc", NULL, 0 },
    { "~{3}\r\nabc", "~", 1 },
    { "", NULL, 0 },
    { "(", NULL, 0 },
    { "*", NULL, 0 },
};

static void test_astring(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(astrings); i++) {
        CLEANUP(arena_release) struct arena arena = { .max = KIB(4) };
        struct args a = args_of(&arena, str_from(astrings[i].in), false);
        struct str s = STR_NONE;

        check_case = astrings[i].in;
        CHECK(args_astring(&a, &s) == (astrings[i].out ? 0 : E_SYNTAX));
        CHECK(a.at == astrings[i].used);
        CHECK(!astrings[i].out || str_eq_z(s, astrings[i].out));
    }
    check_case = "";
}

static void test_small_words(void **state)
{
    CLEANUP(arena_release) struct arena arena = { .max = KIB(4) };
    CLEANUP(buf_release) struct buf b = { .max = 200 };
    struct args a = args_of(&arena, STR("t1 LIST NIL 0 4294967296 1:3,* NILx"), false);
    struct str s;
    uint32_t n;
    uint64_t n64;

    (void)state;
    CHECK(args_tag(&a, &s) == 0 && str_eq_z(s, "t1") && args_sp(&a) == 0);
    CHECK(!args_skip_word(&a, "LIS") && args_skip_word(&a, "list") && args_sp(&a) == 0);
    CHECK(args_nstring(&a, &s) == 0 && !s.p && args_sp(&a) == 0);
    CHECK(args_nz_number(&a, &n) == E_SYNTAX && args_number(&a, &n) == 0 && n == 0 && args_sp(&a) == 0);
    CHECK(args_number(&a, &n) == E_SYNTAX && args_number64(&a, &n64) == 0 && args_sp(&a) == 0);
    CHECK(args_set_text(&a, &s) == 0 && str_eq_z(s, "1:3,*") && args_sp(&a) == 0);
    CHECK(args_nstring(&a, &s) == E_SYNTAX);
    CHECK(args_explain(&a, &b) == 0 && str_eq_z(buf_str(&b), "Expected a string at character 32"));
    CHECK(args_end(&a) == E_SYNTAX && args_atom(&a, &s) == 0 && args_end(&a) == 0);
}

static const struct {
    const char *in;
    int64_t ms; /* -1: refused */
} times[] = {
    { "17-Jul-1996 02:44:25 -0700", 837596665000 },
    { " 7-Feb-1994 21:52:25 -0800", 760686745000 },
    { "01-Jan-1970 00:00:00 +0000", 0 },
    { "29-Feb-2024 12:00:00 +0530", 1709188200000 },
    { "29-Feb-2023 12:00:00 +0000", -1 },
    { "31-Apr-2023 12:00:00 +0000", -1 },
    { "00-Jan-2023 12:00:00 +0000", -1 },
    { "01-Foo-2023 12:00:00 +0000", -1 },
    { "01-Jan-2023 24:00:00 +0000", -1 },
    { "01-Jan-2023 12:00:00 +0060", -1 },
    { "01-Jan-2023 12:00:00", -1 },
    { "01-Jan-23 12:00:00 +0000", -1 },
    { "", -1 },
};

static void test_times(void **state)
{
    char text[DATETIME_LEN + 1];
    int32_t day;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t ms = -1;

        check_case = times[i].in;
        CHECK(datetime_parse(str_from(times[i].in), &ms) == (times[i].ms >= 0));
        CHECK(ms == times[i].ms);
    }
    check_case = "";
    datetime_write(837596665999, text);
    CHECK(strcmp(text, "17-Jul-1996 09:44:25 +0000") == 0);
    datetime_write(-1, text);
    CHECK(strcmp(text, "31-Dec-1969 23:59:59 +0000") == 0);
    CHECK(datetime_parse_day(STR("2-Jan-1970"), &day) && day == 1);
    CHECK(!datetime_parse_day(STR(" 2-Jan-1970"), &day) && !datetime_parse_day(STR("2-Jan-1970 "), &day));
}

static const struct {
    const char *in;
    int r, how;
    bool silent;
    uint32_t system;
    size_t nkeywords;
} stores[] = {
    { "FLAGS (\\Seen $Todo)", 0, STORE_FLAGS_REPLACE, false, IMAP_FLAG_SEEN, 1 },
    { "+flags.silent (\\Deleted)", 0, STORE_FLAGS_ADD, true, IMAP_FLAG_DELETED, 0 },
    { "-FLAGS a b A", 0, STORE_FLAGS_REMOVE, false, 0, 2 },
    { "FLAGS ()", 0, STORE_FLAGS_REPLACE, false, 0, 0 },
    { "(UNCHANGEDSINCE 12) FLAGS ()", 0, STORE_FLAGS_REPLACE, false, 0, 0 },
    { "FLAGS (\\Recent)", E_SYNTAX, 0, false, 0, 0 },
    { "FLAGS (\\Unheard)", E_SYNTAX, 0, false, 0, 0 },
    { "FLAGS (\\*)", E_SYNTAX, 0, false, 0, 0 },
    { "FLAGS", E_SYNTAX, 0, false, 0, 0 },
    { "FLAGS ", E_SYNTAX, 0, false, 0, 0 },
    { "FLAGS (a", E_SYNTAX, 0, false, 0, 0 },
    { "FLAGS (a) b", E_SYNTAX, 0, false, 0, 0 },
    { "FLAG (a)", E_SYNTAX, 0, false, 0, 0 },
};

static void test_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
        CLEANUP(arena_release) struct arena arena = { .max = KIB(8) };
        struct args a = args_of(&arena, str_from(stores[i].in), false);
        struct store_args s = { .how = STORE_FLAGS_REPLACE };

        check_case = stores[i].in;
        CHECK(store_args_parse(&a, &s) == stores[i].r);
        CHECK((int)s.how == stores[i].how && s.silent == stores[i].silent);
        CHECK(s.flags.system == stores[i].system && s.flags.nkeywords == stores[i].nkeywords);
    }
    check_case = "";
}

static void test_status(void **state)
{
    CLEANUP(arena_release) struct arena arena = { .max = KIB(8) };
    struct args a = args_of(&arena, STR("(messages DELETED-STORAGE DELETED)"), false);
    uint32_t bits;

    (void)state;
    CHECK(status_items_parse(&a, &bits) == 0);
    CHECK(bits == (BIT(STATUS_MESSAGES) | BIT(STATUS_DELETED) | BIT(STATUS_DELETED_STORAGE)));
    a = args_of(&arena, STR("()"), false);
    CHECK(status_items_parse(&a, &bits) == E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_astring), cmocka_unit_test(test_small_words), cmocka_unit_test(test_times),
        cmocka_unit_test(test_store),   cmocka_unit_test(test_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
