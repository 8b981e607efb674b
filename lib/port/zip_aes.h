/* lib/port/zip_aes.h
 *
 * The cipher of encrypted zip entries as WinZip describes it, version AE-2 with AES-256: keys by PBKDF2-HMAC-SHA1 (1000 rounds) of
 * password and salt, AES in counter mode whose counter is little-endian and begins with 1, the first 80 bits of HMAC-SHA1
 * over the encrypted bytes. Every entry needs a salt of its own: it is all that keeps two key streams apart. */
#ifndef LIB_PORT_ZIP_AES_H
#define LIB_PORT_ZIP_AES_H
#include "lib/base/str.h"

#define ZIP_SALT_BYTES     16u
#define ZIP_VERIFIER_BYTES 2u
#define ZIP_TAG_BYTES      10u

struct zip_aes;
/* E_UNSUPPORTED: this OpenSSL has not what it takes. */
MUST_CHECK int zip_aes_new(struct zip_aes **out);
void zip_aes_free(struct zip_aes **a); /* wipes the keys */
/* An entry begins. The verifier stands behind the salt: it tells most wrong passwords. A millisecond. */
MUST_CHECK int zip_aes_begin(struct zip_aes *a, struct str password, const uint8_t salt[ZIP_SALT_BYTES],
                             uint8_t verifier_out[ZIP_VERIFIER_BYTES]);
/* The next bytes of it, in place. */
MUST_CHECK int zip_aes_encrypt(struct zip_aes *a, uint8_t *p, size_t n);
/* Instead: the next bytes are encrypted already, and only taken into the tag. */
MUST_CHECK int zip_aes_seen(struct zip_aes *a, const uint8_t *p, size_t n);
MUST_CHECK int zip_aes_end(struct zip_aes *a, uint8_t tag_out[ZIP_TAG_BYTES]);
#endif
