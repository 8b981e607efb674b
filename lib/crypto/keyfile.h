/* lib/crypto/keyfile.h
 *
 * The `.keys` file of a mailbox: which passwords open it, and every key that hangs on the data key
 * (doc/formats.md has the bytes). One slot per password, each with its own X-Wing pair, so that a new
 * data key reaches every slot without any password.
 *
 * Bytes in, bytes out: the store reads and replaces the file. A struct keyfile has one user at a time.
 * Changing functions leave it untouched on error, count seq up and renew the MAC; nothing is on disk
 * until keyfile_serialize's bytes are. Without the keys it tells public things only.
 *
 * Rotation, as the store walks it: keyfile_rotate_begin, write `.keys` (it names both data keys now),
 * make the new mailbox file, swap it in, keyfile_rotate_finish, write `.keys`. After a crash between:
 * keyfile_open gives both keys; the mailbox file opens with one of them; finish if it is the next,
 * abort (or go on) if it is the current one. */
#ifndef LIB_CRYPTO_KEYFILE_H
#define LIB_CRYPTO_KEYFILE_H
#include "lib/base/buf.h"
#include "lib/crypto/password.h"
#include "lib/crypto/ticket.h"
#include "lib/crypto/xwing.h"

#define KEYFILE_BYTES_MAX        MIB(1)
#define KEYFILE_SLOTS_MAX        64u
#define KEYFILE_MAILBOX_KEYS_MAX 32u
#define KEYFILE_EARLIER_MAX      512u
#define KEYFILE_COSTS_MAX        2u /* different Argon2id costs in one file: each is a derivation */
#define KEYFILE_NAME_MAX         64u

struct keyfile; /* opaque */

/* What opening gives. Wipe with keyfile_keys_release; keep the keys in a secret_slab. */
struct keyfile_keys {
    uint32_t generation, next_generation; /* next: 0 unless a rotation was begun and its key is known */
    uint16_t slot;                        /* which password; 0 right after keyfile_new */
    uint8_t data_key[KEY_BYTES], next_key[KEY_BYTES];
};
void keyfile_keys_release(struct keyfile_keys *k);

/* Bytes. parse: E_CORRUPT, E_VERSION (newer program), E_LIMIT, E_NOMEM; *damage_out tells which of the
 * two copies was not good (0: both are): the content came from the other, so write the file anew.
 * Nothing secret is checked yet: opening does that. serialize: E_BUG without a slot, E_LIMIT, E_NOMEM. */
#define KEYFILE_DAMAGE_FIRST  1u
#define KEYFILE_DAMAGE_SECOND 2u
MUST_CHECK int keyfile_parse(struct str bytes, struct keyfile **out, unsigned *damage_out);
MUST_CHECK int keyfile_serialize(const struct keyfile *kf, struct buf *out);
void keyfile_free(struct keyfile **kf);

/* A new mailbox: data key generation 1, a mailbox key, no slot yet (add one before serializing). */
MUST_CHECK int keyfile_new(const uint8_t mailbox[MAILBOX_ID_BYTES], struct keyfile **out,
                           struct keyfile_keys *keys_out);

/* Open with a password. E_AUTH: no slot takes it; E_CORRUPT: it does, but the file was tampered with;
 * E_NOMEM. Blocks 1 ms, or an Argon2id when keyfile_open_is_slow (then run it in the pool for those). */
MUST_CHECK int keyfile_open(const struct keyfile *kf, const struct password *p, struct keyfile_keys *out);
bool keyfile_open_is_slow(const struct keyfile *kf, const struct password *p);
/* Open with a data key (from a ticket) that slot `slot` was given. E_AUTH: that slot is gone; E_STALE:
 * the key's generation is no longer current; E_CORRUPT: the MAC does not match. A ticket of the current
 * generation does not tell the next key while rotating: then next_generation is 0, and changes are
 * E_UNAVAIL. (Giving it would hand new keys to a kept old copy, against which rotation exists.) */
MUST_CHECK int keyfile_open_key(const struct keyfile *kf, uint32_t generation,
                                const uint8_t data_key[KEY_BYTES], uint16_t slot, struct keyfile_keys *out);

