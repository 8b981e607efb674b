/* Tables for the small parsers: header fields, addresses, dates, words, decoders, charsets. */
#include "lib/base/test.h"
#include "lib/mime/address.h"
#include "lib/mime/charset.h"
#include "lib/mime/date.h"
#include "lib/mime/decode.h"
#include "lib/mime/header.h"
#include "lib/mime/word.h"

static void part(struct buf *b, struct str s)
{
    CHECK(s.p ? buf_printf(b, "'%.*s' ", STR_ARG(s)) == 0 : buf_putz(b, "NIL ") == 0);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "joe@example.test", "NIL NIL 'joe' 'example.test' " },
        { "Joe Doe <joe@example.test>", "'Joe Doe' NIL 'joe' 'example.test' " },
        { "joe@example.test (Joe \\(D\\) Doe)", "'Joe (D) Doe' NIL 'joe' 'example.test' " },
        { "\"Doe, Joe\" <joe@x>, b@y", "'Doe, Joe' NIL 'joe' 'x' NIL NIL 'b' 'y' " },
        { "Friends: a@x, B <b@y>;, c@z",
          "NIL NIL 'Friends' NIL NIL NIL 'a' 'x' 'B' NIL 'b' 'y' NIL NIL NIL NIL NIL NIL 'c' 'z' " },
        { "undisclosed-recipients:;", "NIL NIL 'undisclosed-recipients' NIL NIL NIL NIL NIL " },
        { "A <@r1,@r2:a@x>", "'A' '@r1,@r2' 'a' 'x' " },
        { "\"a b\"@x", "NIL NIL 'a b' 'x' " },
        { "\"a@b\"@x", "NIL NIL 'a@b' 'x' " },
        { "a@[127.0.0.1]", "NIL NIL 'a' '[127.0.0.1]' " },
        { "J\xc3\xb6rg <j\xc3\xb6@x.test>", "'J\xc3\xb6rg' NIL 'j\xc3\xb6' 'x.test' " },
        { "=?utf-8?Q?Doe,_Joe?= <a@x>", "'=?utf-8?Q?Doe,_Joe?=' NIL 'a' 'x' " },
        { "MAILER-DAEMON", "NIL NIL 'MAILER-DAEMON' '' " },
        { "Mail System <>", "'Mail System' NIL '' '' " },
        { "", "" },
        { " , ,", "" },
        { "(only)", "" },
        { "\"unclosed <a@x>", "NIL NIL 'unclosed <a@x>' '' " },
        { "a . b @ x . y", "NIL NIL 'a.b' 'x.y' " },
        { "a@x b@y", "NIL NIL 'a' 'x' NIL NIL 'b' 'y' " },
        { "a@x b@y, c@z", "NIL NIL 'a' 'x' NIL NIL 'b' 'y' NIL NIL 'c' 'z' " },
        { "a@x b@y <c@z>", "'a@x b@y' NIL 'c' 'z' " },
        { "a@x b@y, C <c@z>", "NIL NIL 'a' 'x' NIL NIL 'b' 'y' 'C' NIL 'c' 'z' " },
        { "a@x b", "NIL NIL 'a' 'xb' " },
        { "A\r\n B\r\n <a@x>\r\n", "'A B' NIL 'a' 'x' " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .max = KIB(64) };
        CLEANUP(buf_release) struct buf out = { .max = KIB(4) };

        check_case = rows[i].in;
        for (struct mime_address *m = mime_address_parse(&a, str_from(rows[i].in)); m; m = m->next) {
            part(&out, m->name);
            part(&out, m->route);
            part(&out, m->mailbox);
            part(&out, m->host);
        }
        if (!str_eq_z(buf_str(&out), rows[i].out))
            print_error("got %.*s\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i].out));
        arena_release(&a);
    }
    check_case = "";
}

