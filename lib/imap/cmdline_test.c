#include "lib/base/test.h"
#include "lib/imap/cmdline.h"

/* The events of a conversation, as text: C<command> +continue S(n)stream Ltext line !error */
static const struct cmdline_limits small = { 64, 32, 128 };

static const struct {
    const char *name;
    struct str in;
    const char *events;
} cases[] = {
    { "plain", STR("a NOOP\r\nb LOGOUT\r\n"), "C<a NOOP>C<b LOGOUT>" },
    { "empty line", STR("\r\na NOOP\r\n"), "C<>C<a NOOP>" },
    { "literal", STR("a LOGIN {3}\r\njoe {4}\r\npass\r\n"), "++C<a LOGIN {3}|joe {4}|pass>" },
    { "no wait", STR("a LOGIN {3+}\r\njoe {4+}\r\npass\r\n"), "C<a LOGIN {3+}|joe {4+}|pass>" },
    { "empty literal", STR("a X {0+}\r\n y\r\n"), "C<a X {0+}| y>" },
    { "CRLF in literal", STR("a X {4+}\r\n\r\n\r\n\r\n"), "C<a X {4+}|||>" },
    { "NUL in literal8", STR("a X ~{1+}\r\n\0\r\nb Y\r\n"), "C<a X ~{1+}|0>C<b Y>" },
    { "NUL in literal", STR("a X {3+}\r\n1\0002\r\nb Y\r\n"), "!E_NUL C<b Y>" },
    { "NUL in line", STR("a X\0Y\r\nb Y\r\n"), "!E_NUL C<b Y>" },
    { "bare LF", STR("a X\nb Y\r\n"), "!E_BARE_LF C<b Y>" },
    { "bare CR", STR("a X\rY\r\nb Y\r\n"), "!E_BARE_CR C<b Y>" },
    { "CR CR LF", STR("a X\r\r\nb Y\r\n"), "!E_BARE_CR C<b Y>" },
    { "too long", STR("a 0123456789012345678901234567890123456789012345678901234567890123456789\r\nb Y\r\n"),
      "!E_LINE_TOO_LONG C<b Y>" },
    { "too long, ends in a literal",
      STR("a 012345678901234567890123456789012345678901234567890123456789012345 {4+}\r\n\r\nX\n\r\nb Y\r\n"),
      "!E_LINE_TOO_LONG C<b Y>" },
    { "literal too big, waits", STR("a X {33}\r\nb Y\r\n"), "!E_TOO_BIG C<b Y>" },
    { "literal too big, sent", STR("a X {33+}\r\n012345678901234567890123456789012 {2+}\r\nxx\r\nb Y\r\n"),
      "!E_TOO_BIG C<b Y>" },
    { "all too big",
      STR("a X {32+}\r\n01234567890123456789012345678901 {32+}\r\n01234567890123456789012345678901 "
          "{32+}\r\n01234567890123456789012345678901 {32+}\r\n01234567890123456789012345678901\r\nb Y\r\n"),
      "!E_LIMIT C<b Y>" },
    { "append", STR("a APPEND INBOX {9999}\r\n"), "S(9999)" },
    { "append, flags", STR("a append INBOX (\\Seen) ~{5+}\r\n"), "S(5)" },
    { "append, name in a literal", STR("a APPEND {5}\r\nINBOX {9999+}\r\n"), "+S(9999)" },
    { "no head", STR("a X {12\r\nb {}\r\nc 12}\r\nd {1 +}\r\n"), "C<a X {12>C<b {}>C<c 12}>C<d {1 +}>" },
};

static void put(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\n')
            CHECK(buf_putc(out, text.p[i] == '\r' ? '|' : text.p[i] ? text.p[i] : '0') == 0);
}

