#include "lib/crypto/keyfile.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/crypto/keyfile_impl.h"

void keyfile_keys_release(struct keyfile_keys *k)
{
    bytes_wipe(k, sizeof *k);
}

/* What a box in this file is and whose: hash of label, mailbox, four numbers and, where there is one,
 * the public key that belongs to it. */
void keyfile_ad(const struct keyfile *kf, const char *label, const uint32_t n[4], struct str extra,
                uint8_t out[HASH_BYTES])
{
    uint8_t fixed[MAILBOX_ID_BYTES + 16];

    memcpy(fixed, kf->mailbox, MAILBOX_ID_BYTES);
    for (size_t i = 0; i < 4; i++)
        le32_put(fixed + MAILBOX_ID_BYTES + 4 * i, n[i]);
    kdf2(out, NULL, label, str_of(fixed, sizeof fixed), extra);
}

/* ---- MACs ---- */

static void mac_make(const struct keyfile *kf, const uint8_t data_key[KEY_BYTES], uint32_t generation,
                     uint8_t out[HASH_BYTES])
{
    uint8_t key[KEY_BYTES], hash[HASH_BYTES], n[4];

    keyfile_body_hash(kf, hash);
    le32_put(n, generation);
    kdf(key, data_key, "letterlock keys mac key v1", STR_NONE);
    kdf2(out, key, "letterlock keys mac v1", str_of(n, sizeof n), str_of(hash, sizeof hash));
    bytes_wipe(key, sizeof key);
}

static bool mac_holds(const struct keyfile *kf, const uint8_t data_key[KEY_BYTES], uint32_t generation,
                      const uint8_t mac[HASH_BYTES])
{
    uint8_t want[HASH_BYTES];

    mac_make(kf, data_key, generation, want);
    return bytes_same(want, mac, sizeof want);
}

int keyfile_keys_check(const struct keyfile *kf, const struct keyfile_keys *keys)
{
    if (keys->generation != kf->generation)
        return E_BUG;
    return keys->next_generation == kf->next_generation ? 0 : E_UNAVAIL;
}

void keyfile_touch(struct keyfile *kf, const struct keyfile_keys *keys)
{
    kf->seq++;
    mac_make(kf, keys->data_key, kf->generation, kf->mac);
    memset(kf->next_mac, 0, sizeof kf->next_mac);
    if (kf->next_generation)
        mac_make(kf, keys->next_key, kf->next_generation, kf->next_mac);
}

/* ---- keys under keys ---- */

static void encap_key(const struct keyfile *kf, uint16_t slot, uint32_t generation,
                      const uint8_t ss[XWING_SS_BYTES], uint8_t out[KEY_BYTES])
{
    uint8_t context[MAILBOX_ID_BYTES + 8];

    memcpy(context, kf->mailbox, MAILBOX_ID_BYTES);
    le32_put(context + MAILBOX_ID_BYTES, slot);
    le32_put(context + MAILBOX_ID_BYTES + 4, generation);
    kdf(out, ss, "letterlock keys data key v1", str_of(context, sizeof context));
}

int keyfile_encap(const struct keyfile *kf, const struct slot *s, uint32_t generation,
                  const uint8_t data_key[KEY_BYTES], struct encap *out)
{
    uint8_t ss[XWING_SS_BYTES], key[KEY_BYTES];
    int r = xwing_encaps(s->pk, out->ct, ss);

    if (r == 0) {
        encap_key(kf, s->id, generation, ss, key);
        once_seal(key, str_of(data_key, KEY_BYTES), out->box);
    }
    bytes_wipe(ss, sizeof ss);
    bytes_wipe(key, sizeof key);
    return r;
}

static int decap(const struct keyfile *kf, const struct slot *s, const uint8_t seed[XWING_SEED_BYTES],
                 uint32_t generation, const struct encap *e, uint8_t data_key_out[KEY_BYTES])
{
    uint8_t ss[XWING_SS_BYTES], key[KEY_BYTES];
    int r = xwing_decaps(seed, e->ct, ss);

    if (r == 0) {
        encap_key(kf, s->id, generation, ss, key);
        r = once_open(key, str_of(e->box, sizeof e->box), data_key_out);
    }
    bytes_wipe(ss, sizeof ss);
    bytes_wipe(key, sizeof key);
    return r;
}