static void test_dates(void **state)
{
    static const struct {
        const char *in;
        int64_t s;
        int32_t zone;
    } rows[] = {
        { "Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", 837595405, -420 },
        { "17 Jul 96 02:23 PDT", 837595380, -420 },
        { "Wed (comment), 17 Jul 1996 (x(y)) 02:23:25 GMT", 837570205, 0 },
        { "Sat, 1 Jan 2000 00:00:00 +0000", 946684800, 0 },
        { "Sat Jan  1 00:00:00 2000", 946684800, 0 },
        { "1 Jan 100 00:00:00 +0000", 946684800, 0 },
        { "1-Jan-2000 00:00:00 +0000", 946684800, 0 },
        { "Mon, 29 Feb 2016 23:59:60 +0100", 1456786800, 60 },
        { "Thu, 13 Feb 1969 23:32:54 -0330", -27723426, -210 },
        { "1 January 2000 0:00 Z", 946684800, 0 },
    };
    static const char *const bad[] = { "", "hello", "30 Feb 2000 00:00:00 +0000", "32 Jan 2000", "12:00:00" };
    struct mime_date d;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].in;
        CHECK(mime_date_parse(str_from(rows[i].in), &d) == 0);
        if (d.ms != rows[i].s * 1000)
            print_error("got %lld\n", (long long)d.ms);
        CHECK(d.ms == rows[i].s * 1000 && d.zone_min == rows[i].zone);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        check_case = bad[i];
        CHECK(mime_date_parse(str_from(bad[i]), &d) == E_SYNTAX);
    }
    check_case = "";
}

static void test_imap_dates(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    struct mime_date d;
    int64_t day;

    (void)state;
    CHECK(mime_date_time_parse(STR("17-Jul-1996 02:44:25 -0700"), &d) == 0);
    CHECK(d.ms == INT64_C(837596665000) && d.zone_min == -420);
    CHECK(mime_date_time_format(d, &out) == 0 && str_eq_z(buf_str(&out), "17-Jul-1996 02:44:25 -0700"));
    buf_clear(&out);
    CHECK(mime_date_format(d, &out) == 0 && str_eq_z(buf_str(&out), "Wed, 17 Jul 1996 02:44:25 -0700"));
    CHECK(mime_date_time_parse(STR(" 7-Feb-1994 21:52:25 -0800"), &d) == 0);
    CHECK(mime_date_time_parse(STR("7-Feb-94 21:52:25 -0800"), &d) == E_SYNTAX);
    CHECK(mime_date_time_parse(STR("31-Feb-1994 21:52:25 -0800"), &d) == E_RANGE);
    CHECK(mime_date_time_parse(STR("07-Feb-1994 21:52:25"), &d) == E_SYNTAX);
    CHECK(mime_day_parse(STR("1-Feb-1994"), &day) == 0 && day == INT64_C(760060800000));
    CHECK(mime_day_parse(STR("1-Foo-1994"), &day) == E_SYNTAX);
    for (int64_t s = -5000000000; s < 5000000000; s += 86399 * 37) { /* format and parse are inverse */
        struct mime_date in = { .ms = s * 1000, .zone_min = (int32_t)(s % 720) };

        buf_clear(&out);
        CHECK(mime_date_time_format(in, &out) == 0);
        CHECK(mime_date_time_parse(buf_str(&out), &d) == 0);
        CHECK(d.ms == in.ms && d.zone_min == in.zone_min);
    }
}

static void test_header(void **state)
{
    const struct str block = STR("From: a\r\nodd line\r\nTo : b\r\n c\r\nX:\r\nFROM: d\r\n\r\nbody: no\r\n");
    const struct str names[] = { STR("from"), STR("x") };
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };

    (void)state;
    CHECK(str_eq_z(mime_header_find(block, STR("to")), " b\r\n c"));
    CHECK(!mime_header_find(block, STR("body")).p);
    CHECK(mime_header_filter(block, names, 2, false, &out) == 0);
    CHECK(str_eq_z(buf_str(&out), "From: a\r\nX:\r\nFROM: d\r\n\r\n"));
    buf_clear(&out);
    CHECK(mime_header_filter(block, names, 2, true, &out) == 0);
    CHECK(str_eq_z(buf_str(&out), "odd line\r\nTo : b\r\n c\r\n\r\n"));
}

static void test_words(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "=?ISO-8859-1?Q?a?=", "a" },
        { "=?ISO-8859-1?Q?a?= b", "a b" },
        { "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
        { "=?ISO-8859-1?Q?a?=\r\n   =?ISO-8859-1?Q?b?=", "ab" },
        { "=?ISO-8859-1?Q?a_b?=", "a b" },
        { "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b" },
        { "=?utf-8*en?b?4oI=?= =?utf-8?B?rA==?=", "\xe2\x82\xac" }, /* one character in two words */
        { "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" },
        { "x =?utf-8?q?y", "x =?utf-8?q?y" },
        { "=?utf-8?x?y?=", "=?utf-8?x?y?=" },
        { "caf\xe9", "caf\xc3\xa9" },
        { "caf\xc3\xa9", "caf\xc3\xa9" },
        { "a\r\n b", "a b" },
        { "=?utf-8?q?=ff?=", "\xef\xbf\xbd" },
        { "=?no-such-charset?q?=e9?=", "\xc3\xa9" },
        { "\"=?utf-8?q?in_quotes?=\"", "\"in quotes\"" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };

        check_case = rows[i].in;
        CHECK(mime_word_decode(str_from(rows[i].in), &out) == 0);
        if (!str_eq_z(buf_str(&out), rows[i].out))
            print_error("got '%.*s'\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i].out));
    }
    check_case = "";
}

