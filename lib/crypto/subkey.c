#include "lib/crypto/subkey.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/crypto/password.h"
#include <sodium.h>

/* Forever: a changed word here is a lost directory. Add rows, never edit them. */
static const char *const labels[] = {
    [SUBKEY_DIRECTORY_DB] = "letterlock subkey directory-db v1",
    [SUBKEY_DIRECTORY_SECRETS] = "letterlock subkey directory-secrets v1",
    [SUBKEY_QUEUE_DB] = "letterlock subkey queue-db v1",
    [SUBKEY_QUEUE_SECRETS] = "letterlock subkey queue-secrets v1",
    [SUBKEY_TEMP_OUTER] = "letterlock subkey temp-outer v1",
    [SUBKEY_KEYSTATE_MAC] = "letterlock subkey keystate-mac v1",
    [SUBKEY_SEALED_CHAIN_MAC] = "letterlock subkey sealed-chain-mac v1",
    [SUBKEY_ROLLBACK_MAC] = "letterlock subkey rollback-mac v1",
    [SUBKEY_DELIVERY_ID] = "letterlock subkey delivery-id v1",
    [SUBKEY_SLOT_NAMES] = "letterlock subkey slot-names v1",
    [SUBKEY_API_TOKENS] = "letterlock subkey api-tokens v1",
    [SUBKEY_SRS] = "letterlock subkey srs v1",
    [SUBKEY_SHIP_MAC] = "letterlock subkey ship-mac v1",
    [SUBKEY_JOURNAL_DB] = "letterlock subkey journal-db v1",
};
_Static_assert(ARRAY_LEN(labels) == SUBKEY_PURPOSES, "every purpose has a label");

void subkey_derive(const uint8_t server_key[KEY_BYTES], enum subkey_purpose purpose, uint8_t out[KEY_BYTES])
{
    kdf(out, server_key, labels[purpose], STR_NONE);
}

#define CHECKSUM_BYTES 4u
#define SALT_BYTES     16u
#define PLAIN_BYTES    (KEY_BYTES + CHECKSUM_BYTES)
#define WRAPPED_BYTES \
    (8u + SALT_BYTES + BOX_KEY_BYTES + CHECKSUM_BYTES) /* passes, KiB, salt, box, checksum */

static void checksum_of(struct str prefix, const uint8_t *p, size_t n, uint8_t out[CHECKSUM_BYTES])
{
    uint8_t hash[HASH_BYTES];

    kdf2(hash, NULL, "letterlock server key checksum v1", prefix, str_of(p, n));
    memcpy(out, hash, CHECKSUM_BYTES);
    sodium_memzero(hash, sizeof hash);
}

/* prefix, hex of p[0..n-4), "-", hex of the checksum that is put into the last 4 bytes of p */
static int text_put(struct str prefix, uint8_t *p, size_t n, struct buf *out)
{
    char hex[2 * WRAPPED_BYTES + 1];
    int r;

    checksum_of(prefix, p, n - CHECKSUM_BYTES, p + n - CHECKSUM_BYTES);
    hex_encode(p, n, hex);
    r = buf_printf(out, "%.*s%.*s-%s\n", STR_ARG(prefix), (int)(2 * (n - CHECKSUM_BYTES)), hex,
                   hex + 2 * (n - CHECKSUM_BYTES));
    sodium_memzero(hex, sizeof hex);
    return r;
}

static int text_get(struct str prefix, struct str text, uint8_t *p, size_t n)
{
    uint8_t checksum[CHECKSUM_BYTES];
    size_t body = 2 * (n - CHECKSUM_BYTES);

    text = str_trim(text);
    if (!str_starts(text, prefix) || text.n != prefix.n + body + 1 + 2 * CHECKSUM_BYTES ||
        text.p[prefix.n + body] != '-')
        return E_SYNTAX;
    text = str_skip(text, prefix.n);
    if (!hex_decode(str_slice(text, 0, body), p, n - CHECKSUM_BYTES) ||
        !hex_decode(str_skip(text, body + 1), p + n - CHECKSUM_BYTES, CHECKSUM_BYTES))
        return E_SYNTAX;
    checksum_of(prefix, p, n - CHECKSUM_BYTES, checksum);
    return bytes_same(checksum, p + n - CHECKSUM_BYTES, CHECKSUM_BYTES) ? 0 : E_CORRUPT;
}

int server_key_text(const uint8_t key[KEY_BYTES], struct buf *out)
{
    uint8_t p[PLAIN_BYTES];
    int r;

    memcpy(p, key, KEY_BYTES);
    r = text_put(STR("LLSK1-"), p, sizeof p, out);
    sodium_memzero(p, sizeof p);
    return r;
}

int server_key_parse(struct str text, uint8_t key_out[KEY_BYTES])
{
    uint8_t p[PLAIN_BYTES];
    int r = text_get(STR("LLSK1-"), text, p, sizeof p);

    if (r == 0)
        memcpy(key_out, p, KEY_BYTES);
    sodium_memzero(p, sizeof p);
    return r;
}

/* p: passes, KiB, salt; the box that follows is authenticated with them. */
static int wrap_key(const uint8_t *p, struct str passphrase, uint8_t key_out[KEY_BYTES])
{
    uint32_t passes = le32_get(p), mem_kib = le32_get(p + 4);

    if (passes < 1 || passes > PASSWORD_PASSES_MAX || mem_kib < 8 || mem_kib > PASSWORD_MEM_KIB_MAX)
        return E_CORRUPT;
    if (passphrase.n > PASSWORD_BYTES_MAX)
        return E_AUTH;
    return crypto_pwhash(key_out, KEY_BYTES, passphrase.p, passphrase.n, p + 8, passes,
                         (size_t)mem_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) < 0
               ? E_NOMEM
               : 0;
}

int server_key_wrap(const uint8_t key[KEY_BYTES], struct str passphrase, struct buf *out)
{
    uint8_t p[WRAPPED_BYTES], k[KEY_BYTES];
    int r;

    if (password_strength_check(passphrase, NULL) < 0)
        return E_WEAK;
    le32_put(p, 3);
    le32_put(p + 4, 256 * 1024);
    randombytes_buf(p + 8, SALT_BYTES);
    if ((r = wrap_key(p, passphrase, k)) < 0)
        return r;
    box_seal(k, str_of(p, 8 + SALT_BYTES), str_of(key, KEY_BYTES), p + 8 + SALT_BYTES);
    sodium_memzero(k, sizeof k);
    return text_put(STR("LLSW1-"), p, sizeof p, out);
}

int server_key_unwrap(struct str text, struct str passphrase, uint8_t key_out[KEY_BYTES])
{
    uint8_t p[WRAPPED_BYTES], k[KEY_BYTES];
    int r;

    if ((r = text_get(STR("LLSW1-"), text, p, sizeof p)) < 0 || (r = wrap_key(p, passphrase, k)) < 0)
        return r;
    r = box_open(k, str_of(p, 8 + SALT_BYTES), str_of(p + 8 + SALT_BYTES, BOX_KEY_BYTES), key_out);
    sodium_memzero(k, sizeof k);
    return r < 0 ? E_AUTH : 0;
}
