/* lib/crypto/onetime.h
 *
 * Poly1305 (RFC 8439 2.5) of many bytes under a key that is used once: what libsodium's crypto_onetimeauth makes, byte for
 * byte, on OpenSSL's SIMD code. No I/O. */
#ifndef LIB_CRYPTO_ONETIME_H
#define LIB_CRYPTO_ONETIME_H
#include "lib/crypto/box.h"

#define ONETIME_MAC_BYTES 16u

/* Where OpenSSL has no Poly1305, or no memory, libsodium does it. */
void onetime_mac(const uint8_t once[KEY_BYTES], struct str bytes, uint8_t out[ONETIME_MAC_BYTES]);
#endif
