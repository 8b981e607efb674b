/* src/store/chunk.h
 *
 * Bytes as they stand in a row: as they are, or a zstd frame of their own when that pays; small ones with
 * a dictionary (data/dictionary), whose version is the codec: a codec is never given another meaning. What
 * was compressed is decompressed and compared before it counts, so nothing is stored that does not come
 * back. Contexts are kept for the next one of any thread; what they hold of a letter goes with
 * chunk_forget. */
#ifndef SRC_STORE_CHUNK_H
#define SRC_STORE_CHUNK_H
#include "lib/base/buf.h"

#define CHUNK_BYTES_MAX KIB(256) /* of input */

/* CHUNK_MAIL_1: zstd with data/dictionary/mail-1. CHUNK_LZ4: a block of LZ4. CHUNK_LIKE: zstd with other
 * bytes of the same email, folded, before it. CHUNK_DELTA: what differs from those (delta.h). */
enum chunk_codec {
    CHUNK_RAW = 0,
    CHUNK_ZSTD = 1,
    CHUNK_MAIL_1 = 2,
    CHUNK_LZ4 = 3,
    CHUNK_LIKE = 4,
    CHUNK_DELTA = 5
};

/* Is this one of those that chunk_decode_like undoes? */
static inline bool chunk_is_like(int64_t codec)
{
    return codec == CHUNK_LIKE || codec == CHUNK_DELTA;
}

struct chunk {
    enum chunk_codec codec;
    struct str data; /* points at the input or into the scratch */
};

/* `scratch` is overwritten; .max at least CHUNK_SCRATCH_MAX. The input may be up to 1.5 MiB. E_NOMEM. */
#define CHUNK_SCRATCH_MAX (MIB(3) + KIB(64))
MUST_CHECK int chunk_encode(struct str in, struct buf *scratch, struct chunk *out);
/* For what is read far more often than searched, letters: a small one that LZ4 compresses is a block of LZ4,
 * three times as fast to read and twice as fast to write for half as many bytes more. */
MUST_CHECK int chunk_encode_letter(struct str in, struct buf *scratch, struct chunk *out);
/* For text that says again what `like` says, in lower case and without the line ends: what both have in
 * common costs nearly nothing. like.n at most CHUNK_BYTES_MAX, as in.n. */
MUST_CHECK int chunk_encode_like(struct str in, struct str like, struct buf *scratch, struct chunk *out);
/* Appends exactly `bytes` bytes to out; E_CORRUPT when that is not what is in it; E_VERSION: a codec of a
 * newer program, or one that wants chunk_decode_like. */
MUST_CHECK int chunk_decode(int64_t codec, struct str data, size_t bytes, struct buf *out);
/* The same with a decompressor of the caller's own, for many in a row. Start zeroed; release wipes what it
 * held. One thread at a time. */
struct chunk_decoder {
    void *d;
    struct buf like; /* as it was compressed behind: may be released between two */
};
MUST_CHECK int chunk_decode_with(struct chunk_decoder *k, int64_t codec, struct str data, size_t bytes,
                                 struct buf *out);
/* A CHUNK_LIKE or CHUNK_DELTA; `like` as it was when it was encoded. */
MUST_CHECK int chunk_decode_like(struct chunk_decoder *k, int64_t codec, struct str data, size_t bytes,
                                 struct str like, struct buf *out);
void chunk_decoder_release(struct chunk_decoder *k);
/* Once a mailbox is closed nothing of it may stay in memory: contexts that lie idle are freed (and with
 * lib/base/wipe_alloc.h wiped), those in use as soon as they are no longer. Any thread. */
void chunk_forget(void);
#endif
