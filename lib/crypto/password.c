#include "lib/crypto/password.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include <assert.h>
#include <sodium.h>
#include <utf8proc.h>
#include <zxcvbn.h>

/* 25 bytes = 40 symbols: 10 bits of hint, 165 random bits, 25 bits of checksum. */
#define GENERATED_BYTES 25u
#define SYMBOLS         40u
#define HINT_SYMBOLS    2u
#define RANDOM_SYMBOLS  33u
#define CHECK_SYMBOLS   5u
#define GROUP           5u
#define ZXCVBN_BYTES    100u /* its time grows with the square; a strong beginning is enough */

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford: no i, l, o, u */

static int symbol_value(char c)
{
    const char *at;

    c = ascii_lower(c);
    if (c == 'i' || c == 'l')
        return 1;
    if (c == 'o')
        return 0;
    at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* The 25-bit checksum over hint and random symbols. */
static void checksum_symbols(const uint8_t sym[SYMBOLS], uint8_t out[CHECK_SYMBOLS])
{
    uint8_t hash[HASH_BYTES];

    kdf(hash, NULL, "letterlock password checksum v1", str_of(sym, HINT_SYMBOLS + RANDOM_SYMBOLS));
    for (size_t i = 0; i < CHECK_SYMBOLS; i++)
        out[i] = hash[i] & 31;
    sodium_memzero(hash, sizeof hash);
}

static void symbols_pack(const uint8_t sym[SYMBOLS], uint8_t out[GENERATED_BYTES])
{
    memset(out, 0, GENERATED_BYTES);
    for (size_t bit = 0; bit < SYMBOLS * 5; bit++)
        if (sym[bit / 5] & (16u >> bit % 5))
            out[bit / 8] = (uint8_t)(out[bit / 8] | 128u >> bit % 8);
}

static void symbols_unpack(const uint8_t in[GENERATED_BYTES], uint8_t sym[SYMBOLS])
{
    memset(sym, 0, SYMBOLS);
    for (size_t bit = 0; bit < SYMBOLS * 5; bit++)
        if (in[bit / 8] & (128u >> bit % 8))
            sym[bit / 5] = (uint8_t)(sym[bit / 5] | 16u >> bit % 5);
}

/* Has it the shape of a generated password: forty symbols, whatever dashes and spaces between? */
static bool symbols_read(struct str text, uint8_t sym[SYMBOLS])
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        int v = symbol_value(text.p[i]);

        if (text.p[i] == '-' || text.p[i] == ' ')
            continue;
        if (v < 0 || n == SYMBOLS)
            return false;
        sym[n++] = (uint8_t)v;
    }
    return n == SYMBOLS;
}

static void generated_set(struct password *p, const uint8_t sym[SYMBOLS])
{
    p->kind = PASSWORD_GENERATED;
    p->hint = (uint16_t)(sym[0] << 5 | sym[1]);
    p->n = GENERATED_BYTES;
    symbols_pack(sym, p->bytes);
}

static utf8proc_int32_t space_map(utf8proc_int32_t c, void *arg UNUSED)
{
    return utf8proc_category(c) == UTF8PROC_CATEGORY_ZS ? ' ' : c; /* RFC 8265 4.2.2, rule 2 */
}

static int own_set(struct password *p, struct str text)
{
    utf8proc_int32_t cp[4 * PASSWORD_BYTES_MAX + 1]; /* reencode wants room for a NUL */
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_ssize_t n = utf8proc_decompose_custom((const utf8proc_uint8_t *)text.p, (utf8proc_ssize_t)text.n,
                                                   cp, ARRAY_LEN(cp) - 1, options, space_map, NULL);

    if (n >= 0 && n < (utf8proc_ssize_t)ARRAY_LEN(cp))
        n = utf8proc_reencode(cp, n, options);
    if (n < 0 || n > (utf8proc_ssize_t)sizeof p->bytes) {
        n = (utf8proc_ssize_t)text.n;
        memcpy(p->bytes, text.p, text.n);
    } else {
        memcpy(p->bytes, cp, (size_t)n);
    }
    p->kind = PASSWORD_OWN;
    p->n = (size_t)n;
    sodium_memzero(cp, sizeof cp);
    return 0;
}