static void record(struct buf *out, struct cmdline *c, int r)
{
    int w = 0;

    if (r == CMDLINE_CONTINUE) {
        w = buf_putc(out, '+');
    } else if (r == CMDLINE_COMMAND || r == CMDLINE_LINE) {
        w = buf_putz(out, r == CMDLINE_LINE ? "L<" : "C<");
        put(out, buf_str(&c->text));
        CHECK(buf_putc(out, '>') == 0);
        cmdline_next(c);
    } else if (r == CMDLINE_STREAM) {
        w = buf_printf(out, "S(%llu)", (unsigned long long)c->literal.n);
        cmdline_stream_done(c);
    } else if (r < 0) {
        w = buf_printf(out, "!%s ", error_name(r));
    }
    CHECK(w == 0);
}

static void feed_all(struct cmdline *c, struct str in, size_t slice, struct buf *out)
{
    while (in.n) {
        size_t used = 0;
        int r = cmdline_feed(c, str_slice(in, 0, slice), &used);

        CHECK(used > 0 || r < 0);
        record(out, c, r);
        in = str_skip(in, used);
    }
}

static void test_cmdline(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t slice = 1; slice < 200; slice += 7) {
            CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
            CLEANUP(cmdline_release) struct cmdline c;

            check_case = cases[i].name;
            cmdline_init(&c, &small);
            feed_all(&c, cases[i].in, slice, &out);
            CHECK(str_eq_z(buf_str(&out), cases[i].events));
        }
    }
    check_case = "";
}

static void test_stream(void **state)
{
    CLEANUP(cmdline_release) struct cmdline c;
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    size_t used;

    (void)state;
    cmdline_init(&c, &small);
    CHECK(cmdline_feed(&c, STR("a APPEND x {3}\r\nabc\r\n"), &used) == CMDLINE_STREAM && used == 16);
    CHECK(c.literal.n == 3 && c.literal.sync && !c.literal.binary);
    cmdline_stream_done(&c); /* the role took "abc" */
    CHECK(cmdline_feed(&c, STR(" {4+}\r\n"), &used) == CMDLINE_STREAM && c.literal.n == 4);
    cmdline_stream_done(&c);
    CHECK(cmdline_feed(&c, STR(")\r\n"), &used) == CMDLINE_COMMAND);
    CHECK(str_eq_z(str_skip(buf_str(&c.text), c.rest_at), ")"));
    cmdline_next(&c);
    CHECK(cmdline_feed(&c, STR("a APPEND x {3}\r\n"), &used) == CMDLINE_STREAM);
    cmdline_stream_refuse(&c, 100);
    feed_all(&c, STR("b NOOP\r\nc APPEND x {3+}\r\n"), 99, &out);
    CHECK(str_eq_z(buf_str(&out), "C<b NOOP>S(3)"));
    cmdline_next(&c);
    CHECK(cmdline_feed(&c, STR("c APPEND x {3+}\r\n"), &used) == CMDLINE_STREAM);
    cmdline_stream_refuse(&c, 100);
    feed_all(&c, STR("abc\r\nd NOOP\r\n"), 2, &out);
    CHECK(str_eq_z(buf_str(&out), "C<b NOOP>S(3)C<d NOOP>"));
}

/* RFC 4469, RFC 8508: which literals are messages, and which belong to the command. */
static void test_which_stream(void **state UNUSED)
{
    static const struct {
        const char *in;
        int event;
    } some[] = {
        { "a APPEND {3}\r\n", CMDLINE_CONTINUE },
        { "a APPEND x {3}\r\n", CMDLINE_STREAM },
        { "a APPEND URL {3}\r\n", CMDLINE_STREAM },
        { "a append x CATENATE (TEXT {3}\r\n", CMDLINE_STREAM },
        { "a APPEND x CATENATE (URL {3}\r\n", CMDLINE_CONTINUE },
        { "a APPEND x catenate (URL y url {3}\r\n", CMDLINE_CONTINUE },
        { "a APPEND x CATENATE (CURL {3}\r\n", CMDLINE_STREAM },
        { "a REPLACE 4 {3}\r\n", CMDLINE_CONTINUE },
        { "a REPLACE {3}\r\n", CMDLINE_CONTINUE },
        { "a replace 4 x {3}\r\n", CMDLINE_STREAM },
        { "a UID REPLACE 4 x (\\Seen) {3}\r\n", CMDLINE_STREAM },
        { "a UID APPEND x {3}\r\n", CMDLINE_CONTINUE },
        { "a UID SEARCH x {3}\r\n", CMDLINE_CONTINUE },
    };

    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        CLEANUP(cmdline_release) struct cmdline c;
        size_t used;

        check_case = some[i].in;
        cmdline_init(&c, &small);
        CHECK(cmdline_feed(&c, str_from(some[i].in), &used) == some[i].event);
    }
    check_case = "";
}

