/* The bytes of `.keys`: doc/formats.md is the reference. The file is one copy, twice. A copy says its
 * length at the start and ends with a checksum, so either is found without the other: the first at 0,
 * the second at half of the file. */
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/keyfile_impl.h"
#include <sodium.h>

#define MAGIC             "LLKEYS\r\n"
#define MAGIC_BYTES       8u
#define VERSION           1u
#define HEADER_BYTES      96u
#define SLOT_BYTES        (12u + XWING_PUBLIC_BYTES + BOX_KEY_BYTES)
#define ENCAP_BYTES       (XWING_CT_BYTES + ENCAP_BOX_BYTES)
#define MAILBOX_KEY_BYTES (4u + XWING_PUBLIC_BYTES + BOX_KEY_BYTES)
#define EARLIER_BYTES     (4u + BOX_KEY_BYTES)

struct counts {
    size_t slots, mailbox_keys, earlier;
    bool rotating;
};

/* The largest file there can be is within KEYFILE_BYTES_MAX. */
_Static_assert(2 * (HEADER_BYTES + KEYFILE_SLOTS_MAX * (SLOT_BYTES + 2 * ENCAP_BYTES + LABEL_BOX_BYTES) +
                    KEYFILE_MAILBOX_KEYS_MAX * MAILBOX_KEY_BYTES + KEYFILE_EARLIER_MAX * EARLIER_BYTES +
                    BOX_KEY_BYTES + 3 * HASH_BYTES) <=
                   1024 * 1024,
               "limits fit");

static size_t body_bytes(const struct counts *c)
{
    return HEADER_BYTES + c->slots * (SLOT_BYTES + (c->rotating ? 2 : 1) * ENCAP_BYTES) +
           c->mailbox_keys * MAILBOX_KEY_BYTES + c->earlier * EARLIER_BYTES +
           (c->rotating ? BOX_KEY_BYTES : 0);
}

static size_t copy_bytes(const struct counts *c)
{
    return body_bytes(c) + (c->rotating ? 2 : 1) * HASH_BYTES + c->slots * LABEL_BOX_BYTES + HASH_BYTES;
}

static struct counts counts_of(const struct keyfile *kf)
{
    return (struct counts){ kf->nslots, kf->nmailbox_keys, kf->nearlier, kf->next_generation != 0 };
}

/* Bytes go to memory or into a hash: neither can fail, so neither can a MAC. */
struct sink {
    uint8_t *at; /* NULL: hash */
    crypto_generichash_state hash;
};

static void put(struct sink *s, const void *p, size_t n)
{
    if (!s->at) {
        crypto_generichash_update(&s->hash, p, n);
        return;
    }
    memcpy(s->at, p, n);
    s->at += n;
}

static void put_header(struct sink *s, const struct keyfile *kf)
{
    struct counts c = counts_of(kf);
    uint8_t h[HEADER_BYTES] = { 0 };

    memcpy(h, MAGIC, MAGIC_BYTES);
    le32_put(h + 8, VERSION);
    le32_put(h + 12, (uint32_t)copy_bytes(&c));
    memcpy(h + 16, kf->mailbox, MAILBOX_ID_BYTES);
    le64_put(h + 32, kf->seq);
    le32_put(h + 40, kf->generation);
    le32_put(h + 44, kf->next_generation);
    le32_put(h + 48, kf->last_generation);
    le16_put(h + 52, kf->next_slot);
    le16_put(h + 54, kf->nslots);
    le16_put(h + 56, kf->nmailbox_keys);
    le16_put(h + 58, kf->nearlier);
    memcpy(h + 64, kf->salt, PASSWORD_SALT_BYTES);
    put(s, h, sizeof h);
}

static void put_slot(struct sink *s, const struct slot *slot, bool rotating)
{
    uint8_t h[12] = { 0 };

    le16_put(h, slot->id);
    h[2] = (uint8_t)slot->kind;
    le32_put(h + 4, slot->cost.passes);
    le32_put(h + 8, slot->cost.mem_kib);
    put(s, h, sizeof h);
    put(s, slot->pk, sizeof slot->pk);
    put(s, slot->seed, sizeof slot->seed);
    put(s, &slot->current, sizeof slot->current);
    if (rotating)
        put(s, &slot->next, sizeof slot->next);
}
_Static_assert(sizeof(struct encap) == ENCAP_BYTES, "an encap is its bytes");

