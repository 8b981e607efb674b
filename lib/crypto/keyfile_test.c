/* lib/crypto/keyfile: slots, both copies, tampering anywhere, rotation at every stage, keystate. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/keystate.h"

static const uint8_t id[MAILBOX_ID_BYTES] = { 0xab, 1, 2, 3 }, label_key[KEY_BYTES] = { 9 },
                     mac_key[KEY_BYTES] = { 8 };
static const struct password_cost cheap = { 1, 8 };
static const struct keyfile_label label = { "laptop", 1000, 2000 };

/* A mailbox with a generated password, an own one and another generated one: slots 1, 2, 3. */
struct fixture {
    struct keyfile *kf;
    struct keyfile_keys keys;
    struct password first, own, third;
    struct buf bytes;
};

static void save(struct fixture *f)
{
    buf_clear(&f->bytes);
    CHECK(keyfile_serialize(f->kf, &f->bytes) == 0);
}

static void fixture_init(struct fixture *f)
{
    uint16_t slot;

    memset(f, 0, sizeof *f);
    f->bytes.max = KEYFILE_BYTES_MAX;
    CHECK(keyfile_new(id, &f->kf, &f->keys) == 0);
    CHECK(keyfile_serialize(f->kf, &f->bytes) == E_BUG);
    password_generate(keyfile_next_slot(f->kf), &f->first);
    CHECK(password_parse(STR("correct horse battery"), &f->own) == 0);
    CHECK(keyfile_slot_add(f->kf, &f->keys, &f->first, cheap, label_key, &label, &slot) == 0 && slot == 1);
    CHECK(keyfile_slot_add(f->kf, &f->keys, &f->own, cheap, label_key, &label, &slot) == 0 && slot == 2);
    password_generate(keyfile_next_slot(f->kf), &f->third);
    CHECK(keyfile_slot_add(f->kf, &f->keys, &f->third, cheap, label_key, &label, &slot) == 0 && slot == 3);
    save(f);
}

static void fixture_release(struct fixture *f)
{
    keyfile_free(&f->kf);
    keyfile_keys_release(&f->keys);
    buf_release(&f->bytes);
}

static struct keyfile *parse(struct str bytes, unsigned want_damage)
{
    struct keyfile *kf = NULL;
    unsigned damage = 99;

    CHECK(keyfile_parse(bytes, &kf, &damage) == 0);
    CHECK(damage == want_damage);
    return kf;
}

/* Everyone opens `kf` and gets the keys of f. */
static void all_open(const struct fixture *f, const struct keyfile *kf)
{
    const struct password *p[] = { &f->first, &f->own, &f->third };

    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        struct keyfile_keys k = { 0 };

        CHECK(keyfile_open(kf, p[i], &k) == 0 && k.slot == i + 1);
        CHECK(k.generation == f->keys.generation && k.next_generation == f->keys.next_generation);
        CHECK(memcmp(k.data_key, f->keys.data_key, KEY_BYTES) == 0);
        CHECK(!k.next_generation || memcmp(k.next_key, f->keys.next_key, KEY_BYTES) == 0);
    }
}

static void test_open(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    CLEANUP(buf_release) struct buf again = { .max = KEYFILE_BYTES_MAX };
    struct keyfile_keys k = { 0 };
    struct password wrong;

    fixture_init(&f);
    kf = parse(buf_str(&f.bytes), 0);
    CHECK(keyfile_serialize(kf, &again) == 0 && str_eq(buf_str(&again), buf_str(&f.bytes)));
    all_open(&f, kf);
    CHECK(memcmp(keyfile_mailbox_id(kf), id, sizeof id) == 0 && keyfile_generation(kf) == 1);

    password_generate(1, &wrong); /* right hint, wrong password */
    CHECK(keyfile_open(kf, &wrong, &k) == E_AUTH && k.generation == 0);
    password_generate(77, &wrong);
    CHECK(keyfile_open(kf, &wrong, &k) == E_AUTH);
    CHECK(password_parse(STR("correct horse"), &wrong) == 0 && keyfile_open(kf, &wrong, &k) == E_AUTH);
    CHECK(keyfile_open_is_slow(kf, &f.own) && !keyfile_open_is_slow(kf, &f.first));

    CHECK(keyfile_open_key(kf, 1, f.keys.data_key, 2, &k) == 0 && k.slot == 2);
    CHECK(keyfile_open_key(kf, 1, f.keys.data_key, 9, &k) == E_AUTH);
    CHECK(keyfile_open_key(kf, 2, f.keys.data_key, 2, &k) == E_STALE);
    CHECK(keyfile_open_key(kf, 1, label_key, 2, &k) == E_CORRUPT);
}

