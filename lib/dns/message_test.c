/* lib/dns: queries as bytes, answers from bytes. */
#include "lib/base/errors.h"
#include "lib/dns/test_wire.h"

static struct dns_name name_of(const char *text)
{
    struct dns_name n;

    CHECK(dns_name_parse(str_from(text), &n) == 0);
    return n;
}

static void test_query(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = DNS_QUERY_MAX }, again = { .max = DNS_QUERY_MAX };
    struct dns_query q = { .name = name_of("example.org"), .type = DNS_MX, .pad = true };
    static const uint8_t start[] = { 0,   0,   1,   0x20, 0,   1,   0,   0,    0,   0,   0,   1, 7,
                                     'e', 'x', 'a', 'm',  'p', 'l', 'e', 3,    'o', 'r', 'g', 0, 0,
                                     15,  0,   1,   0,    0,   41,  4,   0xd0, 0,   0,   0,   0 };

    CHECK(dns_query_write(&q, &out) == 0);
    CHECK(out.n == DNS_PAD_BLOCK);
    CHECK(memcmp(out.p, start, sizeof start) == 0);
    q.pad = false;
    q.id = 0x1234;
    q.mixed = 5; /* E, a: first and third letter */
    buf_clear(&out);
    CHECK(dns_query_write(&q, &out) == 0);
    CHECK(out.n == DNS_HEAD_LEN + 13 + 4 + 11);
    CHECK(memcmp(out.p + 13, "ExAmple", 7) == 0);
    q.mixed = 0;
    CHECK(dns_query_write(&q, &again) == 0);
    out.p[2] = (char)W_QR;
    CHECK(dns_message_answers(buf_str(&again), buf_str(&out), true));
    CHECK(!dns_message_answers(buf_str(&again), buf_str(&out), false));
    out.p[1] ^= 1;
    CHECK(!dns_message_answers(buf_str(&again), buf_str(&out), true));
}

static void test_long_names_are_padded(void **state UNUSED)
{
    for (size_t n = 1; n < 63; n++) {
        CLEANUP(buf_release) struct buf out = { .max = DNS_QUERY_MAX };
        struct dns_query q = { .type = DNS_A, .pad = true };
        char text[256] = "";

        for (size_t i = 0; i < 3; i++) {
            memset(text + i * (n + 1), 'a', n);
            text[(i + 1) * (n + 1) - 1] = i < 2 ? '.' : '\0';
        }
        q.name = name_of(text);
        CHECK(dns_query_write(&q, &out) == 0);
        CHECK(out.n % DNS_PAD_BLOCK == 0);
    }
}

