/* All checks of one message together, as the mx runs them. */
#include "lib/base/test.h"
#include "lib/mailauth/check.h"
#include "lib/mailauth/test_zone.h"

#define NOW 1700000000

static const char text[] = "From: =?utf-8?q?Ann?= <ann@example.org>\r\nSubject: x\r\n\r\nbody\r\n";
static struct zone_row zone[8];
static struct dkim_private *key;
static struct buf record = { .max = 300 };

static int setup(void **state)
{
    (void)state;
    CHECK(dkim_private_generate(DKIM_ED25519_SHA256, 0, &key) == 0 && dkim_private_record(key, &record) == 0);
    zone[0] = (struct zone_row){ "example.org", "TXT", "v=spf1 ip4:192.0.2.1 -all", 0 };
    zone[1] = (struct zone_row){ "e._domainkey.example.org", "TXT", buf_z(&record), 0 };
    zone[2] = (struct zone_row){ "_dmarc.example.org", "TXT", "v=DMARC1; p=reject", 0 };
    zone[3] = (struct zone_row){ "xn--bcher-kva.example", "TXT", "v=spf1 -all", 0 };
    zone[4] = (struct zone_row){ "_dmarc.xn--bcher-kva.example", "TXT", "v=DMARC1; p=quarantine", 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dkim_private_free(&key);
    buf_release(&record);
    return 0;
}

static void signed_text(struct buf *out)
{
    struct dkim_signer s = { .key = key, .domain = STR("example.org"), .selector = STR("e"), .now_s = NOW };
    struct mailauth_message m;
    int body;

    mailauth_message_init(&m);
    CHECK((body = dkim_signer_want(&m, false)) >= 0);
    mailauth_message_feed(&m, str_from(text));
    mailauth_message_end(&m);
    CHECK(dkim_make(&m, &s, body, out) == 0 && buf_putz(out, text) == 0);
    mailauth_message_release(&m);
}

/* answers: false: nobody does, time runs out */
static void run(struct mailauth_check *c, const char *ip, const char *sender, struct str message,
                bool answers)
{
    struct mailauth_envelope e = { .ip = str_from(ip),
                                   .helo = STR("mail.example.org"),
                                   .sender = str_from(sender),
                                   .receiver = STR("mx.test"),
                                   .now_s = NOW };
    int r, rounds = 0;

    CHECK(mailauth_check_start(c, &e, NULL) == 0);
    CHECK(mailauth_check_run(c) == MAILAUTH_WAITS);
    for (size_t i = 0; i < message.n; i += 10)
        mailauth_check_feed(c, str_slice(message, i, i + 10));
    mailauth_check_end(c);
    while ((r = mailauth_check_run(c)) == MAILAUTH_WAITS && rounds++ < 10) {
        if (answers)
            zone_answer_all(zone, ARRAY_LEN(zone) - 3, &c->lookups);
        else
            lookups_give_up(&c->lookups);
    }
    CHECK(r == 0);
}

static void test_pass(void **state)
{
    CLEANUP(buf_release) struct buf message = { .max = KIB(8) }, out = { .max = KIB(8) };
    CLEANUP(mailauth_check_release) struct mailauth_check c = { .done = false };
    const char *b;

    (void)state;
    signed_text(&message);
    run(&c, "192.0.2.1", "ann@example.org", buf_str(&message), true);
    CHECK(c.spf.code == SPF_PASS && c.message.signatures[0].code == DKIM_PASS && c.dmarc.code == DMARC_PASS);
    CHECK(mailauth_check_fields(&c, &out) == 0);
    b = strstr(buf_z(&out), "header.b=");
    CHECK(b &&
          str_starts(buf_str(&out),
                     STR("Authentication-Results: mx.test;\r\n\tspf=pass smtp.mailfrom=ann@example.org;\r\n"
                         "\tspf=none smtp.helo=mail.example.org;\r\n"
                         "\tdkim=pass header.d=example.org header.s=e header.a=ed25519-sha256")));
    CHECK(strstr(
        b,
        ";\r\n\tdmarc=pass (p=reject, asks for none) header.from=example.org\r\nReceived-SPF: pass (mx.test: "));
}

static void test_forged(void **state)
{
    CLEANUP(mailauth_check_release) struct mailauth_check c = { .done = false };

    (void)state;
    run(&c, "198.51.100.1", "ann@example.org", str_from(text), true);
    CHECK(c.spf.code == SPF_FAIL && c.dmarc.code == DMARC_FAIL && c.dmarc.applied == DMARC_POLICY_REJECT &&
          !c.from_list);
}

static void test_list(void **state)
{
    CLEANUP(buf_release) struct buf message = { .max = KIB(8) };
    CLEANUP(mailauth_check_release) struct mailauth_check c = { .done = false };

    (void)state;
    CHECK(buf_putz(&message, "List-Id: <x.y>\r\n") == 0 && buf_putz(&message, text) == 0);
    run(&c, "198.51.100.1", "ann@example.org", buf_str(&message), true);
    CHECK(c.dmarc.code == DMARC_FAIL && c.from_list);
}

static void test_no_dns(void **state)
{
    CLEANUP(buf_release) struct buf message = { .max = KIB(8) }, out = { .max = KIB(8) };
    CLEANUP(mailauth_check_release) struct mailauth_check c = { .done = false };

    (void)state;
    signed_text(&message);
    run(&c, "192.0.2.1", "", buf_str(&message), false);
    CHECK(c.spf.code == SPF_TEMPERROR && c.message.signatures[0].code == DKIM_TEMPERROR &&
          c.dmarc.code == DMARC_TEMPERROR);
    CHECK(c.dmarc.applied == DMARC_POLICY_NONE);
    CHECK(mailauth_check_fields(&c, &out) == 0);
    CHECK(strstr(buf_z(&out), "spf=temperror smtp.helo=mail.example.org;"));
}

static void test_from(void **state)
{
    static const struct {
        const char *name, *header, *domain;
        enum dmarc_code code;
    } cases[] = {
        { "none", "Subject: x\r\n", "", DMARC_PERMERROR },
        { "two fields", "From: a@example.org\r\nFrom: a@example.org\r\n", "", DMARC_PERMERROR },
        { "two of one domain", "From: a@example.org, b@EXAMPLE.org\r\n", "example.org", DMARC_FAIL },
        { "two domains", "From: a@example.org, b@example.net\r\n", "", DMARC_PERMERROR },
        { "no domain", "From: ann\r\n", "", DMARC_PERMERROR },
        { "name that looks like one", "From: \"x@example.net\" <a@example.org>\r\n", "example.org",
          DMARC_FAIL },
        { "U-labels",
          "From: <a@B\xc3\xbc"
          "cher.example>\r\n",
          "xn--bcher-kva.example", DMARC_FAIL },
        { "no policy", "From: a@none.example\r\n", "none.example", DMARC_NONE },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mailauth_check_release) struct mailauth_check c = { .done = false };
        CLEANUP(buf_release) struct buf message = { .max = KIB(8) };

        check_case = cases[i].name;
        CHECK(buf_putz(&message, cases[i].header) == 0 && buf_putz(&message, "\r\nbody\r\n") == 0);
        run(&c, "198.51.100.1", "x@other.example", buf_str(&message), true);
        CHECK(!strcmp(c.from_domain, cases[i].domain) && c.dmarc.code == cases[i].code);
    }
    check_case = "";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass),   cmocka_unit_test(test_forged), cmocka_unit_test(test_list),
        cmocka_unit_test(test_no_dns), cmocka_unit_test(test_from),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
