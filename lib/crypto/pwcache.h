/* lib/crypto/pwcache.h
 *
 * A person's second connection costs no derivation: while a mailbox is attached the store keeps, per
 * slot, a MAC of the password that opened it under a key that dies with the process. Knows one MAC;
 * where it is kept and when it is forgotten is the store's. */
#ifndef LIB_CRYPTO_PWCACHE_H
#define LIB_CRYPTO_PWCACHE_H
#include "lib/crypto/password.h"
#include "lib/crypto/ticket.h"

#define PWCACHE_BYTES 32u

/* `boot_key`: random, made at start, never stored. However a password was typed, its MAC is the same. */
void pwcache_make(const uint8_t boot_key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_BYTES],
                  const struct password *p, uint8_t out[PWCACHE_BYTES]);
/* Constant time. */
bool pwcache_match(const uint8_t boot_key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_BYTES],
                   const struct password *p, const uint8_t kept[PWCACHE_BYTES]);
#endif
