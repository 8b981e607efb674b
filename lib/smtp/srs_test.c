/* Senders of forwards, there and back. */
#include "lib/smtp/srs.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/test.h"

#define DAY_MS INT64_C(86400000)
#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"

static const uint8_t key[32] = { 7, 8, 9 };

static struct srs ours(void)
{
    return (struct srs){ key, STR("forward.test"), clock_wall_ms() / DAY_MS };
}

static struct str local_of(const struct buf *address)
{
    return str_slice(buf_str(address), 0, (size_t)str_rchr(buf_str(address), '@'));
}

static const struct {
    const char *sender, *begins; /* what it becomes; NULL: what it was */
    const char *back;            /* NULL: sender */
    int r;
} cases[] = {
    { "", NULL, NULL, 0 },
    { "ann@forward.test", NULL, NULL, 0 },
    { "ann@FORWARD.test", NULL, NULL, 0 },
    { "Ann.B+x@Example.org", "SRS0=", NULL, 0 },
    { "a=b=@example.org", "SRS0=", NULL, 0 },
    { "srs@example.org", "SRS0=", NULL, 0 },
    { "SRS0@example.org", "SRS0=", NULL, 0 },
    { "SRS0=@example.org", "SRS0=", NULL, 0 },
    /* rewritten before, once and twice, by us or in another dialect */
    { "SRS0=ab=cd=x.org=u@f.org", "SRS1=", NULL, 0 },
    { "srs0+ab=cd=x.org=u@f.org", "SRS1=", "SRS0+ab=cd=x.org=u@f.org", 0 },
    { "SRS1=zz=f.org==ab=cd=x.org=u@g.org", "SRS1=", "SRS0=ab=cd=x.org=u@f.org", 0 },
    { "SRS1=zz=f.org=-ab=cd=x.org=u@g.org", "SRS1=", "SRS0-ab=cd=x.org=u@f.org", 0 },
    { "SRS1=zz=-f.org==ab@g.org", "SRS0=", NULL, 0 },
    { "SRS1=zz@g.org", "SRS0=", NULL, 0 },
    /* kept elsewhere */
    { LONG64 "@example.org", "SRS0=", NULL, 1 },
    { "SRS0=" LONG64 "@example.org", "SRS0=", NULL, 1 },
    { "\"a b\"@example.org", "SRS0=", NULL, 1 },
    { "a@[192.0.2.1]", "SRS0=", NULL, 1 },
    { "J\xc3\xbcrgen@example.org", "SRS0=", NULL, 1 },
};

static void test_there_and_back(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_release) struct buf out = { .max = 512 }, back = { .max = 512 };
        struct str sender = str_from(cases[i].sender);
        uint8_t token[SRS_TOKEN_BYTES] = { 0 }, again[SRS_TOKEN_BYTES] = { 0 };
        struct srs k = ours();
        struct smtp_path p;

        check_case = cases[i].sender;
        CHECK(srs_forward(&k, sender, &out, token) == cases[i].r);
        if (!cases[i].begins) {
            CHECK(str_eq(buf_str(&out), sender));
            continue;
        }
        CHECK(str_starts(buf_str(&out), str_from(cases[i].begins)));
        CHECK(smtp_mailbox_parse(buf_str(&out), SMTP_PATH_FORWARD, &p) == 0 && !p.quoted && !p.utf8);
        CHECK(str_eq_z(p.domain, "forward.test") && srs_is(p.local));
        CHECK(srs_reverse(&k, p.local, &back, again) == cases[i].r);
        if (cases[i].r == 1)
            CHECK(memcmp(token, again, sizeof token) == 0);
        else
            CHECK(str_eq_z(buf_str(&back), cases[i].back ? cases[i].back : cases[i].sender));
    }
    check_case = "";
}

