#include "lib/crypto/xwing.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/crypto/mlkem.h"
#include <openssl/evp.h>
#include <sodium.h>

#define X_BYTES 32u

/* Draft 5.2, expandDecapsulationKey: SHAKE256 of the seed gives ML-KEM's d and z, then X25519's scalar. */
struct expanded {
    uint8_t mlkem[MLKEM_SEED_BYTES], x[X_BYTES];
};

static void expanded_wipe(struct expanded *e)
{
    sodium_memzero(e, sizeof *e);
}

static int expand(const uint8_t seed[XWING_SEED_BYTES], struct expanded *out)
{
    uint8_t bytes[MLKEM_SEED_BYTES + X_BYTES];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = md && EVP_DigestInit_ex(md, EVP_shake256(), NULL) &&
             EVP_DigestUpdate(md, seed, XWING_SEED_BYTES) && EVP_DigestFinalXOF(md, bytes, sizeof bytes);

    EVP_MD_CTX_free(md);
    if (ok) {
        memcpy(out->mlkem, bytes, sizeof out->mlkem);
        memcpy(out->x, bytes + sizeof out->mlkem, sizeof out->x);
    }
    sodium_memzero(bytes, sizeof bytes);
    return ok ? 0 : E_NOMEM;
}

/* Draft 5.3: SHA3-256(ss_M || ss_X || ct_X || pk_X || label), the label last. */
static int combine(const uint8_t *ss_m, const uint8_t *ss_x, const uint8_t *ct_x, const uint8_t *pk_x,
                   uint8_t *out)
{
    static const uint8_t label[6] = { 0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c }; /* \.//^\ */
    uint8_t in[MLKEM_SS_BYTES + 3 * X_BYTES + sizeof label];
    int ok;

    memcpy(in, ss_m, MLKEM_SS_BYTES);
    memcpy(in + 32, ss_x, X_BYTES);
    memcpy(in + 64, ct_x, X_BYTES);
    memcpy(in + 96, pk_x, X_BYTES);
    memcpy(in + 128, label, sizeof label);
    ok = EVP_Digest(in, sizeof in, out, NULL, EVP_sha3_256(), NULL);
    sodium_memzero(in, sizeof in);
    return ok ? 0 : E_NOMEM;
}

int xwing_public(const uint8_t seed[XWING_SEED_BYTES], uint8_t pk_out[XWING_PUBLIC_BYTES])
{
    CLEANUP(expanded_wipe) struct expanded e = { 0 };
    int r;

    if ((r = expand(seed, &e)) < 0 || (r = mlkem_public(e.mlkem, pk_out)) < 0)
        return r;
    crypto_scalarmult_curve25519_base(pk_out + MLKEM_PUBLIC_BYTES, e.x);
    return 0;
}

int xwing_keypair(uint8_t seed_out[XWING_SEED_BYTES], uint8_t pk_out[XWING_PUBLIC_BYTES])
{
    rand_bytes(seed_out, XWING_SEED_BYTES);
    return xwing_public(seed_out, pk_out);
}

/* The half of X25519, and both halves into one, over the ML-KEM half that is done. */
static int encaps_finish(const uint8_t *pk_x, const uint8_t *scalar, uint8_t *ct_x,
                         uint8_t ss_m[MLKEM_SS_BYTES], uint8_t *ss_out)
{
    uint8_t ss_x[X_BYTES];
    int r;

    crypto_scalarmult_curve25519_base(ct_x, scalar);
    r = crypto_scalarmult_curve25519(ss_x, scalar, pk_x) < 0 ? E_CORRUPT /* all zeros: RFC 7748 6.1 */
                                                             : combine(ss_m, ss_x, ct_x, pk_x, ss_out);
    sodium_memzero(ss_m, MLKEM_SS_BYTES);
    sodium_memzero(ss_x, sizeof ss_x);
    return r;
}

int xwing_encaps_derand(const uint8_t pk[XWING_PUBLIC_BYTES], const uint8_t coins[XWING_COINS_BYTES],
                        uint8_t ct_out[XWING_CT_BYTES], uint8_t ss_out[XWING_SS_BYTES])
{
    uint8_t ss_m[MLKEM_SS_BYTES];
    int r = mlkem_encaps(pk, coins, ct_out, ss_m);

    return r < 0 ? r
                 : encaps_finish(pk + MLKEM_PUBLIC_BYTES, coins + MLKEM_COINS_BYTES, ct_out + MLKEM_CT_BYTES,
                                 ss_m, ss_out);
}

int xwing_encaps(const uint8_t pk[XWING_PUBLIC_BYTES], uint8_t ct_out[XWING_CT_BYTES],
                 uint8_t ss_out[XWING_SS_BYTES])
{
    uint8_t coins[XWING_COINS_BYTES];
    int r;

    rand_bytes(coins, sizeof coins);
    r = xwing_encaps_derand(pk, coins, ct_out, ss_out);
    sodium_memzero(coins, sizeof coins);
    return r;
}

struct xwing_ready {
    struct mlkem_ready *m;
    uint8_t pk[XWING_PUBLIC_BYTES];
};

int xwing_ready_new(const uint8_t pk[XWING_PUBLIC_BYTES], struct xwing_ready **out)
{
    struct xwing_ready *k = calloc(1, sizeof *k);
    int r = k ? mlkem_ready_new(pk, &k->m) : E_NOMEM;

    if (r < 0) {
        xwing_ready_free(&k);
        return r;
    }
    memcpy(k->pk, pk, sizeof k->pk);
    *out = k;
    return 0;
}

void xwing_ready_free(struct xwing_ready **k)
{
    if (*k)
        mlkem_ready_free(&(*k)->m);
    free(*k);
    *k = NULL;
}

bool xwing_ready_is(const struct xwing_ready *k, const uint8_t pk[XWING_PUBLIC_BYTES])
{
    return memcmp(k->pk, pk, sizeof k->pk) == 0;
}

int xwing_ready_encaps(const struct xwing_ready *k, uint8_t ct_out[XWING_CT_BYTES],
                       uint8_t ss_out[XWING_SS_BYTES])
{
    uint8_t coins[XWING_COINS_BYTES], ss_m[MLKEM_SS_BYTES];
    int r;

    rand_bytes(coins, sizeof coins);
    mlkem_ready_encaps(k->m, coins, ct_out, ss_m);
    r = encaps_finish(k->pk + MLKEM_PUBLIC_BYTES, coins + MLKEM_COINS_BYTES, ct_out + MLKEM_CT_BYTES, ss_m,
                      ss_out);
    sodium_memzero(coins, sizeof coins);
    return r;
}

int xwing_decaps(const uint8_t seed[XWING_SEED_BYTES], const uint8_t ct[XWING_CT_BYTES],
                 uint8_t ss_out[XWING_SS_BYTES])
{
    CLEANUP(expanded_wipe) struct expanded e = { 0 };
    uint8_t ss_m[MLKEM_SS_BYTES], ss_x[X_BYTES], pk_x[X_BYTES];
    const uint8_t *ct_x = ct + MLKEM_CT_BYTES;
    int r;

    if ((r = expand(seed, &e)) < 0 || (r = mlkem_decaps(e.mlkem, ct, ss_m)) < 0)
        return r;
    crypto_scalarmult_curve25519_base(pk_x, e.x);
    r = crypto_scalarmult_curve25519(ss_x, e.x, ct_x) < 0 ? E_CORRUPT
                                                          : combine(ss_m, ss_x, ct_x, pk_x, ss_out);
    sodium_memzero(ss_m, sizeof ss_m);
    sodium_memzero(ss_x, sizeof ss_x);
    return r;
}