#define RAW(s) STR(s)
/* One record each: bytes and what they mean. */
static const struct {
    const char *name;
    unsigned type;
    struct str rdata;
    const char *text; /* NULL: no answer at all */
} records[] = {
    { "A", DNS_A, RAW("\xc0\x00\x02\x01"), "192.0.2.1" },
    { "A, 3 bytes", DNS_A, RAW("\xc0\x00\x02"), NULL },
    { "AAAA", DNS_AAAA, RAW("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), "2001:db8::1" },
    { "MX", DNS_MX, RAW("\0\x0a\2mX\7example\0"), "10 mx.example" },
    { "null MX", DNS_MX, RAW("\0\0\0"), "0 ." },
    { "MX cut", DNS_MX, RAW("\0\x0a\2mx\7exam"), NULL },
    { "TXT", DNS_TXT, RAW("\5v=spf\2 \"\0\3-al"), "\"v=spf \\\"-al\"" },
    { "TXT empty string", DNS_TXT, RAW("\0"), "\"\"" },
    { "TXT binary", DNS_TXT, RAW("\2\xff\n"), "\"\\255\\010\"" },
    { "TXT overrun", DNS_TXT, RAW("\5abc"), NULL },
    { "PTR", DNS_PTR, RAW("\1a\1.\0"), "a.\\046" },
    { "CNAME", DNS_CNAME, RAW("\1a\1b\0"), "a.b" },
    { "SRV", DNS_SRV, RAW("\0\1\0\2\0\x19\1a\0"), "1 2 25 a" },
    { "TLSA", DNS_TLSA, RAW("\3\1\1\xab\xcd"), "3 1 1 abcd" },
    { "TLSA without data", DNS_TLSA, RAW("\3\1\1"), NULL },
    { "CAA", DNS_CAA, RAW("\x80\5issueca.example"), "128 issue \"ca.example\"" },
    { "CAA, bad tag", DNS_CAA, RAW("\0\5iss!eca.example"), NULL },
    { "CAA, tag overrun", DNS_CAA, RAW("\0\x20issue"), NULL },
};

static void test_records(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
        CLEANUP(buf_release) struct buf text = { .max = KIB(4) };
        struct dns_name n = name_of("x.example");
        struct dns_answer ans;
        struct dns_reply r;
        static struct wire w;

        check_case = records[i].name;
        whead(&w, "x.example", records[i].type, 0, true);
        wrr(&w, 1, "X.Example", records[i].type, 300, records[i].rdata);
        if (!records[i].text) {
            CHECK(dns_reply_parse(wstr(&w), &n, (uint16_t)records[i].type, &a, &r) == E_SYNTAX);
            continue;
        }
        CHECK(dns_reply_parse(wstr(&w), &n, (uint16_t)records[i].type, &a, &r) == 0);
        CHECK(r.status == DNS_OK && r.ad && r.ttl_s == 300 && r.n == 1);
        CHECK(str_eq(r.v[0].bytes, records[i].rdata) || records[i].type == DNS_MX);
        CHECK(dns_answer_decode(&r, (uint16_t)records[i].type, &a, &ans) == 0);
        CHECK(dns_record_print(&ans.records[0], &text) == 0);
        CHECK(str_eq_z(buf_str(&text), records[i].text));
        CHECK(dns_is_null_mx(&ans) == (strcmp(records[i].name, "null MX") == 0));
        /* cut anywhere it is no answer, and never more than that */
        for (size_t k = 0; k < w.n; k++)
            CHECK(dns_reply_parse(str_of(w.b, k), &n, (uint16_t)records[i].type, &a, &r) < 0);
    }
}

static int parse(struct wire *w, const char *name, unsigned type, struct arena *a, struct dns_reply *r)
{
    struct dns_name n = name_of(name);

    return dns_reply_parse(wstr(w), &n, (uint16_t)type, a, r);
}

static const struct str ip = { "\x7f\0\0\2", 4 };

static void test_aliases(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    struct dns_name end = name_of("c.example");
    static struct wire w;
    struct dns_reply r;

    whead(&w, "a.example", DNS_A, 0, false); /* in any order, with what does not belong there */
    wrr(&w, 1, "c.example", DNS_A, 500, ip);
    wcname(&w, "b.example", 40, "c.example");
    wrr(&w, 1, "evil.example", DNS_A, 1, ip);
    wcname(&w, "a.example", 60, "b.example");
    wrr(&w, 1, "c.example", DNS_A, 50, ip);
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
    CHECK(r.status == DNS_OK && r.n == 2 && r.ttl_s == 40 && dns_name_eq(&r.name, &end));
    whead(&w, "a.example", DNS_A, 0, false);
    wcname(&w, "a.example", 60, "b.example");
    wcname(&w, "b.example", 60, "a.example");
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == E_LIMIT);
    whead(&w, "a.example", DNS_A, 3, false); /* RFC 6604: the code is that of the end */
    wcname(&w, "a.example", 60, "b.example");
    wsoa(&w, "example", 900, 30);
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
    CHECK(r.status == DNS_NXDOMAIN && r.n == 0 && r.ttl_s == 30);
    whead(&w, "a.example", DNS_CNAME, 0, false);
    wcname(&w, "a.example", 60, "b.example");
    CHECK(parse(&w, "a.example", DNS_CNAME, &a, &r) == 0);
    CHECK(r.status == DNS_OK && r.n == 1);
}