static void test_slots(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    struct keyfile_label l = { .name = "" };
    struct keyfile_keys k;
    enum password_kind kind;
    struct password p;
    uint64_t seq;
    uint16_t slot;

    fixture_init(&f);
    seq = keyfile_seq(f.kf);
    CHECK(keyfile_slot_label(f.kf, 2, label_key, &l) == 0 && !strcmp(l.name, "laptop") &&
          l.created_ms == 1000);
    CHECK(keyfile_slot_label(f.kf, 2, mac_key, &l) == E_CORRUPT &&
          keyfile_slot_label(f.kf, 4, label_key, &l) == E_NOTFOUND);
    memset(l.name, 'n', KEYFILE_NAME_MAX);
    l.used_ms = -5;
    CHECK(keyfile_slot_set_label(f.kf, 1, label_key, &l) == 0 && keyfile_seq(f.kf) == seq);
    memset(&l, 0, sizeof l);
    CHECK(keyfile_slot_label(f.kf, 1, label_key, &l) == 0 && strlen(l.name) == KEYFILE_NAME_MAX &&
          l.used_ms == -5);
    CHECK(keyfile_slot_at(f.kf, 1, &slot, &kind) == 0 && slot == 2 && kind == PASSWORD_OWN);
    CHECK(keyfile_slot_at(f.kf, 3, &slot, &kind) == E_NOTFOUND);

    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 9) == E_NOTFOUND);
    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 1) == 0 && keyfile_seq(f.kf) == seq + 1);
    CHECK(keyfile_open(f.kf, &f.first, &k) == E_AUTH &&
          keyfile_open_key(f.kf, 1, f.keys.data_key, 1, &k) == E_AUTH);
    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 2) == 0);
    CHECK(!keyfile_open_is_slow(f.kf, &f.own) && keyfile_open(f.kf, &f.own, &k) == E_AUTH);
    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 3) == E_DENIED);
    password_generate(1, &p); /* ids are never used again */
    CHECK(keyfile_slot_add(f.kf, &f.keys, &p, cheap, label_key, &label, &slot) == E_BUG);
    for (unsigned i = 1; i < KEYFILE_SLOTS_MAX; i++) {
        password_generate(keyfile_next_slot(f.kf), &p);
        CHECK(keyfile_slot_add(f.kf, &f.keys, &p, cheap, label_key, &label, &slot) == 0 && slot == 3 + i);
    }
    CHECK(keyfile_slot_add(f.kf, &f.keys, &p, cheap, label_key, &label, &slot) == E_LIMIT);
    CHECK(keyfile_rotate_begin(f.kf, &f.keys) == 0); /* the largest */
    save(&f);
    CHECK(f.bytes.n < KEYFILE_BYTES_MAX && keyfile_open(f.kf, &p, &k) == 0 && k.slot == 66);
}

static void test_costs(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    struct keyfile_keys k;
    struct password p;
    uint16_t slot;

    fixture_init(&f);
    CHECK(password_parse(STR("a second own one"), &p) == 0);
    CHECK(keyfile_slot_add(f.kf, &f.keys, &p, (struct password_cost){ 2, 16 }, label_key, &label, &slot) ==
          0);
    CHECK(keyfile_slot_add(f.kf, &f.keys, &p, (struct password_cost){ 3, 16 }, label_key, &label, &slot) ==
          E_LIMIT);
    CHECK(keyfile_slot_add(f.kf, &f.keys, &p, cheap, label_key, &label, &slot) == 0 && slot == 5);
    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 5) == 0);
    save(&f);
    kf = parse(buf_str(&f.bytes), 0);
    CHECK(keyfile_open(kf, &p, &k) == 0 && k.slot == 4);
    CHECK(keyfile_open(kf, &f.own, &k) == 0 && k.slot == 2);
}

