/* What a report looks like as a mail; a fake courier is met in the e2e tests. */
#include "lib/base/errors.h"
#include "lib/base/test.h"
#include "src/common/report_mail.h"
#include <zlib.h>

static const struct report_mail sample = {
    .from = { "dmarc@example.test", 18 },
    .to = { "rua@example.org", 15 },
    .subject = { "Report Domain: example.org Submitter: mx.example.test Report-ID: "
                 "0123456789012345678901234567890123",
                 99 },
    .id = { "1.2.abc", 7 },
    .hostname = { "mx.example.test", 15 },
    .fields = { "TLS-Report-Domain: example.org\r\n", 32 },
    .text = { "Hello.\r\n", 8 },
    .content_type = "application/gzip",
    .file_name = { "a!b!1!2.xml.gz", 14 },
    .body = { "<feedback/>", 11 },
};

static void test_gzip(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf packed = { .max = KIB(64) };
    char out[100];
    z_stream z = { 0 };

    CHECK(report_mail_gzip(STR("hello hello hello"), &packed) == 0);
    CHECK((unsigned char)packed.p[0] == 0x1f && (unsigned char)packed.p[1] == 0x8b);
    CHECK(inflateInit2(&z, MAX_WBITS + 16) == Z_OK);
    z.next_in = (Bytef *)packed.p;
    z.avail_in = (uInt)packed.n;
    z.next_out = (Bytef *)out;
    z.avail_out = sizeof out;
    CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
    CHECK(str_eq(str_of(out, z.total_out), STR("hello hello hello")));
    inflateEnd(&z);
}

static bool has(const struct buf *b, const char *what)
{
    return str_find(buf_str(b), str_from(what)) >= 0;
}

static void test_format(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = REPORT_MAIL_MAX };
    struct report_mail m = sample;

    CHECK(report_mail_format(&m, 0, &out) == 0);
    CHECK(has(&out, "From: <dmarc@example.test>\r\nTo: <rua@example.org>\r\nSubject: Report Domain: "));
    CHECK(has(&out, "mx.example.test Report-ID:\r\n 0123456789"));
    CHECK(has(&out, "\r\nMessage-ID: <1.2.abc@mx.example.test>\r\n"));
    CHECK(has(&out, "\r\nTLS-Report-Domain: example.org\r\nMIME-Version: 1.0\r\n"));
    CHECK(has(&out, "Content-Type: multipart/mixed;\r\n\tboundary="));
    CHECK(has(&out, "filename=\"a!b!1!2.xml.gz\"\r\n\r\nH4sI")); /* gzip's first bytes in base64 */
    buf_clear(&out);
    m.report_type = "tlsrpt";
    CHECK(report_mail_format(&m, 0, &out) == 0);
    CHECK(has(&out, "Content-Type: multipart/report; report-type=tlsrpt;\r\n\tboundary="));
}

static void test_refused(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = REPORT_MAIL_MAX };
    struct report_mail m = sample;

    m.to = STR("a@b\r\nBcc: c@d");
    CHECK(report_mail_format(&m, 0, &out) == E_SYNTAX);
    m = sample;
    m.file_name = STR("a\"b");
    CHECK(report_mail_format(&m, 0, &out) == E_SYNTAX);
    m = sample;
    m.from = STR("nobody");
    CHECK(report_mail_format(&m, 0, &out) == E_SYNTAX);
    CHECK(out.n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