static void put_body(struct sink *s, const struct keyfile *kf)
{
    uint8_t n[4];

    put_header(s, kf);
    for (size_t i = 0; i < kf->nslots; i++)
        put_slot(s, &kf->slots[i], kf->next_generation != 0);
    for (size_t i = 0; i < kf->nmailbox_keys; i++) {
        le32_put(n, kf->mailbox_keys[i].generation);
        put(s, n, sizeof n);
        put(s, kf->mailbox_keys[i].pk, XWING_PUBLIC_BYTES);
        put(s, kf->mailbox_keys[i].seed, BOX_KEY_BYTES);
    }
    for (size_t i = 0; i < kf->nearlier; i++) {
        le32_put(n, kf->earlier[i].generation);
        put(s, n, sizeof n);
        put(s, kf->earlier[i].key, BOX_KEY_BYTES);
    }
    if (kf->next_generation)
        put(s, kf->bridge, BOX_KEY_BYTES);
}

void keyfile_body_hash(const struct keyfile *kf, uint8_t out[HASH_BYTES])
{
    struct sink s = { 0 };

    crypto_generichash_init(&s.hash, NULL, 0, HASH_BYTES);
    put_body(&s, kf);
    crypto_generichash_final(&s.hash, out, HASH_BYTES);
}

static void checksum(const uint8_t *p, size_t n, uint8_t out[HASH_BYTES])
{
    kdf(out, NULL, "letterlock keys checksum v1", str_of(p, n));
}

int keyfile_serialize(const struct keyfile *kf, struct buf *out)
{
    struct counts c = counts_of(kf);
    size_t n = copy_bytes(&c);
    struct sink s = { 0 };
    uint8_t *start;

    if (kf->nslots == 0)
        return E_BUG; /* nobody could open it again */
    if (out->n + 2 * n > out->max)
        return E_LIMIT;
    if (!(start = buf_reserve(out, 2 * n)))
        return E_NOMEM;
    s.at = start;
    put_body(&s, kf);
    put(&s, kf->mac, HASH_BYTES);
    if (c.rotating)
        put(&s, kf->next_mac, HASH_BYTES);
    for (size_t i = 0; i < kf->nslots; i++)
        put(&s, kf->slots[i].label, LABEL_BOX_BYTES);
    checksum(start, n - HASH_BYTES, s.at);
    memcpy(start + n, start, n);
    out->n += 2 * n;
    return 0;
}

/* Reading: copy_check has made sure that all the bytes are there. */
struct source {
    const uint8_t *at;
};

static void get(struct source *s, void *p, size_t n)
{
    memcpy(p, s->at, n);
    s->at += n;
}

static uint32_t get32(struct source *s)
{
    uint32_t v = le32_get(s->at);

    s->at += 4;
    return v;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    return sodium_is_zero(p, n) == 1;
}

/* Magic, version, length, checksum, and counts within their limits that give just this length. */
static int copy_check(struct str in, struct str *copy_out, struct counts *c)
{
    const uint8_t *p = (const uint8_t *)in.p;
    uint8_t sum[HASH_BYTES];
    size_t n;

    if (in.n < HEADER_BYTES + HASH_BYTES || memcmp(p, MAGIC, MAGIC_BYTES) != 0)
        return E_CORRUPT;
    if (le32_get(p + 8) != VERSION)
        return le32_get(p + 8) > VERSION ? E_VERSION : E_CORRUPT;
    n = le32_get(p + 12);
    if (n < HEADER_BYTES + HASH_BYTES || n > in.n)
        return E_CORRUPT;
    checksum(p, n - HASH_BYTES, sum);
    if (!bytes_same(sum, p + n - HASH_BYTES, HASH_BYTES))
        return E_CORRUPT;
    *c = (struct counts){ le16_get(p + 54), le16_get(p + 56), le16_get(p + 58), le32_get(p + 44) != 0 };
    if (c->slots > KEYFILE_SLOTS_MAX || c->mailbox_keys > KEYFILE_MAILBOX_KEYS_MAX ||
        c->earlier > KEYFILE_EARLIER_MAX)
        return E_LIMIT;
    if (c->slots < 1 || c->mailbox_keys < 1 || n != copy_bytes(c))
        return E_CORRUPT;
    *copy_out = str_of(p, n);
    return 0;
}

