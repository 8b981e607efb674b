/* What becomes of 8 bits where only 7 are taken. */
#include "lib/base/test.h"
#include "lib/mime/sevenbit.h"

static const struct {
    const char *in, *out;
} cases[] = {
    { "Subject: x\r\n\r\nhello\r\n", "Subject: x\r\n\r\nhello\r\n" },
    { "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "gr\xc3\xbc\xc3\x9f"
      "e = all of them today \r\n.\r\n",
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "gr=C3=BC=C3=9Fe =3D all of them today=20\r\n.\r\n" },
    { "Subject: x\r\n\r\nan \xc3\xa4 that nobody named\r\n",
      "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
      "quoted-printable\r\n\r\nan =C3=A4 that nobody named\r\n" },
    { "Subject: x\r\n\r\nan \xe4 that nobody named\r\n",
      "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\nan =E4 that nobody named\r\n" },
    { "MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\xfe\xfd\xfc",
      "MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n//79/A==" },
    { "Subject: \xc3\xa4\r\n\r\nx\r\n", "Subject: ??\r\n\r\nx\r\n" },
    { "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "pre \xe4\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/plain\r\n"
      "Content-Transfer-Encoding: 8bit\r\n\r\nan \xe4 and more of it\r\n--b--\r\n",
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
      "pre ?\r\n--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/plain\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\nan =E4 and more of it\r\n--b--\r\n" },
    { "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nan \xe4 inside, too\r\n",
      "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n"
      "Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "an =E4 inside, too\r\n" },
    { "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=C3=A4 \xe4 =\r\nx\r\n",
      "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=C3=A4 =E4 =\r\nx\r\n" },
};

static void test_cases(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(8) };
        CLEANUP(arena_release) struct arena a = { .max = KIB(256) };

        check_case = cases[i].in;
        CHECK(mime_to_7bit(&a, str_from(cases[i].in), &out) == 0);
        if (!str_eq_z(buf_str(&out), cases[i].out))
            print_message("%.*s\n", STR_ARG(buf_str(&out)));
        CHECK(str_eq_z(buf_str(&out), cases[i].out));
    }
}

/* Lines of any length: none longer than 76, and all of it comes back. */
static void test_lines(void **state UNUSED)
{
    for (size_t n = 60; n < 400; n++) {
        CLEANUP(buf_release) struct buf in = { .max = KIB(8) }, out = { .max = KIB(8) };
        CLEANUP(arena_release) struct arena a = { .max = KIB(256) };
        size_t line = 0;

        CHECK(buf_putz(&in, "Content-Type: text/plain\r\n\r\n") == 0);
        for (size_t i = 0; i < n; i++)
            CHECK(buf_putc(&in, i % 10 == 3 ? '\xe4' : i % 7 == 1 ? ' ' : 'x') == 0);
        CHECK(buf_putz(&in, "\r\n") == 0 && mime_to_7bit(&a, buf_str(&in), &out) == 0);
        for (size_t i = 0; i < out.n; i++) {
            CHECK(!(out.p[i] & 0x80));
            line = out.p[i] == '\n' ? 0 : line + 1;
            CHECK(line <= 77); /* with its CR */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_lines) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
