/* A second opinion: what we sign libopendkim verifies, and the other way round. Skips, and says so, where its
 * development package is not installed. */
#include "lib/base/test.h"
#include "lib/mailauth/dkim.h"
#include "lib/mailauth/test_zone.h"
#if defined(HAVE_OPENDKIM)
#include <opendkim/dkim.h>
#include <unistd.h>

static const char message[] = "Received: from x\r\nFrom: Ann <ann@example.org>\r\nTo: bob@example.net\r\n"
                              "Subject: A  folded\r\n\tsubject\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                              "Message-ID: <1@example.org>\r\n\r\nHello  Bob,\r\n\r\nbye \r\n\r\n\r\n";

static DKIM_LIB *lib;
static char keys_path[] = "/tmp/letterlock-opendkim-XXXXXX";
static struct {
    struct dkim_private *key;
    const char *selector;
    enum dkim_algorithm algorithm;
    struct buf record, pem;
} keys[2] = { { .selector = "r", .algorithm = DKIM_RSA_SHA256 },
              { .selector = "e", .algorithm = DKIM_ED25519_SHA256 } };

static int setup(void **state)
{
    dkim_query_t method = DKIM_QUERY_FILE;
    int fd = mkstemp(keys_path);
    FILE *f = fdopen(fd, "w");

    (void)state;
    CHECK(f);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        keys[i].record.max = keys[i].pem.max = KIB(8);
        CHECK(dkim_private_generate(keys[i].algorithm, 2048, &keys[i].key) == 0);
        CHECK(dkim_private_record(keys[i].key, &keys[i].record) == 0 &&
              dkim_private_to_pem(keys[i].key, &keys[i].pem) == 0 && buf_z(&keys[i].pem));
        fprintf(f, "%s._domainkey.example.org %s\n", keys[i].selector, buf_z(&keys[i].record));
    }
    fclose(f);
    CHECK((lib = dkim_init(NULL, NULL)));
    CHECK(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYMETHOD, &method, sizeof method) == DKIM_STAT_OK);
    CHECK(dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYINFO, keys_path, strlen(keys_path)) ==
          DKIM_STAT_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dkim_close(lib);
    unlink(keys_path);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        dkim_private_free(&keys[i].key);
        buf_release(&keys[i].record);
        buf_release(&keys[i].pem);
    }
    return 0;
}

static void feed_theirs(DKIM *d, struct str text, bool ok)
{
    CLEANUP(buf_release) struct buf copy = { .max = KIB(64) };
    bool testkey;

    CHECK(buf_puts(&copy, text) == 0);
    CHECK(dkim_chunk(d, (unsigned char *)copy.p, copy.n) == DKIM_STAT_OK &&
          dkim_chunk(d, NULL, 0) == DKIM_STAT_OK);
    CHECK((dkim_eom(d, &testkey) == DKIM_STAT_OK) == ok);
}

static void theirs_verifies(struct str text, bool ok)
{
    DKIM_STAT st;
    DKIM *d = dkim_verify(lib, (const unsigned char *)"id", NULL, &st);

    CHECK(d && st == DKIM_STAT_OK);
    feed_theirs(d, text, ok);
    dkim_free(d);
}

static void test_ours(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        CLEANUP(buf_release) struct buf out = { .max = KIB(64) };
        struct dkim_signer s = { .key = keys[i & 1].key,
                                 .domain = STR("example.org"),
                                 .selector = str_from(keys[i & 1].selector),
                                 .header_simple = i & 2,
                                 .body_simple = i & 4,
                                 .now_s = 1700000000 };
        struct mailauth_message m;
        int body;

        mailauth_message_init(&m);
        CHECK((body = dkim_signer_want(&m, s.body_simple)) >= 0);
        mailauth_message_feed(&m, str_from(message));
        mailauth_message_end(&m);
        CHECK(dkim_make(&m, &s, body, &out) == 0 && buf_putz(&out, message) == 0);
        mailauth_message_release(&m);
        theirs_verifies(buf_str(&out), true);
        out.p[out.n - 20] ^= 1;
        theirs_verifies(buf_str(&out), false);
    }
}

/* It does not free the key of its signatures. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

/* Their signature of the message, with its field name. */
static void theirs_signs(unsigned key, bool simple_header, bool simple_body, struct buf *out)
{
    unsigned char *sig = NULL;
    size_t n = 0;
    DKIM_STAT st;
    DKIM *d;

    if (__lsan_disable)
        __lsan_disable();
    d = dkim_sign(lib, (const unsigned char *)"id", NULL, (unsigned char *)keys[key].pem.p,
                  (const unsigned char *)keys[key].selector, (const unsigned char *)"example.org",
                  simple_header ? DKIM_CANON_SIMPLE : DKIM_CANON_RELAXED,
                  simple_body ? DKIM_CANON_SIMPLE : DKIM_CANON_RELAXED,
                  key ? DKIM_SIGN_ED25519SHA256 : DKIM_SIGN_RSASHA256, -1, &st);

    CHECK(d && st == DKIM_STAT_OK);
    feed_theirs(d, str_from(message), true);
    if (__lsan_enable)
        __lsan_enable();
    CHECK(dkim_getsighdr_d(d, strlen("DKIM-Signature: "), &sig, &n) == DKIM_STAT_OK);
    CHECK(buf_putz(out, "DKIM-Signature: ") == 0);
    for (size_t i = 0; i < n; i++) /* it folds with bare LF */
        CHECK((sig[i] != '\n' || (out->n && out->p[out->n - 1] == '\r') || buf_putc(out, '\r') == 0) &&
              buf_putc(out, (char)sig[i]) == 0);
    CHECK(buf_putz(out, "\r\n") == 0 && buf_putz(out, message) == 0);
    dkim_free(d);
}

static void test_theirs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        CLEANUP(buf_release) struct buf text = { .max = KIB(64) };
        struct zone_row zone[2];
        struct mailauth_message m;
        struct lookups l;

        for (size_t k = 0; k < 2; k++)
            zone[k] = (struct zone_row){ k ? "e._domainkey.example.org" : "r._domainkey.example.org", "TXT",
                                         buf_z(&keys[k].record), 0 };
        theirs_signs(i & 1, i & 2, i & 4, &text);
        lookups_init(&l);
        mailauth_message_init(&m);
        mailauth_message_feed(&m, buf_str(&text));
        mailauth_message_end(&m);
        CHECK(dkim_check(&m, &l, 1700000000 + 2000000000LL) == MAILAUTH_WAITS);
        zone_answer_all(zone, 2, &l);
        CHECK(dkim_check(&m, &l, 1700000000 + 2000000000LL) == 0);
        /* Its Ed25519 signatures over simple headers do not verify with itself either: there we want the same "no". */
        CHECK(m.nsignatures == 1 && (m.signatures[0].code == DKIM_PASS || (i & 3) == 3));
        theirs_verifies(buf_str(&text), m.signatures[0].code == DKIM_PASS);
        mailauth_message_release(&m);
        lookups_release(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ours), cmocka_unit_test(test_theirs) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
#else
int main(void)
{
    print_message("SKIPPED: libopendkim-dev is not installed, so DKIM has no second opinion\n");
    return 77;
}
#endif
