#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/smtp/bdat.h"
#include "lib/smtp/dot.h"

static const struct {
    const char *name;
    struct str in;
    const char *out; /* the message; NULL when an error makes it meaningless */
    int r;
    ptrdiff_t unread; /* after the end of data; -1: the end was not found */
} cases[] = {
#define CASE(name, in, out, r, unread)               \
    {                                                \
        name, { in, sizeof(in) - 1 }, out, r, unread \
    }
    CASE("empty", ".\r\n", "", 0, 0),
    CASE("one line", "hi\r\n.\r\n", "hi\r\n", 0, 0),
    CASE("stuffed dot", "..\r\n.\r\n", ".\r\n", 0, 0),
    CASE("two stuffed dots", "...\r\n.\r\n", "..\r\n", 0, 0),
    CASE("a dot that was not stuffed", ".x\r\n.\r\n", "x\r\n", 0, 0),
    CASE("dot inside", "a.b\r\n.\r\n", "a.b\r\n", 0, 0),
    CASE("blank lines", "a\r\n\r\n\r\n.\r\n", "a\r\n\r\n\r\n", 0, 0),
    CASE("pipelined", "hi\r\n.\r\nQUIT\r\n", "hi\r\n", 0, 6),
    CASE("no end", "hi\r\n.\r", "hi\r\n", 0, -1),
    CASE("eight bit", "\xff\xfe\r\n.\r\n", "\xff\xfe\r\n", 0, 0),
    /* every way to smuggle a second message; all are errors and none ends data */
    CASE("smuggle LF.LF", "hi\n.\nMAIL FROM:<x>\r\n", NULL, E_BARE_LF, -1),
    CASE("smuggle LF.CRLF", "hi\n.\r\nMAIL FROM:<x>\r\n", NULL, E_BARE_LF, -1),
    CASE("smuggle CR.CR", "hi\r.\rMAIL FROM:<x>\r\n", NULL, E_BARE_CR, -1),
    CASE("smuggle CR.CRLF", "hi\r.\r\nMAIL FROM:<x>\r\n", NULL, E_BARE_CR, -1),
    CASE("smuggle CRLF.LF", "hi\r\n.\nMAIL FROM:<x>\r\n", NULL, E_BARE_LF, -1),
    CASE("smuggle CRLF.CR", "hi\r\n.\rMAIL FROM:<x>\r\n", NULL, E_BARE_CR, -1),
    CASE("smuggle CRLF.NUL", "hi\r\n.\0\r\nMAIL FROM:<x>\r\n", NULL, E_NUL, -1),
    CASE("smuggle, true end found", "hi\n.\nMAIL FROM:<x>\r\n.\r\nQUIT\r\n", NULL, E_BARE_LF, 6),
    CASE("CR CR LF", "hi\r\r\n.\r\n", NULL, E_BARE_CR, 0),
    CASE("dot CR CR LF", "hi\r\n.\r\r\n.\r\n", NULL, E_BARE_CR, 0),
    CASE("LF first", "\nhi\r\n.\r\n", NULL, E_BARE_LF, 0),
    CASE("NUL", "a\0b\r\n.\r\n", NULL, E_NUL, 0),
    CASE("line fits", "1234567890123456\r\n..234567890123456\r\n.\r\n",
         "1234567890123456\r\n.234567890123456\r\n", 0, 0),
    CASE("line too long", "12345678901234567\r\n.\r\nX", NULL, E_LINE_TOO_LONG, 1),
    CASE("stuffed line too long", "..2345678901234567\r\n.\r\nX", NULL, E_LINE_TOO_LONG, 1),
    CASE("just the size", "1234567890\r\n1234567890\r\n12345678901234\r\n.\r\n",
         "1234567890\r\n1234567890\r\n12345678901234\r\n", 0, 0),
    CASE("too big by one", "1234567890\r\n1234567890\r\n123456789012345\r\n.\r\nX", NULL, E_TOO_BIG, 1),
    CASE("too big by far", "1234567890\r\n1234567890\r\n1234567890\r\n1234567890\r\n.\r\nX", NULL, E_TOO_BIG,
         1),
};