/* One copy damaged: the other is used, and it is told. */
static void test_one_copy(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    size_t half;

    fixture_init(&f);
    half = f.bytes.n / 2;
    for (size_t i = 0; i < f.bytes.n; i++) {
        struct keyfile *kf;
        struct keyfile_keys k;

        f.bytes.p[i] ^= (char)(1 << i % 8);
        kf = parse(buf_str(&f.bytes), i < half ? KEYFILE_DAMAGE_FIRST : KEYFILE_DAMAGE_SECOND);
        CHECK(keyfile_open_key(kf, 1, f.keys.data_key, 1, &k) == 0);
        keyfile_free(&kf);
        f.bytes.p[i] ^= (char)(1 << i % 8);
    }
    for (size_t n = 0; n < f.bytes.n;
         n += n < 200 || n > half - 20 ? 1 : 7) { /* torn: the first copy, or nothing */
        struct keyfile *kf = NULL;
        unsigned damage = 0;
        int r = keyfile_parse(str_of(f.bytes.p, n), &kf, &damage);

        CHECK(n < half ? r < 0 : r == 0 && damage == KEYFILE_DAMAGE_SECOND);
        keyfile_free(&kf);
    }
    CHECK(buf_putc(&f.bytes, 'x') == 0);
    keyfile_free(&f.kf);
    f.kf = parse(buf_str(&f.bytes), KEYFILE_DAMAGE_SECOND);
}

static void reseal(char *copy, size_t n)
{
    uint8_t sum[HASH_BYTES];

    kdf(sum, NULL, "letterlock keys checksum v1", str_of(copy, n - HASH_BYTES));
    memcpy(copy + n - HASH_BYTES, sum, HASH_BYTES);
}

/* Both copies changed alike, with true checksums: what someone with the disk can do. Whatever he does,
 * nobody opens it; only labels are under another key. */
static void test_tampering(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    size_t half, labels, opened = 0;

    fixture_init(&f);
    CHECK(keyfile_rotate_begin(f.kf, &f.keys) == 0);
    save(&f);
    half = f.bytes.n / 2;
    labels = half - HASH_BYTES - 3 * 136;
    for (size_t i = 0; i < half - HASH_BYTES; i++) {
        struct keyfile *kf = NULL;
        struct keyfile_keys k = { 0 };
        struct keyfile_label l;
        unsigned damage;
        int r, bit = 1 << i % 8;

        f.bytes.p[i] ^= (char)bit;
        reseal(f.bytes.p, half);
        memcpy(f.bytes.p + half, f.bytes.p, half);
        r = keyfile_parse(buf_str(&f.bytes), &kf, &damage);
        if (r == 0 && i >= labels) {
            CHECK(keyfile_slot_label(kf, (uint16_t)(1 + (i - labels) / 136), label_key, &l) == E_CORRUPT);
        } else if (r == 0) {
            bool next_mac = i >= labels - HASH_BYTES; /* seen only by who has the next key */

            r = keyfile_open_key(kf, 1, f.keys.data_key, 1, &k);
            CHECK(next_mac ? r == 0 : r == E_CORRUPT || r == E_STALE || r == E_AUTH);
            r = keyfile_open_key(kf, 2, f.keys.next_key, 1, &k);
            CHECK(r == E_CORRUPT || r == E_STALE || r == E_AUTH);
            if (i % 5 == 0 || i < 120 || next_mac)
                opened += keyfile_open(kf, &f.first, &k) == 0;
        }
        keyfile_free(&kf);
        f.bytes.p[i] ^= (char)bit;
    }
    CHECK(opened == 0);
}

static void test_versions(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    struct keyfile *kf = NULL;
    unsigned damage;

    fixture_init(&f);
    f.bytes.p[8] = f.bytes.p[f.bytes.n / 2 + 8] = 2;
    CHECK(keyfile_parse(buf_str(&f.bytes), &kf, &damage) == E_VERSION);
    CHECK(keyfile_parse(STR(""), &kf, &damage) == E_CORRUPT);
    CHECK(keyfile_parse(str_of(f.bytes.p, KEYFILE_BYTES_MAX + 1), &kf, &damage) == E_LIMIT);
}

