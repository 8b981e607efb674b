/* test/fuzz/fuzz_keyfile.c
 *
 * Laws of `.keys`: what parses is written the same way every time, and reading that back is complete.
 * Every input is tried as it is, and once more with length and checksum made true in both copies, so
 * that what lies behind them is reached. */
#include "lib/base/buf.h"
#include "lib/base/hex.h"
#include "lib/crypto/keystate.h"
#include "test/fuzz/fuzz.h"

static void use(const struct keyfile *kf)
{
    struct keyfile_keys keys;
    struct keyfile_label label;
    struct keystate state;
    const uint8_t key[KEY_BYTES] = { 1 };
    enum password_kind kind;
    uint16_t slot = 0;

    LAW(keyfile_slot_count(kf) >= 1 && keyfile_slot_at(kf, 0, &slot, &kind) == 0 &&
        slot < keyfile_next_slot(kf));
    LAW(keyfile_open_key(kf, keyfile_generation(kf), key, slot, &keys) < 0);
    LAW(keyfile_slot_label(kf, slot, key, &label) < 0);
    keystate_of(kf, &state);
    LAW(keystate_compare(&state, &state) == 0);
}

static void check(struct str bytes)
{
    CLEANUP(buf_release) struct buf one = { .max = KEYFILE_BYTES_MAX }, two = { .max = KEYFILE_BYTES_MAX };
    CLEANUP(keyfile_free) struct keyfile *kf = NULL;
    CLEANUP(keyfile_free) struct keyfile *again = NULL;
    unsigned damage = 0;

    if (keyfile_parse(bytes, &kf, &damage) < 0)
        return;
    use(kf);
    LAW(keyfile_serialize(kf, &one) == 0);
    LAW(damage || str_eq(buf_str(&one), bytes));
    LAW(keyfile_parse(buf_str(&one), &again, &damage) == 0 && damage == 0);
    LAW(keyfile_serialize(again, &two) == 0 && str_eq(buf_str(&one), buf_str(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t half = size / 2;
    uint8_t *made;

    check(str_of(data, size));
    if (half < 128 || size > KEYFILE_BYTES_MAX || !(made = malloc(2 * half)))
        return 0;
    memcpy(made, data, half);
    le32_put(made + 12, (uint32_t)half);
    kdf(made + half - HASH_BYTES, NULL, "letterlock keys checksum v1", str_of(made, half - HASH_BYTES));
    memcpy(made + half, made, half);
    check(str_of(made, 2 * half));
    free(made);
    return 0;
}
