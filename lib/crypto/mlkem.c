#include "lib/crypto/mlkem.h"
#include "lib/base/errors.h"
#include "vendor/mlkem768.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sodium.h>

#define SECRET_BYTES MLKEM768_SECRET_BYTES
#define Q            3329u
#define STACK_BYTES  KIB(24) /* what PQClean's frames may have held of a secret */

struct mlkem_ops {
    const char *name;
    int (*public)(const uint8_t *seed, uint8_t *pk);
    int (*encaps)(const uint8_t *pk, const uint8_t *coins, uint8_t *ct, uint8_t *ss);
    int (*decaps)(const uint8_t *seed, const uint8_t *ct, uint8_t *ss);
};

static int pqclean_public(const uint8_t *seed, uint8_t *pk)
{
    uint8_t sk[SECRET_BYTES];

    mlkem768_keypair_derand(pk, sk, seed);
    sodium_memzero(sk, sizeof sk);
    sodium_stackzero(STACK_BYTES);
    return 0;
}

static int pqclean_encaps(const uint8_t *pk, const uint8_t *coins, uint8_t *ct, uint8_t *ss)
{
    mlkem768_enc_derand(ct, ss, pk, coins);
    sodium_stackzero(STACK_BYTES);
    return 0;
}

static int pqclean_decaps(const uint8_t *seed, const uint8_t *ct, uint8_t *ss)
{
    uint8_t pk[MLKEM_PUBLIC_BYTES], sk[SECRET_BYTES];

    mlkem768_keypair_derand(pk, sk, seed);
    mlkem768_dec(ss, ct, sk);
    sodium_memzero(sk, sizeof sk);
    sodium_stackzero(STACK_BYTES);
    return 0;
}

/* OpenSSL 3.5 names, written out so that the program also builds with the headers of 3.0. */
#define PARAM_SEED "seed"
#define PARAM_PUB  "pub"
#define PARAM_IKME "ikme"

static EVP_PKEY *openssl_key(const char *param, const uint8_t *p, size_t n, int selection)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-KEM-768", NULL);
    OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(param, (void *)(uintptr_t)p, n),
                            OSSL_PARAM_END };

    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &key, selection, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static int openssl_public(const uint8_t *seed, uint8_t *pk)
{
    EVP_PKEY *key = openssl_key(PARAM_SEED, seed, MLKEM_SEED_BYTES, EVP_PKEY_KEYPAIR);
    size_t n = 0;
    int ok = key && EVP_PKEY_get_octet_string_param(key, PARAM_PUB, pk, MLKEM_PUBLIC_BYTES, &n) > 0 &&
             n == MLKEM_PUBLIC_BYTES;

    EVP_PKEY_free(key);
    return ok ? 0 : E_NOMEM;
}

static int openssl_encaps(const uint8_t *pk, const uint8_t *coins, uint8_t *ct, uint8_t *ss)
{
    EVP_PKEY *key = openssl_key(PARAM_PUB, pk, MLKEM_PUBLIC_BYTES, EVP_PKEY_PUBLIC_KEY);
    EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(PARAM_IKME, (void *)(uintptr_t)coins,
                                                              MLKEM_COINS_BYTES),
                            OSSL_PARAM_END };
    size_t nct = MLKEM_CT_BYTES, nss = MLKEM_SS_BYTES;
    int ok = ctx && EVP_PKEY_encapsulate_init(ctx, params) > 0 &&
             EVP_PKEY_encapsulate(ctx, ct, &nct, ss, &nss) > 0 && nct == MLKEM_CT_BYTES &&
             nss == MLKEM_SS_BYTES;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? 0 : E_NOMEM;
}

static int openssl_decaps(const uint8_t *seed, const uint8_t *ct, uint8_t *ss)
{
    EVP_PKEY *key = openssl_key(PARAM_SEED, seed, MLKEM_SEED_BYTES, EVP_PKEY_KEYPAIR);
    EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    size_t nss = MLKEM_SS_BYTES;
    int ok = ctx && EVP_PKEY_decapsulate_init(ctx, NULL) > 0 &&
             EVP_PKEY_decapsulate(ctx, ss, &nss, ct, MLKEM_CT_BYTES) > 0 && nss == MLKEM_SS_BYTES;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? 0 : E_NOMEM;
}

