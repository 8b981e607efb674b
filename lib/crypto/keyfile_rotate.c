/* Generations: a new data key for every slot without any password, and the old ones kept under it. */
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/crypto/keyfile_impl.h"

static void earlier_ad(const struct keyfile *kf, uint32_t generation, uint32_t wrap_generation,
                       uint8_t out[HASH_BYTES])
{
    keyfile_ad(kf, "letterlock keys earlier key v1", (uint32_t[4]){ generation, wrap_generation }, STR_NONE,
               out);
}

static void earlier_seal(const struct keyfile *kf, uint32_t wrap_generation,
                         const uint8_t data_key[KEY_BYTES], const uint8_t secret[KEY_BYTES],
                         struct earlier_key *e)
{
    uint8_t key[KEY_BYTES], ad[HASH_BYTES];

    keyfile_wrap_key(data_key, key);
    earlier_ad(kf, e->generation, wrap_generation, ad);
    box_seal(key, str_of(ad, sizeof ad), str_of(secret, KEY_BYTES), e->key);
    bytes_wipe(key, sizeof key);
}

static int earlier_open(const struct keyfile *kf, const struct keyfile_keys *keys,
                        const struct earlier_key *e, uint8_t out[KEY_BYTES])
{
    uint8_t key[KEY_BYTES], ad[HASH_BYTES];
    int r;

    keyfile_wrap_key(keys->data_key, key);
    earlier_ad(kf, e->generation, kf->generation, ad);
    r = box_open(key, str_of(ad, sizeof ad), str_of(e->key, sizeof e->key), out);
    bytes_wipe(key, sizeof key);
    return r;
}

int keyfile_data_key(const struct keyfile *kf, const struct keyfile_keys *keys, uint32_t generation,
                     uint8_t key_out[KEY_BYTES])
{
    if (generation == keys->generation || (generation && generation == keys->next_generation)) {
        memcpy(key_out, generation == keys->generation ? keys->data_key : keys->next_key, KEY_BYTES);
        return 0;
    }
    for (size_t i = 0; i < kf->nearlier; i++)
        if (kf->earlier[i].generation == generation)
            return earlier_open(kf, keys, &kf->earlier[i], key_out);
    return E_NOTFOUND;
}

int keyfile_rotate_begin(struct keyfile *kf, struct keyfile_keys *keys)
{
    uint32_t next = kf->last_generation + 1;
    uint8_t key[KEY_BYTES], ad[HASH_BYTES];
    int r = keyfile_keys_check(kf, keys);

    if (kf->next_generation)
        return E_BUSY;
    if (r < 0)
        return r;
    if (next == 0 || kf->nearlier >= KEYFILE_EARLIER_MAX || kf->nmailbox_keys >= KEYFILE_MAILBOX_KEYS_MAX)
        return E_LIMIT;
    rand_bytes(keys->next_key, KEY_BYTES);
    for (size_t i = 0; i < kf->nslots && r == 0; i++)
        r = keyfile_encap(kf, &kf->slots[i], next, keys->next_key, &kf->slots[i].next);
    if (r < 0) { /* what stands in `next` of some slots is not written while next_generation is 0 */
        bytes_wipe(keys->next_key, KEY_BYTES);
        return r;
    }
    kf->next_generation = kf->last_generation = keys->next_generation = next;
    keyfile_wrap_key(keys->next_key, key);
    keyfile_bridge_ad(kf, ad);
    box_seal(key, str_of(ad, sizeof ad), str_of(keys->data_key, KEY_BYTES), kf->bridge);
    bytes_wipe(key, sizeof key);
    keyfile_touch(kf, keys);
    return 0;
}

static void rotate_clear(struct keyfile *kf, struct keyfile_keys *keys)
{
    kf->next_generation = keys->next_generation = 0;
    for (size_t i = 0; i < kf->nslots; i++)
        memset(&kf->slots[i].next, 0, sizeof kf->slots[i].next);
    memset(kf->bridge, 0, sizeof kf->bridge);
    bytes_wipe(keys->next_key, KEY_BYTES);
    keyfile_touch(kf, keys);
}

int keyfile_rotate_abort(struct keyfile *kf, struct keyfile_keys *keys)
{
    int r = keyfile_keys_check(kf, keys);

    if (r == 0 && kf->next_generation)
        rotate_clear(kf, keys);
    return r;
}

