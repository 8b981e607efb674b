#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "src/submission/letter.h"
#include "src/submission/login.h"

#define BODY "\r\nbody\r\n"

static const struct {
    const char *name, *in, *out;
    enum letter_fault fault;
    const char *as; /* addresses, a comma behind each */
    bool date, message_id;
} cases[] = {
    { "plain", "From: a@b\r\nDate: x\r\nMessage-ID: <1@b>\r\n" BODY,
      "From: a@b\r\nDate: x\r\nMessage-ID: <1@b>\r\n" BODY, LETTER_OK, "a@b,", true, true },
    { "bcc", "Bcc: c@d,\r\n e@f\r\nFrom: \"A, B\" <a@b>\r\nbcc: g@h\r\nTo: i@j\r\n" BODY,
      "From: \"A, B\" <a@b>\r\nTo: i@j\r\n" BODY, LETTER_OK, "a@b,", false, false },
    { "return path", "Return-Path: <x@y>\r\nFrom: a@b\r\n" BODY, "From: a@b\r\n" BODY, LETTER_OK, "a@b,",
      false, false },
    { "our results",
      "Authentication-Results: mx.test; spf=pass\r\nAuthentication-Results: other.test; spf=pass\r\nFrom: a@b\r\n" BODY,
      "Authentication-Results: other.test; spf=pass\r\nFrom: a@b\r\n" BODY, LETTER_OK, "a@b,", false, false },
    { "none", "To: a@b\r\n" BODY, "To: a@b\r\n" BODY, LETTER_NO_FROM, "", false, false },
    { "empty From", "From: \r\n" BODY, "From: \r\n" BODY, LETTER_NO_FROM, "", false, false },
    { "two From", "From: a@b\r\nFrom: c@d\r\n" BODY, "From: a@b\r\nFrom: c@d\r\n" BODY, LETTER_MANY_FROM,
      "a@b,c@d,", false, false },
    { "two authors", "From: a@b, c@d\r\nSender: a@b\r\n" BODY, "From: a@b, c@d\r\nSender: a@b\r\n" BODY,
      LETTER_OK, "a@b,c@d,a@b,", false, false },
    { "two authors, nobody sends", "From: a@b, c@d\r\n" BODY, "From: a@b, c@d\r\n" BODY, LETTER_NO_SENDER,
      "a@b,c@d,", false, false },
    { "two Sender", "From: a@b\r\nSender: a@b\r\nSender: c@d\r\n" BODY,
      "From: a@b\r\nSender: a@b\r\nSender: c@d\r\n" BODY, LETTER_MANY_SENDER, "a@b,a@b,c@d,", false, false },
    { "a group", "From: friends: a@b;\r\n" BODY, "From: friends: a@b;\r\n" BODY, LETTER_BAD_ADDRESS, "a@b,",
      false, false },
    { "no domain", "From: root\r\n" BODY, "From: root\r\n" BODY, LETTER_BAD_ADDRESS, "", false, false },
    { "header only", "From: a@b\r\nBcc: c@d\r\n", "From: a@b\r\n", LETTER_OK, "a@b,", false, false },
    { "body only", BODY, BODY, LETTER_NO_FROM, "", false, false },
    { "bcc in the body stays", "From: a@b\r\n\r\nBcc: c@d\r\n", "From: a@b\r\n\r\nBcc: c@d\r\n", LETTER_OK,
      "a@b,", false, false },
};

