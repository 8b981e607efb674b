/* lib/crypto/mlkem.h
 *
 * ML-KEM-768 (FIPS 203) from whichever implementation this machine has: OpenSSL 3.5 or newer when it
 * gives the same answers as ours to a fixed question, else PQClean's C. Only xwing.c uses it. */
#ifndef LIB_CRYPTO_MLKEM_H
#define LIB_CRYPTO_MLKEM_H
#include "lib/base/base.h"

#define MLKEM_SEED_BYTES   64u /* d || z (FIPS 203 7.1) */
#define MLKEM_PUBLIC_BYTES 1184u
#define MLKEM_CT_BYTES     1088u
#define MLKEM_COINS_BYTES  32u
#define MLKEM_SS_BYTES     32u

/* "openssl" or "pqclean"; the first call probes (about a millisecond). Thread-safe. */
const char *mlkem_backend(void);
/* 0 or E_NOMEM. */
MUST_CHECK int mlkem_public(const uint8_t seed[MLKEM_SEED_BYTES], uint8_t pk_out[MLKEM_PUBLIC_BYTES]);
/* E_CORRUPT when pk fails the encapsulation key check of FIPS 203 7.2. */
MUST_CHECK int mlkem_encaps(const uint8_t pk[MLKEM_PUBLIC_BYTES], const uint8_t coins[MLKEM_COINS_BYTES],
                            uint8_t ct_out[MLKEM_CT_BYTES], uint8_t ss_out[MLKEM_SS_BYTES]);
/* A public key made ready for many encapsulations (6 KiB, no secret): half the work of each depends on
 * the key alone. Always PQClean's code, which `mlkem_backend` has found to agree. E_CORRUPT, E_NOMEM. */
struct mlkem_ready; /* opaque */
MUST_CHECK int mlkem_ready_new(const uint8_t pk[MLKEM_PUBLIC_BYTES], struct mlkem_ready **out);
void mlkem_ready_free(struct mlkem_ready **k); /* NULL is accepted, sets NULL */
void mlkem_ready_encaps(const struct mlkem_ready *k, const uint8_t coins[MLKEM_COINS_BYTES],
                        uint8_t ct_out[MLKEM_CT_BYTES], uint8_t ss_out[MLKEM_SS_BYTES]);
/* Never says no: a false ciphertext gives a false secret (implicit rejection, FIPS 203 6.3). */
MUST_CHECK int mlkem_decaps(const uint8_t seed[MLKEM_SEED_BYTES], const uint8_t ct[MLKEM_CT_BYTES],
                            uint8_t ss_out[MLKEM_SS_BYTES]);
#endif
