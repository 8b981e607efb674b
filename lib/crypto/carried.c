#include "lib/crypto/carried.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"

#define MAGIC       "LLSC\x01\x00\x00\x00"
#define MAGIC_BYTES 8u
#define ENTRY_BYTES (4u + KEY_BYTES) /* number of the purpose, key */
#define PLAIN_MAX   (SUBKEY_PURPOSES * ENTRY_BYTES)

/* One copy: magic, box. The file is that, twice. */
#define COPY_BYTES(n) (MAGIC_BYTES + (n)*ENTRY_BYTES + BOX_OVERHEAD_BYTES)
#define ENTRIES_MAX   64u
_Static_assert(2 * COPY_BYTES(ENTRIES_MAX) <= CARRIED_BYTES_MAX, "the largest file that is understood");

bool subkey_is_carried(enum subkey_purpose purpose)
{
    static const bool carried[SUBKEY_PURPOSES] = {
        [SUBKEY_KEYSTATE_MAC] = true,     /* stands inside closed mailboxes */
        [SUBKEY_SEALED_CHAIN_MAC] = true, /* links to records that were drained long ago */
        [SUBKEY_DELIVERY_ID] = true,      /* remembered inside closed mailboxes */
        [SUBKEY_API_TOKENS] = true,       /* the tokens are with those who use them */
        [SUBKEY_SRS] = true,              /* the addresses are out in the world */
        [SUBKEY_SHIP_MAC] = true,         /* objects that lie elsewhere, for as long as they are kept */
    };

    return carried[purpose];
}

static void box_key(const uint8_t server_key[KEY_BYTES], uint8_t out[KEY_BYTES])
{
    kdf(out, server_key, "letterlock carried subkeys v1", STR_NONE);
}

int carried_seal(const uint8_t server_key[KEY_BYTES], const uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES],
                 struct buf *out)
{
    uint8_t plain[PLAIN_MAX], key[KEY_BYTES], copy[COPY_BYTES(SUBKEY_PURPOSES)];
    size_t n = 0, bytes;
    int r;

    for (uint32_t p = 0; p < SUBKEY_PURPOSES; p++) {
        if (!subkey_is_carried((enum subkey_purpose)p))
            continue;
        le32_put(plain + n, p);
        memcpy(plain + n + 4, subkeys[p], KEY_BYTES);
        n += ENTRY_BYTES;
    }
    bytes = MAGIC_BYTES + n + BOX_OVERHEAD_BYTES;
    memcpy(copy, MAGIC, MAGIC_BYTES);
    box_key(server_key, key);
    box_seal(key, str_of(copy, MAGIC_BYTES), str_of(plain, n), copy + MAGIC_BYTES);
    bytes_wipe(plain, sizeof plain);
    bytes_wipe(key, sizeof key);
    return (r = buf_append(out, copy, bytes)) < 0 ? r : buf_append(out, copy, bytes);
}

/* A purpose that a newer program knows is skipped: it is this program that runs. */
static void take(const uint8_t *plain, size_t n, uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES])
{
    for (size_t at = 0; at < n; at += ENTRY_BYTES) {
        uint32_t p = le32_get(plain + at);

        if (p < SUBKEY_PURPOSES)
            memcpy(subkeys[p], plain + at + 4, KEY_BYTES);
    }
}

int carried_open(const uint8_t server_key[KEY_BYTES], struct str bytes,
                 uint8_t subkeys[SUBKEY_PURPOSES][KEY_BYTES])
{
    size_t half = bytes.n / 2, n;
    uint8_t plain[ENTRIES_MAX * ENTRY_BYTES], key[KEY_BYTES];
    int r = E_AUTH;

    if (bytes.n % 2 || half < COPY_BYTES(0) || half > COPY_BYTES(ENTRIES_MAX))
        return E_CORRUPT;
    n = half - COPY_BYTES(0);
    if (n % ENTRY_BYTES)
        return E_CORRUPT;
    box_key(server_key, key);
    for (size_t i = 0; i < 2 && r < 0; i++) {
        struct str copy = str_slice(bytes, i * half, (i + 1) * half);

        if (memcmp(copy.p, MAGIC, 4) == 0 && copy.p[4] > 1)
            r = E_VERSION;
        else if (memcmp(copy.p, MAGIC, MAGIC_BYTES) == 0 &&
                 box_open(key, str_slice(copy, 0, MAGIC_BYTES), str_skip(copy, MAGIC_BYTES), plain) == 0)
            r = 0;
    }
    if (r == 0)
        take(plain, n, subkeys);
    bytes_wipe(plain, sizeof plain);
    bytes_wipe(key, sizeof key);
    return r;
}
