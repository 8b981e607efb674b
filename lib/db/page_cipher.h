/* lib/db/page_cipher.h
 *
 * The page cipher of our databases: `chacha20` of SQLite3MultipleCiphers (the sqleet format,
 * ChaCha20-Poly1305 per page), byte for byte, on OpenSSL's SIMD code instead of the library's scalar
 * one (five times faster), with nonces that stay unique across fork.
 *
 * One page of `len` bytes, of which the last 32 are the page's own:
 *
 *     | ciphertext .............................. n = len-32 | nonce 16 | tag 16 |
 *
 *     counter = le32(nonce[12..16]) XOR page number          (all arithmetic modulo 2^32)
 *     one-time key, 64 bytes = ChaCha20(file key, nonce[0..12], counter)
 *     ciphertext             = ChaCha20(otk[32..64], nonce[0..12], counter+1)
 *     tag                    = Poly1305(otk[0..32], ciphertext | nonce)
 *
 * Page 1 keeps its bytes 16..23 in the clear (page size, reserved bytes: SQLite needs them to begin)
 * and has the 16 bytes of key salt in the place of "SQLite format 3"; the tag covers both.
 * A passphrase becomes the key by PBKDF2-HMAC-SHA256, 64007 rounds over that salt; "raw:" and 32
 * bytes (or 64 hex digits; with or without 16 bytes of salt behind) are the key itself.
 *
 * Refused on purpose, though the stock cipher can do it: pages without a tag (0 reserved bytes), the
 * old sqleet mode, other round counts, reading a page whose tag is wrong (hmac_check=0). */
#ifndef LIB_DB_PAGE_CIPHER_H
#define LIB_DB_PAGE_CIPHER_H
#include "lib/base/base.h"

#define PAGE_KEY_BYTES   32u
#define PAGE_SALT_BYTES  16u
#define PAGE_NONCE_BYTES 16u
#define PAGE_TAG_BYTES   16u
#define PAGE_EXTRA_BYTES (PAGE_NONCE_BYTES + PAGE_TAG_BYTES)
#define PAGE_BLOCK_BYTES 64u
#define PAGE_KDF_ROUNDS  64007

/* Register the cipher with SQLite as `chacha20` and make it the default. Once per process, before
 * any database is opened and never before a fork that both sides survive with databases; db_init()
 * does it. 0, E_NOMEM, E_UNSUPPORTED (OpenSSL lacks ChaCha20 or Poly1305). */
MUST_CHECK int page_cipher_register(void);

/* Make this thread's contexts now. After 0 no page operation of this thread can fail for lack of
 * memory, which matters: SQLite would write on with a page that was not encrypted, so a failure
 * there must abort. Costs a thread-local read when it is done already. 0 or E_NOMEM. */
MUST_CHECK int page_cipher_thread_ready(void);

/* Between true and false this thread does nothing to any database but one checkpoint: pages go through sealed, their tags
 * compared. No statement may run in between: it would read ciphertext. */
void page_cipher_pass(bool on);

/* Encrypt one page in place. `salt` stands in page 1 and is ignored elsewhere. `nonce` NULL takes a
 * fresh one (see page_nonce); tests give one. `len` is the page without any
 * reserved bytes beyond the 32: nonce and tag stand at its end. Aborts when it cannot. */
void page_seal(const uint8_t key[PAGE_KEY_BYTES], const uint8_t salt[PAGE_SALT_BYTES], uint32_t page,
               uint8_t *data, size_t len, const uint8_t nonce[PAGE_NONCE_BYTES]);
/* Verify in constant time, then decrypt in place. 0; E_CORRUPT (data untouched) for a wrong key, a
 * wrong page number or any changed bit. */
MUST_CHECK int page_open(const uint8_t key[PAGE_KEY_BYTES], uint32_t page, uint8_t *data, size_t len);

/* Would page_open take it? Half of its work. */
MUST_CHECK int page_verify(const uint8_t key[PAGE_KEY_BYTES], uint32_t page, const uint8_t *data, size_t len);

/* The page that SQLite had this thread seal last, where it stands: what is about to be written is this one, or it is not
 * sealed. */
const void *page_sealed_last(void);

/* One block of the ChaCha20 key stream (RFC 8439 2.3). Public for its test. */
void page_chacha_block(const uint8_t key[PAGE_KEY_BYTES], const uint8_t nonce[12], uint32_t counter,
                       uint8_t out[PAGE_BLOCK_BYTES]);

/* n unpredictable bytes from this thread's supply, 4 KB of key stream under a key from the kernel's generator
 * for each filling, which a forked child throws away. */
void page_nonce(uint8_t *out, size_t n);
#endif