/* The kept mailbox seeds under the next data key, and a new pair at the end. */
static int seeds_rewrap(const struct keyfile *kf, const struct keyfile_keys *keys, struct mailbox_key *to)
{
    uint8_t seed[XWING_SEED_BYTES];
    size_t n = kf->nmailbox_keys;
    int r = 0;

    memcpy(to, kf->mailbox_keys, n * sizeof *to);
    for (size_t i = 0; i < n && r == 0; i++)
        if ((r = keyfile_mailbox_seed(kf, keys, to[i].generation, seed)) == 0)
            keyfile_seed_seal(kf, keys->next_generation, keys->next_key, seed, &to[i]);
    to[n].generation = to[n - 1].generation + 1;
    if (r == 0 && (r = xwing_keypair(seed, to[n].pk)) == 0)
        keyfile_seed_seal(kf, keys->next_generation, keys->next_key, seed, &to[n]);
    bytes_wipe(seed, sizeof seed);
    return r;
}

/* The earlier data keys, and the one that becomes an earlier one now. */
static int earlier_rewrap(const struct keyfile *kf, const struct keyfile_keys *keys, struct earlier_key *to)
{
    uint8_t secret[KEY_BYTES];
    int r = 0;

    for (size_t i = 0; i < kf->nearlier && r == 0; i++) {
        to[i].generation = kf->earlier[i].generation;
        if ((r = earlier_open(kf, keys, &kf->earlier[i], secret)) == 0)
            earlier_seal(kf, keys->next_generation, keys->next_key, secret, &to[i]);
    }
    to[kf->nearlier].generation = kf->generation;
    earlier_seal(kf, keys->next_generation, keys->next_key, keys->data_key, &to[kf->nearlier]);
    bytes_wipe(secret, sizeof secret);
    return r;
}

int keyfile_rotate_finish(struct keyfile *kf, struct keyfile_keys *keys)
{
    struct mailbox_key *seeds = calloc(kf->nmailbox_keys + 1u, sizeof *seeds);
    struct earlier_key *earlier = calloc(kf->nearlier + 1u, sizeof *earlier);
    int r = seeds && earlier ? keyfile_keys_check(kf, keys) : E_NOMEM;

    if (r == 0 && !kf->next_generation)
        r = E_BUG;
    if (r < 0 || (r = seeds_rewrap(kf, keys, seeds)) < 0 || (r = earlier_rewrap(kf, keys, earlier)) < 0) {
        free(seeds);
        free(earlier);
        return r;
    }
    free(kf->mailbox_keys);
    free(kf->earlier);
    kf->mailbox_keys = seeds;
    kf->nmailbox_keys++;
    kf->earlier = earlier;
    kf->nearlier++;
    for (size_t i = 0; i < kf->nslots; i++)
        kf->slots[i].current = kf->slots[i].next;
    kf->generation = keys->generation = kf->next_generation;
    memcpy(keys->data_key, keys->next_key, KEY_BYTES);
    rotate_clear(kf, keys);
    return 0;
}

uint32_t keyfile_mailbox_key_at(const struct keyfile *kf, size_t i)
{
    return i < kf->nmailbox_keys ? kf->mailbox_keys[i].generation : 0;
}

uint32_t keyfile_earlier_at(const struct keyfile *kf, size_t i)
{
    return i < kf->nearlier ? kf->earlier[i].generation : 0;
}

int keyfile_forget_mailbox_key(struct keyfile *kf, const struct keyfile_keys *keys, uint32_t generation)
{
    size_t i = 0, n = kf->nmailbox_keys;
    int r = keyfile_keys_check(kf, keys);

    if (r < 0)
        return r;
    while (i < n && kf->mailbox_keys[i].generation != generation)
        i++;
    if (i == n)
        return E_NOTFOUND;
    if (i == n - 1)
        return E_DENIED;
    memmove(&kf->mailbox_keys[i], &kf->mailbox_keys[i + 1], (n - i - 1) * sizeof *kf->mailbox_keys);
    kf->nmailbox_keys--;
    keyfile_touch(kf, keys);
    return 0;
}

int keyfile_forget_earlier(struct keyfile *kf, const struct keyfile_keys *keys, uint32_t generation)
{
    size_t i = 0, n = kf->nearlier;
    int r = keyfile_keys_check(kf, keys);

    if (r < 0)
        return r;
    while (i < n && kf->earlier[i].generation != generation)
        i++;
    if (i == n)
        return E_NOTFOUND;
    memmove(&kf->earlier[i], &kf->earlier[i + 1], (n - i - 1) * sizeof *kf->earlier);
    kf->nearlier--;
    keyfile_touch(kf, keys);
    return 0;
}
