#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/smtp/trace.h"

static void test_received(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = TRACE_HEADER_MAX };
    struct smtp_path to;
    struct trace_hop h = {
        .helo = STR("mail.example"),
        .peer_name = STR("mx.example"),
        .peer_ip = STR("192.0.2.1"),
        .by = STR("mx.example.test"),
        .id = STR("7b91"),
        .tls = STR("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"),
        .esmtp = true,
        .only_recipient = &to,
        .when_ms = INT64_C(1787393472345),
    };

    CHECK(smtp_mailbox_parse(STR("hello@Example.test"), 0, &to) == 0);
    CHECK(trace_received(&out, &h) == 0);
    CHECK(str_eq_z(buf_str(&out), "Received: from mail.example (mx.example [192.0.2.1])\r\n"
                                  "\tby mx.example.test with ESMTPS\r\n"
                                  "\t(TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
                                  "\tid 7b91\r\n"
                                  "\tfor <hello@example.test>;\r\n"
                                  "\tSat, 22 Aug 2026 10:11:12 +0000\r\n"));
    buf_clear(&out);
    h = (struct trace_hop){
        .helo = STR("evil\r\nX: (y"), .peer_ip = STR("2001:db8::1"), .by = STR("us"), .id = STR("1")
    };
    CHECK(trace_received(&out, &h) == 0);
    CHECK(str_eq_z(buf_str(&out), "Received: from evil??X:??y ([IPv6:2001:db8::1])\r\n"
                                  "\tby us with SMTP\r\n\tid 1;\r\n"
                                  "\tThu, 1 Jan 1970 00:00:00 +0000\r\n"));
    out.max = out.n + 20;
    CHECK(trace_received(&out, &h) == E_LIMIT && out.n + 20 == out.max);
}

static void test_small_fields(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = TRACE_HEADER_MAX };
    struct smtp_path null = { 0 };

    CHECK(trace_return_path(&out, &null) == 0 && trace_delivered_to(&out, STR("a@b")) == 0);
    CHECK(str_eq_z(buf_str(&out), "Return-Path: <>\r\nDelivered-To: a@b\r\n"));
    CHECK(trace_delivered_to(&out, STR("a@b\r\nX: y")) == E_SYNTAX);
    CHECK(strcmp(trace_protocol(true, true, true, true), "UTF8SMTPSA") == 0);
    CHECK(strcmp(trace_protocol(true, true, false, false), "ESMTPS") == 0);
    CHECK(strcmp(trace_protocol(false, false, false, false), "SMTP") == 0);
}

static const struct {
    const char *name, *in;
    unsigned received;
    bool id, done;
} scans[] = {
    { "none", "Subject: x\r\n\r\nReceived: body\r\n", 0, false, true },
    { "two", "Received: a\r\n\tb\r\nRECEIVED : c\r\n\r\n", 2, false, true },
    { "near misses", "Receivedx: a\r\nX-Received: a\r\n Received: a\r\nReceive: b\r\nReceived\r\n\r\n", 0,
      false, true },
    { "message-id", "message-ID:<x>\r\nReceived:y\r\n\r\n", 1, true, true },
    { "no body", "Received: a", 1, false, false },
    { "bare LF", "Received: a\n\nReceived: b\n", 1, false, true },
    { "colon in body of line", "Subject: received: x\r\n\r\n", 0, false, true },
    { "not quite empty", "a: b\r\n\rv\r\nReceived: x\r\n", 1, false, false },
    { "empty", "\r\nReceived: x\r\n", 0, false, true },
};

static void test_scan(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(scans); i++)
        for (size_t slice = 1; slice < 70; slice++) {
            struct trace_scan t = { 0 };

            check_case = scans[i].name;
            for (struct str in = str_from(scans[i].in); in.n; in = str_skip(in, slice))
                trace_scan_feed(&t, str_slice(in, 0, slice));
            CHECK(t.received == scans[i].received && t.has_message_id == scans[i].id &&
                  t.done == scans[i].done);
        }
    check_case = "";
}

static void test_scan_shape(void **state UNUSED)
{
    static const struct {
        const char *name, *in;
        uint64_t bytes;
        unsigned fields;
        uint32_t seen, twice;
        bool eight;
    } shapes[] = {
        { "plain", "From: a\r\nTo: b\r\n\tc\r\n\r\nFrom: d\r\n", 22, 2, BIT(TRACE_FROM) | BIT(TRACE_TO), 0,
          false },
        { "twice", "from: a\r\nFROM : b\r\nSubject:x\r\nfrom: c\r\n\r\n", 41, 4,
          BIT(TRACE_FROM) | BIT(TRACE_SUBJECT), BIT(TRACE_FROM), false },
        { "folded is no field", "From: a\r\n From: b\r\n\r\n", 21, 1, BIT(TRACE_FROM), 0, false },
        { "near", "X-From: a\r\nFromm: b\r\nTo-: c\r\n\r\n", 31, 3, 0, 0, false },
        { "high in a value", "Subject: \xff\r\n\r\n", 14, 1, BIT(TRACE_SUBJECT), 0, true },
        { "high in a name", "\xc3\xbc: x\r\n\r\n", 9, 1, 0, 0, true },
        { "high below", "a: b\r\n\r\n\xff", 8, 1, 0, 0, false },
        { "mime", "Content-Type: a\r\nContent-Transfer-Encoding: b\r\ncontent-type: c\r\n\r\n", 66, 3,
          BIT(TRACE_CONTENT_TYPE) | BIT(TRACE_ENCODING), BIT(TRACE_CONTENT_TYPE), false },
    };

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        for (size_t slice = 1; slice < 80; slice++) {
            struct trace_scan t = { 0 };

            check_case = shapes[i].name;
            for (struct str in = str_from(shapes[i].in); in.n; in = str_skip(in, slice))
                trace_scan_feed(&t, str_slice(in, 0, slice));
            CHECK(t.fields == shapes[i].fields && t.seen == shapes[i].seen && t.twice == shapes[i].twice);
            CHECK(t.eight_bit == shapes[i].eight && t.bytes == shapes[i].bytes);
        }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_small_fields),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
