#include "lib/crypto/filehash.h"
#include "lib/base/hex.h"
#include "lib/base/test.h"

/* FIPS 180-2, B.1; BLAKE2b-256 of the same by coreutils' b2sum -l 256. */
static void test_known(void **state)
{
    static const struct {
        enum filehash_kind kind;
        const char *hex;
    } rows[] = {
        { FILEHASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { FILEHASH_BLAKE2B, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char hex[2 * HASH_BYTES + 1];
        uint8_t out[HASH_BYTES];
        struct filehash f;

        check_case = rows[i].hex;
        filehash_begin(&f, rows[i].kind);
        filehash_add(&f, STR("a"));
        filehash_add(&f, STR("bc"));
        filehash_end(&f, out);
        hex_encode(out, sizeof out, hex);
        CHECK(strcmp(hex, rows[i].hex) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_known) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
