/* src/store/keybox.h
 *
 * Where `.keys` and the mailbox file meet: opening one with the other, also in the middle of a change of
 * keys that a crash cut off. Synchronous, worker threads only. */
#ifndef SRC_STORE_KEYBOX_H
#define SRC_STORE_KEYBOX_H
#include "src/store/keys.h"

/* The mailbox file under the data key, or, while a rotation is under way, under the next one.
 * *generation_out: whose key it was. E_* of mailbox_open. */
MUST_CHECK int keybox_open(const struct files *f, const struct keyfile *kf, const struct keyfile_keys *keys,
                           const struct mailbox_options *o, struct mailbox **out, uint32_t *generation_out);
/* The mailbox says which keys it knew last: E_STALE, E_CORRUPT when `.keys` is not them or newer ones.
 * `kf` was opened with its keys, so its MAC holds: a newer one is no forgery, even with another public
 * key (a rotation that was cut off between `.keys` and here); it is noted in the mailbox. */
MUST_CHECK int keybox_settle(struct mailbox *box, const struct keyfile *kf, uint32_t generation,
                             const uint8_t mac_key[KEY_BYTES]);
/* Note it in the mailbox, in a transaction of its own. */
MUST_CHECK int keybox_note(struct mailbox *box, uint64_t generation, const uint8_t state[KEYSTATE_BYTES]);
/* The middle of a rotation, `.keys` naming both keys already: the mailbox copied under the next key,
 * verified, and renamed over the old one. Fine when that was done before. Nobody may have it open. */
MUST_CHECK int keybox_exchange(const struct files *f, const struct keyfile *kf,
                               const struct keyfile_keys *keys);
#endif
