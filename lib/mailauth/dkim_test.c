/* DKIM: the example of RFC 8463, what we sign verifies, what was changed does not, and each rule of RFC 6376 6. */
#include "lib/base/test.h"
#include "lib/mailauth/canon.h"
#include "lib/mailauth/dkim.h"
#include "lib/mailauth/tags.h"
#include "lib/mailauth/test_zone.h"

#define NOW 1700000000

static struct zone_row zone[16];
static size_t nzone;

static void feed(struct mailauth_message *m, struct str text, size_t slice)
{
    for (size_t i = 0; i < text.n; i += slice)
        mailauth_message_feed(m, str_slice(text, i, i + slice));
}

/* Verify a message in slices; the code of signature `index`. */
static enum dkim_code verify(struct str text, size_t slice, size_t index, const char **why)
{
    struct mailauth_message m;
    struct lookups l;
    enum dkim_code code = DKIM_NONE;
    int r, rounds = 0;

    lookups_init(&l);
    mailauth_message_init(&m);
    feed(&m, text, slice);
    mailauth_message_end(&m);
    while ((r = dkim_check(&m, &l, NOW)) == MAILAUTH_WAITS && rounds++ < 5)
        zone_answer_all(zone, nzone, &l);
    CHECK(r == 0);
    if (index < m.nsignatures) {
        code = m.signatures[index].code;
        *why = m.signatures[index].why;
    }
    mailauth_message_release(&m);
    lookups_release(&l);
    return code;
}

/* ---- RFC 8463 appendix A ---- */

static const char rfc8463[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                              " subject : date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                              " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                              "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                              " d=football.example.com; i=@football.example.com;\r\n"
                              " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                              " date : message-id : from : subject : date;\r\n"
                              " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                              " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                              " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                              " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
                              "From: Joe SixPack <joe@football.example.com>\r\n"
                              "To: Suzie Q <suzie@shopping.example.net>\r\n"
                              "Subject: Is dinner ready?\r\n"
                              "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                              "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                              "\r\n"
                              "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

static void test_rfc8463(void **state)
{
    static const size_t slices[] = { 1, 7, 100000 };
    const char *why = "";

    (void)state;
    nzone = 0;
    zone[nzone++] =
        (struct zone_row){ "brisbane._domainkey.football.example.com", "TXT",
                           "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", 0 };
    zone[nzone++] = (struct zone_row){
        "test._domainkey.football.example.com", "TXT",
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY"
        "/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kry"
        "OTIKT+l/K4w3QIDAQAB",
        0
    };
    for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
        CHECK(verify(str_from(rfc8463), slices[i], 0, &why) == DKIM_PASS);
        CHECK(verify(str_from(rfc8463), slices[i], 1, &why) == DKIM_PASS);
    }
}

/* ---- canonical bodies (RFC 6376 3.4) ---- */

static void to_buf(void *ctx, const void *p, size_t n)
{
    struct buf *b = ctx;

    CHECK(buf_append(b, p, n) == 0);
}