/* Public things. */
const uint8_t *keyfile_mailbox_id(const struct keyfile *kf);
uint64_t keyfile_seq(const struct keyfile *kf);
uint32_t keyfile_generation(const struct keyfile *kf);      /* of the data key */
uint32_t keyfile_next_generation(const struct keyfile *kf); /* 0 unless rotating */
/* The mailbox's current X-Wing public key and its generation. Borrowed. */
const uint8_t *keyfile_public(const struct keyfile *kf, uint32_t *generation_out);

/* Slots. The label is sealed under the server's SUBKEY_SLOT_NAMES and not part of the MAC, so noting a
 * use needs no data key and changes no seq. */
struct keyfile_label {
    char name[KEYFILE_NAME_MAX + 1]; /* UTF-8, NUL-terminated */
    int64_t created_ms, used_ms;
};
size_t keyfile_slot_count(const struct keyfile *kf);
/* Slot number i in order of making; E_NOTFOUND past the end. */
MUST_CHECK int keyfile_slot_at(const struct keyfile *kf, size_t i, uint16_t *id_out,
                               enum password_kind *kind_out);
/* E_NOTFOUND: no such slot; E_CORRUPT: sealed under another subkey. */
MUST_CHECK int keyfile_slot_label(const struct keyfile *kf, uint16_t id, const uint8_t label_key[KEY_BYTES],
                                  struct keyfile_label *out);
MUST_CHECK int keyfile_slot_set_label(struct keyfile *kf, uint16_t id, const uint8_t label_key[KEY_BYTES],
                                      const struct keyfile_label *label);
/* The id of the next slot: password_generate wants it first. */
uint16_t keyfile_next_slot(const struct keyfile *kf);
/* Add a password. `cost` counts for own ones. E_LIMIT: too many slots or costs; E_RANGE: the cost;
 * E_BUG: a generated password with another slot's hint; E_UNAVAIL: see keyfile_open_key. Blocks like
 * a derivation. Whether an own password is good enough is password_strength_check's matter. */
MUST_CHECK int keyfile_slot_add(struct keyfile *kf, const struct keyfile_keys *keys, const struct password *p,
                                struct password_cost cost, const uint8_t label_key[KEY_BYTES],
                                const struct keyfile_label *label, uint16_t *id_out);
/* E_NOTFOUND; E_DENIED for the last one (that would lose the mailbox). */
MUST_CHECK int keyfile_slot_revoke(struct keyfile *kf, const struct keyfile_keys *keys, uint16_t id);

/* Rotation (see above). begin: E_BUSY when begun already; E_LIMIT: forget old keys first. begin fills
 * keys->next_*; finish moves them to the current and makes a new mailbox key; abort drops them. */
MUST_CHECK int keyfile_rotate_begin(struct keyfile *kf, struct keyfile_keys *keys);
MUST_CHECK int keyfile_rotate_finish(struct keyfile *kf, struct keyfile_keys *keys);
MUST_CHECK int keyfile_rotate_abort(struct keyfile *kf, struct keyfile_keys *keys);

/* The private seed of a mailbox key generation, for sealed records. E_NOTFOUND, E_CORRUPT. */
MUST_CHECK int keyfile_mailbox_seed(const struct keyfile *kf, const struct keyfile_keys *keys,
                                    uint32_t generation, uint8_t seed_out[XWING_SEED_BYTES]);
/* A data key of any kept generation, for backups. E_NOTFOUND, E_CORRUPT. */
MUST_CHECK int keyfile_data_key(const struct keyfile *kf, const struct keyfile_keys *keys,
                                uint32_t generation, uint8_t key_out[KEY_BYTES]);
/* Generation number i, oldest first; 0 past the end. */
uint32_t keyfile_mailbox_key_at(const struct keyfile *kf, size_t i);
uint32_t keyfile_earlier_at(const struct keyfile *kf, size_t i);
/* Forget one when nothing names it any more. E_NOTFOUND; E_DENIED for the current mailbox key. */
MUST_CHECK int keyfile_forget_mailbox_key(struct keyfile *kf, const struct keyfile_keys *keys,
                                          uint32_t generation);
MUST_CHECK int keyfile_forget_earlier(struct keyfile *kf, const struct keyfile_keys *keys,
                                      uint32_t generation);
#endif