static void test_no(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    static struct wire w;
    struct dns_reply r;

    whead(&w, "a.example", DNS_A, 0, true);
    wsoa(&w, "example", 20, 3600);
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
    CHECK(r.status == DNS_NODATA && r.ttl_s == 20 && r.ad);
    whead(&w, "a.example", DNS_A, 0, false); /* RFC 2308 5: without SOA not kept */
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
    CHECK(r.status == DNS_NODATA && r.ttl_s == 0);
    for (unsigned rcode = 1; rcode < 16; rcode++) {
        whead(&w, "a.example", DNS_A, rcode, true);
        CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
        CHECK(r.status == (rcode == 3 ? DNS_NXDOMAIN : DNS_SERVFAIL));
    }
    whead(&w, "a.example", DNS_A, 2, false); /* with an extended error (RFC 8914): 6, DNSSEC bogus */
    wrr(&w, 3, ".", 41, 0, RAW("\0\x0c\0\1x\0\x0f\0\4\0\6no"));
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
    CHECK(r.status == DNS_BOGUS);
}

static void test_limits(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    static struct wire w;
    struct dns_reply r;

    whead(&w, "a.example", DNS_A, 0, false);
    for (size_t i = 0; i <= DNS_RECORDS_MAX; i++)
        wrr(&w, 1, "a.example", DNS_A, 5, ip);
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == E_LIMIT);
    whead(&w, "a.example", DNS_A, 0, false);
    wrr(&w, 1, "a.example", DNS_A, UINT32_C(0x80000000), ip); /* RFC 2181 8 */
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0 && r.ttl_s == 0);
    w.b[2] |= W_TC;
    CHECK(dns_message_truncated(wstr(&w)));
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == E_SYNTAX);
}

static void test_compression(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf text = { .max = KIB(4) };
    static struct wire w;
    struct dns_answer ans;
    struct dns_reply r;

    whead(&w, "a.example", DNS_MX, 0, false);
    wrr(&w, 1, ".", DNS_MX, 5, RAW("\0\5\2mx\xc0\x0e")); /* owner is patched to a pointer below */
    w.n = DNS_HEAD_LEN + 11 + 4;
    w16(&w, 0xc00c);
    w16(&w, DNS_MX);
    w16(&w, 1);
    w32(&w, 5);
    w16(&w, 7);
    wbytes(&w, RAW("\0\5\2mx\xc0\x0e"));
    CHECK(parse(&w, "a.example", DNS_MX, &a, &r) == 0);
    CHECK(dns_answer_decode(&r, DNS_MX, &a, &ans) == 0);
    CHECK(dns_record_print(&ans.records[0], &text) == 0);
    CHECK(str_eq_z(buf_str(&text), "5 mx.example"));
    w.b[w.n - 2] = 0xc0;
    w.b[w.n - 1] = (uint8_t)(w.n - 2); /* points at itself */
    CHECK(parse(&w, "a.example", DNS_MX, &a, &r) == E_SYNTAX);
}

static void test_pack(void **state UNUSED)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(1) };
    CLEANUP(buf_release) struct buf b = { .max = DNS_RDATA_MAX };
    static struct wire w;
    struct dns_reply r, s;

    whead(&w, "a.example", DNS_A, 0, true);
    wcname(&w, "a.example", 60, "b.example");
    wrr(&w, 1, "b.example", DNS_A, 7, ip);
    wrr(&w, 1, "b.example", DNS_A, 9, ip);
    CHECK(parse(&w, "a.example", DNS_A, &a, &r) == 0);
    CHECK(dns_reply_pack(&r, &b) == 0);
    CHECK(dns_reply_unpack(buf_str(&b), &a, &s) == 0);
    CHECK(s.status == r.status && s.ad && s.ttl_s == 7 && dns_name_eq(&r.name, &s.name) && s.n == 2);
    CHECK(s.v[1].ttl_s == 9 && str_eq(s.v[1].bytes, ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),       cmocka_unit_test(test_long_names_are_padded),
        cmocka_unit_test(test_records),     cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_no),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_compression), cmocka_unit_test(test_pack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