static void test_decoders(void **state)
{
    static const struct {
        enum mime_encoding e;
        const char *in, *out;
    } rows[] = {
        { MIME_BASE64, "aGVsbG8=", "hello" },
        { MIME_BASE64, "aGVs\r\nbG8", "hello" },
        { MIME_BASE64, "aA==aGk=", "hhi" },
        { MIME_BASE64, "a!G*k", "hi" },
        { MIME_BASE64, "a", "" },
        { MIME_QP, "a=3D=\r\nb =20 \r\nc", "a=b  \r\nc" },
        { MIME_QP, "x=ZZ=4=", "x=ZZ=4" },
        { MIME_QP, "x= \t\r\ny", "xy" },
        { MIME_QP, "a \nb", "a\nb" },
        { MIME_QP, "a=e4", "a\xe4" },
        { MIME_Q, "a_=5f_", "a _ " },
        { MIME_IDENTITY, "=41", "=41" },
        { MIME_UU, "begin 644 x\n#0V%T\n`\nend\nrest", "Cat" },
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct str in = str_from(rows[i / 2].in);
        struct mime_decoder d;
        size_t slice = i % 2 ? 1 : 100;

        check_case = rows[i / 2].in;
        mime_decoder_init(&d, rows[i / 2].e);
        for (size_t at = 0; at < in.n; at += slice)
            CHECK(mime_decoder_feed(&d, str_slice(in, at, at + slice), &out) == 0);
        CHECK(mime_decoder_finish(&d, &out) == 0);
        if (!str_eq_z(buf_str(&out), rows[i / 2].out))
            print_error("got '%.*s'\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), rows[i / 2].out));
    }
    check_case = "";
}

static void test_charsets(void **state)
{
    static const struct {
        const char *name, *in, *out;
    } rows[] = {
        { "utf-8", "a\xc3\xa9\xff", "a\xc3\xa9\xef\xbf\xbd" },
        { "", "a\xc3\xa9\xe9", "a\xc3\xa9\xc3\xa9" },
        { "koi8-r", "\xd4\xc5\xd3\xd4", "\xd1\x82\xd0\xb5\xd1\x81\xd1\x82" },
        { "GB2312", "\xc4\xe3\xba\xc3", "\xe4\xbd\xa0\xe5\xa5\xbd" },
        { "ISO-2022-JP", "\x1b$BF|K\\\x1b(B!", "\xe6\x97\xa5\xe6\x9c\xac!" },
        { "utf-7", "Hi +AOk-", "Hi \xc3\xa9" },
        { "utf-8//TRANSLIT", "\xe9", "\xc3\xa9" },
        { "gb18030", "\xc4", "\xef\xbf\xbd" },
        { "x-mac-cyrillic", "\xf2\xe5\xf1\xf2", "\xd1\x82\xd0\xb5\xd1\x81\xd1\x82" },
        { "viscii", "ch\xe0o", "ch\xc3\xa0o" },
        { "johab", "\xd0\x65\x8b\x69", "\xed\x95\x9c\xea\xb8\x80" },
        { "utf-8", "\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd" },
    };

    (void)state;
    CHECK(mime_charset_preload() > 70);
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
        struct str in = str_from(rows[i / 2].in);
        struct mime_charset c;
        size_t slice = i % 2 ? 1 : 100;

        check_case = rows[i / 2].name;
        mime_charset_init(&c, str_from(rows[i / 2].name));
        for (size_t at = 0; at < in.n; at += slice)
            CHECK(mime_charset_feed(&c, str_slice(in, at, at + slice), &out) == 0);
        CHECK(mime_charset_finish(&c, &out) == 0);
        if (!str_eq_z(buf_str(&out), rows[i / 2].out))
            print_error("got '%.*s' by %zu\n", STR_ARG(buf_str(&out)), slice);
        CHECK(str_eq_z(buf_str(&out), rows[i / 2].out));
        mime_charset_release(&c);
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_dates), cmocka_unit_test(test_imap_dates),
        cmocka_unit_test(test_header),    cmocka_unit_test(test_words), cmocka_unit_test(test_decoders),
        cmocka_unit_test(test_charsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