static bool get_header(struct source *s, struct keyfile *kf)
{
    const uint8_t *h = s->at;

    s->at += HEADER_BYTES;
    memcpy(kf->mailbox, h + 16, MAILBOX_ID_BYTES);
    kf->seq = le64_get(h + 32);
    kf->generation = le32_get(h + 40);
    kf->next_generation = le32_get(h + 44);
    kf->last_generation = le32_get(h + 48);
    kf->next_slot = le16_get(h + 52);
    memcpy(kf->salt, h + 64, PASSWORD_SALT_BYTES);
    return all_zero(h + 28, 4) && all_zero(h + 60, 4) && kf->generation >= 1 &&
           kf->generation <= kf->last_generation &&
           (!kf->next_generation ||
            (kf->next_generation > kf->generation && kf->next_generation <= kf->last_generation));
}

static bool slot_is_sane(const struct slot *s, uint8_t pad)
{
    if (pad || s->id < 1)
        return false;
    if (s->kind == PASSWORD_GENERATED)
        return s->cost.passes == 0 && s->cost.mem_kib == 0;
    return s->kind == PASSWORD_OWN && s->cost.passes >= 1 && s->cost.passes <= PASSWORD_PASSES_MAX &&
           s->cost.mem_kib >= 8 && s->cost.mem_kib <= PASSWORD_MEM_KIB_MAX;
}

static bool get_slot(struct source *s, struct slot *slot, bool rotating)
{
    const uint8_t *h = s->at;

    s->at += 12;
    slot->id = le16_get(h);
    slot->kind = (enum password_kind)h[2];
    slot->cost = (struct password_cost){ le32_get(h + 4), le32_get(h + 8) };
    get(s, slot->pk, sizeof slot->pk);
    get(s, slot->seed, sizeof slot->seed);
    get(s, &slot->current, sizeof slot->current);
    if (rotating)
        get(s, &slot->next, sizeof slot->next);
    return slot_is_sane(slot, h[3]);
}

static bool get_slots(struct source *s, struct keyfile *kf)
{
    struct password_cost costs[KEYFILE_COSTS_MAX] = { { 0, 0 } };
    uint16_t last = 0;

    for (size_t i = 0; i < kf->nslots; i++) {
        struct slot *slot = &kf->slots[i];
        size_t c = 0;

        if (!get_slot(s, slot, kf->next_generation != 0) || slot->id <= last || slot->id >= kf->next_slot)
            return false;
        last = slot->id;
        if (slot->kind != PASSWORD_OWN)
            continue;
        while (c < KEYFILE_COSTS_MAX && costs[c].passes &&
               memcmp(&costs[c], &slot->cost, sizeof slot->cost) != 0)
            c++;
        if (c == KEYFILE_COSTS_MAX)
            return false; /* each cost is a derivation per login */
        costs[c] = slot->cost;
    }
    return true;
}

static bool get_generations(struct source *s, struct keyfile *kf)
{
    uint32_t last = 0;

    for (size_t i = 0; i < kf->nmailbox_keys; i++) {
        struct mailbox_key *k = &kf->mailbox_keys[i];

        k->generation = get32(s);
        get(s, k->pk, sizeof k->pk);
        get(s, k->seed, sizeof k->seed);
        if (k->generation <= last)
            return false;
        last = k->generation;
    }
    last = 0;
    for (size_t i = 0; i < kf->nearlier; i++) {
        struct earlier_key *k = &kf->earlier[i];

        k->generation = get32(s);
        get(s, k->key, sizeof k->key);
        if (k->generation <= last || k->generation >= kf->generation)
            return false;
        last = k->generation;
    }
    return true;
}