int password_parse(struct str text, struct password *out)
{
    uint8_t sym[SYMBOLS], sum[CHECK_SYMBOLS];
    int r = 0;

    if (text.n < 1 || text.n > PASSWORD_BYTES_MAX)
        return E_LIMIT;
    if (!symbols_read(text, sym)) {
        r = own_set(out, text);
    } else {
        checksum_symbols(sym, sum);
        if (bytes_same(sum, sym + SYMBOLS - CHECK_SYMBOLS, CHECK_SYMBOLS))
            generated_set(out, sym);
        else
            r = E_AUTH;
    }
    sodium_memzero(sym, sizeof sym);
    return r;
}

void password_release(struct password *p)
{
    sodium_memzero(p, sizeof *p);
}

void password_generate(uint16_t slot_id, struct password *out)
{
    uint8_t sym[SYMBOLS];

    rand_bytes(sym, sizeof sym);
    for (size_t i = 0; i < SYMBOLS; i++)
        sym[i] &= 31;
    sym[0] = (uint8_t)((slot_id & PASSWORD_HINT_MAX) >> 5);
    sym[1] = slot_id & 31;
    checksum_symbols(sym, sym + SYMBOLS - CHECK_SYMBOLS);
    generated_set(out, sym);
    sodium_memzero(sym, sizeof sym);
}

void password_text(const struct password *p, char out[PASSWORD_TEXT_LEN + 1])
{
    uint8_t sym[SYMBOLS];
    size_t at = 0;

    assert(p->kind == PASSWORD_GENERATED);
    symbols_unpack(p->bytes, sym);
    for (size_t i = 0; i < SYMBOLS; i++) {
        if (i && i % GROUP == 0)
            out[at++] = '-';
        out[at++] = alphabet[sym[i]];
    }
    out[at] = 0;
    sodium_memzero(sym, sizeof sym);
}

/* RFC 8265 4.2.2 with RFC 8264 9.11: no control characters; what is not assigned may change its form. */
static bool own_is_stable(struct str text)
{
    for (size_t at = 0; at < text.n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t used =
            utf8proc_iterate((const utf8proc_uint8_t *)text.p + at, (utf8proc_ssize_t)(text.n - at), &c);
        utf8proc_category_t cat = used > 0 ? utf8proc_category(c) : UTF8PROC_CATEGORY_CN;

        if (cat == UTF8PROC_CATEGORY_CN || cat == UTF8PROC_CATEGORY_CC || cat == UTF8PROC_CATEGORY_CS)
            return false;
        at += (size_t)used;
    }
    return true;
}

int password_strength_check(struct str text, const char *const *related)
{
    uint8_t sym[SYMBOLS];
    char z[ZXCVBN_BYTES + 1];
    bool generated;
    double bits;

    if (text.n < PASSWORD_OWN_BYTES_MIN || text.n > PASSWORD_BYTES_MAX)
        return E_LIMIT;
    generated = symbols_read(text, sym);
    sodium_memzero(sym, sizeof sym);
    if (generated || !own_is_stable(text))
        return E_SYNTAX;
    memcpy(z, text.p, size_min(text.n, ZXCVBN_BYTES));
    z[size_min(text.n, ZXCVBN_BYTES)] = 0;
    bits = ZxcvbnMatch(z, (const char **)(uintptr_t)related, NULL);
    sodium_memzero(z, sizeof z);
    return bits < PASSWORD_ENTROPY_MIN ? E_WEAK : 0;
}

int password_root(const struct password *p, const uint8_t salt[PASSWORD_SALT_BYTES],
                  struct password_cost cost, uint8_t root_out[KEY_BYTES])
{
    if (p->kind == PASSWORD_GENERATED) {
        kdf(root_out, salt, "letterlock generated password v1", str_of(p->bytes, p->n));
        return 0;
    }
    if (cost.passes < 1 || cost.passes > PASSWORD_PASSES_MAX || cost.mem_kib < 8 ||
        cost.mem_kib > PASSWORD_MEM_KIB_MAX)
        return E_RANGE;
    return crypto_pwhash(root_out, KEY_BYTES, (const char *)p->bytes, p->n, salt, cost.passes,
                         (size_t)cost.mem_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) < 0
               ? E_NOMEM
               : 0;
}
