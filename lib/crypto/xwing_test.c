/* lib/crypto/xwing: the draft's vectors (when the corpus is there), one of our own, and what it refuses. */
#include "lib/base/test.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/box.h"
#include "lib/crypto/mlkem.h"
#include "lib/crypto/xwing.h"
#include <jansson.h>

#define OWN_HASH "c614f8ab93b321d4867c3c4da341346eb39feacc010ae54bdd3a78559008c1dd"
#define OWN_SS   "8665d0ea001f3b5ffab19a4554a813153818c7ad352806b0168548458871a32f"

struct vector {
    uint8_t seed[XWING_SEED_BYTES], coins[XWING_COINS_BYTES], pk[XWING_PUBLIC_BYTES], ct[XWING_CT_BYTES],
        ss[XWING_SS_BYTES];
};

static void check_vector(const struct vector *v)
{
    static uint8_t pk[XWING_PUBLIC_BYTES], ct[XWING_CT_BYTES];
    uint8_t ss[XWING_SS_BYTES], back[XWING_SS_BYTES];

    CHECK(xwing_public(v->seed, pk) == 0 && memcmp(pk, v->pk, sizeof pk) == 0);
    CHECK(xwing_encaps_derand(pk, v->coins, ct, ss) == 0);
    CHECK(memcmp(ct, v->ct, sizeof ct) == 0 && memcmp(ss, v->ss, sizeof ss) == 0);
    CHECK(xwing_decaps(v->seed, ct, back) == 0 && memcmp(back, v->ss, sizeof back) == 0);
}

static void field(const json_t *row, const char *name, void *out, size_t n)
{
    CHECK(hex_decode(str_from(json_string_value(json_object_get(row, name))), out, n));
}

static void test_draft_vectors(void **state UNUSED)
{
    const char *corpus = getenv("LETTERLOCK_CORPUS"), *src = getenv("SRCDIR");
    char path[1024];
    json_t *all;

    snprintf(path, sizeof path, "%s%s/vectors/xwing/test-vectors.json",
             corpus ? corpus
             : src  ? src
                    : ".",
             corpus ? "" : "/../shared/corpus");
    if (!(all = json_load_file(path, 0, NULL))) {
        print_message("SKIPPED: no X-Wing vectors at %s\n", path);
        skip();
    }
    CHECK(json_array_size(all) >= 3);
    for (size_t i = 0; i < json_array_size(all); i++) {
        static struct vector v;
        const json_t *row = json_array_get(all, i);

        field(row, "seed", v.seed, sizeof v.seed);
        field(row, "eseed", v.coins, sizeof v.coins);
        field(row, "pk", v.pk, sizeof v.pk);
        field(row, "ct", v.ct, sizeof v.ct);
        field(row, "ss", v.ss, sizeof v.ss);
        check_vector(&v);
    }
    print_message("%zu vectors of the draft agree (ML-KEM: %s)\n", json_array_size(all), mlkem_backend());
    json_decref(all);
}

/* Our own: seed 00 01 02 …, coins 80 81 82 …; hashes are unkeyed kdf("test", …). */
static void test_own_vector(void **state UNUSED)
{
    static uint8_t pk[XWING_PUBLIC_BYTES], ct[XWING_CT_BYTES];
    uint8_t seed[XWING_SEED_BYTES], coins[XWING_COINS_BYTES], ss[XWING_SS_BYTES], hash[HASH_BYTES];
    char hex[65];

    for (size_t i = 0; i < sizeof coins; i++)
        coins[i] = (uint8_t)(0x80 + i);
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)i;
    CHECK(xwing_public(seed, pk) == 0 && xwing_encaps_derand(pk, coins, ct, ss) == 0);
    kdf2(hash, NULL, "test", str_of(pk, sizeof pk), str_of(ct, sizeof ct));
    hex_encode(hash, sizeof hash, hex);
    CHECK(strcmp(hex, OWN_HASH) == 0);
    hex_encode(ss, sizeof ss, hex);
    CHECK(strcmp(hex, OWN_SS) == 0);
}

static void test_round_trip_and_refusals(void **state UNUSED)
{
    static uint8_t pk[XWING_PUBLIC_BYTES], bad[XWING_PUBLIC_BYTES], ct[XWING_CT_BYTES];
    uint8_t seed[XWING_SEED_BYTES], ss[XWING_SS_BYTES], back[XWING_SS_BYTES];
    struct xwing_ready *ready = NULL;

    for (int i = 0; i < 20; i++) {
        CHECK(xwing_keypair(seed, pk) == 0 && xwing_encaps(pk, ct, ss) == 0);
        CHECK(xwing_decaps(seed, ct, back) == 0 && memcmp(ss, back, sizeof ss) == 0);
        CHECK(xwing_ready_new(pk, &ready) == 0 && xwing_ready_is(ready, pk));
        CHECK(xwing_ready_encaps(ready, ct, ss) == 0);
        CHECK(xwing_decaps(seed, ct, back) == 0 && memcmp(ss, back, sizeof ss) == 0);
        xwing_ready_free(&ready);
        ct[i * 50] ^= 1;
        CHECK(xwing_decaps(seed, ct, back) == 0 && memcmp(ss, back, sizeof ss) != 0);
    }
    memset(ct + MLKEM_CT_BYTES, 0, 32); /* the point of order one: X25519 gives zeros */
    CHECK(xwing_decaps(seed, ct, back) == E_CORRUPT);

    memcpy(bad, pk, sizeof bad);
    memset(bad + MLKEM_PUBLIC_BYTES, 0, 32);
    CHECK(xwing_encaps(bad, ct, ss) == E_CORRUPT);

    for (size_t i = 0; i < 1152; i += 383) { /* a coefficient of 0xfff in any place: FIPS 203 7.2 */
        memcpy(bad, pk, sizeof bad);
        bad[i / 3 * 3] = 0xff, bad[i / 3 * 3 + 1] |= 0x0f;
        CHECK(xwing_encaps(bad, ct, ss) == E_CORRUPT);
        memcpy(bad, pk, sizeof bad);
        bad[i / 3 * 3 + 1] |= 0xf0, bad[i / 3 * 3 + 2] = 0xff;
        CHECK(xwing_encaps(bad, ct, ss) == E_CORRUPT);
    }
    memcpy(bad, pk, sizeof bad); /* exactly q, the smallest wrong one */
    bad[0] = 3329 & 0xff, bad[1] = (uint8_t)((bad[1] & 0xf0) | 3329 >> 8);
    CHECK(xwing_encaps(bad, ct, ss) == E_CORRUPT && xwing_ready_new(bad, &ready) == E_CORRUPT && !ready);
}

static void test_box(void **state UNUSED)
{
    uint8_t key[KEY_BYTES] = { 1 }, box[5 + BOX_OVERHEAD_BYTES], out[5];

    CHECK(crypto_init() == 0);
    box_seal(key, STR("whose"), STR("hello"), box);
    CHECK(box_open(key, STR("whose"), str_of(box, sizeof box), out) == 0 && memcmp(out, "hello", 5) == 0);
    CHECK(box_open(key, STR("other"), str_of(box, sizeof box), out) == E_CORRUPT && out[0] == 0);
    for (size_t i = 0; i < sizeof box; i++) {
        box[i] ^= 4;
        CHECK(box_open(key, STR("whose"), str_of(box, sizeof box), out) == E_CORRUPT);
        box[i] ^= 4;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draft_vectors),
        cmocka_unit_test(test_own_vector),
        cmocka_unit_test(test_round_trip_and_refusals),
        cmocka_unit_test(test_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
