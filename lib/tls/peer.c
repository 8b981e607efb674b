#include "lib/tls/peer.h"
#include "lib/base/errors.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { USAGE_TA = 2, USAGE_EE = 3 }; /* RFC 7218 2.1 */

bool tls_tlsa_usable(const struct tls_tlsa *t)
{
    static const size_t length[] = { [1] = 32, [2] = 64 }; /* SHA-256, SHA-512 */

    if ((t->usage != USAGE_TA && t->usage != USAGE_EE) || t->selector > 1 || t->matching > 2)
        return false;
    return t->matching == 0 ? t->data.n > 0 : t->data.n == length[t->matching];
}

int tls_peer_enable(struct ssl_ctx_st *c)
{
    int ok = SSL_CTX_dane_enable(c);

    if (ok > 0)
        SSL_CTX_dane_set_flags(c, DANE_FLAG_NO_DANE_EE_NAMECHECKS); /* RFC 7672 3.1.1 */
    ERR_clear_error();
    return ok > 0 ? 0 : E_NOMEM;
}

static int set_names(SSL *s, const struct tls_peer *p)
{
    for (size_t i = 0; i < TLS_PEER_NAMES_MAX; i++)
        if (p->names[i] && (i == 0 ? SSL_set1_host(s, p->names[i]) : SSL_add1_host(s, p->names[i])) != 1)
            return E_SYNTAX;
    SSL_set_hostflags(s, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return 0;
}

static int set_records(SSL *s, const struct tls_peer *p)
{
    size_t taken = 0;

    if (SSL_dane_enable(s, p->names[0]) <= 0)
        return E_SYNTAX;
    for (size_t i = 0; i < p->ntlsa && i < TLS_TLSA_MAX; i++) {
        const struct tls_tlsa *t = &p->tlsa[i];

        if (tls_tlsa_usable(t) && SSL_dane_tlsa_add(s, t->usage, t->selector, t->matching,
                                                    (const unsigned char *)t->data.p, t->data.n) > 0)
            taken++;
    }
    return taken ? 0 : E_SYNTAX;
}

int tls_peer_set(struct ssl_st *s, const struct tls_peer *p)
{
    int r = 0;

    if (p->names[0] && SSL_set_tlsext_host_name(s, p->names[0]) != 1)
        r = E_SYNTAX;
    if (r == 0 && p->need == TLS_DANE)
        r = p->names[0] ? set_records(s, p) : E_SYNTAX;
    if (r == 0 && p->need != TLS_ANYBODY)
        r = p->names[0] ? set_names(s, p) : E_SYNTAX;
    ERR_clear_error();
    return r;
}

enum tls_verdict tls_peer_verdict(struct ssl_st *s, const struct tls_peer *p, const char **why_out)
{
    long v = SSL_get_verify_result(s);

    *why_out = "";
    if (p->need == TLS_ANYBODY)
        return TLS_FINE;
    *why_out = X509_verify_cert_error_string(v);
    if (!SSL_get0_peer_certificate(s) && !SSL_session_reused(s))
        return TLS_INVALID;
    switch (v) {
    case X509_V_OK:
        if (p->need == TLS_DANE && !SSL_session_reused(s) && SSL_get0_dane_authority(s, NULL, NULL) < 0)
            return TLS_UNTRUSTED;
        return TLS_FINE;
    case X509_V_ERR_HOSTNAME_MISMATCH: return TLS_WRONG_NAME;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED: return TLS_EXPIRED;
    case X509_V_ERR_DANE_NO_MATCH:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED: return TLS_UNTRUSTED;
    default: return TLS_INVALID;
    }
}