static void test_bodies(void **state)
{
    static const struct {
        const char *name, *in, *simple, *relaxed;
    } cases[] = {
        { "empty", "", "\r\n", "" },
        { "only line ends", "\r\n\r\n", "\r\n", "" },
        { "only white space", " \t\r\n", " \t\r\n", "" },
        { "no line end", "a", "a\r\n", "a\r\n" },
        { "the RFC's", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n" },
        { "empty lines inside", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
        { "bare CR", "a\rb\r\r\n", "a\rb\r\r\n", "a\rb\r\r\n" },
        { "bare LF", "a \nb\r\n", "a \nb\r\n", "a \nb\r\n" },
        { "ends with CR", "a\r", "a\r\r\n", "a\r\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str in = str_from(cases[i].in);

        check_case = cases[i].name;
        for (int relaxed = 0; relaxed < 2; relaxed++) {
            for (size_t slice = 1; slice < 40; slice += 3) {
                CLEANUP(buf_release) struct buf out = { .max = KIB(4) };
                struct canon_body c = { .relaxed = relaxed, .put = to_buf, .ctx = &out };

                for (size_t at = 0; at < in.n; at += slice)
                    canon_body_feed(&c, str_slice(in, at, at + slice));
                canon_body_end(&c);
                CHECK(str_eq_z(buf_str(&out), relaxed ? cases[i].relaxed : cases[i].simple));
                CHECK(c.bytes == out.n);
            }
        }
    }
    check_case = "";
}

static void test_headers(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(4) };

    (void)state;
    CHECK(canon_header(&out, STR("SubJect \t:  a\r\n\t b \t\r\n"), true) == 0);
    CHECK(str_eq_z(buf_str(&out), "subject:a b\r\n"));
    buf_clear(&out);
    CHECK(canon_signature(&out, STR("DKIM-Signature: a=b; b = xy\r\n z ; bh=c\r\n"), true) == 0);
    CHECK(str_eq_z(buf_str(&out), "dkim-signature:a=b; b =; bh=c"));
    buf_clear(&out);
    CHECK(canon_signature(&out, STR("DKIM-Signature: bh=c; b=xy\r\n"), false) == 0);
    CHECK(str_eq_z(buf_str(&out), "DKIM-Signature: bh=c; b="));
}

/* ---- sign and verify ---- */

static const char message[] = "Received: from x\r\nFrom: Ann <ann@example.org>\r\nTo: bob@example.net\r\n"
                              "Subject: A  folded\r\n\tsubject\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                              "Message-ID: <1@example.org>\r\n\r\nHello  Bob,\r\n\r\nbye \r\n\r\n\r\n";

static struct dkim_private *key_rsa, *key_ed;
static char record_rsa[2048], record_ed[256];

static void make_key(enum dkim_algorithm a, unsigned bits, struct dkim_private **key, char *record,
                     size_t size)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(2) };

    CHECK(dkim_private_generate(a, bits, key) == 0);
    CHECK(dkim_private_record(*key, &text) == 0);
    snprintf(record, size, "%.*s", STR_ARG(buf_str(&text)));
}

static int setup(void **state)
{
    (void)state;
    make_key(DKIM_RSA_SHA256, 2048, &key_rsa, record_rsa, sizeof record_rsa);
    make_key(DKIM_ED25519_SHA256, 0, &key_ed, record_ed, sizeof record_ed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dkim_private_free(&key_rsa);
    dkim_private_free(&key_ed);
    return 0;
}

static void standard_zone(const char *rsa, const char *ed)
{
    nzone = 0;
    zone[nzone++] = (struct zone_row){ "r._domainkey.example.org", "TXT", rsa, 0 };
    zone[nzone++] = (struct zone_row){ "e._domainkey.example.org", "TXT", ed, 0 };
    zone[nzone++] = (struct zone_row){ "later._domainkey.example.org", "TIMEOUT", "", 0 };
}

/* `text` with a signature before it. */
static void sign(struct buf *out, struct str text, const struct dkim_signer *s)
{
    struct mailauth_message m;
    int body, r;

    mailauth_message_init(&m);
    CHECK((body = dkim_signer_want(&m, s->body_simple)) >= 0);
    feed(&m, text, 5);
    mailauth_message_end(&m);
    r = dkim_make(&m, s, body, out);
    CHECK(r == 0);
    mailauth_message_release(&m);
    CHECK(buf_puts(out, text) == 0);
}

static void test_sign(void **state)
{
    (void)state;
    standard_zone(record_rsa, record_ed);
    for (unsigned i = 0; i < 8; i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
        struct dkim_signer s = { .key = i & 4 ? key_ed : key_rsa,
                                 .domain = STR("example.org"),
                                 .selector = i & 4 ? STR("e") : STR("r"),
                                 .header_simple = i & 1,
                                 .body_simple = i & 2,
                                 .now_s = NOW,
                                 .identity = i & 1 ? STR("@mail.example.org") : STR(""),
                                 .expires_s = i & 2 ? NOW + 100 : 0 };
        const char *why = "";

        sign(&out, str_from(message), &s);
        CHECK(verify(buf_str(&out), 3, 0, &why) == DKIM_PASS);
        CHECK(verify(buf_str(&out), 4096, 0, &why) == DKIM_PASS);
        CHECK(str_find(buf_str(&out), STR("ann@")) > 0);
        out.p[str_find(buf_str(&out), STR("ann@"))] = 'A';
        CHECK(verify(buf_str(&out), 4096, 0, &why) == DKIM_FAIL && why == dkim_wrong_signature);
        out.p[str_find(buf_str(&out), STR("Ann@"))] = 'a';
        out.p[str_find(buf_str(&out), STR("bye"))] = 'B';
        CHECK(verify(buf_str(&out), 4096, 0, &why) == DKIM_FAIL && !strcmp(why, "body was changed"));
    }
}

static void test_oversigned(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(64) }, forged = { .max = KIB(64) };
    struct dkim_signer s = {
        .key = key_ed, .domain = STR("example.org"), .selector = STR("e"), .now_s = NOW
    };
    const char *why = "";

    (void)state;
    standard_zone(record_rsa, record_ed);
    sign(&out, str_from(message), &s);
    CHECK(buf_putz(&forged, "From: mallory@example.net\r\n") == 0 && buf_puts(&forged, buf_str(&out)) == 0);
    CHECK(verify(buf_str(&forged), 4096, 0, &why) == DKIM_FAIL);
    forged.n = 0;
    CHECK(buf_putz(&forged, "X-Other: fine\r\n") == 0 && buf_puts(&forged, buf_str(&out)) == 0);
    CHECK(verify(buf_str(&forged), 4096, 0, &why) == DKIM_PASS);
}

