#include "lib/tls/tls.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct tls_ctx {
    SSL_CTX *ssl;
    bool names; /* whoever answers has to be who was meant */
};

static BIO *bio_of(struct str s)
{
    return s.n <= INT32_MAX ? BIO_new_mem_buf(s.p, (int)s.n) : NULL;
}

/* The first certificate is ours, the others lead to its issuer. */
static int use_chain(SSL_CTX *ctx, struct str pem)
{
    BIO *b = bio_of(pem);
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    int ok = x != NULL && SSL_CTX_use_certificate(ctx, x) == 1;

    X509_free(x);
    while (ok && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)))
        if (!(ok = SSL_CTX_add0_chain_cert(ctx, x) == 1))
            X509_free(x);
    /* The end is where no further certificate begins; a broken one must not silently shorten the chain. */
    if (ok && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        ok = 0;
    BIO_free(b);
    ERR_clear_error();
    return ok ? 0 : E_SYNTAX;
}

static int use_key(SSL_CTX *ctx, struct str pem)
{
    BIO *b = bio_of(pem);
    EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    int ok = k && SSL_CTX_use_PrivateKey(ctx, k) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(k);
    BIO_free(b);
    ERR_clear_error();
    return ok ? 0 : E_SYNTAX;
}

int tls_ctx_new(struct str cert_pem, struct str key_pem, struct tls_ctx **out)
{
    struct tls_ctx *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return E_NOMEM;
    c->ssl = SSL_CTX_new(TLS_server_method());
    if (!c->ssl) {
        free(c);
        return E_NOMEM;
    }
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);     /* 9 KB less per idle connection */
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF); /* tickets serve resumption */
    if (SSL_CTX_set1_groups_list(c->ssl, "X25519MLKEM768:X25519:P-256:P-384") != 1)
        SSL_CTX_set1_groups_list(c->ssl, "X25519:P-256:P-384"); /* OpenSSL before 3.5 */
    SSL_CTX_set_cipher_list(c->ssl, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!SHA1");
    if ((r = use_chain(c->ssl, cert_pem)) < 0 || (r = use_key(c->ssl, key_pem)) < 0) {
        tls_ctx_free(&c);
        return r;
    }
    ERR_clear_error();
    *out = c;
    return 0;
}

int tls_ctx_new_client(struct tls_ctx **out)
{
    struct tls_ctx *c = calloc(1, sizeof *c);

    if (!c || !(c->ssl = SSL_CTX_new(TLS_client_method()))) {
        free(c);
        return E_NOMEM;
    }
    SSL_CTX_set_min_proto_version(c->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_security_level(c->ssl, 1); /* an old key is better than none, which is what comes next */
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (SSL_CTX_set1_groups_list(c->ssl, "X25519:X25519MLKEM768:P-256:P-384") != 1)
        SSL_CTX_set1_groups_list(c->ssl, "X25519:P-256:P-384"); /* OpenSSL before 3.5 */
    ERR_clear_error();
    *out = c;
    return 0;
}

int tls_ctx_trust(struct tls_ctx *c, const char *ca_file)
{
    int ok =
        ca_file[0] ? SSL_CTX_load_verify_file(c->ssl, ca_file) : SSL_CTX_set_default_verify_paths(c->ssl);

    ERR_clear_error();
    return ok == 1 ? 0 : E_NOTFOUND;
}

int tls_ctx_verify(struct tls_ctx *c, const char *ca_file)
{
    int r = tls_ctx_trust(c, ca_file);

    if (r < 0)
        return r;
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    c->names = true;
    return 0;
}

void tls_ctx_free(struct tls_ctx **cp)
{
    if (*cp) {
        SSL_CTX_free((*cp)->ssl);
        free(*cp);
    }
    *cp = NULL;
}

bool tls_ctx_verifies(const struct tls_ctx *c)
{
    return c->names;
}

struct ssl_ctx_st *tls_ctx_ssl(struct tls_ctx *c)
{
    return c->ssl;
}

static bool is_address(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]) && s.p[i] != '.')
            return str_chr(s, ':') >= 0;
    return s.n > 0;
}

static int add_names(X509 *x, const struct str *names, size_t n)
{
    CLEANUP(buf_release) struct buf alt = { .max = KIB(8) };
    X509_EXTENSION *ext;
    const char *text;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = buf_printf(&alt, "%s%s:%.*s", i ? "," : "", is_address(names[i]) ? "IP" : "DNS",
                       STR_ARG(names[i]));
    if (r < 0 || !(text = buf_z(&alt)))
        return E_LIMIT;
    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
    r = ext && X509_add_ext(x, ext, -1) == 1 ? 0 : E_SYNTAX;
    X509_EXTENSION_free(ext);
    return r;
}

static int fill_certificate(X509 *x, EVP_PKEY *key, const struct str *names, size_t n, int days)
{
    X509_NAME *name = X509_get_subject_name(x);
    int64_t now = clock_wall_ms() / 1000;
    uint64_t serial = rand_u64() >> 1;

    if (n == 0 || names[0].n > 64)
        return E_RANGE;
    if (X509_set_version(x, 2) != 1 || ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial) != 1 ||
        !ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now - 3600)) ||
        !ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now + (int64_t)days * 86400)) ||
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)names[0].p,
                                   (int)names[0].n, -1, 0) != 1 ||
        X509_set_issuer_name(x, name) != 1 || X509_set_pubkey(x, key) != 1)
        return E_NOMEM;
    return add_names(x, names, n);
}

static int bio_to_buf(BIO *b, struct buf *out)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    return n < 0 ? E_BUG : buf_append(out, p, (size_t)n);
}

int tls_self_signed(const struct str *names, size_t n, int days, struct buf *cert_out, struct buf *key_out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *cert = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_secmem());
    int r = key && x && cert && pem ? fill_certificate(x, key, names, n, days) : E_NOMEM;

    if (r == 0 && (X509_sign(x, key, EVP_sha256()) == 0 || PEM_write_bio_X509(cert, x) != 1 ||
                   PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) != 1))
        r = E_NOMEM;
    if (r == 0)
        r = bio_to_buf(cert, cert_out);
    if (r == 0)
        r = bio_to_buf(pem, key_out);
    BIO_free(cert);
    BIO_free(pem);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}
