#include "lib/port/zip_aes.h"
#include "lib/base/errors.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define ROUNDS       1000
#define KEY_BYTES    32u
#define BLOCK_BYTES  16u
#define STREAM_BYTES 4096u
#define SHA1_BYTES   20u

struct zip_aes {
    EVP_CIPHER *cipher;
    EVP_MAC *hmac;
    EVP_CIPHER_CTX *aes;
    EVP_MAC_CTX *mac;
    uint64_t counter; /* of the next block that `stream` is filled with */
    size_t used;      /* of `stream` */
    uint8_t stream[STREAM_BYTES];
};

int zip_aes_new(struct zip_aes **out)
{
    struct zip_aes *a = calloc(1, sizeof *a);

    if (!a)
        return E_NOMEM;
    a->cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    a->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    a->aes = EVP_CIPHER_CTX_new();
    a->mac = a->hmac ? EVP_MAC_CTX_new(a->hmac) : NULL;
    if (!a->cipher || !a->aes || !a->mac) {
        zip_aes_free(&a);
        return E_UNSUPPORTED;
    }
    *out = a;
    return 0;
}

void zip_aes_free(struct zip_aes **ap)
{
    struct zip_aes *a = *ap;

    *ap = NULL;
    if (!a)
        return;
    EVP_CIPHER_CTX_free(a->aes);
    EVP_MAC_CTX_free(a->mac);
    EVP_CIPHER_free(a->cipher);
    EVP_MAC_free(a->hmac);
    explicit_bzero(a, sizeof *a);
    free(a);
}

int zip_aes_begin(struct zip_aes *a, struct str password, const uint8_t salt[ZIP_SALT_BYTES],
                  uint8_t verifier_out[ZIP_VERIFIER_BYTES])
{
    char digest[] = "SHA1";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                  OSSL_PARAM_construct_end() };
    uint8_t keys[2 * KEY_BYTES + ZIP_VERIFIER_BYTES];
    bool ok = password.n <= INT32_MAX &&
              PKCS5_PBKDF2_HMAC(password.p, (int)password.n, salt, ZIP_SALT_BYTES, ROUNDS, EVP_sha1(),
                                (int)sizeof keys, keys) == 1 &&
              EVP_EncryptInit_ex2(a->aes, a->cipher, keys, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(a->aes, 0) == 1 &&
              EVP_MAC_init(a->mac, keys + KEY_BYTES, KEY_BYTES, params) == 1;

    if (ok)
        memcpy(verifier_out, keys + 2 * KEY_BYTES, ZIP_VERIFIER_BYTES);
    explicit_bzero(keys, sizeof keys);
    a->counter = 1;
    a->used = STREAM_BYTES;
    return ok ? 0 : E_UNSUPPORTED;
}

/* OpenSSL's own counter mode counts from the other end. */
static int stream_fill(struct zip_aes *a)
{
    int n = 0;

    memset(a->stream, 0, sizeof a->stream);
    for (size_t at = 0; at < STREAM_BYTES; at += BLOCK_BYTES, a->counter++)
        for (size_t i = 0; i < sizeof a->counter; i++)
            a->stream[at + i] = (uint8_t)(a->counter >> 8 * i);
    a->used = 0;
    return EVP_EncryptUpdate(a->aes, a->stream, &n, a->stream, (int)STREAM_BYTES) == 1 && n == STREAM_BYTES
               ? 0
               : E_BUG;
}

int zip_aes_encrypt(struct zip_aes *a, uint8_t *p, size_t n)
{
    int r = 0;

    for (size_t at = 0; at < n && r == 0;) {
        size_t take;

        if (a->used == STREAM_BYTES && (r = stream_fill(a)) < 0)
            return r;
        take = size_min(n - at, STREAM_BYTES - a->used);
        for (size_t i = 0; i < take; i++)
            p[at + i] ^= a->stream[a->used + i];
        a->used += take;
        at += take;
    }
    return zip_aes_seen(a, p, n);
}

int zip_aes_seen(struct zip_aes *a, const uint8_t *p, size_t n)
{
    return n == 0 || EVP_MAC_update(a->mac, p, n) == 1 ? 0 : E_BUG;
}

int zip_aes_end(struct zip_aes *a, uint8_t tag_out[ZIP_TAG_BYTES])
{
    uint8_t all[SHA1_BYTES];
    size_t n = 0;

    if (EVP_MAC_final(a->mac, all, &n, sizeof all) != 1 || n != sizeof all)
        return E_BUG;
    memcpy(tag_out, all, ZIP_TAG_BYTES);
    explicit_bzero(a->stream, sizeof a->stream);
    a->used = STREAM_BYTES;
    return 0;
}
