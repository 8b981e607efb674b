/* lib/crypto/carried.h
 *
 * Subkeys that outlive a server key. What is a MAC or a keyed hash over things that nobody can write
 * again when the server key changes (the known state inside a closed mailbox, delivery ids that mailboxes
 * remember, tokens and addresses that others hold) keeps its subkey; these stand in a small file, sealed
 * under the server key of the day. That costs nothing: none of them opens anything, and where their MACs
 * stand is written under keys that do change, or under a mailbox's own. Page and secret keys are never
 * carried: rotation writes what they close anew.
 *
 * Bytes in, bytes out. A server key that was never rotated has no such file: all its subkeys are derived. */
#ifndef LIB_CRYPTO_CARRIED_H
#define LIB_CRYPTO_CARRIED_H
#include "lib/crypto/subkey.h"

#define CARRIED_BYTES_MAX KIB(8)

bool subkey_is_carried(enum subkey_purpose purpose);
/* Append the file: those of `subkeys` that are carried, under this server key. E_LIMIT, E_NOMEM. */
MUST_CHECK int carried_seal(const uint8_t server_key[KEY_BYTES],
                            const uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES], struct buf *out);
/* Put what the file carries over the derived ones. E_AUTH: under another server key, or both copies are
 * damaged; E_CORRUPT: not of that form; E_VERSION: a newer program's. `subkeys` is untouched then. */
MUST_CHECK int carried_open(const uint8_t server_key[KEY_BYTES], struct str bytes,
                            uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES]);
#endif
