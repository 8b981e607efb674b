#include "lib/mailauth/key.h"
#include "lib/mailauth/tags.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>

const char dkim_wrong_signature[] = "signature does not fit";

struct dkim_private {
    EVP_PKEY *pkey;
    enum dkim_algorithm algorithm;
};

static const char *const algorithm_names[] = { "rsa-sha256", "ed25519-sha256", "rsa-sha1", "unknown" };

enum dkim_algorithm dkim_algorithm_of(struct str name)
{
    for (size_t i = 0; i < DKIM_UNKNOWN; i++)
        if (str_eq_z(name, algorithm_names[i]))
            return (enum dkim_algorithm)i;
    return DKIM_UNKNOWN;
}

const char *dkim_algorithm_name(enum dkim_algorithm a)
{
    return algorithm_names[a <= DKIM_UNKNOWN ? a : DKIM_UNKNOWN];
}

/* ---- records ---- */

static bool list_has(struct str list, const char *one, const char *other)
{
    struct str item;

    while (tags_list_next(&list, &item))
        if (str_eq_z(item, one) || (other && str_eq_z(item, other)))
            return true;
    return false;
}

const char *dkim_public_parse(struct arena *a, struct str record, struct dkim_public *out)
{
    struct dkim_public key = { .algorithm = DKIM_RSA_SHA256 };
    struct str v, k, h, s, t, p;
    struct tags tags;

    if (tags_parse(record, &tags) < 0)
        return "key record is not well-formed";
    v = tags_get(&tags, "v");
    k = tags_get(&tags, "k");
    h = tags_get(&tags, "h");
    s = tags_get(&tags, "s");
    t = tags_get(&tags, "t");
    p = tags_get(&tags, "p");
    if (v.p && (!str_eq_z(v, "DKIM1") || !str_eq_z(tags.tag[0].name, "v")))
        return "key record of an unknown version";
    if (k.p && str_eq_z(k, "ed25519"))
        key.algorithm = DKIM_ED25519_SHA256;
    else if (k.p && !str_eq_z(k, "rsa"))
        return "key of an unknown type";
    if (h.p && !list_has(h, "sha256", NULL))
        return "key is not for SHA-256";
    if (s.p && !list_has(s, "email", "*"))
        return "key is not for mail";
    if (!p.p)
        return "key record without a key";
    if (p.n == 0)
        return "key was revoked"; /* RFC 6376 3.6.1 */
    if (base64_decode(a, p, &key.bytes) < 0)
        return "key is not base64";
    key.testing = list_has(t, "y", NULL);
    key.same_domain = list_has(t, "s", NULL);
    *out = key;
    return NULL;
}

/* SubjectPublicKeyInfo, or the bare RSAPublicKey that RFC 6376 3.6.1 speaks of. */
static EVP_PKEY *rsa_public(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    EVP_PKEY *k = d2i_PUBKEY(NULL, &p, (long)der.n);

    if (!k) {
        p = (const unsigned char *)der.p;
        k = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
    }
    return k;
}

static EVP_PKEY *public_read(const struct dkim_public *key)
{
    if (key->algorithm == DKIM_RSA_SHA256)
        return rsa_public(key->bytes);
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)key->bytes.p,
                                       key->bytes.n);
}

/* OpenSSL 3 takes half a millisecond to read a key and a twentieth of that to verify with it; most mail is signed with few
 * keys. So the last of each place stay read: by their bytes, which are all there is to a key. */
#define KEYS_READ 64u
static _Thread_local struct {
    uint8_t id[SHA256_DIGEST_LENGTH];
    EVP_PKEY *key;
} keys_read[KEYS_READ];

/* The caller frees it. */
static EVP_PKEY *public_key(const struct dkim_public *key)
{
    uint8_t id[SHA256_DIGEST_LENGTH], algorithm = (uint8_t)key->algorithm;
    size_t at;

    SHA256((const unsigned char *)key->bytes.p, key->bytes.n, id);
    id[0] ^= algorithm;
    at = id[1] % KEYS_READ;
    if (!keys_read[at].key || memcmp(keys_read[at].id, id, sizeof id) != 0) {
        EVP_PKEY *k = public_read(key);

        if (!k)
            return NULL;
        EVP_PKEY_free(keys_read[at].key);
        keys_read[at].key = k;
        memcpy(keys_read[at].id, id, sizeof id);
    }
    return EVP_PKEY_up_ref(keys_read[at].key) == 1 ? keys_read[at].key : NULL;
}

static bool verify_rsa(EVP_PKEY *k, const uint8_t *hash, struct str sig)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
    bool ok = c && EVP_PKEY_verify_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(c, (const unsigned char *)sig.p, sig.n, hash, DKIM_HASH_BYTES) == 1;

    EVP_PKEY_CTX_free(c);
    return ok;
}

/* RFC 8463 3: Ed25519 over the SHA-256 hash. */
static bool verify_ed25519(EVP_PKEY *k, const uint8_t *hash, struct str sig)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1 &&
              EVP_DigestVerify(c, (const unsigned char *)sig.p, sig.n, hash, DKIM_HASH_BYTES) == 1;

    EVP_MD_CTX_free(c);
    return ok;
}

static const char *verify(EVP_PKEY *k, const struct dkim_public *key, const uint8_t *hash, struct str sig,
                          unsigned bits)
{
    bool rsa = key->algorithm == DKIM_RSA_SHA256;

    if (rsa && EVP_PKEY_get_base_id(k) != EVP_PKEY_RSA)
        return "key is of another type than it says";
    if (rsa && bits < DKIM_RSA_BITS_MIN)
        return "key is too short";
    if (rsa && bits > DKIM_RSA_BITS_MAX)
        return "key is too long";
    return (rsa ? verify_rsa : verify_ed25519)(k, hash, sig) ? NULL : dkim_wrong_signature;
}

