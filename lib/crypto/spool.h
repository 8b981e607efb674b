/* lib/crypto/spool.h
 *
 * Bytes of unknown length, kept until it is known what becomes of them: in memory up to 256 KiB, above
 * that in an unlinked file, in records of 64 KiB under a key that only this memory holds. Append while
 * they come, then read any slice, in any order, as often as needed. One user at a time. Blocks on disk
 * once it is above 256 KiB. Memory in all: at most some 400 KiB.
 *
 * The hash over everything appended runs along. Appending after reading is fine. */
#ifndef LIB_CRYPTO_SPOOL_H
#define LIB_CRYPTO_SPOOL_H
#include "lib/crypto/box.h"

#define SPOOL_MEMORY_MAX   KIB(256)
#define SPOOL_RECORD_BYTES KIB(64)

struct spool; /* opaque */

/* `dir` is the folder for the file, if one is needed: borrowed for the spool's life. `max_bytes` is never
 * optional. E_NOMEM. */
MUST_CHECK int spool_new(int dir, uint64_t max_bytes, struct spool **out);
/* Wipes what is in memory; the file goes with its descriptor and its key. Accepts NULL, sets NULL. */
void spool_free(struct spool **s);
/* E_TOO_BIG: over max_bytes, nothing of this piece was taken; E_FULL, E_IO, E_NOMEM: the spool is of
 * no further use for appending (the same error again). */
MUST_CHECK int spool_append(struct spool *s, struct str bytes);
uint64_t spool_size(const struct spool *s);
bool spool_on_disk(const struct spool *s);
/* BLAKE2b-256 (unkeyed, no label) of all bytes appended until now. */
void spool_hash(const struct spool *s, uint8_t out[HASH_BYTES]);
/* Contiguous bytes at `offset`, as many as there are at once (at least one unless offset is the size:
 * then none). Borrowed until the next call on this spool. E_RANGE past the end; E_IO, E_CORRUPT, E_NOMEM. */
MUST_CHECK int spool_at(struct spool *s, uint64_t offset, struct str *out);
/* Exactly n bytes to `to`. E_RANGE when there are fewer. */
MUST_CHECK int spool_read(struct spool *s, uint64_t offset, void *to, size_t n);
#endif
