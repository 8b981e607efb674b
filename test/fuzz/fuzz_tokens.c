/* test/fuzz/fuzz_tokens.c
 *
 * Law of small sealed things (ticket, key state, server key): what was not made with our key does not
 * open; what was made opens, and says the same; with one bit turned it does not. */
#include "lib/base/errors.h"
#include "lib/crypto/keystate.h"
#include "lib/crypto/subkey.h"
#include "lib/crypto/ticket.h"
#include "test/fuzz/fuzz.h"

static const uint8_t key[KEY_BYTES] = { 1, 2, 3 };

static void foreign(struct str in)
{
    uint8_t server_key[KEY_BYTES];
    struct ticket t;
    struct keystate s;
    struct buf text = { .max = KIB(1) };

    LAW(ticket_open(in, key, 0, &t) < 0 && keystate_open(in, key, &s) < 0);
    if (server_key_parse(in, server_key) ==
        0) { /* a checksum, no secret: what is accepted is what is written */
        LAW(server_key_text(server_key, &text) == 0);
        LAW(str_ieq(str_trim(buf_str(&text)), str_trim(in)));
    }
    buf_release(&text);
}

static void ours(const uint8_t *data, size_t size)
{
    uint8_t ticket[TICKET_BYTES], state[KEYSTATE_BYTES];
    struct ticket t = { .expires_ms = 1 }, t2;
    struct keystate s = { .seq = size }, s2;
    size_t bit = size ? data[0] * 7u + size : 0;

    memcpy(t.data_key, data, size_min(size, sizeof t.data_key));
    memcpy(s.public_hash, data, size_min(size, sizeof s.public_hash));
    ticket_seal(&t, key, ticket);
    keystate_seal(&s, key, state);
    LAW(ticket_open(str_of(ticket, sizeof ticket), key, 0, &t2) == 0 &&
        memcmp(t.data_key, t2.data_key, KEY_BYTES) == 0);
    LAW(ticket_open(str_of(ticket, sizeof ticket), key, 1, &t2) == E_STALE);
    LAW(keystate_open(str_of(state, sizeof state), key, &s2) == 0 && keystate_compare(&s, &s2) == 0);
    ticket[bit / 8 % sizeof ticket] ^= (uint8_t)(1 << bit % 8);
    state[bit / 8 % sizeof state] ^= (uint8_t)(1 << bit % 8);
    LAW(ticket_open(str_of(ticket, sizeof ticket), key, 0, &t2) == E_CORRUPT);
    LAW(keystate_open(str_of(state, sizeof state), key, &s2) == E_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    foreign(str_of(data, size));
    ours(data, size);
    return 0;
}
