/* lib/tls/peer.h
 *
 * Who has to answer a connection that we make, and how that is seen: by nobody (opportunistic TLS, RFC 7435), by
 * authorities that are trusted (PKIX, as MTA-STS wants it, RFC 8461 4.2), or by the domain's own signed records (DANE,
 * RFC 6698, RFC 7671, RFC 7672). The handshake goes on in any case; the verdict is read behind it, so that who looks may
 * go on all the same and report it. */
#ifndef LIB_TLS_PEER_H
#define LIB_TLS_PEER_H
#include "lib/base/str.h"

#define TLS_PEER_NAMES_MAX 3u
#define TLS_TLSA_MAX       64u /* records of one host; more are left out */

enum tls_need { TLS_ANYBODY, TLS_PKIX, TLS_DANE };

struct tls_tlsa { /* RFC 6698 2.1 */
    uint8_t usage, selector, matching;
    struct str data;
};

struct tls_peer {
    enum tls_need need;
    const char
        *names[TLS_PEER_NAMES_MAX]; /* the first one is said (SNI), too; those that are NULL are not there */
    const struct tls_tlsa *tlsa;    /* TLS_DANE */
    size_t ntlsa;
};

/* What may be believed of the peer, once TLS is up: TLS_FINE, or why not. */
enum tls_verdict {
    TLS_FINE,
    TLS_WRONG_NAME, /* the certificate is somebody else's */
    TLS_EXPIRED,    /* or not valid yet */
    TLS_UNTRUSTED,  /* nobody who is trusted vouches for it, or no record of the domain does */
    TLS_INVALID,    /* anything else is wrong with it */
};

/* Can mail use this record (RFC 7672 3.1.3)? Usage 2 or 3, a selector and a matching type that are known, data as long as
 * the hash. The others are "unusable": they ask for TLS and say nothing of who. */
bool tls_tlsa_usable(const struct tls_tlsa *t);

struct ssl_st;
struct ssl_ctx_st;
/* For a context whose connections may ask for TLS_DANE. E_NOMEM. */
MUST_CHECK int tls_peer_enable(struct ssl_ctx_st *c);
/* Before the handshake. E_SYNTAX: a name that cannot be said, or no record of TLS_DANE that OpenSSL takes: then nothing can be
 * proven, and the connection must not be made. */
MUST_CHECK int tls_peer_set(struct ssl_st *s, const struct tls_peer *p);
/* After it. *why_out: OpenSSL's words for it, static. A session that was resumed says what its first handshake found. */
enum tls_verdict tls_peer_verdict(struct ssl_st *s, const struct tls_peer *p, const char **why_out);
#endif
