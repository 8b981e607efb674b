/* vendor/mlkem768.h
 *
 * ML-KEM-768 (FIPS 203) as PQClean writes it: what lib/crypto may call. The _derand forms take their
 * randomness from the caller (key generation: 64 bytes d || z; encapsulation: 32 bytes), for X-Wing
 * and for test vectors. No input check is done here: FIPS 203 7.2 and 7.3 are the caller's.
 * All return 0; nothing blocks but the first read of the kernel's random pool. */
#ifndef VENDOR_MLKEM768_H
#define VENDOR_MLKEM768_H
#include <stdint.h>

#define MLKEM768_SECRET_BYTES       2400
#define MLKEM768_PUBLIC_BYTES       1184
#define MLKEM768_CIPHERTEXT_BYTES   1088
#define MLKEM768_SHARED_BYTES       32
#define MLKEM768_KEYPAIR_SEED_BYTES 64
#define MLKEM768_ENC_SEED_BYTES     32

#define mlkem768_keypair        PQCLEAN_MLKEM768_CLEAN_crypto_kem_keypair
#define mlkem768_keypair_derand PQCLEAN_MLKEM768_CLEAN_crypto_kem_keypair_derand
#define mlkem768_enc            PQCLEAN_MLKEM768_CLEAN_crypto_kem_enc
#define mlkem768_enc_derand     PQCLEAN_MLKEM768_CLEAN_crypto_kem_enc_derand
#define mlkem768_dec            PQCLEAN_MLKEM768_CLEAN_crypto_kem_dec

int mlkem768_keypair(uint8_t *pk, uint8_t *sk);
int mlkem768_keypair_derand(uint8_t *pk, uint8_t *sk, const uint8_t *coins);
int mlkem768_enc(uint8_t *ct, uint8_t *ss, const uint8_t *pk);
int mlkem768_enc_derand(uint8_t *ct, uint8_t *ss, const uint8_t *pk, const uint8_t *coins);
int mlkem768_dec(uint8_t *ss, const uint8_t *ct, const uint8_t *sk);

/* A public key made ready for many messages: what depends on it alone is computed once. No secrets. */
struct mlkem768_public {
    int16_t at[3][3][256], t[3][256];
    uint8_t h[32];
};
void mlkem768_public_ready(struct mlkem768_public *key, const uint8_t *pk);
void mlkem768_enc_ready(uint8_t *ct, uint8_t *ss, const struct mlkem768_public *key, const uint8_t *coins);
#endif
