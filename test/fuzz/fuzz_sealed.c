/* test/fuzz/fuzz_sealed.c
 *
 * Laws of the small sealed things: bytes that we did not seal never open, as a record, a ticket or a
 * known state; a server key's text that parses is written again as itself. */
#include "lib/base/hex.h"
#include "lib/crypto/keystate.h"
#include "lib/crypto/sealed.h"
#include "lib/crypto/subkey.h"
#include "test/fuzz/fuzz.h"

static const uint8_t key[KEY_BYTES] = { 1 };

static void check_record(struct str in)
{
    CLEANUP(buf_release) struct buf out = { .max = KIB(256) };
    CLEANUP(sealed_release) struct sealed s;
    struct str header = str_slice(in, 0, SEALED_HEADER_BYTES);
    struct sealed_context c = { .seq = 1 };
    uint32_t generation = 0;

    if (sealed_key_generation(header, &generation) < 0)
        return;
    c.key_generation = generation;
    if (sealed_open(&s, key, &c, header) < 0)
        return;
    LAW(sealed_pull(&s, str_skip(in, SEALED_HEADER_BYTES), &out) < 0 && out.n == 0 && !sealed_complete(&s));
}

static void check_server_key(struct str in)
{
    CLEANUP(buf_release) struct buf text = { .max = SERVER_KEY_TEXT_MAX };
    uint8_t k[KEY_BYTES], again[KEY_BYTES];

    if (server_key_parse(in, k) < 0)
        return;
    LAW(server_key_text(k, &text) == 0 && str_ieq(str_trim(in), str_trim(buf_str(&text))));
    LAW(server_key_parse(buf_str(&text), again) == 0 && memcmp(k, again, sizeof k) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keystate state;
    struct ticket ticket;

    check_record(str_of(data, size));
    check_server_key(str_of(data, size));
    LAW(ticket_open(str_of(data, size), key, 0, &ticket) < 0);
    LAW(keystate_open(str_of(data, size), key, &state) < 0);
    return 0;
}