void keyfile_wrap_key(const uint8_t data_key[KEY_BYTES], uint8_t out[KEY_BYTES])
{
    kdf(out, data_key, "letterlock keys wrap key v1", STR_NONE);
}

static void seed_ad(const struct keyfile *kf, const struct mailbox_key *k, uint32_t wrap_generation,
                    uint8_t out[HASH_BYTES])
{
    keyfile_ad(kf, "letterlock keys mailbox seed v1", (uint32_t[4]){ k->generation, wrap_generation },
               str_of(k->pk, sizeof k->pk), out);
}

void keyfile_seed_seal(const struct keyfile *kf, uint32_t wrap_generation, const uint8_t data_key[KEY_BYTES],
                       const uint8_t seed[XWING_SEED_BYTES], struct mailbox_key *k)
{
    uint8_t ad[HASH_BYTES], key[KEY_BYTES];

    seed_ad(kf, k, wrap_generation, ad);
    keyfile_wrap_key(data_key, key);
    box_seal(key, str_of(ad, sizeof ad), str_of(seed, XWING_SEED_BYTES), k->seed);
    bytes_wipe(key, sizeof key);
}

int keyfile_mailbox_seed(const struct keyfile *kf, const struct keyfile_keys *keys, uint32_t generation,
                         uint8_t seed_out[XWING_SEED_BYTES])
{
    uint8_t ad[HASH_BYTES], key[KEY_BYTES];
    int r = E_NOTFOUND;

    for (size_t i = 0; i < kf->nmailbox_keys && r == E_NOTFOUND; i++) {
        const struct mailbox_key *k = &kf->mailbox_keys[i];

        if (k->generation != generation)
            continue;
        seed_ad(kf, k, kf->generation, ad);
        keyfile_wrap_key(keys->data_key, key);
        r = box_open(key, str_of(ad, sizeof ad), str_of(k->seed, sizeof k->seed), seed_out);
        bytes_wipe(key, sizeof key);
    }
    return r;
}

/* ---- a new file ---- */

int keyfile_new(const uint8_t mailbox[MAILBOX_ID_BYTES], struct keyfile **out, struct keyfile_keys *keys_out)
{
    CLEANUP(keyfile_free) struct keyfile *kf = calloc(1, sizeof *kf);
    struct keyfile_keys keys = { .generation = 1 };
    uint8_t seed[XWING_SEED_BYTES];
    int r;

    if (!kf || !(kf->mailbox_keys = calloc(1, sizeof *kf->mailbox_keys)))
        return E_NOMEM;
    memcpy(kf->mailbox, mailbox, MAILBOX_ID_BYTES);
    kf->generation = kf->last_generation = 1;
    kf->next_slot = kf->nmailbox_keys = 1;
    rand_bytes(kf->salt, sizeof kf->salt);
    rand_bytes(keys.data_key, sizeof keys.data_key);
    kf->mailbox_keys[0].generation = 1;
    if ((r = xwing_keypair(seed, kf->mailbox_keys[0].pk)) == 0) {
        keyfile_seed_seal(kf, 1, keys.data_key, seed, &kf->mailbox_keys[0]);
        keyfile_touch(kf, &keys);
        *keys_out = keys;
        *out = kf;
        kf = NULL;
    }
    bytes_wipe(seed, sizeof seed);
    keyfile_keys_release(&keys);
    return r;
}

/* ---- slots ---- */

static struct slot *slot_find(const struct keyfile *kf, uint16_t id)
{
    for (size_t i = 0; i < kf->nslots; i++)
        if (kf->slots[i].id == id)
            return &kf->slots[i];
    return NULL;
}

/* The key under which a password keeps this slot's seed: the root was derived once for all slots. */
static void slot_key(const struct keyfile *kf, const struct slot *s, const uint8_t root[KEY_BYTES],
                     uint8_t out[KEY_BYTES])
{
    uint8_t context[MAILBOX_ID_BYTES + 3];

    memcpy(context, kf->mailbox, MAILBOX_ID_BYTES);
    le16_put(context + MAILBOX_ID_BYTES, s->id);
    context[MAILBOX_ID_BYTES + 2] = (uint8_t)s->kind;
    kdf(out, root, "letterlock keys slot key v1", str_of(context, sizeof context));
}

