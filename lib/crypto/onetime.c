#include "lib/crypto/onetime.h"
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>

#define WORTH_IT KIB(2) /* below, OpenSSL's beginning costs more than its speed saves */

static EVP_MAC *poly1305;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
}

static bool by_openssl(const uint8_t once[KEY_BYTES], struct str bytes, uint8_t out[ONETIME_MAC_BYTES])
{
    EVP_MAC_CTX *c;
    size_t n = 0;
    bool ok;

    pthread_once(&fetched, fetch);
    if (!poly1305 || !(c = EVP_MAC_CTX_new(poly1305)))
        return false;
    ok = EVP_MAC_init(c, once, KEY_BYTES, NULL) == 1 &&
         EVP_MAC_update(c, (const uint8_t *)bytes.p, bytes.n) == 1 &&
         EVP_MAC_final(c, out, &n, ONETIME_MAC_BYTES) == 1 && n == ONETIME_MAC_BYTES;
    EVP_MAC_CTX_free(c);
    return ok;
}

void onetime_mac(const uint8_t once[KEY_BYTES], struct str bytes, uint8_t out[ONETIME_MAC_BYTES])
{
    if (bytes.n < WORTH_IT || !by_openssl(once, bytes, out))
        crypto_onetimeauth(out, (const uint8_t *)bytes.p, bytes.n, once);
}