/* A signed message with `from` replaced by `to` in it, and the zone's record of the key by `record`. */
static const struct {
    const char *name, *from, *to, *record;
    enum dkim_code code;
} rules[] = {
    { "as it is", "", "", NULL, DKIM_PASS },
    { "sha1", "a=ed25519-sha256", "a=rsa-sha1", NULL, DKIM_POLICY },
    { "unknown algorithm", "a=ed25519-sha256", "a=rot13", NULL, DKIM_PERMERROR },
    { "version 2", "v=1;", "v=2;", NULL, DKIM_PERMERROR },
    { "From not signed", "h=from:from:", "h=", NULL, DKIM_PERMERROR },
    { "a tag twice", "v=1;", "v=1; v=1;", NULL, DKIM_PERMERROR },
    { "unknown tag", "v=1;", "v=1; zz=1;", NULL, DKIM_FAIL },
    { "no domain", "d=example.org;", "", NULL, DKIM_PERMERROR },
    { "i elsewhere", "v=1;", "v=1; i=@example.net;", NULL, DKIM_PERMERROR },
    { "i that only looks like it", "v=1;", "v=1; i=@badexample.org;", NULL, DKIM_PERMERROR },
    { "expired", "v=1;", "v=1; x=1700000000;", NULL, DKIM_FAIL },
    { "from the future", "t=1699999990", "t=1800000000", NULL, DKIM_PERMERROR },
    { "l is too much", "v=1;", "v=1; l=100000;", NULL, DKIM_PERMERROR },
    { "q is http", "v=1;", "v=1; q=http;", NULL, DKIM_PERMERROR },
    { "no key", "s=e;", "s=none;", NULL, DKIM_PERMERROR },
    { "key not answered", "s=e;", "s=later;", NULL, DKIM_TEMPERROR },
    { "key of the other type", "s=e;", "s=r;", NULL, DKIM_PERMERROR },
    { "body hash is not base64", "bh=", "bh=!", NULL, DKIM_PERMERROR },
    { "revoked", "", "", "v=DKIM1; k=ed25519; p=", DKIM_PERMERROR },
    { "for something else", "", "", "v=DKIM1; k=ed25519; s=tlsrpt; p=%s", DKIM_PERMERROR },
    { "for mail too", "", "", "v=DKIM1; k=ed25519; s=tlsrpt:email; p=%s", DKIM_PASS },
    { "sha1 only", "", "", "v=DKIM1; k=ed25519; h=sha1; p=%s", DKIM_PERMERROR },
    { "unknown key type", "", "", "v=DKIM1; k=dsa; p=%s", DKIM_PERMERROR },
    { "t=s, i is d", "", "", "v=DKIM1; k=ed25519; t=s; p=%s", DKIM_PASS },
    { "a test that fails", "Hello", "hello", "v=DKIM1; k=ed25519; t=y; p=%s", DKIM_NEUTRAL },
    { "a test that passes", "", "", "v=DKIM1; k=ed25519; t=y; p=%s", DKIM_PASS },
    { "wrong key", "", "", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", DKIM_FAIL },
};

static void replace(struct buf *text, const char *from, const char *to)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
    ptrdiff_t at = str_find(buf_str(text), str_from(from));

    if (!*from)
        return;
    CHECK(at >= 0);
    CHECK(buf_append(&out, text->p, (size_t)at) == 0 && buf_putz(&out, to) == 0 &&
          buf_puts(&out, str_skip(buf_str(text), (size_t)at + strlen(from))) == 0);
    buf_clear(text);
    CHECK(buf_puts(text, buf_str(&out)) == 0);
}

