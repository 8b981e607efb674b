/* lib/crypto/xwing.h
 *
 * X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 in one key encapsulation, safe while
 * either of them is. A private key is its 32-byte seed. Knows keys and secrets only: what is sealed
 * with a shared secret is the business of keyfile.h and sealed.h. Blocks some 100-300 us. */
#ifndef LIB_CRYPTO_XWING_H
#define LIB_CRYPTO_XWING_H
#include "lib/base/base.h"

#define XWING_SEED_BYTES   32u
#define XWING_PUBLIC_BYTES 1216u
#define XWING_CT_BYTES     1120u
#define XWING_SS_BYTES     32u
#define XWING_COINS_BYTES  64u

/* The public key of a private seed (random bytes). 0 or E_NOMEM. */
MUST_CHECK int xwing_public(const uint8_t seed[XWING_SEED_BYTES], uint8_t pk_out[XWING_PUBLIC_BYTES]);
/* A new random pair. */
MUST_CHECK int xwing_keypair(uint8_t seed_out[XWING_SEED_BYTES], uint8_t pk_out[XWING_PUBLIC_BYTES]);
/* A fresh secret and its ciphertext for `pk`. E_CORRUPT: pk fails the check of FIPS 203 7.2 or its
 * X25519 part has small order; E_NOMEM. */
MUST_CHECK int xwing_encaps(const uint8_t pk[XWING_PUBLIC_BYTES], uint8_t ct_out[XWING_CT_BYTES],
                            uint8_t ss_out[XWING_SS_BYTES]);
/* The same with given randomness: for test vectors only. */
MUST_CHECK int xwing_encaps_derand(const uint8_t pk[XWING_PUBLIC_BYTES],
                                   const uint8_t coins[XWING_COINS_BYTES], uint8_t ct_out[XWING_CT_BYTES],
                                   uint8_t ss_out[XWING_SS_BYTES]);
/* The same for one public key again and again: what depends on the key alone is kept (8 KiB, no secret).
 * new: E_CORRUPT, E_NOMEM. encaps: E_CORRUPT, E_NOMEM. */
struct xwing_ready; /* opaque */
MUST_CHECK int xwing_ready_new(const uint8_t pk[XWING_PUBLIC_BYTES], struct xwing_ready **out);
void xwing_ready_free(struct xwing_ready **k); /* NULL is accepted, sets NULL */
bool xwing_ready_is(const struct xwing_ready *k,
                    const uint8_t pk[XWING_PUBLIC_BYTES]); /* made of this one? */
MUST_CHECK int xwing_ready_encaps(const struct xwing_ready *k, uint8_t ct_out[XWING_CT_BYTES],
                                  uint8_t ss_out[XWING_SS_BYTES]);
/* The secret in `ct`. A ciphertext for someone else, or a changed one, gives a random-looking secret
 * and no error; E_CORRUPT only for an X25519 part of small order. */
MUST_CHECK int xwing_decaps(const uint8_t seed[XWING_SEED_BYTES], const uint8_t ct[XWING_CT_BYTES],
                            uint8_t ss_out[XWING_SS_BYTES]);
#endif
