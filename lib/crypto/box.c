#include "lib/crypto/box.h"
#include "lib/base/errors.h"
#include "lib/crypto/mlkem.h"
#include "lib/crypto/xwing.h"
#include <assert.h>
#include <sodium.h>

int crypto_init(void)
{
    uint8_t seed[XWING_SEED_BYTES] = { 0 }, pk[XWING_PUBLIC_BYTES];

    if (sodium_init() < 0)
        return E_UNAVAIL;
    mlkem_backend();                                   /* probes */
    return xwing_public(seed, pk) < 0 ? E_UNAVAIL : 0; /* OpenSSL loads what SHA-3 needs */
}

void kdf2(uint8_t out[HASH_BYTES], const uint8_t *key, const char *label, struct str a, struct str b)
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, key, key ? KEY_BYTES : 0, HASH_BYTES);
    crypto_generichash_update(&st, (const uint8_t *)label, strlen(label) + 1);
    if (a.n)
        crypto_generichash_update(&st, (const uint8_t *)a.p, a.n);
    if (b.n)
        crypto_generichash_update(&st, (const uint8_t *)b.p, b.n);
    crypto_generichash_final(&st, out, HASH_BYTES);
    sodium_memzero(&st, sizeof st);
}

void kdf(uint8_t out[HASH_BYTES], const uint8_t *key, const char *label, struct str context)
{
    kdf2(out, key, label, context, STR_NONE);
}

void box_seal(const uint8_t key[KEY_BYTES], struct str ad, struct str plain, uint8_t *out)
{
    randombytes_buf(out, BOX_NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + BOX_NONCE_BYTES, NULL, (const uint8_t *)plain.p, plain.n,
                                               (const uint8_t *)ad.p, ad.n, NULL, out, key);
}

int box_open(const uint8_t key[KEY_BYTES], struct str ad, struct str box, uint8_t *out)
{
    const uint8_t *p = (const uint8_t *)box.p;

    assert(box.n >= BOX_OVERHEAD_BYTES);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, p + BOX_NONCE_BYTES,
                                                   box.n - BOX_NONCE_BYTES, (const uint8_t *)ad.p, ad.n, p,
                                                   key) == 0)
        return 0;
    sodium_memzero(out, box.n - BOX_OVERHEAD_BYTES);
    return E_CORRUPT;
}

static const uint8_t no_nonce[BOX_NONCE_BYTES];

void once_seal(const uint8_t key[KEY_BYTES], struct str plain, uint8_t *out)
{
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, (const uint8_t *)plain.p, plain.n, NULL, 0, NULL,
                                               no_nonce, key);
}

int once_open(const uint8_t key[KEY_BYTES], struct str sealed, uint8_t *out)
{
    assert(sealed.n >= BOX_TAG_BYTES);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, (const uint8_t *)sealed.p, sealed.n, NULL,
                                                   0, no_nonce, key) == 0)
        return 0;
    sodium_memzero(out, sealed.n - BOX_TAG_BYTES);
    return E_CORRUPT;
}

bool bytes_same(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}

void bytes_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}