static void slot_ad(const struct keyfile *kf, const struct slot *s, uint8_t out[HASH_BYTES])
{
    keyfile_ad(kf, "letterlock keys slot seed v1",
               (uint32_t[4]){ s->id, (uint32_t)s->kind, s->cost.passes, s->cost.mem_kib },
               str_of(s->pk, sizeof s->pk), out);
}

static void label_ad(const struct keyfile *kf, const struct slot *s, uint8_t out[HASH_BYTES])
{
    keyfile_ad(kf, "letterlock keys slot label v1", (uint32_t[4]){ s->id }, str_of(s->pk, sizeof s->pk), out);
}

static void label_seal(const struct keyfile *kf, struct slot *s, const uint8_t label_key[KEY_BYTES],
                       const struct keyfile_label *label)
{
    uint8_t p[LABEL_PLAIN_BYTES] = { 0 }, ad[HASH_BYTES];
    size_t n = strnlen(label->name, KEYFILE_NAME_MAX);

    p[0] = (uint8_t)n;
    memcpy(p + 1, label->name, n);
    le64_put(p + 72, (uint64_t)label->created_ms);
    le64_put(p + 80, (uint64_t)label->used_ms);
    label_ad(kf, s, ad);
    box_seal(label_key, str_of(ad, sizeof ad), str_of(p, sizeof p), s->label);
    bytes_wipe(p, sizeof p);
}

int keyfile_slot_set_label(struct keyfile *kf, uint16_t id, const uint8_t label_key[KEY_BYTES],
                           const struct keyfile_label *label)
{
    struct slot *s = slot_find(kf, id);

    if (!s)
        return E_NOTFOUND;
    label_seal(kf, s, label_key, label);
    return 0;
}

int keyfile_slot_label(const struct keyfile *kf, uint16_t id, const uint8_t label_key[KEY_BYTES],
                       struct keyfile_label *out)
{
    const struct slot *s = slot_find(kf, id);
    uint8_t p[LABEL_PLAIN_BYTES], ad[HASH_BYTES];
    int r;

    if (!s)
        return E_NOTFOUND;
    label_ad(kf, s, ad);
    if ((r = box_open(label_key, str_of(ad, sizeof ad), str_of(s->label, sizeof s->label), p)) < 0)
        return r;
    if (p[0] > KEYFILE_NAME_MAX)
        return E_CORRUPT;
    memset(out, 0, sizeof *out);
    memcpy(out->name, p + 1, p[0]);
    out->created_ms = (int64_t)le64_get(p + 72);
    out->used_ms = (int64_t)le64_get(p + 80);
    bytes_wipe(p, sizeof p);
    return 0;
}

/* Is there room for one more slot with this cost? */
static int slot_fits(const struct keyfile *kf, const struct password *p, struct password_cost cost)
{
    struct password_cost seen[KEYFILE_COSTS_MAX + 1] = { cost };
    size_t n = 1;

    if (kf->nslots >= KEYFILE_SLOTS_MAX || kf->next_slot == UINT16_MAX)
        return E_LIMIT;
    if (p->kind == PASSWORD_GENERATED)
        return p->hint == (kf->next_slot & PASSWORD_HINT_MAX) ? 0 : E_BUG;
    for (size_t i = 0; i < kf->nslots && n <= KEYFILE_COSTS_MAX; i++) {
        size_t c = 0;

        while (c < n && memcmp(&seen[c], &kf->slots[i].cost, sizeof cost) != 0)
            c++;
        if (kf->slots[i].kind == PASSWORD_OWN && c == n)
            seen[n++] = kf->slots[i].cost;
    }
    return n > KEYFILE_COSTS_MAX ? E_LIMIT : 0;
}

/* Fill a new slot: its pair, the seed under the password, the data keys to the pair. */
static int slot_make(const struct keyfile *kf, const struct keyfile_keys *keys, const struct password *p,
                     struct slot *s)
{
    uint8_t seed[XWING_SEED_BYTES] = { 0 }, root[KEY_BYTES], key[KEY_BYTES], ad[HASH_BYTES];
    int r;

