/* Who is believed to be whom: handshakes in memory, with certificates made here. */
#include "lib/tls/peer.h"
#include "lib/base/buf.h"
#include "lib/base/test.h"
#include "lib/tls/tls.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static struct buf der[2] = { { .max = KIB(16) },
                             { .max = KIB(16) } }, /* 0: of the authority, 1: of the server */
    spki[2] = { { .max = KIB(16) }, { .max = KIB(16) } };
static struct tls_ctx *server, *client, *trusting;

static X509 *certificate(const char *cn, const char *extension, const char *value, EVP_PKEY *key,
                         X509 *issuer, EVP_PKEY *by)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, extension, value);

    CHECK(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(x), -3600) && X509_gmtime_adj(X509_getm_notAfter(x), 86400));
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name) == 1);
    CHECK(X509_set_pubkey(x, key) == 1 && e && X509_add_ext(x, e, -1) == 1);
    CHECK(X509_sign(x, by, EVP_sha256()) > 0);
    X509_EXTENSION_free(e);
    return x;
}

static void keep(X509 *x, struct buf *whole, struct buf *key)
{
    unsigned char *p = NULL, *k = NULL;
    int n = i2d_X509(x, &p), m = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &k);

    CHECK(n > 0 && buf_append(whole, p, (size_t)n) == 0 && m > 0 && buf_append(key, k, (size_t)m) == 0);
    OPENSSL_free(p);
    OPENSSL_free(k);
}

static int setup(void **state UNUSED)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = certificate("authority", "basicConstraints", "critical,CA:TRUE", ca_key, NULL, ca_key);
    X509 *x = certificate("mx", "subjectAltName", "DNS:mx.example.org,DNS:*.wild.example", key, ca, ca_key);
    BIO *cert = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
    char *p, *k;
    long n, m;

    CHECK(PEM_write_bio_X509(cert, x) == 1 && PEM_write_bio_X509(cert, ca) == 1);
    CHECK(PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1);
    n = BIO_get_mem_data(cert, &p);
    m = BIO_get_mem_data(pem, &k);
    CHECK(tls_ctx_new(str_of(p, (size_t)n), str_of(k, (size_t)m), &server) == 0);
    CHECK(tls_ctx_new_client(&client) == 0 && tls_peer_enable(tls_ctx_ssl(client)) == 0);
    CHECK(tls_ctx_new_client(&trusting) == 0 && tls_peer_enable(tls_ctx_ssl(trusting)) == 0);
    CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(tls_ctx_ssl(trusting)), ca) == 1);
    keep(ca, &der[0], &spki[0]);
    keep(x, &der[1], &spki[1]);
    X509_free(ca);
    X509_free(x);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    BIO_free(cert);
    BIO_free(pem);
    return 0;
}

static int teardown(void **state UNUSED)
{
    tls_ctx_free(&server);
    tls_ctx_free(&client);
    tls_ctx_free(&trusting);
    for (int i = 0; i < 2; i++) {
        buf_release(&der[i]);
        buf_release(&spki[i]);
    }
    return 0;
}

/* -1: it cannot be asked for; else the verdict. */
static int meet(struct tls_ctx *as, const struct tls_peer *peer)
{
    SSL *c = SSL_new(tls_ctx_ssl(as)), *s = SSL_new(tls_ctx_ssl(server));
    BIO *there = NULL, *here = NULL;
    const char *why;
    int verdict = -1;

    CHECK(c && s && BIO_new_bio_pair(&here, 0, &there, 0) == 1);
    SSL_set_bio(c, here, here);
    SSL_set_bio(s, there, there);
    SSL_set_connect_state(c);
    SSL_set_accept_state(s);
    if (tls_peer_set(c, peer) == 0) {
        for (int i = 0; i < 10; i++) {
            SSL_do_handshake(c);
            SSL_do_handshake(s);
        }
        CHECK(SSL_is_init_finished(c) && SSL_is_init_finished(s));
        verdict = (int)tls_peer_verdict(c, peer, &why);
    }
    SSL_free(c);
    SSL_free(s);
    ERR_clear_error();
    return verdict;
}

static const struct {
    const char *what, *name;
    bool trusts;
    enum tls_need need;
    int verdict;
} named[] = {
    { "nobody is asked", "other.example", false, TLS_ANYBODY, TLS_FINE },
    { "the right one", "mx.example.org", true, TLS_PKIX, TLS_FINE },
    { "in capitals", "MX.Example.ORG", true, TLS_PKIX, TLS_FINE },
    { "by a wildcard", "a.wild.example", true, TLS_PKIX, TLS_FINE },
    { "two labels below a wildcard", "a.b.wild.example", true, TLS_PKIX, TLS_WRONG_NAME },
    { "another name", "mx2.example.org", true, TLS_PKIX, TLS_WRONG_NAME },
    { "nobody vouches", "mx.example.org", false, TLS_PKIX, TLS_UNTRUSTED },
};