static const struct mlkem_ops pqclean_ops = { "pqclean", pqclean_public, pqclean_encaps, pqclean_decaps };
static const struct mlkem_ops openssl_ops = { "openssl", openssl_public, openssl_encaps, openssl_decaps };
static const struct mlkem_ops *ops;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Same question, same answer, a false ciphertext included: keys live longer than libraries. */
static bool openssl_agrees(void)
{
    uint8_t seed[MLKEM_SEED_BYTES], pk[2][MLKEM_PUBLIC_BYTES], ct[2][MLKEM_CT_BYTES],
        ss[2][4][MLKEM_SS_BYTES];
    const struct mlkem_ops *both[] = { &pqclean_ops, &openssl_ops };

    memset(ss, 0, sizeof ss);
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->public(seed, pk[i]) < 0 || both[i]->encaps(pk[i], seed + 16, ct[i], ss[i][0]) < 0 ||
            both[i]->decaps(seed, ct[i], ss[i][1]) < 0)
            return false;
        ct[i][5] ^= 1;
        if (both[i]->decaps(seed, ct[i], ss[i][2]) < 0)
            return false;
    }
    return !memcmp(pk[0], pk[1], sizeof pk[0]) && !memcmp(ct[0], ct[1], sizeof ct[0]) &&
           !memcmp(ss[0], ss[1], sizeof ss[0]) && !memcmp(ss[0][0], ss[0][1], sizeof ss[0][0]);
}

static void probe(void)
{
    ERR_set_mark(); /* a missing algorithm is no error of the caller's */
    ops = openssl_agrees() ? &openssl_ops : &pqclean_ops;
    ERR_pop_to_mark();
}

static const struct mlkem_ops *get(void)
{
    pthread_once(&once, probe);
    return ops;
}

const char *mlkem_backend(void)
{
    return get()->name;
}

/* FIPS 203 7.2, modulus check: every 12-bit coefficient is below q. */
static bool public_is_canonical(const uint8_t *pk)
{
    unsigned over = 0;

    for (size_t i = 0; i < MLKEM_PUBLIC_BYTES - 32; i += 3) {
        unsigned a = pk[i] | (unsigned)(pk[i + 1] & 15) << 8,
                 b = (unsigned)pk[i + 1] >> 4 | (unsigned)pk[i + 2] << 4;

        over |= (unsigned)(a >= Q) | (unsigned)(b >= Q);
    }
    return !over;
}

int mlkem_public(const uint8_t seed[MLKEM_SEED_BYTES], uint8_t pk_out[MLKEM_PUBLIC_BYTES])
{
    return get()->public(seed, pk_out);
}

int mlkem_encaps(const uint8_t pk[MLKEM_PUBLIC_BYTES], const uint8_t coins[MLKEM_COINS_BYTES],
                 uint8_t ct_out[MLKEM_CT_BYTES], uint8_t ss_out[MLKEM_SS_BYTES])
{
    return public_is_canonical(pk) ? get()->encaps(pk, coins, ct_out, ss_out) : E_CORRUPT;
}

int mlkem_decaps(const uint8_t seed[MLKEM_SEED_BYTES], const uint8_t ct[MLKEM_CT_BYTES],
                 uint8_t ss_out[MLKEM_SS_BYTES])
{
    return get()->decaps(seed, ct, ss_out);
}

struct mlkem_ready {
    struct mlkem768_public key;
};

int mlkem_ready_new(const uint8_t pk[MLKEM_PUBLIC_BYTES], struct mlkem_ready **out)
{
    struct mlkem_ready *k;

    if (!public_is_canonical(pk))
        return E_CORRUPT;
    if (!(k = malloc(sizeof *k)))
        return E_NOMEM;
    mlkem768_public_ready(&k->key, pk);
    *out = k;
    return 0;
}

void mlkem_ready_free(struct mlkem_ready **k)
{
    free(*k);
    *k = NULL;
}

void mlkem_ready_encaps(const struct mlkem_ready *k, const uint8_t coins[MLKEM_COINS_BYTES],
                        uint8_t ct_out[MLKEM_CT_BYTES], uint8_t ss_out[MLKEM_SS_BYTES])
{
    mlkem768_enc_ready(ct_out, ss_out, &k->key, coins);
    sodium_stackzero(STACK_BYTES);
}