    if ((r = xwing_keypair(seed, s->pk)) == 0 && (r = password_root(p, kf->salt, s->cost, root)) == 0 &&
        (r = keyfile_encap(kf, s, kf->generation, keys->data_key, &s->current)) == 0 && kf->next_generation)
        r = keyfile_encap(kf, s, kf->next_generation, keys->next_key, &s->next);
    if (r == 0) {
        slot_key(kf, s, root, key);
        slot_ad(kf, s, ad);
        box_seal(key, str_of(ad, sizeof ad), str_of(seed, sizeof seed), s->seed);
    }
    bytes_wipe(seed, sizeof seed);
    bytes_wipe(root, sizeof root);
    bytes_wipe(key, sizeof key);
    return r;
}

int keyfile_slot_add(struct keyfile *kf, const struct keyfile_keys *keys, const struct password *p,
                     struct password_cost cost, const uint8_t label_key[KEY_BYTES],
                     const struct keyfile_label *label, uint16_t *id_out)
{
    struct slot s = { .id = kf->next_slot, .kind = p->kind }, *grown;
    int r;

    if (p->kind == PASSWORD_OWN)
        s.cost = cost;
    if ((r = keyfile_keys_check(kf, keys)) < 0 || (r = slot_fits(kf, p, cost)) < 0 ||
        (r = slot_make(kf, keys, p, &s)) < 0)
        return r;
    label_seal(kf, &s, label_key, label);
    if (!(grown = realloc(kf->slots, (kf->nslots + 1u) * sizeof *grown)))
        return E_NOMEM;
    kf->slots = grown;
    kf->slots[kf->nslots++] = s;
    kf->next_slot++;
    keyfile_touch(kf, keys);
    *id_out = s.id;
    return 0;
}

int keyfile_slot_revoke(struct keyfile *kf, const struct keyfile_keys *keys, uint16_t id)
{
    struct slot *s = slot_find(kf, id);
    int r = keyfile_keys_check(kf, keys);

    if (r < 0)
        return r;
    if (!s)
        return E_NOTFOUND;
    if (kf->nslots == 1)
        return E_DENIED;
    memmove(s, s + 1, (size_t)(kf->slots + kf->nslots - (s + 1)) * sizeof *s);
    kf->nslots--;
    keyfile_touch(kf, keys);
    return 0;
}

/* ---- opening ---- */

/* From a slot's private seed to the data keys, and are they the ones that MACed this file? */
static int keys_of_slot(const struct keyfile *kf, const struct slot *s, const uint8_t seed[XWING_SEED_BYTES],
                        struct keyfile_keys *k)
{
    int r;

    k->slot = s->id;
    k->generation = kf->generation;
    k->next_generation = kf->next_generation;
    if ((r = decap(kf, s, seed, kf->generation, &s->current, k->data_key)) < 0 ||
        (kf->next_generation && (r = decap(kf, s, seed, kf->next_generation, &s->next, k->next_key)) < 0))
        return r;
    if (!mac_holds(kf, k->data_key, kf->generation, kf->mac) ||
        (kf->next_generation && !mac_holds(kf, k->next_key, kf->next_generation, kf->next_mac)))
        return E_CORRUPT;
    return 0;
}

static int slot_open(const struct keyfile *kf, const struct slot *s, const uint8_t root[KEY_BYTES],
                     struct keyfile_keys *out)
{
    CLEANUP(keyfile_keys_release) struct keyfile_keys k = { 0 };
    uint8_t seed[XWING_SEED_BYTES], key[KEY_BYTES], ad[HASH_BYTES];
    int r;

    slot_key(kf, s, root, key);
    slot_ad(kf, s, ad);
    if (box_open(key, str_of(ad, sizeof ad), str_of(s->seed, sizeof s->seed), seed) < 0)
        r = E_AUTH;
    else if ((r = keys_of_slot(kf, s, seed, &k)) == 0)
        *out = k;
    bytes_wipe(seed, sizeof seed);
    bytes_wipe(key, sizeof key);
    return r;
}

static bool slot_may_take(const struct slot *s, const struct password *p)
{
    return s->kind == p->kind && (p->kind == PASSWORD_OWN || (s->id & PASSWORD_HINT_MAX) == p->hint);
}

