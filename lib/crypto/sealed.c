#include "lib/crypto/sealed.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"
#include <sodium.h>

#define MAGIC       "LLSR\x01\x00\x00\x00"
#define MAGIC_BYTES 8u
enum { AT_GENERATION = 8, AT_CT = 12, AT_STREAM = 12 + XWING_CT_BYTES };
_Static_assert(AT_STREAM + crypto_secretstream_xchacha20poly1305_HEADERBYTES == SEALED_HEADER_BYTES,
               "header");
_Static_assert(SEALED_OVERHEAD_BYTES == crypto_secretstream_xchacha20poly1305_ABYTES, "chunk");

static void context_put(const struct sealed_context *c, uint8_t out[SEALED_CONTEXT_BYTES])
{
    memcpy(out, c->mailbox, MAILBOX_ID_BYTES);
    le32_put(out + 12, c->key_generation);
    memcpy(out + 16, c->delivery, DELIVERY_ID_BYTES);
    le64_put(out + 48, c->seq);
}

/* The stream's key hangs on the context and on every byte of the header before the stream's own. */
static void stream_key(const uint8_t ss[XWING_SS_BYTES], const uint8_t context[SEALED_CONTEXT_BYTES],
                       const uint8_t *header, uint8_t out[KEY_BYTES])
{
    kdf2(out, ss, "letterlock sealed record v1", str_of(context, SEALED_CONTEXT_BYTES),
         str_of(header, AT_STREAM));
}

void sealed_release(struct sealed *s)
{
    sodium_memzero(s, sizeof *s);
}

static void begin(struct sealed *s, const struct sealed_context *c, const uint8_t *ss, uint8_t *header_out)
{
    uint8_t key[KEY_BYTES];

    memset(s, 0, sizeof *s);
    context_put(c, s->context);
    memcpy(header_out, MAGIC, MAGIC_BYTES);
    le32_put(header_out + AT_GENERATION, c->key_generation);
    stream_key(ss, s->context, header_out, key);
    crypto_secretstream_xchacha20poly1305_init_push(&s->stream, header_out + AT_STREAM, key);
    sodium_memzero(key, sizeof key);
}

int sealed_begin(struct sealed *s, const uint8_t pk[XWING_PUBLIC_BYTES], const struct sealed_context *c,
                 uint8_t header_out[SEALED_HEADER_BYTES])
{
    uint8_t ss[XWING_SS_BYTES];
    int r = xwing_encaps(pk, header_out + AT_CT, ss);

    memset(s, 0, sizeof *s);
    if (r == 0)
        begin(s, c, ss, header_out);
    sodium_memzero(ss, sizeof ss);
    return r;
}

void sealed_shared_release(struct sealed_shared *k)
{
    sodium_memzero(k, sizeof *k);
}

int sealed_shared_make(struct sealed_shared *k, const struct xwing_ready *pk)
{
    int r = xwing_ready_encaps(pk, k->ct, k->ss);

    k->made = r == 0;
    return r;
}

int sealed_begin_shared(struct sealed *s, const struct sealed_shared *k, const struct sealed_context *c,
                        uint8_t header_out[SEALED_HEADER_BYTES])
{
    if (!k->made)
        return E_BUG;
    memcpy(header_out + AT_CT, k->ct, sizeof k->ct);
    begin(s, c, k->ss, header_out);
    return 0;
}

