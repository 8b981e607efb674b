/* lib/tls/tls.h
 *
 * TLS contexts: of a server, from a certificate and its key, given as PEM bytes (the role has no
 * files), with X25519MLKEM768 first where OpenSSL has it; and of a client. TLS 1.2 and up. */
#ifndef LIB_TLS_TLS_H
#define LIB_TLS_TLS_H
#include "lib/base/buf.h"

struct tls_ctx; /* opaque, counted by its users' lifetime: free after the last connection */

/* E_SYNTAX when the PEM is not a certificate chain and its key. */
MUST_CHECK int tls_ctx_new(struct str cert_pem, struct str key_pem, struct tls_ctx **out);
void tls_ctx_free(struct tls_ctx **c);
struct ssl_ctx_st *tls_ctx_ssl(struct tls_ctx *c);
/* For connections that we make where nobody is authenticated: whoever answers is taken, so that nobody listens
 * who only listens (RFC 7435). One key share, X25519: the hybrid group follows when the server asks for it, as a
 * large first flight is lost on some servers. E_NOMEM. */
MUST_CHECK int tls_ctx_new_client(struct tls_ctx **out);
/* From now on only who is vouched for, under the name or address that was dialled: by the certificates of ca_file (PEM),
 * or, "", by whom the system trusts. E_NOTFOUND: they cannot be read. Blocks on disk. */
MUST_CHECK int tls_ctx_verify(struct tls_ctx *c, const char *ca_file);
/* The same authorities, but whoever answers is taken: who wants to know looks at the verdict (lib/tls/peer.h). */
MUST_CHECK int tls_ctx_trust(struct tls_ctx *c, const char *ca_file);
bool tls_ctx_verifies(const struct tls_ctx *c);
/* A self-signed ECDSA P-256 certificate for `names` (first is the CN; DNS names or IP addresses),
 * valid `days`. PEM is appended to both buffers. */
MUST_CHECK int tls_self_signed(const struct str *names, size_t n, int days, struct buf *cert_out,
                               struct buf *key_out);
#endif
