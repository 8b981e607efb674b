/* lib/crypto/keystate.h
 *
 * "No quiet replacement": what was last known of a mailbox's `.keys`, as 136 bytes that stand in the
 * directory and inside the mailbox, MACed under SUBKEY_KEYSTATE_MAC. Who can write to the disk can
 * neither put in his own public key nor bring back an older file unnoticed. */
#ifndef LIB_CRYPTO_KEYSTATE_H
#define LIB_CRYPTO_KEYSTATE_H
#include "lib/crypto/keyfile.h"

#define KEYSTATE_BYTES 136u

struct keystate {
    uint8_t mailbox[MAILBOX_ID_BYTES];
    uint64_t seq;
    uint32_t generation, mailbox_key_generation;
    uint8_t public_hash[HASH_BYTES], slots_hash[HASH_BYTES];
};

void keystate_of(const struct keyfile *kf, struct keystate *out);
void keystate_seal(const struct keystate *s, const uint8_t mac_key[KEY_BYTES], uint8_t out[KEYSTATE_BYTES]);
/* E_CORRUPT: not of that form, or the MAC is not ours. */
MUST_CHECK int keystate_open(struct str bytes, const uint8_t mac_key[KEY_BYTES], struct keystate *out);

/* Is the file that was found the one that is known?
 * 0             yes.
 * KEYSTATE_NEWER it has changed since (we died between writing it and telling the directory), with the
 *               same public key: sealing is safe; tell the directory once its owner has opened it.
 * E_STALE       older than what is known: someone brought an old file back.
 * E_CORRUPT     another mailbox, another public key, or the same seq with other content.
 * The last two are 451 and an alarm. (A rotation changes the public key: write the new state to the
 * directory as the announced one before the file, and accept a file that matches either.) */
#define KEYSTATE_NEWER 1
MUST_CHECK int keystate_compare(const struct keystate *known, const struct keystate *found);
#endif
