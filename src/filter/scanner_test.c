#include "lib/base/test.h"
#include "src/filter/conf.h"
#include "src/filter/scanner.h"
#include <sys/un.h>

static void test_endpoints(void **state UNUSED)
{
    static const struct {
        const char *text;
        int family; /* 0: E_SYNTAX */
    } rows[] = {
        { "/run/clamav/clamd.ctl", AF_UNIX },
        { "127.0.0.1:3310", AF_INET },
        { "[::1]:3310", AF_INET6 },
        { "http://127.0.0.1:11333", AF_INET },
        { "http://127.0.0.1:11333/", AF_INET },
        { "127.0.0.1", 0 },
        { "clamd:3310", 0 },
        { "127.0.0.1:0", 0 },
        { "127.0.0.1:70000", 0 },
        { "", 0 },
        { ":3310", 0 },
    };
    struct dial_addr a;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_case = rows[i].text;
        CHECK(filter_endpoint(str_from(rows[i].text), &a) == (rows[i].family ? 0 : E_SYNTAX));
        CHECK(!rows[i].family || (a.sa.ss_family == rows[i].family && a.len > 0));
    }
}

/* Whole, and byte by byte: 0 until the last byte that matters. */
static int said(const struct scanner *s, struct str in, bool closed, struct scanner_said *out)
{
    int whole = s->answer(in, closed, out), r = 0;

    for (size_t n = 0; n <= in.n && r == 0; n++) {
        struct scanner_said other = { .score = 0 };

        r = s->answer(str_slice(in, 0, n), closed && n == in.n, &other);
    }
    CHECK(r == whole);
    return whole;
}

static void test_clamav(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 1000 };
    struct scanner_said a;
    char long_name[5000];

    CHECK(scanner_clamav.begin(NULL, &out) == 0 && scanner_clamav.piece(STR("abc"), &out) == 0 &&
          scanner_clamav.end(&out) == 0);
    CHECK(str_eq(buf_str(&out), str_of("zINSTREAM\0\0\0\0\3abc\0\0\0\0", 21)));
    CHECK(said(&scanner_clamav, str_of("stream: OK\0", 11), false, &a) == 1 && !a.found);
    CHECK(said(&scanner_clamav, STR("stream: OK\n"), true, &a) == 1 && !a.found);
    CHECK(said(&scanner_clamav, str_of("stream: Eicar-Test-Signature FOUND\0", 35), false, &a) == 1);
    CHECK(a.found && strcmp(a.name, "Eicar-Test-Signature") == 0);
    CHECK(said(&scanner_clamav, str_of("stream: a\r\nb\xff FOUND\0", 20), false, &a) == 1);
    CHECK(strcmp(a.name, "a??b?") == 0);
    CHECK(said(&scanner_clamav, str_of("INSTREAM size limit exceeded. ERROR\0", 36), false, &a) == E_LIMIT);
    CHECK(said(&scanner_clamav, str_of("stream: whatever ERROR\0", 23), false, &a) == E_SYNTAX);
    CHECK(said(&scanner_clamav, STR("stream: OK"), false, &a) == 0);
    CHECK(said(&scanner_clamav, STR(""), true, &a) == E_SYNTAX);
    memset(long_name, 'x', sizeof long_name);
    CHECK(scanner_clamav.answer(str_of(long_name, sizeof long_name), false, &a) == E_SYNTAX);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nServer: rspamd\r\n"

static void test_rspamd(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 1000 };
    Filter__ScanRequest q = FILTER__SCAN_REQUEST__INIT;
    ProtobufCBinaryData to = { 7, (uint8_t *)(uintptr_t) "a@b\r\nX:" };
    struct scanner_said a;

    q.recipients = &to;
    q.n_recipients = 1;
    CHECK(scanner_rspamd.begin(&q, &out) == 0 && scanner_rspamd.piece(STR("hello hello hello"), &out) == 0 &&
          scanner_rspamd.end(&out) == 0);
    CHECK(str_find(buf_str(&out), STR("POST /checkv2 HTTP/1.1\r\n")) == 0);
    CHECK(str_find(buf_str(&out), STR("\r\nRcpt: a@b??X:\r\n\r\n11\r\nhello hello hello\r\n0\r\n\r\n")) > 0);

    CHECK(said(&scanner_rspamd,
               STR(OK_HEAD "Content-Length: 82\r\n\r\n{\"score\":6.125,\"action\":\"add header\",\"symbols\":"
                           "{\"A\":{\"score\":-1},\"B\":{\"score\":3}}}"),
               false, &a) == 1);
    CHECK(a.score == 613 && strcmp(a.action, "add header") == 0 && strcmp(a.symbols, "B,A") == 0);
    CHECK(said(&scanner_rspamd,
               STR(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"score\"\r\n4;x\r\n:-1}\r\n0\r\n\r\n"),
               false, &a) == 1);
    CHECK(a.score == -100);
    CHECK(said(&scanner_rspamd, STR(OK_HEAD "\r\n{\"score\":1e300}"), true, &a) == 1);
    CHECK(a.score == SCANNER_SCORE_MAX);
    CHECK(said(&scanner_rspamd, STR(OK_HEAD "\r\n{\"score\":\"6\"}"), true, &a) == E_SYNTAX);
    CHECK(said(&scanner_rspamd, STR("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), false, &a) == E_SYNTAX);
    CHECK(said(&scanner_rspamd, STR(OK_HEAD "Content-Length: 99999999\r\n\r\n"), false, &a) == E_SYNTAX);
    CHECK(said(&scanner_rspamd, STR(OK_HEAD "Content-Length: 10\r\n\r\n{\"score\""), true, &a) == E_SYNTAX);
    CHECK(said(&scanner_rspamd, STR(OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), false, &a) ==
          E_SYNTAX);
    CHECK(scanner_rspamd.answer(STR("\x16\x03\x01 what\r\n\r\n"), true, &a) == E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_clamav),
        cmocka_unit_test(test_rspamd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