static void feed_case(size_t i, size_t slice)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    struct dot d = { .line_max = 16, .max_bytes = 40 };
    struct str in = cases[i].in;
    size_t used = 0;
    int r = 0;

    for (; in.n && d.state != DOT_END; in = str_skip(in, used))
        r = dot_feed(&d, str_slice(in, 0, slice), &out, &used);
    CHECK(r == cases[i].r);
    CHECK((d.state == DOT_END) == (cases[i].unread >= 0));
    CHECK(cases[i].unread < 0 || in.n == (size_t)cases[i].unread);
    CHECK(!cases[i].out || (str_eq_z(buf_str(&out), cases[i].out) && d.bytes == out.n));
}

static void test_dot(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_case = cases[i].name;
        for (size_t slice = 1; slice < 64; slice++)
            feed_case(i, slice);
    }
    check_case = "";
}

static void test_line_limit(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(4) };
    struct dot d = { 0 };
    char line[1001];
    size_t used;

    memset(line, 'x', sizeof(line));
    memcpy(line + 998, "\r\n", 2);
    CHECK(dot_feed(&d, str_of(line, 1000), &out, &used) == 0 && d.state == DOT_BOL);
    line[998] = 'x';
    memcpy(line + 999, "\r\n", 2);
    CHECK(dot_feed(&d, str_of(line, 1001), &out, &used) == E_LINE_TOO_LONG && used == 1001);
}

static const struct {
    const char *name;
    struct str chunks[3];
    bool binary;
    int r;
} chunked[] = {
#define S(lit)                     \
    {                              \
        "" lit "", sizeof(lit) - 1 \
    }
    { "one", { S("hi\r\n") }, false, 0 },
    { "cut in CRLF", { S("hi\r"), S("\nyou\r\n") }, false, 0 },
    { "no end of line", { S("hi") }, false, 0 },
    { "dots are text", { S("hi\r\n.\r\n..\r\n") }, false, 0 },
    { "empty last", { S("hi\r\n"), S("") }, false, 0 },
    { "bare LF", { S("hi\n") }, false, E_BARE_LF },
    { "bare CR", { S("hi\r"), S("you\r\n") }, false, E_BARE_CR },
    { "CR at the end", { S("hi\r") }, false, E_BARE_CR },
    { "CR at the end, empty last", { S("hi\r"), S("") }, false, E_BARE_CR },
    { "NUL", { S("\0\r\n") }, false, E_NUL },
    { "too long", { S("12345678"), S("901234567") }, false, E_LINE_TOO_LONG },
    { "binary", { S("\0\r\n\n\r\xff"), S("\r") }, true, 0 },
    { "too big", { S("0123456789012345678901234567890123456789"), S("x") }, true, E_TOO_BIG },
};

static void feed_chunks(size_t i, size_t slice)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) }, whole = { .max = KIB(1) };
    struct bdat b = { .binary = chunked[i].binary, .line_max = 16, .max_bytes = 40 };
    size_t used, n = 0;

    while (n < 3 && chunked[i].chunks[n].p)
        n++;
    for (size_t c = 0; c < n; c++) {
        struct str in = chunked[i].chunks[c];

        CHECK(buf_puts(&whole, in) == 0);
        bdat_chunk(&b, in.n, c + 1 == n);
        for (; !bdat_chunk_done(&b); in = str_skip(in, used))
            (void)!bdat_feed(&b, str_slice(in, 0, slice), &out, &used);
        CHECK(in.n == 0);
    }
    CHECK(b.error == chunked[i].r && b.bytes == whole.n);
    CHECK(b.error || str_eq(buf_str(&out), buf_str(&whole)));
}

static void test_bdat(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(chunked); i++) {
        check_case = chunked[i].name;
        for (size_t slice = 1; slice < 50; slice++)
            feed_chunks(i, slice);
    }
    check_case = "";
}

static void test_bdat_leaves_the_next_command(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(1) };
    struct bdat b = { 0 };
    size_t used = 0;

    bdat_chunk(&b, 4, true);
    CHECK(bdat_feed(&b, STR("hi\r\nQUIT\r\n"), &out, &used) == 0 && used == 4 && bdat_chunk_done(&b) &&
          b.last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot),
        cmocka_unit_test(test_line_limit),
        cmocka_unit_test(test_bdat),
        cmocka_unit_test(test_bdat_leaves_the_next_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