static void test_letters(size_t slice)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf got = { .max = KIB(4) };
        CLEANUP(buf_release) struct buf as = { .max = KIB(4) };
        struct str in = str_from(cases[i].in), out;
        struct letter l;

        check_case = cases[i].name;
        letter_init(&l, STR("mx.test"));
        for (; in.n; in = str_skip(in, slice))
            CHECK(letter_feed(&l, str_slice(in, 0, slice), &out) == 0 && buf_puts(&got, out) == 0);
        CHECK(letter_end(&l, &out) == 0 && buf_puts(&got, out) == 0);
        CHECK(str_eq_z(buf_str(&got), cases[i].out));
        CHECK(l.fault == cases[i].fault && l.has_date == cases[i].date &&
              l.has_message_id == cases[i].message_id);
        for (size_t k = 0; k < l.nas; k++)
            CHECK(buf_puts(&as, l.as[k]) == 0 && buf_putc(&as, ',') == 0);
        CHECK(cases[i].fault == LETTER_BAD_ADDRESS || str_eq_z(buf_str(&as), cases[i].as));
        letter_release(&l);
    }
}

static void test_whole(void **state)
{
    (void)state;
    test_letters(SIZE_MAX);
}

static void test_bytes(void **state)
{
    (void)state;
    test_letters(1);
}

static void test_limits(void **state)
{
    static char line[1000];
    struct letter l;
    struct str out;
    int r = 0;

    (void)state;
    memset(line, 'x', sizeof line);
    line[1] = ':';
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\n';
    letter_init(&l, STR("mx.test"));
    for (size_t i = 0; i < LETTER_HEADER_MAX / sizeof line + 1 && r == 0; i++)
        r = letter_feed(&l, str_of(line, sizeof line), &out);
    CHECK(r == E_TOO_BIG);
    letter_release(&l);
    letter_init(&l, STR("mx.test")); /* Bcc is kept for the copy in Sent */
    CHECK(letter_feed(&l, STR("From: a@b\r\nBcc: c@d\r\n\r\n"), &out) == 0);
    CHECK(str_eq(l.bcc, STR("Bcc: c@d\r\n")));
    letter_release(&l);
}

static const struct {
    const char *args, *lines[2];
    enum login_step step;
    const char *address, *password;
} logins[] = {
    { "PLAIN AGFAYgBzZWNyZXQ=", { NULL }, LOGIN_TRY, "a@b", "secret" },
    { "plain YUBiAGFAYgBzZWNyZXQ=", { NULL }, LOGIN_TRY, "a@b", "secret" },
    { "PLAIN Y0BkAGFAYgBzZWNyZXQ=", { NULL }, LOGIN_OTHER, "", "" },
    { "PLAIN", { "AGFAYgBzZWNyZXQ=" }, LOGIN_TRY, "a@b", "secret" },
    { "PLAIN", { "*" }, LOGIN_CANCELLED, "", "" },
    { "PLAIN", { "AGFAYgBzZWNyZXQ" }, LOGIN_SYNTAX, "", "" },
    { "PLAIN =", { NULL }, LOGIN_SYNTAX, "", "" },
    { "PLAIN ", { NULL }, LOGIN_SYNTAX, "", "" },
    { "PLAIN YUBi", { NULL }, LOGIN_SYNTAX, "", "" },
    { "LOGIN", { "YUBi", "c2VjcmV0" }, LOGIN_TRY, "a@b", "secret" },
    { "LOGIN YUBi", { "c2VjcmV0" }, LOGIN_TRY, "a@b", "secret" },
    { "LOGIN YUBi", { "*" }, LOGIN_CANCELLED, "", "" },
    { "LOGIN", { "!" }, LOGIN_SYNTAX, "", "" },
    { "CRAM-MD5", { NULL }, LOGIN_MECHANISM, "", "" },
    { "", { NULL }, LOGIN_SYNTAX, "", "" },
};

static void test_logins(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
        struct login l;
        enum login_step step = login_begin(&l, str_from(logins[i].args));

        check_case = logins[i].args;
        for (size_t k = 0; k < 2 && logins[i].lines[k]; k++) {
            CHECK(step == LOGIN_ASK);
            step = login_line(&l, str_from(logins[i].lines[k]));
        }
        CHECK(step == logins[i].step);
        CHECK(str_eq_z(login_address(&l), logins[i].address) &&
              str_eq_z(login_password(&l), logins[i].password));
        login_wipe(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_logins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