/* begin, crash and come back; abort; begin and finish; everything from before still opens. */
static void test_rotation(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    uint8_t old[KEY_BYTES], aborted[KEY_BYTES], key[KEY_BYTES], seed[XWING_SEED_BYTES],
        seed1[XWING_SEED_BYTES];
    uint8_t pk[XWING_PUBLIC_BYTES];
    struct keyfile_keys k;
    uint32_t generation;

    fixture_init(&f);
    memcpy(old, f.keys.data_key, sizeof old);
    CHECK(keyfile_mailbox_seed(f.kf, &f.keys, 1, seed1) == 0);
    CHECK(xwing_public(seed1, pk) == 0 && memcmp(pk, keyfile_public(f.kf, &generation), sizeof pk) == 0 &&
          generation == 1);

    CHECK(keyfile_rotate_begin(f.kf, &f.keys) == 0 && keyfile_rotate_begin(f.kf, &f.keys) == E_BUSY);
    memcpy(aborted, f.keys.next_key, sizeof aborted);
    save(&f);
    kf = parse(buf_str(&f.bytes), 0); /* "crash" */
    CHECK(keyfile_generation(kf) == 1 && keyfile_next_generation(kf) == 2);
    all_open(&f, kf);
    CHECK(keyfile_open_key(kf, 2, f.keys.next_key, 1, &k) == 0 && memcmp(k.data_key, old, KEY_BYTES) == 0 &&
          k.generation == 1);
    CHECK(keyfile_open_key(kf, 1, old, 1, &k) == 0 && k.next_generation == 0); /* a ticket does not tell it */
    CHECK(keyfile_slot_revoke(kf, &k, 3) == E_UNAVAIL && keyfile_rotate_finish(kf, &k) == E_UNAVAIL);

    CHECK(keyfile_rotate_abort(f.kf, &f.keys) == 0 && keyfile_next_generation(f.kf) == 0);
    all_open(&f, f.kf);
    CHECK(keyfile_open_key(f.kf, 2, aborted, 1, &k) == E_STALE);
    CHECK(keyfile_rotate_finish(f.kf, &f.keys) == E_BUG);

    CHECK(keyfile_rotate_begin(f.kf, &f.keys) == 0 && f.keys.next_generation == 3); /* never 2 again */
    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 3) == 0);
    CHECK(keyfile_rotate_finish(f.kf, &f.keys) == 0);
    save(&f);
    keyfile_free(&kf);
    kf = parse(buf_str(&f.bytes), 0);
    CHECK(keyfile_open(kf, &f.own, &k) == 0 && k.generation == 3 && memcmp(k.data_key, old, KEY_BYTES) != 0);
    CHECK(keyfile_open_key(kf, 1, old, 1, &k) == E_STALE);
    CHECK(keyfile_open(kf, &f.first, &k) == 0);
    CHECK(keyfile_data_key(kf, &k, 1, key) == 0 && memcmp(key, old, sizeof key) == 0);
    CHECK(keyfile_data_key(kf, &k, 2, key) == E_NOTFOUND && keyfile_data_key(kf, &k, 3, key) == 0);
    CHECK(keyfile_mailbox_seed(kf, &k, 1, seed) == 0 && memcmp(seed, seed1, sizeof seed) == 0);
    CHECK(keyfile_public(kf, &generation) && generation == 2 && keyfile_mailbox_seed(kf, &k, 2, seed) == 0);
    CHECK(xwing_public(seed, pk) == 0 && memcmp(pk, keyfile_public(kf, &generation), sizeof pk) == 0);

    for (unsigned i = 0; i < 3; i++)
        CHECK(keyfile_rotate_begin(kf, &k) == 0 && keyfile_rotate_finish(kf, &k) == 0);
    CHECK(keyfile_data_key(kf, &k, 1, key) == 0 && memcmp(key, old, sizeof key) == 0);
    CHECK(keyfile_mailbox_seed(kf, &k, 1, seed) == 0 && memcmp(seed, seed1, sizeof seed) == 0);
    CHECK(keyfile_earlier_at(kf, 0) == 1 && keyfile_earlier_at(kf, 3) == 5 && keyfile_earlier_at(kf, 4) == 0);
    CHECK(keyfile_forget_earlier(kf, &k, 1) == 0 && keyfile_data_key(kf, &k, 1, key) == E_NOTFOUND);
    CHECK(keyfile_forget_mailbox_key(kf, &k, 1) == 0 && keyfile_mailbox_seed(kf, &k, 1, seed) == E_NOTFOUND);
    CHECK(keyfile_mailbox_key_at(kf, 0) == 2 && keyfile_forget_mailbox_key(kf, &k, 5) == E_DENIED);
    CHECK(keyfile_open(kf, &f.own, &k) == 0 && keyfile_open(kf, &f.third, &k) == E_AUTH);
}