static void test_names(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        struct tls_peer p = { .need = named[i].need, .names = { named[i].name } };

        check_case = named[i].what;
        CHECK(meet(named[i].trusts ? trusting : client, &p) == named[i].verdict);
    }
    check_case = "";
}

static struct str digest(const EVP_MD *md, struct str s, uint8_t out[64])
{
    unsigned n = 0;

    CHECK(EVP_Digest(s.p, s.n, out, &n, md, NULL) == 1);
    return str_of(out, n);
}

/* Usage 2 and 3, both selectors, all matching types: what is the certificate's matches, one bit elsewhere does not. */
static void test_matching(void **state UNUSED)
{
    for (unsigned usage = 2; usage <= 3; usage++)
        for (unsigned selector = 0; selector <= 1; selector++)
            for (unsigned matching = 0; matching <= 2; matching++) {
                struct str whole = buf_str(selector ? &spki[usage - 2] : &der[usage - 2]);
                uint8_t hash[64], bad[KIB(4)];
                struct str right = matching == 0   ? whole
                                   : matching == 1 ? digest(EVP_sha256(), whole, hash)
                                                   : digest(EVP_sha512(), whole, hash);
                struct tls_tlsa t = { (uint8_t)usage, (uint8_t)selector, (uint8_t)matching, right };
                struct tls_peer p = {
                    .need = TLS_DANE, .names = { "mx.example.org" }, .tlsa = &t, .ntlsa = 1
                };
                char text[40];
                int r;

                snprintf(text, sizeof text, "%u %u %u", usage, selector, matching);
                check_case = text;
                CHECK(meet(client, &p) == TLS_FINE);
                p.names[0] = "other.example"; /* RFC 7672 3.1.1: the name counts with usage 2 only */
                CHECK(meet(client, &p) == (usage == 3 ? TLS_FINE : TLS_WRONG_NAME));
                memcpy(bad, right.p, right.n);
                bad[right.n - 1] ^= 1;
                t.data = str_of(bad, right.n);
                r = meet(client, &p); /* a certificate or key that is none is no record at all */
                CHECK(r > TLS_FINE || (r == -1 && matching == 0));
            }
    check_case = "";
}

/* One that matches is enough; names of a list; and records that mail does not use prove nothing. */
static void test_several(void **state UNUSED)
{
    uint8_t hash[64], zero[32] = { 0 };
    struct str right = digest(EVP_sha256(), buf_str(&spki[0]), hash);
    struct tls_tlsa t[] = { { 3, 1, 1, str_of(zero, 32) }, { 2, 1, 1, right }, { 1, 1, 1, right } };
    struct tls_peer p = {
        .need = TLS_DANE, .names = { "a.example", NULL, "mx.example.org" }, .tlsa = t, .ntlsa = 2
    };

    CHECK(meet(client, &p) == TLS_FINE);
    p.tlsa = t + 2;
    p.ntlsa = 1;
    CHECK(meet(client, &p) == -1);
    p.tlsa = t;
    p.names[0] = NULL;
    CHECK(meet(client, &p) == -1);
}

/* The hybrid group's share (1.2 KB) comes when the server asks for it, as a large first flight is lost on some. */
static void test_first_flight(void **state UNUSED)
{
    struct tls_peer p = { .names = { "mx.example.org" } };
    SSL *c = SSL_new(tls_ctx_ssl(client));
    BIO *out = BIO_new(BIO_s_mem());

    CHECK(c && out && tls_peer_set(c, &p) == 0);
    SSL_set_bio(c, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(c);
    SSL_do_handshake(c);
    CHECK(BIO_pending(out) > 100 && BIO_pending(out) < 800);
    SSL_free(c);
    ERR_clear_error();
}

static const struct {
    uint8_t usage, selector, matching;
    size_t n;
    bool usable;
} records[] = {
    { 3, 1, 1, 32, true },  { 2, 0, 2, 64, true },  { 3, 0, 0, 1, true },     { 0, 1, 1, 32, false },
    { 1, 1, 1, 32, false }, { 4, 1, 1, 32, false }, { 255, 1, 1, 32, false }, { 3, 2, 1, 32, false },
    { 3, 1, 3, 32, false }, { 3, 1, 1, 31, false }, { 3, 1, 2, 32, false },   { 3, 1, 0, 0, false },
};

static void test_usable(void **state UNUSED)
{
    static const char bytes[64];

    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        struct tls_tlsa t = { records[i].usage, records[i].selector, records[i].matching,
                              str_of(bytes, records[i].n) };

        CHECK(tls_tlsa_usable(&t) == records[i].usable);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_matching),     cmocka_unit_test(test_several),
        cmocka_unit_test(test_usable), cmocka_unit_test(test_first_flight),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