int sealed_push(struct sealed *s, struct str plain, bool last, struct buf *out)
{
    uint8_t *to;

    if (s->ended)
        return E_BUG;
    if (plain.n > SEALED_CHUNK_MAX || out->n > out->max ||
        out->max - out->n < plain.n + SEALED_OVERHEAD_BYTES)
        return E_LIMIT;
    if (!(to = buf_reserve(out, plain.n + SEALED_OVERHEAD_BYTES)))
        return E_NOMEM;
    crypto_secretstream_xchacha20poly1305_push(&s->stream, to, NULL, (const uint8_t *)plain.p, plain.n,
                                               s->context, sizeof s->context,
                                               last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
    out->n += plain.n + SEALED_OVERHEAD_BYTES;
    s->ended = last;
    return 0;
}

int sealed_key_generation(struct str header, uint32_t *generation_out)
{
    const uint8_t *p = (const uint8_t *)header.p;

    if (header.n < MAGIC_BYTES || memcmp(p, MAGIC, 4) != 0)
        return E_CORRUPT;
    if (le32_get(p + 4) != 1)
        return le32_get(p + 4) > 1 ? E_VERSION : E_CORRUPT;
    if (header.n != SEALED_HEADER_BYTES)
        return E_CORRUPT;
    *generation_out = le32_get(p + AT_GENERATION);
    return 0;
}

/* The tag says of which seed and ciphertext the remembered secret is, and gives neither away. */
static int open_secret(const uint8_t *seed, const uint8_t *ct, struct sealed_opened *last)
{
    uint8_t tag[KEY_BYTES];
    int r;

    kdf(tag, seed, "letterlock sealed secret", str_of(ct, XWING_CT_BYTES));
    if (bytes_same(tag, last->tag, sizeof tag))
        return 0;
    sodium_memzero(last, sizeof *last);
    if ((r = xwing_decaps(seed, ct, last->ss)) == 0)
        memcpy(last->tag, tag, sizeof tag);
    return r;
}

int sealed_open_next(struct sealed *s, const uint8_t seed[XWING_SEED_BYTES], const struct sealed_context *c,
                     struct str header, struct sealed_opened *last)
{
    const uint8_t *p = (const uint8_t *)header.p;
    uint8_t key[KEY_BYTES];
    uint32_t generation;
    int r;

    memset(s, 0, sizeof *s);
    if ((r = sealed_key_generation(header, &generation)) < 0)
        return r;
    if (generation != c->key_generation)
        return E_CORRUPT;
    context_put(c, s->context);
    if ((r = open_secret(seed, p + AT_CT, last)) < 0)
        return r;
    stream_key(last->ss, s->context, p, key);
    if (crypto_secretstream_xchacha20poly1305_init_pull(&s->stream, p + AT_STREAM, key) < 0)
        r = E_CORRUPT;
    sodium_memzero(key, sizeof key);
    return r;
}

int sealed_open(struct sealed *s, const uint8_t seed[XWING_SEED_BYTES], const struct sealed_context *c,
                struct str header)
{
    struct sealed_opened once = { 0 };
    int r = sealed_open_next(s, seed, c, header, &once);

    sodium_memzero(&once, sizeof once);
    return r;
}

int sealed_pull(struct sealed *s, struct str chunk, struct buf *out)
{
    unsigned char tag;
    uint8_t none[1], *to = none; /* an empty chunk needs no memory, but a place */
    size_t n;

    if (s->ended || chunk.n < SEALED_OVERHEAD_BYTES)
        return E_CORRUPT;
    n = chunk.n - SEALED_OVERHEAD_BYTES;
    if (n > SEALED_CHUNK_MAX || out->n > out->max || out->max - out->n < n)
        return E_LIMIT;
    if (n && !(to = buf_reserve(out, n)))
        return E_NOMEM;
    if (crypto_secretstream_xchacha20poly1305_pull(&s->stream, to, NULL, &tag, (const uint8_t *)chunk.p,
                                                   chunk.n, s->context, sizeof s->context) < 0)
        return E_CORRUPT;
    out->n += n;
    s->ended = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return 0;
}

bool sealed_complete(const struct sealed *s)
{
    return s->ended;
}

void sealed_chain_start(const uint8_t key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_BYTES],
                        uint64_t file_generation, uint8_t link_out[SEALED_LINK_BYTES])
{
    uint8_t context[MAILBOX_ID_BYTES + 8];

    memcpy(context, mailbox, MAILBOX_ID_BYTES);
    le64_put(context + MAILBOX_ID_BYTES, file_generation);
    kdf(link_out, key, "letterlock sealed chain start v1", str_of(context, sizeof context));
}

void sealed_chain_next(const uint8_t key[KEY_BYTES], const uint8_t before[SEALED_LINK_BYTES],
                       const struct sealed_context *c, const uint8_t header[SEALED_HEADER_BYTES],
                       uint8_t link_out[SEALED_LINK_BYTES])
{
    uint8_t fixed[SEALED_LINK_BYTES + SEALED_CONTEXT_BYTES];

    memcpy(fixed, before, SEALED_LINK_BYTES);
    context_put(c, fixed + SEALED_LINK_BYTES);
    kdf2(link_out, key, "letterlock sealed chain v1", str_of(fixed, sizeof fixed),
         str_of(header, SEALED_HEADER_BYTES));
}
