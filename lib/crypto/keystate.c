#include "lib/crypto/keystate.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/keyfile_impl.h"
#include <sodium.h>

#define MAGIC       "LLKS\x01\x00\x00\x00"
#define MAGIC_BYTES 8u
#define MAC_AT      (KEYSTATE_BYTES - HASH_BYTES)
enum {
    AT_MAILBOX = 8,
    AT_MAILBOX_KEY = 20,
    AT_SEQ = 24,
    AT_GENERATION = 32,
    AT_ZERO = 36,
    AT_PUBLIC = 40,
    AT_SLOTS = 72
};
_Static_assert(AT_SLOTS + HASH_BYTES == MAC_AT, "fields fill it");

/* Ids, kinds and public keys: not the encapsulations, which a rotation renews. */
static void slots_hash(const struct keyfile *kf, uint8_t out[HASH_BYTES])
{
    static const char label[] = "letterlock keystate slots v1";
    crypto_generichash_state st;
    uint8_t h[4];

    crypto_generichash_init(&st, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&st, (const uint8_t *)label, sizeof label);
    for (size_t i = 0; i < kf->nslots; i++) {
        le16_put(h, kf->slots[i].id);
        le16_put(h + 2, (uint16_t)kf->slots[i].kind);
        crypto_generichash_update(&st, h, sizeof h);
        crypto_generichash_update(&st, kf->slots[i].pk, XWING_PUBLIC_BYTES);
    }
    crypto_generichash_final(&st, out, HASH_BYTES);
}

void keystate_of(const struct keyfile *kf, struct keystate *out)
{
    const uint8_t *pk = keyfile_public(kf, &out->mailbox_key_generation);

    memcpy(out->mailbox, kf->mailbox, MAILBOX_ID_BYTES);
    out->seq = kf->seq;
    out->generation = kf->generation;
    kdf(out->public_hash, NULL, "letterlock keystate public key v1", str_of(pk, XWING_PUBLIC_BYTES));
    slots_hash(kf, out->slots_hash);
}

static void mac_make(const uint8_t *p, const uint8_t mac_key[KEY_BYTES], uint8_t out[HASH_BYTES])
{
    kdf(out, mac_key, "letterlock keystate v1", str_of(p, MAC_AT));
}

void keystate_seal(const struct keystate *s, const uint8_t mac_key[KEY_BYTES], uint8_t out[KEYSTATE_BYTES])
{
    memset(out, 0, KEYSTATE_BYTES);
    memcpy(out, MAGIC, MAGIC_BYTES);
    memcpy(out + AT_MAILBOX, s->mailbox, MAILBOX_ID_BYTES);
    le32_put(out + AT_MAILBOX_KEY, s->mailbox_key_generation);
    le64_put(out + AT_SEQ, s->seq);
    le32_put(out + AT_GENERATION, s->generation);
    memcpy(out + AT_PUBLIC, s->public_hash, HASH_BYTES);
    memcpy(out + AT_SLOTS, s->slots_hash, HASH_BYTES);
    mac_make(out, mac_key, out + MAC_AT);
}

int keystate_open(struct str bytes, const uint8_t mac_key[KEY_BYTES], struct keystate *out)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    uint8_t mac[HASH_BYTES];

    if (bytes.n != KEYSTATE_BYTES || memcmp(p, MAGIC, MAGIC_BYTES) != 0)
        return E_CORRUPT;
    mac_make(p, mac_key, mac);
    if (!bytes_same(mac, p + MAC_AT, HASH_BYTES))
        return E_CORRUPT;
    memcpy(out->mailbox, p + AT_MAILBOX, MAILBOX_ID_BYTES);
    out->mailbox_key_generation = le32_get(p + AT_MAILBOX_KEY);
    out->seq = le64_get(p + AT_SEQ);
    out->generation = le32_get(p + AT_GENERATION);
    memcpy(out->public_hash, p + AT_PUBLIC, HASH_BYTES);
    memcpy(out->slots_hash, p + AT_SLOTS, HASH_BYTES);
    return 0;
}

int keystate_compare(const struct keystate *known, const struct keystate *found)
{
    bool same_public = known->mailbox_key_generation == found->mailbox_key_generation &&
                       memcmp(known->public_hash, found->public_hash, HASH_BYTES) == 0;

    if (memcmp(known->mailbox, found->mailbox, MAILBOX_ID_BYTES) != 0)
        return E_CORRUPT;
    if (found->seq < known->seq)
        return E_STALE;
    if (!same_public)
        return E_CORRUPT;
    if (found->seq > known->seq)
        return found->generation >= known->generation ? KEYSTATE_NEWER : E_CORRUPT;
    return found->generation == known->generation &&
                   memcmp(known->slots_hash, found->slots_hash, HASH_BYTES) == 0
               ? 0
               : E_CORRUPT;
}
