#include "lib/db/page_cipher.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include "lib/base/str.h"
#include "lib/db/wal_gather.h"
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define PAGE1_CLEAR_BYTES 24u /* salt, then what SQLite must read before it has a key */
#define NONCE_POOL_BYTES  4064u
#define PASSED_BYTES      4096u /* pages of this size */

static const char PLAIN_HEADER[16] = "SQLite format 3"; /* with its NUL: 16 bytes */

/* Random bytes ahead of use: a system call per page would cost as much as the page, and the kernel takes
 * longer over 4 KB than ChaCha20 here; so each filling is the key stream of a key that the kernel gave for it
 * alone. The pool is one page of memory of its own, which the kernel hands to a forked child as zeros (MADV_WIPEONFORK), so
 * that the child finds it empty; `forks` says the same where that advice is not known. */
struct nonce_pool {
    uint64_t generation; /* of `forks` when filled */
    size_t left;         /* zero after a fork */
    uint8_t bytes[NONCE_POOL_BYTES];
};

/* What a thread keeps between pages; made at its first page, freed when it ends. */
struct lane {
    EVP_CIPHER_CTX *chacha;
    EVP_MAC_CTX *mac;
    struct nonce_pool *pool;
    bool passing;         /* a checkpoint runs on this thread */
    uint32_t passed_page; /* what it reads and then writes, sealed as it is; 0: nothing */
    uint8_t passed[PASSED_BYTES];
};

static EVP_CIPHER *chacha20;
static EVP_MAC *poly1305;
static pthread_key_t lane_key;
static __thread struct lane *lane_mine;
static atomic_uint_fast64_t forks = 1;
static pthread_once_t globals_once = PTHREAD_ONCE_INIT;
static int globals_result = E_BUG;

static void lane_free(void *p)
{
    struct lane *l = p;

    if (!l)
        return;
    EVP_CIPHER_CTX_free(l->chacha);
    EVP_MAC_CTX_free(l->mac);
    if (l->pool)
        munmap(l->pool, sizeof *l->pool);
    free(l);
    lane_mine = NULL;
}

static void forget_nonces(void)
{
    atomic_fetch_add(&forks, 1);
}

static void globals_init(void)
{
    chacha20 = EVP_CIPHER_fetch(NULL, "ChaCha20", NULL);
    poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    if (!chacha20 || !poly1305)
        globals_result = E_UNSUPPORTED;
    else if (pthread_key_create(&lane_key, lane_free) != 0 || pthread_atfork(NULL, NULL, forget_nonces) != 0)
        globals_result = E_NOMEM;
    else
        globals_result = 0;
}

