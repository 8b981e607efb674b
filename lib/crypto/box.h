/* lib/crypto/box.h
 *
 * The three primitives that every format of this folder is made of: BLAKE2b-256 (hash, MAC and key
 * derivation, always with a label), XChaCha20-Poly1305 with a random nonce (a "box"), and comparison
 * in constant time. doc/formats.md lists every label. No I/O; nothing here allocates. */
#ifndef LIB_CRYPTO_BOX_H
#define LIB_CRYPTO_BOX_H
#include "lib/base/str.h"

#define KEY_BYTES          32u
#define HASH_BYTES         32u
#define BOX_NONCE_BYTES    24u
#define BOX_TAG_BYTES      16u
#define BOX_OVERHEAD_BYTES (BOX_NONCE_BYTES + BOX_TAG_BYTES)
#define BOX_KEY_BYTES      (KEY_BYTES + BOX_OVERHEAD_BYTES) /* a 32-byte secret in a box */

/* Once per process, before threads and before the sandbox: chooses libsodium's fast code and the
 * ML-KEM implementation (see xwing.h), and fetches OpenSSL's hashes. Later calls return at once.
 * 0 or E_UNAVAIL. Every function of this folder works without it, only later and slower. */
MUST_CHECK int crypto_init(void);

/* BLAKE2b-256(key, label || 0 || context). Labels are ASCII without NUL, so no two pairs of label and
 * context meet. With a secret `key` this derives a key or a MAC; key NULL: a plain hash. */
void kdf(uint8_t out[HASH_BYTES], const uint8_t *key, const char *label, struct str context);
/* The same over two pieces of context, one after the other. */
void kdf2(uint8_t out[HASH_BYTES], const uint8_t *key, const char *label, struct str a, struct str b);

/* nonce || ciphertext || tag, plain.n + BOX_OVERHEAD_BYTES bytes, to `out`. `ad` is authenticated
 * only: what and whose this box is. */
void box_seal(const uint8_t key[KEY_BYTES], struct str ad, struct str plain, uint8_t *out);
/* Opens box.n - BOX_OVERHEAD_BYTES bytes to `out`. E_CORRUPT: wrong key, other ad or damaged; `out`
 * is then zeros. */
MUST_CHECK int box_open(const uint8_t key[KEY_BYTES], struct str ad, struct str box, uint8_t *out);

/* The same for a key that seals one thing in its life: no nonce, so plain.n + BOX_TAG_BYTES bytes. */
void once_seal(const uint8_t key[KEY_BYTES], struct str plain, uint8_t *out);
MUST_CHECK int once_open(const uint8_t key[KEY_BYTES], struct str sealed, uint8_t *out);

bool bytes_same(const void *a, const void *b, size_t n); /* constant time */
void bytes_wipe(void *p, size_t n);
#endif