static void test_rules(void **state)
{
    const char *key = strstr(record_ed, "p=") + 2;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
        struct dkim_signer s = {
            .key = key_ed, .domain = STR("example.org"), .selector = STR("e"), .now_s = NOW - 10
        };
        const char *why = "";
        char record[512];

        check_case = rules[i].name;
        standard_zone(record_rsa, record_ed);
        if (rules[i].record) {
            CLEANUP(buf_release) struct buf text = { .max = 500 };

            CHECK(buf_putz(&text, rules[i].record) == 0);
            if (strstr(rules[i].record, "%s"))
                replace(&text, "%s", key);
            snprintf(record, sizeof record, "%.*s", STR_ARG(buf_str(&text)));
            zone[1].value = record;
        }
        sign(&out, str_from(message), &s);
        if (!strcmp(rules[i].from, "Hello"))
            out.p[str_find(buf_str(&out), STR("Hello"))] = 'J';
        else
            replace(&out, rules[i].from, rules[i].to);
        CHECK(verify(buf_str(&out), 4096, 0, &why) == rules[i].code);
    }
    check_case = "";
}

static void test_short_key(void **state)
{
    struct dkim_private *key = NULL;

    (void)state;
    CHECK(dkim_private_generate(DKIM_RSA_SHA256, 512, &key) == E_WEAK);
    CHECK(dkim_private_from_pem(STR("no key"), &key) == E_SYNTAX);
}

static void test_pem(void **state)
{
    CLEANUP(buf_release) struct buf pem = { .max = KIB(8) }, record = { .max = KIB(2) };
    struct dkim_private *again = NULL;

    (void)state;
    CHECK(dkim_private_to_pem(key_ed, &pem) == 0);
    CHECK(dkim_private_from_pem(buf_str(&pem), &again) == 0);
    CHECK(dkim_private_record(again, &record) == 0 && str_eq_z(buf_str(&record), record_ed));
    dkim_private_free(&again);
}

static void test_many(void **state)
{
    CLEANUP(buf_release) struct buf out = { .max = MIB(1) };
    struct mailauth_message m;

    (void)state;
    for (int i = 0; i < 30; i++)
        CHECK(
            buf_printf(
                &out,
                "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; l=%d; d=example.org; s=e; h=from; bh=AAAA; b=AAAA\r\n",
                i) == 0);
    CHECK(buf_putz(&out, message) == 0);
    mailauth_message_init(&m);
    feed(&m, buf_str(&out), 1000);
    mailauth_message_end(&m);
    CHECK(m.nsignatures == MAILAUTH_SIGNATURES_MAX && m.nsignatures_seen == 30 &&
          m.nbodies <= MAILAUTH_BODIES_MAX);
    mailauth_message_release(&m);
}

static void test_large_header(void **state)
{
    CLEANUP(buf_release) struct buf line = { .max = KIB(1) };
    struct mailauth_message m;
    struct lookups l;

    (void)state;
    lookups_init(&l);
    mailauth_message_init(&m);
    CHECK(buf_printf(&line, "X-Long: %0900d\r\n", 1) == 0);
    for (int i = 0; i < 400; i++)
        mailauth_message_feed(&m, buf_str(&line));
    mailauth_message_feed(&m, STR("\r\nbody"));
    mailauth_message_end(&m);
    CHECK(m.error == E_LIMIT && dkim_check(&m, &l, NOW) == 0 && m.nsignatures == 0);
    mailauth_message_release(&m);
    lookups_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc8463),    cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_headers),    cmocka_unit_test(test_sign),
        cmocka_unit_test(test_oversigned), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_short_key),  cmocka_unit_test(test_pem),
        cmocka_unit_test(test_many),       cmocka_unit_test(test_large_header),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