const char *dkim_public_verify(const struct dkim_public *key, const uint8_t hash[DKIM_HASH_BYTES],
                               struct str signature, unsigned *bits_out)
{
    EVP_PKEY *k = public_key(key);
    const char *why;

    *bits_out = 0;
    if (!k)
        return "key cannot be read";
    *bits_out = (unsigned)EVP_PKEY_get_bits(k);
    why = verify(k, key, hash, signature, *bits_out);
    EVP_PKEY_free(k);
    return why;
}

/* ---- private keys ---- */

static int wrap(EVP_PKEY *k, struct dkim_private **out)
{
    int id = k ? EVP_PKEY_get_base_id(k) : 0, r = 0;
    struct dkim_private *key;

    if (!k)
        return E_SYNTAX;
    if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519)
        r = E_UNSUPPORTED;
    else if (id == EVP_PKEY_RSA && EVP_PKEY_get_bits(k) < (int)DKIM_RSA_BITS_MIN)
        r = E_WEAK;
    if (r < 0 || !(key = calloc(1, sizeof *key))) {
        EVP_PKEY_free(k);
        return r < 0 ? r : E_NOMEM;
    }
    key->pkey = k;
    key->algorithm = id == EVP_PKEY_RSA ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256;
    *out = key;
    return 0;
}

static int no_password(char *p, int size, int rwflag, void *u)
{
    (void)p;
    (void)size;
    (void)rwflag;
    (void)u;
    return -1; /* never ask a terminal */
}

int dkim_private_from_pem(struct str pem, struct dkim_private **out)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)size_min(pem.n, KIB(64)));
    EVP_PKEY *k;

    if (!b)
        return E_NOMEM;
    k = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
    BIO_free(b);
    return wrap(k, out);
}

int dkim_private_generate(enum dkim_algorithm algorithm, unsigned bits, struct dkim_private **out)
{
    if (algorithm == DKIM_ED25519_SHA256)
        return wrap(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), out);
    if (algorithm != DKIM_RSA_SHA256 || bits > DKIM_RSA_BITS_MAX)
        return E_UNSUPPORTED;
    return bits < DKIM_RSA_BITS_MIN ? E_WEAK : wrap(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits), out);
}

void dkim_private_free(struct dkim_private **key)
{
    if (*key) {
        EVP_PKEY_free((*key)->pkey); /* OpenSSL wipes what it frees of private keys */
        free(*key);
    }
    *key = NULL;
}

enum dkim_algorithm dkim_private_algorithm(const struct dkim_private *key)
{
    return key->algorithm;
}

int dkim_private_to_pem(const struct dkim_private *key, struct buf *out)
{
    BIO *b = BIO_new(BIO_s_secmem() ? BIO_s_secmem() : BIO_s_mem());
    char *p = NULL;
    long n = 0;
    int r = E_NOMEM;

    if (b && PEM_write_bio_PKCS8PrivateKey(b, key->pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
        (n = BIO_get_mem_data(b, &p)) > 0)
        r = buf_append(out, p, (size_t)n);
    BIO_free(b);
    return r;
}

int base64_put(struct buf *out, const void *p, size_t n)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = p;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i += 3) {
        uint32_t v =
            (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        char four[4] = { set[v >> 18], set[v >> 12 & 63], i + 1 < n ? set[v >> 6 & 63] : '=',
                         i + 2 < n ? set[v & 63] : '=' };

        r = buf_append(out, four, 4);
    }
    return r;
}

int dkim_private_record(const struct dkim_private *key, struct buf *out)
{
    unsigned char raw[32], *der = NULL;
    size_t n = sizeof raw;
    int len, r;

    if (key->algorithm == DKIM_ED25519_SHA256) {
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &n) != 1)
            return E_BUG;
        r = buf_putz(out, "v=DKIM1; k=ed25519; p=");
        return r < 0 ? r : base64_put(out, raw, n);
    }
    if ((len = i2d_PUBKEY(key->pkey, &der)) <= 0)
        return E_NOMEM;
    r = buf_putz(out, "v=DKIM1; k=rsa; p=");
    if (r == 0)
        r = base64_put(out, der, (size_t)len);
    OPENSSL_free(der);
    return r;
}

static bool sign_rsa(EVP_PKEY *k, const uint8_t *hash, unsigned char *sig, size_t *n)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k, NULL);
    bool ok = c && EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1 &&
              EVP_PKEY_sign(c, sig, n, hash, DKIM_HASH_BYTES) == 1;

    EVP_PKEY_CTX_free(c);
    return ok;
}

static bool sign_ed25519(EVP_PKEY *k, const uint8_t *hash, unsigned char *sig, size_t *n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 &&
              EVP_DigestSign(c, sig, n, hash, DKIM_HASH_BYTES) == 1;

    EVP_MD_CTX_free(c);
    return ok;
}

int dkim_private_sign(const struct dkim_private *key, const uint8_t hash[DKIM_HASH_BYTES], struct buf *out)
{
    unsigned char sig[DKIM_RSA_BITS_MAX / 8];
    size_t n = sizeof sig;

    if (!(key->algorithm == DKIM_RSA_SHA256 ? sign_rsa : sign_ed25519)(key->pkey, hash, sig, &n))
        return E_BUG;
    return base64_put(out, sig, n);
}
