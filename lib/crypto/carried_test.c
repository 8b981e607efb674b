#include "lib/crypto/carried.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include "lib/base/test.h"

static uint8_t old_key[KEY_BYTES], new_key[KEY_BYTES], subkeys[SUBKEY_PURPOSES][KEY_BYTES];

static void derive_all(const uint8_t key[KEY_BYTES], uint8_t out[SUBKEY_PURPOSES][KEY_BYTES])
{
    for (int p = 0; p < SUBKEY_PURPOSES; p++)
        subkey_derive(key, (enum subkey_purpose)p, out[p]);
}

static int setup(void **state UNUSED)
{
    rand_bytes(old_key, sizeof old_key);
    rand_bytes(new_key, sizeof new_key);
    derive_all(old_key, subkeys);
    return crypto_init();
}

static void test_carries_and_nothing_more(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf file = { .max = CARRIED_BYTES_MAX };
    uint8_t got[SUBKEY_PURPOSES][KEY_BYTES], derived[SUBKEY_PURPOSES][KEY_BYTES];

    CHECK(carried_seal(new_key, subkeys, &file) == 0);
    derive_all(new_key, derived);
    memcpy(got, derived, sizeof got);
    CHECK(carried_open(new_key, buf_str(&file), got) == 0);
    for (int p = 0; p < SUBKEY_PURPOSES; p++)
        CHECK(memcmp(got[p], subkey_is_carried((enum subkey_purpose)p) ? subkeys[p] : derived[p],
                     KEY_BYTES) == 0);
}

/* What closes pages or single secrets must change with the server key. */
static void test_keys_of_files_are_renewed(void **state UNUSED)
{
    static const enum subkey_purpose renewed[] = { SUBKEY_DIRECTORY_DB, SUBKEY_DIRECTORY_SECRETS,
                                                   SUBKEY_QUEUE_DB,     SUBKEY_QUEUE_SECRETS,
                                                   SUBKEY_TEMP_OUTER,   SUBKEY_ROLLBACK_MAC,
                                                   SUBKEY_SLOT_NAMES };

    for (size_t i = 0; i < ARRAY_LEN(renewed); i++)
        CHECK(!subkey_is_carried(renewed[i]));
}

static void test_one_copy_is_enough(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf file = { .max = CARRIED_BYTES_MAX };
    uint8_t got[SUBKEY_PURPOSES][KEY_BYTES];

    CHECK(carried_seal(new_key, subkeys, &file) == 0);
    for (size_t i = 0; i < file.n; i++) {
        file.p[i] ^= 1;
        CHECK(carried_open(new_key, buf_str(&file), got) == 0);
        file.p[i] ^= 1;
    }
    for (size_t i = 0; i < file.n / 2; i++) { /* in both */
        memset(got, 7, sizeof got);
        file.p[i] ^= 0x40;
        file.p[file.n / 2 + i] ^= 0x40;
        CHECK(carried_open(new_key, buf_str(&file), got) < 0 && got[0][0] == 7);
        file.p[i] ^= 0x40;
        file.p[file.n / 2 + i] ^= 0x40;
    }
}

static void test_refuses(void **state UNUSED)
{
    CLEANUP(buf_release) struct buf file = { .max = CARRIED_BYTES_MAX };
    uint8_t got[SUBKEY_PURPOSES][KEY_BYTES];

    CHECK(carried_seal(new_key, subkeys, &file) == 0);
    CHECK(carried_open(old_key, buf_str(&file), got) == E_AUTH);
    for (size_t n = 0; n < file.n; n++)
        CHECK(carried_open(new_key, str_of(file.p, n), got) < 0);
    file.p[4] = file.p[file.n / 2 + 4] = 2;
    CHECK(carried_open(new_key, buf_str(&file), got) == E_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carries_and_nothing_more),
        cmocka_unit_test(test_keys_of_files_are_renewed),
        cmocka_unit_test(test_one_copy_is_enough),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
