/* lib/crypto/sealed.h
 *
 * Sealed records: a message for a closed mailbox, readable only with the mailbox's private seed. A
 * record is a header and a list of sealed chunks, the last of which says that it is the last. What is
 * sealed is bound to its context; headers are chained by a MAC, so that a record taken out, repeated or
 * moved is seen. Knows no file: the store keeps header, chunks and chain as rows. */
#ifndef LIB_CRYPTO_SEALED_H
#define LIB_CRYPTO_SEALED_H
#include "lib/base/buf.h"
#include "lib/crypto/box.h"
#include "lib/crypto/ticket.h"
#include "lib/crypto/xwing.h"
#include <sodium/crypto_secretstream_xchacha20poly1305.h>

#define SEALED_HEADER_BYTES   1156u /* magic 8, key generation 4, X-Wing ciphertext 1120, stream header 24 */
#define SEALED_CHUNK_MAX      KIB(64) /* of plain bytes */
#define SEALED_OVERHEAD_BYTES 17u     /* per chunk */
#define DELIVERY_ID_BYTES     32u

/* What and whose this record is; opening needs the same. */
struct sealed_context {
    uint8_t mailbox[MAILBOX_ID_BYTES];
    uint32_t key_generation; /* of the mailbox's X-Wing key */
    uint8_t delivery[DELIVERY_ID_BYTES];
    uint64_t seq; /* place in the temporary mailbox, from 1 */
};

#define SEALED_CONTEXT_BYTES 56u
struct sealed {
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t context[SEALED_CONTEXT_BYTES];
    bool ended;
};
void sealed_release(struct sealed *s); /* wipes */

/* Seal. begin: E_CORRUPT (the public key is none), E_NOMEM. push appends plain.n + 17 bytes to `out`:
 * E_LIMIT (plain over SEALED_CHUNK_MAX, or out->max), E_NOMEM; E_BUG after the last. A record may be
 * one empty last chunk. */
MUST_CHECK int sealed_begin(struct sealed *s, const uint8_t pk[XWING_PUBLIC_BYTES],
                            const struct sealed_context *c, uint8_t header_out[SEALED_HEADER_BYTES]);
MUST_CHECK int sealed_push(struct sealed *s, struct str plain, bool last, struct buf *out);

/* Records that are sealed together may share one encapsulation: each still has a stream key of its own,
 * made of the secret and its context. Whoever keeps the secret can open what was sealed with it, so it
 * is wiped with the transaction that made it. */
struct sealed_shared {
    bool made;
    uint8_t ct[XWING_CT_BYTES], ss[XWING_SS_BYTES];
};
void sealed_shared_release(struct sealed_shared *k); /* wipes */
MUST_CHECK int sealed_shared_make(struct sealed_shared *k,
                                  const struct xwing_ready *pk); /* E_CORRUPT, E_NOMEM */
/* E_BUG when it was not made. */
MUST_CHECK int sealed_begin_shared(struct sealed *s, const struct sealed_shared *k,
                                   const struct sealed_context *c, uint8_t header_out[SEALED_HEADER_BYTES]);

/* Which mailbox key a header wants. E_CORRUPT, E_VERSION. */
MUST_CHECK int sealed_key_generation(struct str header, uint32_t *generation_out);
/* Open. E_CORRUPT: not for this key or context, damaged, out of order, or after the last one; E_VERSION,
 * E_LIMIT, E_NOMEM. When the chunks end, sealed_complete must be true, else the record is cut off. */
MUST_CHECK int sealed_open(struct sealed *s, const uint8_t seed[XWING_SEED_BYTES],
                           const struct sealed_context *c, struct str header);
/* The same, remembering the secret for the next record that shares it. Start with zeros, wipe at the end. */
struct sealed_opened {
    uint8_t tag[KEY_BYTES], ss[XWING_SS_BYTES];
};
MUST_CHECK int sealed_open_next(struct sealed *s, const uint8_t seed[XWING_SEED_BYTES],
                                const struct sealed_context *c, struct str header,
                                struct sealed_opened *last);
MUST_CHECK int sealed_pull(struct sealed *s, struct str chunk, struct buf *out);
bool sealed_complete(const struct sealed *s);

/* The chain: *_start for a new temporary mailbox (its generation is in its file name), then one link per
 * record, in order of seq, from the link before. `key` is SUBKEY_SEALED_CHAIN_MAC. Compare links with
 * bytes_same; the last one is noted outside the file. */
#define SEALED_LINK_BYTES 32u
void sealed_chain_start(const uint8_t key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_BYTES],
                        uint64_t file_generation, uint8_t link_out[SEALED_LINK_BYTES]);
void sealed_chain_next(const uint8_t key[KEY_BYTES], const uint8_t before[SEALED_LINK_BYTES],
                       const struct sealed_context *c, const uint8_t header[SEALED_HEADER_BYTES],
                       uint8_t link_out[SEALED_LINK_BYTES]);
#endif