static struct nonce_pool *pool_new(void)
{
    void *p =
        mmap(NULL, sizeof(struct nonce_pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    /* Both are advice: the fork counter stands behind the first, nonces are public once used. */
    (void)madvise(p, sizeof(struct nonce_pool), MADV_WIPEONFORK);
    (void)madvise(p, sizeof(struct nonce_pool), MADV_DONTDUMP);
    return p;
}

int page_cipher_thread_ready(void)
{
    struct lane *l = lane_mine;

    if (l)
        return 0;
    pthread_once(&globals_once, globals_init);
    if (globals_result < 0)
        return globals_result;
    l = calloc(1, sizeof *l);
    if (!l)
        return E_NOMEM;
    l->chacha = EVP_CIPHER_CTX_new();
    l->mac = EVP_MAC_CTX_new(poly1305);
    l->pool = pool_new();
    /* The first init with the algorithm allocates; later ones, with key and nonce only, do not. */
    if (!l->chacha || !l->mac || !l->pool || pthread_setspecific(lane_key, l) != 0 ||
        EVP_EncryptInit_ex2(l->chacha, chacha20, (const uint8_t[32]){ 0 }, (const uint8_t[16]){ 0 }, NULL) !=
            1 ||
        EVP_MAC_init(l->mac, (const uint8_t[32]){ 0 }, 32, NULL) != 1) {
        pthread_setspecific(lane_key, NULL);
        lane_free(l);
        return E_NOMEM;
    }
    lane_mine = l;
    return 0;
}

static struct lane *lane_get(void)
{
    return page_cipher_thread_ready() == 0 ? lane_mine : NULL;
}

static bool chacha_run(EVP_CIPHER_CTX *c, const uint8_t *key, const uint8_t nonce[12], uint32_t counter,
                       uint8_t *data, size_t n)
{
    uint8_t iv[16];
    int done = 0;

    le32_put(iv, counter);
    memcpy(iv + 4, nonce, 12);
    return EVP_EncryptInit_ex2(c, NULL, key, iv, NULL) == 1 &&
           EVP_EncryptUpdate(c, data, &done, data, (int)n) == 1 && done == (int)n;
}

static void pool_fill(struct lane *l)
{
    static const uint8_t no_nonce[12];
    struct nonce_pool *pool = l->pool;
    uint8_t seed[32];

    rand_bytes(seed, sizeof seed);
    memset(pool->bytes, 0, sizeof pool->bytes);
    if (!chacha_run(l->chacha, seed, no_nonce, 0, pool->bytes, sizeof pool->bytes))
        abort(); /* a nonce used twice under one key would give both pages away */
    explicit_bzero(seed, sizeof seed);
    pool->left = sizeof pool->bytes;
}

static void pool_take(struct lane *l, uint8_t *out, size_t n)
{
    struct nonce_pool *pool = l->pool;
    uint64_t now = atomic_load_explicit(&forks, memory_order_relaxed);

    assert(n <= sizeof pool->bytes);
    if (pool->left < n || pool->generation != now) {
        pool_fill(l);
        pool->generation = now;
    }
    pool->left -= n;
    memcpy(out, pool->bytes + pool->left, n);
}

void page_nonce(uint8_t *out, size_t n)
{
    struct lane *l = lane_get();

    if (l && n <= NONCE_POOL_BYTES)
        pool_take(l, out, n);
    else
        rand_bytes(out, n);
}

/* ChaCha20 as RFC 8439 2.4 has it: the 32-bit counter wraps and the nonce stays. OpenSSL's carries
 * into the nonce instead, so the stream is cut where the counter comes to zero. */
static bool chacha_xor(EVP_CIPHER_CTX *c, const uint8_t *key, const uint8_t nonce[12], uint32_t counter,
                       uint8_t *data, size_t n)
{
    uint64_t before_wrap = (UINT64_C(1) << 32) - counter;
    size_t first = before_wrap * 64 < n ? (size_t)before_wrap * 64 : n;

    return chacha_run(c, key, nonce, counter, data, first) &&
           (first == n || chacha_run(c, key, nonce, 0, data + first, n - first));
}

/* ---- one block ----
 * The key of every page costs one block of ChaCha20 under the file's key. Setting OpenSSL up for these 64
 * bytes takes longer than computing them, a tenth of the whole page's work; so they are computed here, four
 * words at a time (RFC 8439 2.3: the state's rows), without a branch or an index that knows the key. */

typedef uint32_t row_of_four __attribute__((vector_size(16)));

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are copied as they lie");

#define ROTL(v, n) ((v) << (n) | (v) >> (32 - (n)))
/* RFC 8439 2.1, on four columns at once */
#define QUARTER_ROUNDS(a, b, c, d)                                                                     \
    (a += b, d ^= a, d = ROTL(d, 16), c += d, b ^= c, b = ROTL(b, 12), a += b, d ^= a, d = ROTL(d, 8), \
     c += d, b ^= c, b = ROTL(b, 7))

static inline row_of_four row_get(const uint8_t *p)
{
    row_of_four v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline void row_put(uint8_t *p, row_of_four v)
{
    memcpy(p, &v, sizeof v);
}

/* The rows live in registers: nothing of the key is left on the stack. */
void page_chacha_block(const uint8_t key[PAGE_KEY_BYTES], const uint8_t nonce[12], uint32_t counter,
                       uint8_t out[PAGE_BLOCK_BYTES])
{
    static const row_of_four constants = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
    uint32_t n[3];
    row_of_four a = constants, b = row_get(key), c = row_get(key + 16), d, last;

    memcpy(n, nonce, sizeof n);
    d = last = (row_of_four){ counter, n[0], n[1], n[2] };
    for (int i = 0; i < 10; i++) {
        QUARTER_ROUNDS(a, b, c, d);
        b = __builtin_shufflevector(b, b, 1, 2, 3, 0);
        c = __builtin_shufflevector(c, c, 2, 3, 0, 1);
        d = __builtin_shufflevector(d, d, 3, 0, 1, 2);
        QUARTER_ROUNDS(a, b, c, d);
        b = __builtin_shufflevector(b, b, 3, 0, 1, 2);
        c = __builtin_shufflevector(c, c, 2, 3, 0, 1);
        d = __builtin_shufflevector(d, d, 1, 2, 3, 0);
    }
    row_put(out, a + constants);
    row_put(out + 16, b + row_get(key));
    row_put(out + 32, c + row_get(key + 16));
    row_put(out + 48, d + last);
}

static uint32_t page_otk(const uint8_t *key, const uint8_t *nonce, uint32_t page,
                         uint8_t otk[PAGE_BLOCK_BYTES])
{
    uint32_t counter = le32_get(nonce + 12) ^ page;

    page_chacha_block(key, nonce, counter, otk);
    return counter;
}

static bool page_tag(EVP_MAC_CTX *m, const uint8_t *otk, const uint8_t *data, size_t n,
                     uint8_t tag[PAGE_TAG_BYTES])
{
    size_t got = 0;

    return EVP_MAC_init(m, otk, 32, NULL) == 1 && EVP_MAC_update(m, data, n) == 1 &&
           EVP_MAC_final(m, tag, &got, PAGE_TAG_BYTES) == 1 && got == PAGE_TAG_BYTES;
}

void page_seal(const uint8_t key[PAGE_KEY_BYTES], const uint8_t salt[PAGE_SALT_BYTES], uint32_t page,
               uint8_t *data, size_t len, const uint8_t nonce[PAGE_NONCE_BYTES])
{
    size_t n = len - PAGE_EXTRA_BYTES, from = page == 1 ? PAGE1_CLEAR_BYTES : 0;
    struct lane *l = lane_get();
    uint8_t otk[PAGE_BLOCK_BYTES], *at = data + n;
    uint32_t counter;

    assert(len > PAGE_EXTRA_BYTES + PAGE1_CLEAR_BYTES);
    if (!l)
        abort(); /* SQLite would go on and write the page in the clear: see page_cipher_thread_ready */
    if (nonce)
        memcpy(at, nonce, PAGE_NONCE_BYTES);
    else
        pool_take(l, at, PAGE_NONCE_BYTES);
    counter = page_otk(key, at, page, otk);
    if (!chacha_xor(l->chacha, otk + 32, at, counter + 1, data + from, n - from))
        abort();
    if (page == 1)
        memcpy(data, salt, PAGE_SALT_BYTES);
    if (!page_tag(l->mac, otk, data, n + PAGE_NONCE_BYTES, at + PAGE_NONCE_BYTES))
        abort();
    OPENSSL_cleanse(otk, sizeof otk);
}

/* The one-time key and the counter that the text goes on with, once the tag is right. */
static int tag_check(struct lane *l, const uint8_t key[PAGE_KEY_BYTES], uint32_t page, const uint8_t *data,
                     size_t n, uint8_t otk[PAGE_BLOCK_BYTES], uint32_t *counter)
{
    uint8_t tag[PAGE_TAG_BYTES];

    *counter = page_otk(key, data + n, page, otk);
    if (!page_tag(l->mac, otk, data, n + PAGE_NONCE_BYTES, tag))
        return E_BUG;
    return CRYPTO_memcmp(tag, data + n + PAGE_NONCE_BYTES, PAGE_TAG_BYTES) == 0 ? 0 : E_CORRUPT;
}

int page_verify(const uint8_t key[PAGE_KEY_BYTES], uint32_t page, const uint8_t *data, size_t len)
{
    struct lane *l = lane_get();
    uint8_t otk[PAGE_BLOCK_BYTES];
    uint32_t counter;
    int r;

    assert(len > PAGE_EXTRA_BYTES + PAGE1_CLEAR_BYTES);
    if (!l)
        return E_NOMEM;
    r = tag_check(l, key, page, data, len - PAGE_EXTRA_BYTES, otk, &counter);
    OPENSSL_cleanse(otk, sizeof otk);
    return r;
}

int page_open(const uint8_t key[PAGE_KEY_BYTES], uint32_t page, uint8_t *data, size_t len)
{
    size_t n = len - PAGE_EXTRA_BYTES, from = page == 1 ? PAGE1_CLEAR_BYTES : 0;
    struct lane *l = lane_get();
    uint8_t otk[PAGE_BLOCK_BYTES];
    uint32_t counter;
    int r;

    assert(len > PAGE_EXTRA_BYTES + PAGE1_CLEAR_BYTES);
    if (!l)
        return E_NOMEM;
    if ((r = tag_check(l, key, page, data, n, otk, &counter)) == 0)
        r = chacha_xor(l->chacha, otk + 32, data + n, counter + 1, data + from, n - from) ? 0 : E_BUG;
    OPENSSL_cleanse(otk, sizeof otk);
    if (r == 0 && page == 1)
        memcpy(data, PLAIN_HEADER, sizeof PLAIN_HEADER);
    return r;
}

/* ---- the cipher as SQLite3MultipleCiphers sees it ---- */

struct page_cipher {
    uint8_t key[PAGE_KEY_BYTES], salt[PAGE_SALT_BYTES];
};

static void *cipher_allocate(sqlite3 *db)
{
    struct page_cipher *c = sqlite3_malloc(sizeof *c);

    (void)db;
    if (c)
        memset(c, 0, sizeof *c);
    return c;
}

static void cipher_free(void *cipher)
{
    OPENSSL_cleanse(cipher, sizeof(struct page_cipher));
    sqlite3_free(cipher);
}

static void cipher_clone(void *to, void *from)
{
    memcpy(to, from, sizeof(struct page_cipher));
}

static int cipher_zero(void *cipher) /* no legacy mode, no page size of its own */
{
    (void)cipher;
    return 0;
}

static int cipher_reserved(void *cipher)
{
    (void)cipher;
    return PAGE_EXTRA_BYTES;
}

static unsigned char *cipher_salt(void *cipher)
{
    return ((struct page_cipher *)cipher)->salt;
}

/* The key itself, in the forms that the stock library takes: "raw:" and binary or hexadecimal key, or
 * key and salt; or x'...' as SQLCipher writes it. A salt given here counts in a new file only. */
static bool raw_key(struct page_cipher *c, struct str text, bool new_file)
{
    uint8_t both[PAGE_KEY_BYTES + PAGE_SALT_BYTES];
    bool sqlcipher = str_istarts(text, STR("x'")) && !str_starts(text, STR("raw:"));
    struct str raw = str_skip(text, 4);
    size_t n = 0;

    if (sqlcipher)
        raw = str_slice(text, 2, text.n - 1); /* the last byte is taken for the quote, as stock does */
    else if (!str_starts(text, STR("raw:")))
        return false;
    if (!sqlcipher && (raw.n == sizeof both || raw.n == PAGE_KEY_BYTES))
        memcpy(both, raw.p, n = raw.n);
    else if (raw.n == 2 * PAGE_KEY_BYTES && hex_decode(raw, both, PAGE_KEY_BYTES))
        n = PAGE_KEY_BYTES;
    else if (raw.n == 2 * sizeof both && hex_decode(raw, both, sizeof both))
        n = sizeof both;
    if (n)
        memcpy(c->key, both, PAGE_KEY_BYTES);
    if (n == sizeof both && new_file)
        memcpy(c->salt, both + PAGE_KEY_BYTES, PAGE_SALT_BYTES);
    OPENSSL_cleanse(both, sizeof both);
    return n != 0;
}

static void cipher_generate_key(void *cipher, char *password, int n, int rekey, unsigned char *file_salt)
{
    struct page_cipher *c = cipher;
    bool new_file = rekey || !file_salt;

    if (new_file)
        page_nonce(c->salt, sizeof c->salt);
    else
        memcpy(c->salt, file_salt, sizeof c->salt);
    if (raw_key(c, str_of(password, (size_t)n), new_file))
        return;
    /* This interface cannot say no. A key that was not derived must not be zeros by accident. */
    if (PKCS5_PBKDF2_HMAC(password, n, c->salt, sizeof c->salt, PAGE_KDF_ROUNDS, EVP_sha256(), sizeof c->key,
                          c->key) != 1)
        abort();
}

/* ---- checkpoints ----
 * What one moves from the -wal into the file is sealed for its page number, which stays the same, so it is moved as it is: the
 * tag is compared, as ever, and nothing is deciphered only to be enciphered anew. What comes to be written passes only when
 * it is byte for byte what was just read and compared; all else is sealed. */

void page_cipher_pass(bool on)
{
    struct lane *l = lane_get();

    if (!l)
        return;
    l->passing = on;
    l->passed_page = 0;
}

static bool may_pass(const struct lane *l, int page, int len)
{
    return l && l->passing && page > 1 && len == (int)PASSED_BYTES;
}

static int pass_read(struct lane *l, const struct page_cipher *c, int page, const uint8_t *data)
{
    int r = page_verify(c->key, (uint32_t)page, data, PASSED_BYTES);

    l->passed_page = 0;
    if (r < 0)
        return r;
    memcpy(l->passed, data, PASSED_BYTES);
    l->passed_page = (uint32_t)page;
    return 0;
}

static bool pass_write(struct lane *l, int page, const uint8_t *data)
{
    bool same = l->passed_page == (uint32_t)page && memcmp(l->passed, data, PASSED_BYTES) == 0;

    l->passed_page = 0;
    return same;
}

static _Thread_local const void *sealed_last;

const void *page_sealed_last(void)
{
    return sealed_last;
}

static int cipher_encrypt(void *cipher, int page, unsigned char *data, int len, int reserved)
{
    struct page_cipher *c = cipher;

    if (reserved < (int)PAGE_EXTRA_BYTES) {
        memset(data, 0, (size_t)len); /* SQLite may write it out all the same */
        return SQLITE_CORRUPT;
    }
    if (may_pass(lane_mine, page, len) && pass_write(lane_mine, page, data))
        return SQLITE_OK;
    page_seal(c->key, c->salt, (uint32_t)page, data, (size_t)len, NULL);
    sealed_last = data;
    return SQLITE_OK;
}

static int cipher_decrypt(void *cipher, int page, unsigned char *data, int len, int reserved, int check)
{
    struct page_cipher *c = cipher;
    int r = E_CORRUPT, failure = wal_gather_read_failure();

    (void)check;
    if (failure != SQLITE_OK)
        return failure; /* what is in `data` was never read */
    if (reserved >= (int)PAGE_EXTRA_BYTES)
        r = may_pass(lane_mine, page, len) ? pass_read(lane_mine, c, page, data)
                                           : page_open(c->key, (uint32_t)page, data, (size_t)len);
    if (r == E_NOMEM)
        return SQLITE_NOMEM;
    return r == 0 ? SQLITE_OK : page == 1 ? SQLITE_NOTADB : SQLITE_CORRUPT;
}

int page_cipher_register(void)
{
    static const CipherDescriptor descriptor = {
        .m_name = "chacha20",
        .m_allocateCipher = cipher_allocate,
        .m_freeCipher = cipher_free,
        .m_cloneCipher = cipher_clone,
        .m_getLegacy = cipher_zero,
        .m_getPageSize = cipher_zero,
        .m_getReserved = cipher_reserved,
        .m_getSalt = cipher_salt,
        .m_generateKey = cipher_generate_key,
        .m_encryptPage = cipher_encrypt,
        .m_decryptPage = cipher_decrypt,
    };
    static const CipherParams params[] = {
        { "kdf_iter", PAGE_KDF_ROUNDS, PAGE_KDF_ROUNDS, PAGE_KDF_ROUNDS, PAGE_KDF_ROUNDS },
        { "", 0, 0, 0, 0 },
    };
    int r = page_cipher_thread_ready();

    if (r < 0)
        return r;
    if (sqlite3mc_cipher_index(descriptor.m_name) > 0)
        return E_EXISTS; /* the stock one is compiled in, or we were called twice */
    return sqlite3mc_register_cipher(&descriptor, params, 1) == SQLITE_OK ? 0 : E_NOMEM;
}
