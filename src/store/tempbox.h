/* src/store/tempbox.h
 *
 * Mail for a closed mailbox: `<id>-tmp-<generation>.sqlite`, its pages under a server subkey, each
 * message in it sealed to the mailbox's public key (lib/crypto/sealed.h). Whoever holds server key and
 * file can count and date the messages, add more, and read none. Records are chained.
 *
 * Synchronous, worker threads only; one user at a time. New mail goes to the newest file; a file that
 * was drained is removed, and the next one has another generation. */
#ifndef SRC_STORE_TEMPBOX_H
#define SRC_STORE_TEMPBOX_H
#include "lib/crypto/sealed.h"
#include "lib/crypto/spool.h"
#include "src/store/arrival.h"
#include "src/store/files.h"

struct tempbox; /* opaque */

struct tempbox_keys {
    uint8_t outer[KEY_BYTES], chain[KEY_BYTES];
};

/* The newest there is. create false: E_NOTFOUND when there is none. */
MUST_CHECK int tempbox_open(const struct files *f, const uint8_t id[MAILBOX_ID_LEN],
                            const struct tempbox_keys *k, bool create, struct tempbox **out);
/* A certain one. */
MUST_CHECK int tempbox_open_generation(const struct files *f, const uint8_t id[MAILBOX_ID_LEN],
                                       const struct tempbox_keys *k, uint64_t generation,
                                       struct tempbox **out);
int tempbox_close(struct tempbox **t);
/* Close and remove the file; E_BUSY (and it stays open) while it holds records. */
MUST_CHECK int tempbox_remove(struct tempbox **t);
uint64_t tempbox_generation(const struct tempbox *t);
struct db *tempbox_db(struct tempbox *t);

MUST_CHECK int tempbox_begin(struct tempbox *t);
MUST_CHECK int tempbox_commit(struct tempbox *t); /* 0: synced */
void tempbox_rollback(struct tempbox *t);
MUST_CHECK int tempbox_step_begin(struct tempbox *t);
MUST_CHECK int tempbox_step_keep(struct tempbox *t);
void tempbox_step_undo(struct tempbox *t);

struct temp_record {
    uint64_t seq;
    uint8_t operation[16];
    bool has_delivery;
    uint8_t delivery[DELIVERY_ID_BYTES];
    int64_t received_ms;
    uint64_t bytes;                /* of the message */
    const struct arrival *arrival; /* for tempbox_add; NULL: INBOX. tempbox_next does not know it */
};
/* In a transaction: seal `message` and add it. 1: this operation or delivery is there already. */
MUST_CHECK int tempbox_add(struct tempbox *t, const uint8_t pk[XWING_PUBLIC_BYTES], uint32_t key_generation,
                           const struct temp_record *rec, const struct bytes_in *message);
/* 1: this operation, or this delivery when it has one, is there; 0: not. */
MUST_CHECK int tempbox_known(struct tempbox *t, const struct temp_record *rec);
/* The first record after `seq`: 1; 0: none. */
MUST_CHECK int tempbox_next(struct tempbox *t, uint64_t seq, struct temp_record *out);
/* Which mailbox key this record wants. */
MUST_CHECK int tempbox_key_generation(struct tempbox *t, uint64_t seq, uint32_t *out);
/* Open it: the message is appended to `to`. E_CORRUPT: not what was put there. */
MUST_CHECK int tempbox_unseal(struct tempbox *t, const struct temp_record *rec,
                              const uint8_t seed[XWING_SEED_BYTES], struct arrival *arrival_out,
                              struct spool *to);
/* The same in two steps, for one that fits into memory: taken out as it is in the lane that owns the file,
 * opened by any thread. Zeros before; E_TOO_BIG: more than TEMP_SEALED_MAX. */
#define TEMP_SEALED_MAX KIB(192)
struct temp_sealed {
    struct sealed_context context;
    uint8_t header[SEALED_HEADER_BYTES];
    struct buf chunks;
};
MUST_CHECK int tempbox_take(struct tempbox *t, const struct temp_record *rec, struct temp_sealed *out);
/* last: as sealed_open_next. `to` has all of it, or is of no use. */
MUST_CHECK int temp_sealed_open(const struct temp_sealed *s, const uint8_t seed[XWING_SEED_BYTES],
                                struct sealed_opened *last, struct arrival *arrival_out, struct spool *to);
void temp_sealed_release(struct temp_sealed *s);
/* Does the chain hold from the record before to this one? E_CORRUPT: one was taken out or changed. */
MUST_CHECK int tempbox_verify(struct tempbox *t, uint64_t seq);
/* The last record that was ever added (0: none) and the chain behind it. */
MUST_CHECK int tempbox_head(struct tempbox *t, uint64_t *seq_out, uint8_t link_out[SEALED_LINK_BYTES]);
/* The chain behind this record. E_NOTFOUND: it is not there (any more). */
MUST_CHECK int tempbox_link(struct tempbox *t, uint64_t seq, uint8_t link_out[SEALED_LINK_BYTES]);
/* In a transaction. */
MUST_CHECK int tempbox_delete(struct tempbox *t, uint64_t seq);
MUST_CHECK int tempbox_count(struct tempbox *t, uint64_t *out);
/* Bytes of all messages that are there, and how many they are: summed once, then kept in memory. */
MUST_CHECK int tempbox_used(struct tempbox *t, uint64_t *bytes_out, uint64_t *messages_out);
#endif