static void test_limits(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 512 };
    uint8_t token[SRS_TOKEN_BYTES];
    struct srs k = ours();
    char domain[SMTP_DOMAIN_MAX];

    for (size_t i = 0; i < sizeof domain; i++)
        domain[i] = i % 50 == 49 ? '.' : 'd';
    k.domain = str_of(domain, 240);
    CHECK(srs_forward(&k, STR("a@b.org"), &out, token) == E_LIMIT && out.n == 0);
    k = ours();
    CHECK(srs_forward(&k, STR("a@"), &out, token) == E_SYNTAX && out.n == 0);
    CHECK(srs_reverse(&k, STR("ann"), &out, token) == E_NOTFOUND);
    CHECK(srs_reverse(&k, STR("SRS0="), &out, token) == E_NOTFOUND);
    CHECK(srs_reverse(&k, STR("SRS0=a"), &out, token) == E_AUTH);
    CHECK(srs_reverse(&k, STR("SRS0=abcdef=aa"), &out, token) == E_AUTH);
    CHECK(srs_reverse(&k, STR("SRS1=abcdef=a"), &out, token) == E_AUTH && out.n == 0);
}

/* Any other byte, a byte more or less, another domain, another key: refused. Another case: taken. */
static void tamper(const struct srs *k, struct str local)
{
    char text[80];
    uint8_t token[SRS_TOKEN_BYTES], other_key[32] = { 1 };
    CLEANUP(buf_release) struct buf back = { .max = 512 };
    struct srs other = *k;

    CHECK(local.n < sizeof text - 1);
    for (size_t i = 0; i < local.n; i++)
        for (int c = 1; c < 127; c++) {
            memcpy(text, local.p, local.n);
            text[i] = (char)c;
            buf_clear(&back);
            if (ascii_lower((char)c) != ascii_lower(local.p[i]))
                CHECK(srs_reverse(k, str_of(text, local.n), &back, token) < 0);
            else
                CHECK(srs_reverse(k, str_of(text, local.n), &back, token) >= 0);
        }
    memcpy(text, local.p, local.n);
    text[local.n] = 'x';
    CHECK(srs_reverse(k, str_of(text, local.n + 1), &back, token) == E_AUTH);
    CHECK(srs_reverse(k, str_of(text, local.n - 1), &back, token) == E_AUTH);
    other.domain = STR("forwards.test");
    CHECK(srs_reverse(&other, local, &back, token) == E_AUTH);
    other.domain = STR("FORWARD.TEST");
    buf_clear(&back);
    CHECK(srs_reverse(&other, local, &back, token) >= 0);
    other = (struct srs){ other_key, k->domain, k->day };
    CHECK(srs_reverse(&other, local, &back, token) == E_AUTH);
}

static void test_tampered(void **state UNUSED)
{
    static const char *const senders[] = { "Ann@example.org", "SRS0=ab=cd=x.org=u@f.org",
                                           LONG64 "@example.org" };

    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        CLEANUP(buf_release) struct buf out = { .max = 512 };
        uint8_t token[SRS_TOKEN_BYTES];
        struct srs k = ours();

        check_case = senders[i];
        CHECK(srs_forward(&k, str_from(senders[i]), &out, token) >= 0);
        tamper(&k, local_of(&out));
    }
    check_case = "";
}

static void test_lowered(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 512 }, back = { .max = 512 };
    uint8_t token[SRS_TOKEN_BYTES];
    struct srs k = ours();

    CHECK(srs_forward(&k, STR("Ann@Example.org"), &out, token) == 0);
    for (size_t i = 0; i < out.n; i++)
        out.p[i] = ascii_lower(out.p[i]);
    CHECK(srs_reverse(&k, local_of(&out), &back, token) == 0 && str_eq_z(buf_str(&back), "ann@example.org"));
}

static void test_expires(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf out = { .max = 512 }, back = { .max = 512 };
    uint8_t token[SRS_TOKEN_BYTES];
    struct srs k;

    clock_fake(INT64_C(1790000000000));
    k = ours();
    CHECK(srs_forward(&k, STR("ann@example.org"), &out, token) == 0);
    clock_fake_advance(21 * DAY_MS);
    k = ours();
    CHECK(srs_reverse(&k, local_of(&out), &back, token) == 0);
    clock_fake_advance(DAY_MS);
    k = ours();
    CHECK(srs_reverse(&k, local_of(&out), &back, token) == E_STALE);
    clock_fake_advance((1024 - 22) * DAY_MS); /* TT reads as today again */
    k = ours();
    CHECK(srs_reverse(&k, local_of(&out), &back, token) == E_AUTH);
    clock_real();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_limits),
                                        cmocka_unit_test(test_tampered), cmocka_unit_test(test_lowered),
                                        cmocka_unit_test(test_expires) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