static int keyfile_alloc(const struct counts *c, struct keyfile **out)
{
    struct keyfile *kf = calloc(1, sizeof *kf);

    if (!kf)
        return E_NOMEM;
    kf->slots = calloc(c->slots, sizeof *kf->slots);
    kf->mailbox_keys = calloc(c->mailbox_keys, sizeof *kf->mailbox_keys);
    kf->earlier = calloc(c->earlier + 1, sizeof *kf->earlier);
    kf->nslots = (uint16_t)c->slots;
    kf->nmailbox_keys = (uint16_t)c->mailbox_keys;
    kf->nearlier = (uint16_t)c->earlier;
    if (!kf->slots || !kf->mailbox_keys || !kf->earlier)
        keyfile_free(&kf);
    *out = kf;
    return kf ? 0 : E_NOMEM;
}

static int copy_parse(struct str in, struct keyfile **out, struct str *copy_out)
{
    struct keyfile *kf = NULL;
    struct counts c;
    struct source s;
    int r;

    if ((r = copy_check(in, copy_out, &c)) < 0 || (r = keyfile_alloc(&c, &kf)) < 0)
        return r;
    s.at = (const uint8_t *)copy_out->p;
    if (!get_header(&s, kf) || !get_slots(&s, kf) || !get_generations(&s, kf)) {
        keyfile_free(&kf);
        return E_CORRUPT;
    }
    if (c.rotating)
        get(&s, kf->bridge, BOX_KEY_BYTES);
    get(&s, kf->mac, HASH_BYTES);
    if (c.rotating)
        get(&s, kf->next_mac, HASH_BYTES);
    for (size_t i = 0; i < kf->nslots; i++)
        get(&s, kf->slots[i].label, LABEL_BOX_BYTES);
    *out = kf;
    return 0;
}

/* Both are good but not the same (a file put together by hand): the newer, else the first. */
static unsigned copies_choose(struct keyfile *kf[2], const struct str copy[2])
{
    if (!kf[0] || !kf[1])
        return kf[0] ? KEYFILE_DAMAGE_SECOND : KEYFILE_DAMAGE_FIRST;
    if (str_eq(copy[0], copy[1]))
        return 0;
    return kf[1]->seq > kf[0]->seq ? KEYFILE_DAMAGE_FIRST : KEYFILE_DAMAGE_SECOND;
}

int keyfile_parse(struct str bytes, struct keyfile **out, unsigned *damage_out)
{
    struct keyfile *kf[2] = { NULL, NULL };
    struct str copy[2] = { STR_NONE, STR_NONE };
    unsigned damage;
    int r[2];

    if (bytes.n > KEYFILE_BYTES_MAX)
        return E_LIMIT;
    r[0] = copy_parse(bytes, &kf[0], &copy[0]);
    r[1] = copy_parse(str_skip(bytes, r[0] == 0 ? copy[0].n : bytes.n / 2), &kf[1], &copy[1]);
    if (r[0] < 0 && r[1] < 0)
        return r[0] == r[1] ? r[0] : r[0] == E_NOMEM || r[1] == E_NOMEM ? E_NOMEM : E_CORRUPT;
    damage = copies_choose(kf, copy);
    if (damage == 0 && bytes.n != 2 * copy[0].n)
        damage = KEYFILE_DAMAGE_SECOND; /* something follows */
    *out = kf[damage == KEYFILE_DAMAGE_FIRST];
    kf[damage == KEYFILE_DAMAGE_FIRST] = NULL;
    *damage_out = damage;
    keyfile_free(&kf[0]);
    keyfile_free(&kf[1]);
    return 0;
}

void keyfile_free(struct keyfile **kfp)
{
    struct keyfile *kf = *kfp;

    *kfp = NULL;
    if (!kf)
        return;
    free(kf->slots);
    free(kf->mailbox_keys);
    free(kf->earlier);
    free(kf);
}