static void test_raw_line(void **state)
{
    CLEANUP(cmdline_release) struct cmdline c;
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };

    (void)state;
    cmdline_init(&c, &small);
    cmdline_expect_line(&c);
    feed_all(&c, STR("{5}\r\nb NOOP\r\n"), 1, &out);
    CHECK(str_eq_z(buf_str(&out), "L<{5}>C<b NOOP>"));
}

static void test_tag_and_close(void **state)
{
    CLEANUP(cmdline_release) struct cmdline c;
    size_t used;

    (void)state;
    cmdline_init(&c, &small);
    CHECK(cmdline_feed(&c, STR("a1 X\n"), &used) == E_BARE_LF);
    CHECK(str_eq_z(cmdline_tag(&c), "a1"));
    CHECK(cmdline_feed(&c, STR("+ X\n"), &used) == E_BARE_LF);
    CHECK(str_eq_z(cmdline_tag(&c), "*"));
    CHECK(cmdline_feed(&c, STR("z X {99999999999+}\r\n"), &used) == E_TOO_BIG && c.must_close);
}

/* All that a refused command brings is counted together. */
static void test_swallowing_ends(void **state UNUSED)
{
    static const char piece[KIB(16)];
    CLEANUP(cmdline_release) struct cmdline c;
    CLEANUP(buf_release) struct buf chain = { .max = MIB(4) };
    struct str in;
    size_t used, n = 0;

    cmdline_init(&c, &small); /* a line without an end */
    CHECK(cmdline_feed(&c, STR("a X\n"), &used) == E_BARE_LF);
    CHECK(cmdline_feed(&c, STR("b \0"), &used) == E_NUL && !c.must_close);
    for (; cmdline_feed(&c, str_of(piece, sizeof piece), &used) == CMDLINE_MORE; n++)
        CHECK(!c.must_close && n <= CMDLINE_DISCARD_MAX / sizeof piece);
    CHECK(c.must_close && n == CMDLINE_DISCARD_MAX / sizeof piece && used == 1);
    cmdline_release(&c);

    cmdline_init(&c, &small); /* literal after literal */
    for (int i = 0; i < 100; i++)
        CHECK(buf_putz(&chain, "x \1 {20000+}\r\n") == 0 && buf_append(&chain, piece, 10000) == 0 &&
              buf_append(&chain, piece, 10000) == 0);
    in = buf_str(&chain);
    CHECK(cmdline_feed(&c, STR("b \0"), &used) == E_NUL);
    CHECK(cmdline_feed(&c, in, &used) == E_LIMIT && c.must_close && used <= CMDLINE_DISCARD_MAX + 1);
    cmdline_release(&c);

    cmdline_init(&c, &small); /* the message of an APPEND that was refused */
    CHECK(cmdline_feed(&c, STR("a APPEND INBOX {200+}\r\n"), &used) == CMDLINE_STREAM);
    cmdline_stream_refuse(&c, 200);
    CHECK(!c.must_close && cmdline_feed(&c, str_of(piece, 200), &used) == CMDLINE_MORE);
    CHECK(cmdline_feed(&c, STR("\r\na NOOP\r\n"), &used) == CMDLINE_COMMAND);
    cmdline_next(&c);
    CHECK(cmdline_feed(&c, STR("a APPEND INBOX {99999999+}\r\n"), &used) == CMDLINE_STREAM);
    cmdline_stream_refuse(&c, MIB(50));
    CHECK(c.must_close);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cmdline),       cmocka_unit_test(test_stream),
        cmocka_unit_test(test_which_stream),  cmocka_unit_test(test_raw_line),
        cmocka_unit_test(test_tag_and_close), cmocka_unit_test(test_swallowing_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
