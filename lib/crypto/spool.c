/* Whole records leave memory for the file as soon as the limit is crossed; what is not a whole record
 * stays in `tail`. So every record is written once, under its number as nonce, and never changed. */
#include "lib/crypto/spool.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/base/rand.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define TAG_BYTES    crypto_aead_chacha20poly1305_ietf_ABYTES
#define SEALED_BYTES (SPOOL_RECORD_BYTES + TAG_BYTES)
#define NO_RECORD    UINT64_MAX

struct spool {
    int dir, fd, failed;
    uint64_t max, flushed; /* bytes in the file: whole records */
    struct buf tail;       /* what follows them */
    crypto_generichash_state hash;
    uint8_t key[KEY_BYTES];
    uint8_t *sealed; /* SEALED_BYTES: a record on its way to or from the file */
    char *cache;     /* SPOOL_RECORD_BYTES, plain */
    uint64_t cached; /* which record it is */
};

int spool_new(int dir, uint64_t max_bytes, struct spool **out)
{
    struct spool *s = calloc(1, sizeof *s);

    if (!s)
        return E_NOMEM;
    s->dir = dir;
    s->fd = -1;
    s->max = max_bytes;
    s->tail.max = SPOOL_MEMORY_MAX + SPOOL_RECORD_BYTES;
    s->cached = NO_RECORD;
    crypto_generichash_init(&s->hash, NULL, 0, HASH_BYTES);
    *out = s;
    return 0;
}

void spool_free(struct spool **sp)
{
    struct spool *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    fd_close(&s->fd);
    buf_release(&s->tail);
    if (s->cache)
        sodium_memzero(s->cache, SPOOL_RECORD_BYTES);
    free(s->cache);
    free(s->sealed);
    sodium_memzero(s, sizeof *s);
    free(s);
}

/* A file without a name: O_TMPFILE, or where the file system has none, made and unlinked. */
static int file_open(struct spool *s)
{
    char name[32] = "spool-", hex[17];
    uint64_t r = rand_u64();

    s->fd = file_ops()->openat(s->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        hex_encode(&r, sizeof r, hex);
        memcpy(name + 6, hex, sizeof hex);
        s->fd = file_ops()->openat(s->dir, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (s->fd >= 0)
            file_ops()->unlinkat(s->dir, name);
    }
    return s->fd < 0 ? error_from_errno(errno) : 0;
}

static int spill_begin(struct spool *s)
{
    if (s->fd >= 0)
        return 0;
    if (!s->sealed)
        s->sealed = malloc(SEALED_BYTES);
    if (!s->cache)
        s->cache = malloc(SPOOL_RECORD_BYTES);
    if (!s->sealed || !s->cache)
        return E_NOMEM;
    rand_bytes(s->key, sizeof s->key);
    return file_open(s);
}

static void nonce_of(uint64_t record, uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(nonce, 0, crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
    le64_put(nonce, record);
}

static int record_write(struct spool *s, const char *plain)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    int r;

    nonce_of(s->flushed / SPOOL_RECORD_BYTES, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(s->sealed, NULL, (const uint8_t *)plain, SPOOL_RECORD_BYTES,
                                              NULL, 0, NULL, nonce, s->key);
    if ((r = file_write(s->fd, str_of(s->sealed, SEALED_BYTES))) < 0)
        return r;
    s->flushed += SPOOL_RECORD_BYTES;
    return 0;
}

/* What is left after a spill moves to memory of its size: a slow sender shall not hold 256 KiB. */
static int tail_keep(struct spool *s, size_t done)
{
    struct buf rest = { .max = s->tail.max };
    int r = buf_puts(&rest, str_skip(buf_str(&s->tail), done));

    if (r < 0)
        return r;
    buf_release(&s->tail);
    s->tail = rest;
    return 0;
}

static int spill(struct spool *s)
{
    size_t done = 0;
    int r = spill_begin(s);

    for (; r == 0 && s->tail.n - done >= SPOOL_RECORD_BYTES; done += SPOOL_RECORD_BYTES)
        r = record_write(s, s->tail.p + done);
    return r == 0 ? tail_keep(s, done) : r;
}

static int piece_append(struct spool *s, struct str piece)
{
    int r = buf_puts(&s->tail, piece);
    size_t limit = s->fd >= 0 ? SPOOL_RECORD_BYTES : SPOOL_MEMORY_MAX + 1;

    crypto_generichash_update(&s->hash, (const uint8_t *)piece.p, r < 0 ? 0 : piece.n);
    return r == 0 && s->tail.n >= limit ? spill(s) : r;
}

int spool_append(struct spool *s, struct str bytes)
{
    if (s->failed)
        return s->failed;
    if (bytes.n > s->max - spool_size(s))
        return E_TOO_BIG;
    while (bytes.n && s->failed == 0) {
        struct str piece = str_slice(bytes, 0, SPOOL_RECORD_BYTES);

        s->failed = piece_append(s, piece);
        bytes = str_skip(bytes, piece.n);
    }
    return s->failed;
}

uint64_t spool_size(const struct spool *s)
{
    return s->flushed + s->tail.n;
}

bool spool_on_disk(const struct spool *s)
{
    return s->fd >= 0;
}

void spool_hash(const struct spool *s, uint8_t out[HASH_BYTES])
{
    crypto_generichash_state copy = s->hash;

    crypto_generichash_final(&copy, out, HASH_BYTES);
    sodium_memzero(&copy, sizeof copy);
}

static int record_read(struct spool *s, uint64_t record)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    if (s->cached == record)
        return 0;
    s->cached = NO_RECORD;
    if (file_read_exact(s->fd, s->sealed, SEALED_BYTES, record * SEALED_BYTES) < 0)
        return E_IO;
    nonce_of(record, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt((uint8_t *)s->cache, NULL, NULL, s->sealed, SEALED_BYTES,
                                                  NULL, 0, nonce, s->key) < 0)
        return E_CORRUPT;
    s->cached = record;
    return 0;
}

int spool_at(struct spool *s, uint64_t offset, struct str *out)
{
    size_t within = (size_t)(offset % SPOOL_RECORD_BYTES);
    int r;

    if (offset > spool_size(s))
        return E_RANGE;
    if (offset >= s->flushed) {
        *out = str_skip(buf_str(&s->tail), (size_t)(offset - s->flushed));
        return 0;
    }
    if ((r = record_read(s, offset / SPOOL_RECORD_BYTES)) < 0)
        return r;
    *out = str_of(s->cache + within, SPOOL_RECORD_BYTES - within);
    return 0;
}

int spool_read(struct spool *s, uint64_t offset, void *to, size_t n)
{
    char *at = to;
    struct str piece;

    if (offset > spool_size(s) || n > spool_size(s) - offset)
        return E_RANGE;
    for (; n; n -= piece.n, at += piece.n, offset += piece.n) {
        int r = spool_at(s, offset, &piece);

        if (r < 0)
            return r;
        piece.n = size_min(piece.n, n);
        memcpy(at, piece.p, piece.n);
    }
    return 0;
}
