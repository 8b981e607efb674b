/* lib/mailauth/key.h
 *
 * Keys of DKIM and ARC: public ones as the DNS has them (RFC 6376 3.6.1, RFC 8463), private ones for signing.
 * rsa-sha256 and ed25519-sha256 only: rsa-sha1 and keys under 1024 bits are history (RFC 8301). */
#ifndef LIB_MAILAUTH_KEY_H
#define LIB_MAILAUTH_KEY_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define DKIM_RSA_BITS_MIN 1024u
#define DKIM_RSA_BITS_MAX 8192u /* above, verifying costs more than it tells */
#define DKIM_HASH_BYTES   32u

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_RSA_SHA1, DKIM_UNKNOWN };

/* "rsa-sha256": exactly as written (tag values are case-sensitive). */
enum dkim_algorithm dkim_algorithm_of(struct str name);
const char *dkim_algorithm_name(enum dkim_algorithm a);

/* A key record, read. */
struct dkim_public {
    enum dkim_algorithm algorithm; /* RSA or Ed25519 */
    struct str bytes;              /* DER or raw */
    bool testing;                  /* t=y */
    bool same_domain;              /* t=s: i= may not be a subdomain */
};

/* NULL, or why the record cannot be used (static text). Strings are in the arena. */
const char *dkim_public_parse(struct arena *a, struct str record, struct dkim_public *out);
/* Does `signature` fit `hash`? NULL, or why not. *bits_out: size of the key, 0 when it cannot be read. */
const char *dkim_public_verify(const struct dkim_public *key, const uint8_t hash[DKIM_HASH_BYTES],
                               struct str signature, unsigned *bits_out);
extern const char dkim_wrong_signature[]; /* the answer of dkim_public_verify that is not about the key */

/* A key to sign with. */
struct dkim_private;
/* PKCS#8 or PKCS#1 PEM, unencrypted. E_SYNTAX, E_WEAK (RSA under 1024 bits), E_UNSUPPORTED, E_NOMEM. */
MUST_CHECK int dkim_private_from_pem(struct str pem, struct dkim_private **out);
/* A new one; bits for RSA. E_UNSUPPORTED, E_WEAK, E_NOMEM. */
MUST_CHECK int dkim_private_generate(enum dkim_algorithm algorithm, unsigned bits, struct dkim_private **out);
void dkim_private_free(struct dkim_private **key);
enum dkim_algorithm dkim_private_algorithm(const struct dkim_private *key);
/* PKCS#8 PEM, unencrypted: a secret, for the caller to seal. */
MUST_CHECK int dkim_private_to_pem(const struct dkim_private *key, struct buf *out);
/* The text of the DNS record: "v=DKIM1; k=rsa; p=…". */
MUST_CHECK int dkim_private_record(const struct dkim_private *key, struct buf *out);
/* Base64 of the signature of `hash`, appended. E_BUG, errors of buf. */
MUST_CHECK int dkim_private_sign(const struct dkim_private *key, const uint8_t hash[DKIM_HASH_BYTES],
                                 struct buf *out);
/* Base64, for bh= and p=. */
MUST_CHECK int base64_put(struct buf *out, const void *p, size_t n);
#endif