static void test_rotation_limit(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f;
    int r;

    fixture_init(&f);
    while ((r = keyfile_rotate_begin(f.kf, &f.keys)) == 0)
        CHECK(keyfile_rotate_finish(f.kf, &f.keys) == 0);
    CHECK(r == E_LIMIT && keyfile_generation(f.kf) == KEYFILE_MAILBOX_KEYS_MAX);
    CHECK(keyfile_forget_mailbox_key(f.kf, &f.keys, 1) == 0 && keyfile_rotate_begin(f.kf, &f.keys) == 0);
    all_open(&f, f.kf);
    save(&f);
}

static int compare(const uint8_t blob[KEYSTATE_BYTES], const struct keyfile *kf)
{
    struct keystate known, found;

    keystate_of(kf, &found);
    CHECK(keystate_open(str_of(blob, KEYSTATE_BYTES), mac_key, &known) == 0);
    return keystate_compare(&known, &found);
}

static void state_of(const struct keyfile *kf, uint8_t blob[KEYSTATE_BYTES])
{
    struct keystate s;

    keystate_of(kf, &s);
    keystate_seal(&s, mac_key, blob);
}

static void test_keystate(void **state UNUSED)
{
    CLEANUP(fixture_release) struct fixture f, other;
    CLEANUP(keyfile_free) struct keyfile *before = NULL;
    uint8_t blob[KEYSTATE_BYTES], after[KEYSTATE_BYTES];
    struct keystate s;

    fixture_init(&f);
    fixture_init(&other);
    before = parse(buf_str(&f.bytes), 0);
    state_of(f.kf, blob);
    CHECK(compare(blob, f.kf) == 0 && compare(blob, before) == 0);
    CHECK(compare(blob, other.kf) == E_CORRUPT); /* same id, same seq, other keys */
    CHECK(keyfile_slot_set_label(f.kf, 1, label_key, &label) == 0 && compare(blob, f.kf) == 0);

    CHECK(keyfile_slot_revoke(f.kf, &f.keys, 1) == 0);
    state_of(f.kf, after);
    CHECK(compare(blob, f.kf) == KEYSTATE_NEWER && compare(after, f.kf) == 0);
    CHECK(compare(after, before) == E_STALE); /* the revoked password brought back */

    CHECK(keyfile_rotate_begin(f.kf, &f.keys) == 0 && compare(after, f.kf) == KEYSTATE_NEWER);
    CHECK(keyfile_rotate_finish(f.kf, &f.keys) == 0 &&
          compare(after, f.kf) == E_CORRUPT); /* other public key */

    CHECK(keystate_open(str_of(blob, KEYSTATE_BYTES), label_key, &s) == E_CORRUPT);
    CHECK(keystate_open(str_of(blob, KEYSTATE_BYTES - 1), mac_key, &s) == E_CORRUPT);
    for (size_t i = 0; i < KEYSTATE_BYTES; i++) {
        blob[i] ^= 0x20;
        CHECK(keystate_open(str_of(blob, KEYSTATE_BYTES), mac_key, &s) == E_CORRUPT);
        blob[i] ^= 0x20;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),      cmocka_unit_test(test_slots),
        cmocka_unit_test(test_costs),     cmocka_unit_test(test_one_copy),
        cmocka_unit_test(test_tampering), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_rotation),  cmocka_unit_test(test_rotation_limit),
        cmocka_unit_test(test_keystate),
    };
    CHECK(crypto_init() == 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
