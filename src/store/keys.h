/* src/store/keys.h
 *
 * The `.keys` file of a mailbox on disk, and its comparison with what the directory knows. Synchronous,
 * worker threads only. */
#ifndef SRC_STORE_KEYS_H
#define SRC_STORE_KEYS_H
#include "lib/crypto/keystate.h"
#include "src/store/files.h"

/* E_NOTFOUND: there is none. One good copy is enough. */
MUST_CHECK int keys_load(const struct files *f, const uint8_t id[MAILBOX_ID_LEN], struct keyfile **out);
/* Write the file anew when one of its copies is damaged: 1; 0: both are well. Only where nobody else
 * changes it (the mailbox's lane): elsewhere it could bring back what was just replaced. */
MUST_CHECK int keys_mend(const struct files *f, const uint8_t id[MAILBOX_ID_LEN]);
/* Forget the mailbox keys before generation `oldest`, which no sealed record names any more; never the
 * current one. How many; nothing is on disk until keys_save. */
MUST_CHECK int keys_forget_before(struct keyfile *kf, const struct keyfile_keys *keys, uint32_t oldest);
/* Replace the file, durably. */
MUST_CHECK int keys_save(const struct files *f, const struct keyfile *kf);
/* Does the file match one of the states that the directory knows? 0 (exactly), KEYSTATE_NEWER; E_STALE,
 * E_CORRUPT: someone put in another file, an alarm. No states: E_STALE. */
struct keys_known {
    const ProtobufCBinaryData *states;
    size_t n;
    const uint8_t *mac_key;
};
MUST_CHECK int keys_check(const struct keyfile *kf, const struct keys_known *known);
void keys_state(const struct keyfile *kf, const uint8_t mac_key[KEY_BYTES], uint8_t out[KEYSTATE_BYTES]);
#endif
