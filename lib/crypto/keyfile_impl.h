/* lib/crypto/keyfile_impl.h
 *
 * The inside of struct keyfile, shared by keyfile_format.c (bytes), keyfile.c (slots and opening),
 * keyfile_rotate.c (generations) and keystate.c. Nobody else includes it. */
#ifndef LIB_CRYPTO_KEYFILE_IMPL_H
#define LIB_CRYPTO_KEYFILE_IMPL_H
#include "lib/crypto/keyfile.h"

#define ENCAP_BOX_BYTES   (KEY_BYTES + BOX_TAG_BYTES)
#define LABEL_PLAIN_BYTES 96u
#define LABEL_BOX_BYTES   (LABEL_PLAIN_BYTES + BOX_OVERHEAD_BYTES)

/* A data key, encapsulated to a slot's public key. */
struct encap {
    uint8_t ct[XWING_CT_BYTES], box[ENCAP_BOX_BYTES];
};

struct slot {
    uint16_t id;
    enum password_kind kind;
    struct password_cost cost; /* zeros unless PASSWORD_OWN */
    uint8_t pk[XWING_PUBLIC_BYTES];
    uint8_t seed[BOX_KEY_BYTES];    /* under the password's key for this slot */
    struct encap current, next;     /* next: only while rotating, else zeros */
    uint8_t label[LABEL_BOX_BYTES]; /* under the server's subkey */
};

struct mailbox_key {
    uint32_t generation;
    uint8_t pk[XWING_PUBLIC_BYTES];
    uint8_t seed[BOX_KEY_BYTES]; /* under the current data key */
};

struct earlier_key {
    uint32_t generation;
    uint8_t key[BOX_KEY_BYTES]; /* under the current data key */
};

struct keyfile {
    uint8_t mailbox[MAILBOX_ID_BYTES];
    uint64_t seq;
    uint32_t generation, next_generation, last_generation;
    uint16_t next_slot, nslots, nmailbox_keys, nearlier;
    uint8_t salt[PASSWORD_SALT_BYTES];
    struct slot *slots;               /* by ascending id */
    struct mailbox_key *mailbox_keys; /* by ascending generation; the last is the current one */
    struct earlier_key *earlier;      /* by ascending generation */
    uint8_t bridge[BOX_KEY_BYTES];    /* while rotating: the current data key under the next; else zeros */
    uint8_t mac[HASH_BYTES], next_mac[HASH_BYTES];
};

/* BLAKE2b-256 of all that the MACs speak of (everything before them in the file). */
void keyfile_body_hash(const struct keyfile *kf, uint8_t out[HASH_BYTES]);

/* May `keys` change this file? 0, E_UNAVAIL (a rotation whose next key is not known), E_BUG. */
MUST_CHECK int keyfile_keys_check(const struct keyfile *kf, const struct keyfile_keys *keys);
/* After a change: seq up, MACs renewed. */
void keyfile_touch(struct keyfile *kf, const struct keyfile_keys *keys);
MUST_CHECK int keyfile_encap(const struct keyfile *kf, const struct slot *s, uint32_t generation,
                             const uint8_t data_key[KEY_BYTES], struct encap *out);
void keyfile_ad(const struct keyfile *kf, const char *label, const uint32_t n[4], struct str extra,
                uint8_t out[HASH_BYTES]);
/* The key that wraps seeds and earlier keys. Wipe it. */
void keyfile_wrap_key(const uint8_t data_key[KEY_BYTES], uint8_t out[KEY_BYTES]);
void keyfile_seed_seal(const struct keyfile *kf, uint32_t wrap_generation, const uint8_t data_key[KEY_BYTES],
                       const uint8_t seed[XWING_SEED_BYTES], struct mailbox_key *k);
void keyfile_bridge_ad(const struct keyfile *kf, uint8_t out[HASH_BYTES]);
#endif
