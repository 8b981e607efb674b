#include "lib/crypto/onetime.h"
#include "lib/base/rand.h"
#include "lib/base/test.h"
#include <sodium.h>

static void test_same(void **state)
{
    static const size_t lengths[] = { 0, 1, 16, 2047, 2048, 2049, 4120, 65536, 100003 };
    static uint8_t bytes[100003];
    uint8_t key[KEY_BYTES], ours[ONETIME_MAC_BYTES], theirs[crypto_onetimeauth_BYTES];

    (void)state;
    rand_bytes(bytes, sizeof bytes);
    rand_bytes(key, sizeof key);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        onetime_mac(key, str_of(bytes, lengths[i]), ours);
        crypto_onetimeauth(theirs, bytes, lengths[i], key);
        CHECK(memcmp(ours, theirs, sizeof theirs) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
