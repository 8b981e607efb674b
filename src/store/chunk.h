/* src/store/chunk.h
 *
 * Bytes as they stand in a row: as they are, or a zstd frame of their own when that pays. What was
 * compressed is decompressed and compared before it counts, so nothing is stored that does not come
 * back. Contexts are made
 * and freed for each, so that lib/base/wipe_alloc.h wipes what they held of a letter. */
#ifndef SRC_STORE_CHUNK_H
#define SRC_STORE_CHUNK_H
#include "lib/base/buf.h"

#define CHUNK_BYTES_MAX KIB(256) /* of input */

enum chunk_codec { CHUNK_RAW = 0, CHUNK_ZSTD = 1 };

struct chunk {
    enum chunk_codec codec;
    struct str data; /* points at the input or into the scratch */
};

/* `scratch` is overwritten; .max at least CHUNK_SCRATCH_MAX. The input may be up to 1 MiB. */
#define CHUNK_SCRATCH_MAX MIB(3)
MUST_CHECK int chunk_encode(struct str in, struct buf *scratch, struct chunk *out);
/* Appends exactly `bytes` bytes to out; E_CORRUPT when that is not what is in it. */
MUST_CHECK int chunk_decode(int64_t codec, struct str data, size_t bytes, struct buf *out);
/* The same with a decompressor that is kept from call to call: making one costs more than a letter.
 * Start zeroed; release wipes what it held. One thread at a time. */
struct chunk_decoder {
    void *d;
};
MUST_CHECK int chunk_decode_with(struct chunk_decoder *k, int64_t codec, struct str data, size_t bytes,
                                 struct buf *out);
void chunk_decoder_release(struct chunk_decoder *k);
#endif
