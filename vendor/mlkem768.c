/* vendor/mlkem768.c
 *
 * PQClean's ML-KEM-768 as one translation unit, so that the compiler sees the four-instruction
 * reductions inside the loops that call them, and encapsulation to a key made ready. What is made ready
 * depends on the key alone: the matrix of FIPS 203 K-PKE (three quarters of the hashing), the decoded
 * vector, the hash. The steps are those of FIPS 203 as indcpa.c and kem.c have them.
 *
 * fips202.c asks malloc for its hash states and ends the process when there is none. It gets room of the thread's
 * own instead, wiped when given back: no call of ours has more than two at a time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STATES_MAX  4u
#define STATE_BYTES (26u * sizeof(uint64_t))

static _Thread_local struct {
    _Alignas(16) unsigned char bytes[STATES_MAX][STATE_BYTES];
    _Bool taken[STATES_MAX];
} states;

static void *state_new(size_t n)
{
    for (unsigned i = 0; n <= STATE_BYTES && i < STATES_MAX; i++)
        if (!states.taken[i]) {
            states.taken[i] = 1;
            return states.bytes[i];
        }
    abort(); /* fips202.c holds more than it ever did */
}

static void state_free(void *p)
{
    unsigned i = (unsigned)(((unsigned char *)p - states.bytes[0]) / (long)STATE_BYTES);

    explicit_bzero(p, STATE_BYTES);
    states.taken[i] = 0;
}

#define malloc(n) state_new(n)
#define free(p)   state_free(p)
#include "common/fips202.c"
#undef malloc
#undef free
#include "cbd.c"
#include "indcpa.c"
#include "kem.c"
#include "ntt.c"
#include "poly.c"
#include "polyvec.c"
#include "reduce.c"
#include "symmetric-shake.c"
#include "verify.c"
#include "vendor/mlkem768.h"

_Static_assert(sizeof(polyvec) * KYBER_K == sizeof(((struct mlkem768_public *)0)->at), "as PQClean has it");
_Static_assert(sizeof(polyvec) == sizeof(((struct mlkem768_public *)0)->t), "as PQClean has it");

static void key_ready(polyvec at[KYBER_K], polyvec *t, uint8_t h[KYBER_SYMBYTES], const uint8_t *pk)
{
    uint8_t seed[KYBER_SYMBYTES];

    unpack_pk(t, seed, pk);
    gen_at(at, seed);
    hash_h(h, pk, KYBER_PUBLICKEYBYTES);
}

void mlkem768_public_ready(struct mlkem768_public *key, const uint8_t *pk)
{
    polyvec at[KYBER_K], t;

    key_ready(at, &t, key->h, pk);
    memcpy(key->at, at, sizeof at);
    memcpy(key->t, &t, sizeof t);
}

/* FIPS 203 algorithm 14, K-PKE.Encrypt; at and t are public. */
static void encrypt_ready(uint8_t *c, const uint8_t *m, const struct mlkem768_public *key,
                          const uint8_t *coins)
{
    const polyvec *at = (const polyvec *)(const void *)key->at, *t = (const polyvec *)(const void *)key->t;
    polyvec sp, ep, b;
    poly v, k, epp;
    uint8_t nonce = 0;

    PQCLEAN_MLKEM768_CLEAN_poly_frommsg(&k, m);
    for (unsigned i = 0; i < KYBER_K; i++)
        PQCLEAN_MLKEM768_CLEAN_poly_getnoise_eta1(sp.vec + i, coins, nonce++);
    for (unsigned i = 0; i < KYBER_K; i++)
        PQCLEAN_MLKEM768_CLEAN_poly_getnoise_eta2(ep.vec + i, coins, nonce++);
    PQCLEAN_MLKEM768_CLEAN_poly_getnoise_eta2(&epp, coins, nonce);
    PQCLEAN_MLKEM768_CLEAN_polyvec_ntt(&sp);
    for (unsigned i = 0; i < KYBER_K; i++)
        PQCLEAN_MLKEM768_CLEAN_polyvec_basemul_acc_montgomery(&b.vec[i], &at[i], &sp);
    PQCLEAN_MLKEM768_CLEAN_polyvec_basemul_acc_montgomery(&v, t, &sp);
    PQCLEAN_MLKEM768_CLEAN_polyvec_invntt_tomont(&b);
    PQCLEAN_MLKEM768_CLEAN_poly_invntt_tomont(&v);
    PQCLEAN_MLKEM768_CLEAN_polyvec_add(&b, &b, &ep);
    PQCLEAN_MLKEM768_CLEAN_poly_add(&v, &v, &epp);
    PQCLEAN_MLKEM768_CLEAN_poly_add(&v, &v, &k);
    PQCLEAN_MLKEM768_CLEAN_polyvec_reduce(&b);
    PQCLEAN_MLKEM768_CLEAN_poly_reduce(&v);
    pack_ciphertext(c, &b, &v);
}

/* FIPS 203 algorithm 17, ML-KEM.Encaps_internal. */
void mlkem768_enc_ready(uint8_t *ct, uint8_t *ss, const struct mlkem768_public *key, const uint8_t *coins)
{
    uint8_t in[2 * KYBER_SYMBYTES], kr[2 * KYBER_SYMBYTES];

    memcpy(in, coins, KYBER_SYMBYTES);
    memcpy(in + KYBER_SYMBYTES, key->h, KYBER_SYMBYTES);
    hash_g(kr, in, sizeof in);
    encrypt_ready(ct, in, key, kr + KYBER_SYMBYTES);
    memcpy(ss, kr, KYBER_SYMBYTES);
}
