#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/smtp/command.h"
#include "lib/smtp/linereader.h"

#define ALL (SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_BINARYMIME)

#define MORE                                                                                        \
    (ALL | SMTP_EXT_AUTH | SMTP_EXT_DSN | SMTP_EXT_REQUIRETLS | SMTP_EXT_HOLD | SMTP_EXT_PRIORITY | \
     SMTP_EXT_DELIVERBY)

static const struct {
    const char *in;
    uint32_t ext;
    enum smtp_verb verb;
    unsigned code; /* of the refusal; 0: understood */
    const char *enh;
} cases[] = {
    { "EHLO mail.example", ALL, SMTP_EHLO, 0, NULL },
    { "ehlo [192.0.2.1]", ALL, SMTP_EHLO, 0, NULL },
    { "EHLO my_windows_box!", ALL, SMTP_EHLO, 0, NULL },
    { "HELO x ", ALL, SMTP_HELO, 0, NULL },
    { "HELO", ALL, SMTP_HELO, 501, "5.5.4" },
    { "EHLO a b", ALL, SMTP_EHLO, 501, "5.5.4" },
    { "MAIL FROM:<a@b>", ALL, SMTP_MAIL, 0, NULL },
    { "mail from:<a@b>", ALL, SMTP_MAIL, 0, NULL },
    { "MAIL FROM: <a@b>  SIZE=10", ALL, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<>", ALL, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME SMTPUTF8", ALL, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> size=99999999999999999999 body=binarymime", ALL, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> SIZE=999999999999999999999", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> SIZE=-1", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> SIZE=", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> SIZE", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> SIZE=1 SIZE=1", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> SIZE=1", 0, SMTP_MAIL, 555, "5.5.4" },
    { "MAIL FROM:<a@b> BODY=BINARYMIME", ALL & ~SMTP_EXT_BINARYMIME, SMTP_MAIL, 555, "5.5.4" },
    { "MAIL FROM:<a@b> BODY=9BIT", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> SMTPUTF8=yes", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> AUTH=<>", ALL, SMTP_MAIL, 555, "5.5.4" },
    { "MAIL FROM:<a@b> X=a=b", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> =x", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b>SIZE=1", ALL, SMTP_MAIL, 501, "5.1.7" },
    { "MAIL FROM:a@b", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b", ALL, SMTP_MAIL, 501, "5.1.7" },
    { "MAIL FROM <a@b>", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL TO:<a@b>", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL", ALL, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<\xc3\xbc@b>", ALL, SMTP_MAIL, 553, "5.6.7" },
    { "MAIL FROM:<\xc3\xbc@b> SMTPUTF8", ALL, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<\xc3\xbc@b> SMTPUTF8", 0, SMTP_MAIL, 555, "5.5.4" },
    { "RCPT TO:<a@b>", 0, SMTP_RCPT, 0, NULL },
    { "RCPT TO:<Postmaster>", 0, SMTP_RCPT, 0, NULL },
    { "RCPT TO:<>", ALL, SMTP_RCPT, 501, "5.1.3" },
    { "RCPT TO:<a@b> SIZE=1", ALL, SMTP_RCPT, 555, "5.5.4" },
    { "RCPT TO:<a@b> NOTIFY=NEVER", ALL, SMTP_RCPT, 555, "5.5.4" },
    { "RCPT TO:<\xc3\xbc@b>", 0, SMTP_RCPT, 553, "5.6.7" },
    { "RCPT TO:<\xc3\xbc@b>", SMTP_EXT_SMTPUTF8, SMTP_RCPT, 0, NULL },
    { "MAIL FROM:<a@b> AUTH=<>", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> AUTH=e+3Dmc2@example.com", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> AUTH=e+3dmc2@example.com", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> RET=HDRS ENVID=QQ314159", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> RET=HDRS RET=FULL", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> RET=SOME", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> ENVID=a+4", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> RET=HDRS", ALL, SMTP_MAIL, 555, "5.5.4" },
    { "MAIL FROM:<a@b> NOTIFY=NEVER", MORE, SMTP_MAIL, 555, "5.5.4" },
    { "RCPT TO:<a@b> NOTIFY=NEVER", MORE, SMTP_RCPT, 0, NULL },
    { "RCPT TO:<a@b> NOTIFY=success,Delay,FAILURE ORCPT=rfc822;Bob+40b@c", MORE, SMTP_RCPT, 0, NULL },
    { "RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS", MORE, SMTP_RCPT, 501, "5.5.4" },
    { "RCPT TO:<a@b> NOTIFY=SUCCESS,SUCCESS", MORE, SMTP_RCPT, 501, "5.5.4" },
    { "RCPT TO:<a@b> NOTIFY=SUCCESS,", MORE, SMTP_RCPT, 501, "5.5.4" },
    { "RCPT TO:<a@b> ORCPT=rfc822", MORE, SMTP_RCPT, 501, "5.5.4" },
    { "RCPT TO:<a@b> ORCPT=rfc822;a@b+0D+0AX-Field:+20x", MORE, SMTP_RCPT, 501, "5.5.4" },
    { "RCPT TO:<a@b> ORCPT=rfc822;a+20b+2B@c", MORE, SMTP_RCPT, 0, NULL },
    { "MAIL FROM:<a@b> ENVID=QQ+0ABcc:+20x", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> ENVID=QQ+00", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "RCPT TO:<a@b> ORCPT=utf-8;gr\xc3\xbc@b", MORE, SMTP_RCPT, 0, NULL },
    { "RCPT TO:<a@b> ORCPT=utf-8;gr\xc3\xbc@b", MORE & ~(uint32_t)SMTP_EXT_SMTPUTF8, SMTP_RCPT, 501,
      "5.5.4" },
    { "RCPT TO:<a@b> ORCPT=utf-8;gr\\x{FC}@b", MORE & ~(uint32_t)SMTP_EXT_SMTPUTF8, SMTP_RCPT, 0, NULL },
    { "RCPT TO:<a@b> ORCPT=utf-8;gr\xc3\xbc@b+\n", MORE, SMTP_RCPT, 500, "5.5.2" },
    { "RCPT TO:<a@b> ORCPT=rfc_822;a@b", MORE, SMTP_RCPT, 501, "5.5.4" },
    { "MAIL FROM:<a@b> REQUIRETLS", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> REQUIRETLS=1", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> HOLDFOR=86400", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> HOLDFOR=0", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> HOLDUNTIL=2026-12-01T10:00:00Z", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> HOLDUNTIL=2026-12-01", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> HOLDUNTIL=2026-13-01T10:00:00Z", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> HOLDFOR=1 HOLDUNTIL=2026-12-01T10:00:00Z", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> BY=120;R", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> BY=-10;NT", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> BY=0;R", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> BY=120;X", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "MAIL FROM:<a@b> MT-PRIORITY=-9", MORE, SMTP_MAIL, 0, NULL },
    { "MAIL FROM:<a@b> MT-PRIORITY=10", MORE, SMTP_MAIL, 501, "5.5.4" },
    { "DATA", ALL, SMTP_DATA, 0, NULL },
    { "DATA ", ALL, SMTP_DATA, 0, NULL },
    { "DATA now", ALL, SMTP_DATA, 501, "5.5.4" },
    { "BDAT 0 LAST", ALL, SMTP_BDAT, 0, NULL },
    { "BDAT 100", ALL, SMTP_BDAT, 0, NULL },
    { "BDAT 5  last", ALL, SMTP_BDAT, 0, NULL },
    { "BDAT", ALL, SMTP_BDAT, 501, "5.5.4" },
    { "BDAT x", ALL, SMTP_BDAT, 501, "5.5.4" },
    { "BDAT 1 FIRST", ALL, SMTP_BDAT, 501, "5.5.4" },
    { "BDAT 99999999999999999999", ALL, SMTP_BDAT, 501, "5.5.4" },
    { "RSET", ALL, SMTP_RSET, 0, NULL },
    { "NOOP anything", ALL, SMTP_NOOP, 0, NULL },
    { "QUIT", ALL, SMTP_QUIT, 0, NULL },
    { "QUIT x", ALL, SMTP_QUIT, 501, "5.5.4" },
    { "HELP MAIL", ALL, SMTP_HELP, 0, NULL },
    { "VRFY a", ALL, SMTP_VRFY, 0, NULL },
    { "VRFY", ALL, SMTP_VRFY, 501, "5.5.4" },
    { "STARTTLS", ALL, SMTP_STARTTLS, 0, NULL },
    { "STARTTLS x", ALL, SMTP_STARTTLS, 501, "5.5.4" },
    { "AUTH PLAIN AAAA", ALL, SMTP_AUTH, 0, NULL },
    { "GET / HTTP/1.1", ALL, SMTP_UNKNOWN, 500, "5.5.2" },
    { "", ALL, SMTP_UNKNOWN, 500, "5.5.2" },
    { "MAIL\tFROM:<a@b>", ALL, SMTP_UNKNOWN, 500, "5.5.2" },
    { "MAIL FROM:<a\x01@b>", ALL, SMTP_MAIL, 500, "5.5.2" },
    { "?", ALL, SMTP_UNKNOWN, 500, "5.5.2" },
};

static void test_commands(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct smtp_reply *why = NULL;
        struct smtp_command c;
        int r = smtp_command_parse(str_from(cases[i].in), cases[i].ext, &c, &why);

        check_case = cases[i].in;
        CHECK(c.verb == cases[i].verb);
        CHECK((r < 0) == (cases[i].code != 0));
        if (r < 0)
            CHECK(why && why->code == cases[i].code && strcmp(why->enh, cases[i].enh) == 0);
    }
    check_case = "";
}

static void test_arguments(void **state UNUSED)
{
    const struct smtp_reply *why;
    struct smtp_command c;

    CHECK(smtp_command_parse(STR("MAIL FROM:<a@b> BODY=BINARYMIME SIZE=20"), ALL, &c, &why) == 0);
    CHECK(c.body == SMTP_BODY_BINARYMIME && c.size_bytes == 20 && !(c.params & SMTP_EXT_SMTPUTF8));
    CHECK(smtp_command_parse(STR("MAIL FROM:<a@b> SIZE=99999999999999999999"), ALL, &c, &why) == 0);
    CHECK(c.size_bytes == UINT64_MAX);
    CHECK(smtp_command_parse(STR("BDAT 123 LAST"), ALL, &c, &why) == 0);
    CHECK(c.chunk_bytes == 123 && c.chunk_last);
    CHECK(smtp_command_parse(STR("BDAT 123"), ALL, &c, &why) == 0 && !c.chunk_last);
    CHECK(smtp_command_parse(STR("EHLO my box"), ALL, &c, &why) == E_SYNTAX);
    CHECK(smtp_command_parse(STR("EHLO b@d"), ALL, &c, &why) == 0 && !c.helo_valid);
    CHECK(smtp_command_parse(STR("EHLO a.b"), ALL, &c, &why) == 0 && c.helo_valid && str_eq_z(c.arg, "a.b"));
    CHECK(strcmp(smtp_verb_name(SMTP_BDAT), "BDAT") == 0);
}

static const struct {
    const char *name;
    struct str in;
    const char *lines; /* results one after another, '|' after each: a line, or the error's name */
} streams[] = {
    { "two", { "a\r\nb\r\nc", 7 }, "a|b|" },
    { "empty line", { "\r\n\r\n", 4 }, "||" },
    { "bare LF", { "a\nb\r\n", 5 }, "E_BARE_LF|b|" },
    { "bare CR", { "a\rb\r\nc\r\n", 8 }, "E_BARE_CR|c|" },
    { "CR CR LF", { "a\r\r\nc\r\n", 7 }, "E_BARE_CR|c|" },
    { "NUL", { "a\0b\r\nc\r\n", 8 }, "E_NUL|c|" },
    { "too long", { "123456789\r\nc\r\n", 14 }, "E_LINE_TOO_LONG|c|" },
    { "just fits", { "12345678\r\nc\r\n", 13 }, "12345678|c|" },
    { "too long, then bare LF", { "123456789\nc\r\n", 13 }, "E_LINE_TOO_LONG|c|" },
};

static void read_stream(size_t i, size_t slice)
{
    CLEANUP(buf_release) struct buf got = { .max = KIB(1) };
    struct linereader l = { .line = { .max = 8 } };
    struct str in = streams[i].in, line;
    size_t used = 0;

    for (; in.n; in = str_skip(in, used)) {
        int r = linereader_feed(&l, str_slice(in, 0, slice), &used, &line);

        if (r != 0)
            CHECK((r == 1 ? buf_puts(&got, line) : buf_putz(&got, error_name(r))) == 0 &&
                  buf_putc(&got, '|') == 0);
    }
    CHECK(str_eq_z(buf_str(&got), streams[i].lines));
    linereader_release(&l);
}

static void test_lines(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        check_case = streams[i].name;
        for (size_t slice = 1; slice < 16; slice++)
            read_stream(i, slice);
    }
    check_case = "";
}

static void test_endless_line(void **state UNUSED)
{
    struct linereader l = { .line = { .max = 8 } };
    char junk[1024];
    struct str line;
    size_t used, n = 0;
    int r = 0;

    memset(junk, 'x', sizeof(junk));
    for (; r == 0; n += used)
        r = linereader_feed(&l, str_of(junk, sizeof(junk)), &used, &line);
    CHECK(r == E_LIMIT && n <= LINEREADER_GARBAGE_MAX + sizeof(junk) && l.line.cap <= 8);
    linereader_release(&l);
}

static void test_replies(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(2) };
    char longish[600];

    CHECK(smtp_reply_write(&out, &(struct smtp_reply){ 250, "2.1.0", "Ok" }) == 0);
    CHECK(str_eq_z(buf_str(&out), "250 2.1.0 Ok\r\n"));
    buf_clear(&out);
    CHECK(smtp_reply_write(&out, &(struct smtp_reply){ 214, "2.0.0", "One\nTwo" }) == 0);
    CHECK(str_eq_z(buf_str(&out), "214-2.0.0 One\r\n214 2.0.0 Two\r\n"));
    buf_clear(&out);
    CHECK(smtp_reply_text(&out, 220, NULL, STR("a\rb\x80")) == 0);
    CHECK(str_eq_z(buf_str(&out), "220 a?b?\r\n"));
    buf_clear(&out);
    memset(longish, 'y', sizeof(longish));
    CHECK(smtp_reply_text(&out, 250, "2.0.0", str_of(longish, sizeof(longish))) == 0 &&
          out.n == SMTP_REPLY_LINE_MAX);
    out.max = out.n + 5;
    CHECK(smtp_reply_text(&out, 250, NULL, STR("no room")) == E_LIMIT && out.n == SMTP_REPLY_LINE_MAX);
}

static void test_parameters(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = 100 };
    const struct smtp_reply *why = NULL;
    struct smtp_command c;

    (void)state;
    CHECK(smtp_command_parse(STR("MAIL FROM:<a@b> RET=full ENVID=Q+2BQ MT-PRIORITY=-3 BY=60;nt "
                                 "HOLDUNTIL=2026-12-01T10:00:00.5+02:00 AUTH=<>"),
                             MORE, &c, &why) == 0);
    CHECK(c.dsn.ret == SMTP_RET_FULL && str_eq(c.dsn.envid, STR("Q+2BQ")) && c.release.priority == -3);
    CHECK(smtp_xtext_decode(c.dsn.envid, &out) == 0 && str_eq(buf_str(&out), STR("Q+Q")));
    CHECK(c.release.by_s == 60 && c.release.by_mode == 'N' && c.release.by_trace);
    CHECK(c.release.hold_until_ms == 1796112000000 && str_eq(c.auth, STR("<>")));
    CHECK(smtp_command_parse(STR("RCPT TO:<a@b> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@y"), MORE, &c, &why) ==
          0);
    CHECK(c.dsn.notify == (SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY) &&
          str_eq(c.dsn.orcpt, STR("rfc822;x@y")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_replies),  cmocka_unit_test(test_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