int keyfile_open(const struct keyfile *kf, const struct password *p, struct keyfile_keys *out)
{
    struct password_cost done[KEYFILE_COSTS_MAX + 1] = { { 0, 0 } }; /* the costs whose root we have */
    uint8_t root[KEYFILE_COSTS_MAX + 1][KEY_BYTES];
    size_t n = 0;
    int r = E_AUTH;

    for (size_t i = 0; i < kf->nslots && r == E_AUTH; i++) {
        const struct slot *s = &kf->slots[i];
        size_t c = 0;

        if (!slot_may_take(s, p))
            continue;
        while (c < n && memcmp(&done[c], &s->cost, sizeof s->cost) != 0)
            c++;
        if (c > KEYFILE_COSTS_MAX) {
            r = E_BUG;
        } else if (c < n) {
            r = slot_open(kf, s, root[c], out);
        } else {
            done[n++] = s->cost;
            r = password_root(p, kf->salt, s->cost, root[c]);
            r = r < 0 ? r : slot_open(kf, s, root[c], out);
        }
    }
    bytes_wipe(root, sizeof root);
    return r;
}

bool keyfile_open_is_slow(const struct keyfile *kf, const struct password *p)
{
    for (size_t i = 0; i < kf->nslots && p->kind == PASSWORD_OWN; i++)
        if (kf->slots[i].kind == PASSWORD_OWN)
            return true;
    return false;
}

void keyfile_bridge_ad(const struct keyfile *kf, uint8_t out[HASH_BYTES])
{
    keyfile_ad(kf, "letterlock keys bridge v1", (uint32_t[4]){ kf->generation, kf->next_generation },
               STR_NONE, out);
}

/* A ticket made after the new mailbox file was swapped in holds the next key; it tells the current one. */
static int keys_of_next(const struct keyfile *kf, const uint8_t next_key[KEY_BYTES], struct keyfile_keys *k)
{
    uint8_t key[KEY_BYTES], ad[HASH_BYTES];
    int r;

    if (!mac_holds(kf, next_key, kf->next_generation, kf->next_mac))
        return E_CORRUPT;
    keyfile_wrap_key(next_key, key);
    keyfile_bridge_ad(kf, ad);
    r = box_open(key, str_of(ad, sizeof ad), str_of(kf->bridge, sizeof kf->bridge), k->data_key);
    bytes_wipe(key, sizeof key);
    k->next_generation = kf->next_generation;
    memcpy(k->next_key, next_key, KEY_BYTES);
    return r;
}

int keyfile_open_key(const struct keyfile *kf, uint32_t generation, const uint8_t data_key[KEY_BYTES],
                     uint16_t slot, struct keyfile_keys *out)
{
    CLEANUP(keyfile_keys_release) struct keyfile_keys k = { .generation = kf->generation, .slot = slot };
    int r = 0;

    if (generation != kf->generation && (!kf->next_generation || generation != kf->next_generation))
        return E_STALE;
    if (!slot_find(kf, slot))
        return E_AUTH;
    if (generation == kf->generation)
        memcpy(k.data_key, data_key, KEY_BYTES);
    else
        r = keys_of_next(kf, data_key, &k);
    if (r == 0 && !mac_holds(kf, k.data_key, kf->generation, kf->mac))
        r = E_CORRUPT;
    if (r == 0)
        *out = k;
    return r;
}

/* ---- public things ---- */

const uint8_t *keyfile_mailbox_id(const struct keyfile *kf)
{
    return kf->mailbox;
}

uint64_t keyfile_seq(const struct keyfile *kf)
{
    return kf->seq;
}

uint32_t keyfile_generation(const struct keyfile *kf)
{
    return kf->generation;
}

uint32_t keyfile_next_generation(const struct keyfile *kf)
{
    return kf->next_generation;
}

const uint8_t *keyfile_public(const struct keyfile *kf, uint32_t *generation_out)
{
    const struct mailbox_key *k = &kf->mailbox_keys[kf->nmailbox_keys - 1];

    *generation_out = k->generation;
    return k->pk;
}

size_t keyfile_slot_count(const struct keyfile *kf)
{
    return kf->nslots;
}

int keyfile_slot_at(const struct keyfile *kf, size_t i, uint16_t *id_out, enum password_kind *kind_out)
{
    if (i >= kf->nslots)
        return E_NOTFOUND;
    *id_out = kf->slots[i].id;
    *kind_out = kf->slots[i].kind;
    return 0;
}

uint16_t keyfile_next_slot(const struct keyfile *kf)
{
    return kf->next_slot;
}
