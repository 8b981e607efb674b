/* src/store/shipformat.h
 *
 * What shipping writes, as bytes (doc/formats.md 10), and nothing of where it lies.
 *
 *   segment  frames of one -wal as they stand in it (or the whole of a small file: a base), with the time of each commit
 *            in them. Segments of a file are numbered within a chain, and each names the MAC of the one before.
 *   pack     segments behind an index of them; packs of a log are numbered and chained in the same way
 *   base     says of a page copy which chain goes on from it, and where
 *
 * Everything is under a MAC whose key the server has; pages inside are under keys that it has not. Pure: no I/O. */
#ifndef SRC_STORE_SHIPFORMAT_H
#define SRC_STORE_SHIPFORMAT_H
#include "lib/base/buf.h"
#include "lib/crypto/box.h"
#include "src/store/mailbox.h"

#define SHIP_MAC_BYTES     16u
#define SHIP_NONCE_BYTES   16u
#define SHIP_SALT_BYTES    8u
#define SHIP_SUM_BYTES     8u
#define SHIP_SEGMENT_HEAD  128u
#define SHIP_MARK_BYTES    12u
#define SHIP_FRAME_HEAD    24u
#define SHIP_WAL_HEAD      32u
#define SHIP_FRAMES_MAX    1000u /* of a segment */
#define SHIP_MARKS_MAX     1000u
#define SHIP_PAGE_MAX      65536u
#define SHIP_SEGMENT_MAX   MIB(66)
#define SHIP_PACK_HEAD     96u
#define SHIP_INDEX_BYTES   96u
#define SHIP_PACK_SEGMENTS 65536u /* of a pack */
#define SHIP_BASE_BYTES    136u

enum ship_kind { SHIP_FRAMES = 1, SHIP_WHOLE, SHIP_END };

struct ship_mark {
    uint32_t frame; /* the last one of a commit */
    int64_t ms;
};

/* What stands in front of a segment. */
struct ship_segment {
    enum ship_kind kind;
    uint8_t mailbox[MAILBOX_ID_LEN];
    uint64_t file; /* 0: the mailbox; else its temporary one of this generation */
    uint64_t chain, seq;
    int64_t first_ms, last_ms; /* of its commits; WHOLE: good from first_ms on; END: when. No commit: 0 */
    uint8_t salts[SHIP_SALT_BYTES],
        sum[SHIP_SUM_BYTES];                   /* of the -wal; the checksum before the first frame */
    uint32_t first, frames, page_bytes, magic; /* WHOLE: frames are pages */
    uint32_t marks;
    uint8_t before[SHIP_MAC_BYTES]; /* MAC of the segment before; zeros: it is the first */
    uint8_t nonce[SHIP_NONCE_BYTES];
};

/* Bytes of all of it, by what its head says; 0: it says nonsense. */
size_t ship_segment_bytes(const struct ship_segment *s);
size_t ship_segment_data_at(const struct ship_segment *s); /* where frames begin */
void ship_segment_head_put(const struct ship_segment *s, uint8_t out[SHIP_SEGMENT_HEAD]);
/* E_CORRUPT, E_VERSION; within limits afterwards. */
MUST_CHECK int ship_segment_head_get(struct str bytes, struct ship_segment *out);
void ship_mark_put(const struct ship_mark *m, uint8_t out[SHIP_MARK_BYTES]);
void ship_mark_get(const uint8_t in[SHIP_MARK_BYTES], struct ship_mark *out);
/* The MAC over all but the last SHIP_MAC_BYTES of `segment`. */
void ship_segment_mac(const uint8_t key[KEY_BYTES], struct str segment, uint8_t out[SHIP_MAC_BYTES]);
/* Whole, ours, and as its head says: E_CORRUPT, E_VERSION. */
MUST_CHECK int ship_segment_check(const uint8_t key[KEY_BYTES], struct str segment, struct ship_segment *out);

/* ---- packs ---- */

enum ship_pack_kind { SHIP_PACK_SHARED = 1, SHIP_PACK_MAILBOX };

struct ship_pack {
    enum ship_pack_kind kind;
    uint64_t log, seq;
    int64_t made_ms;
    uint32_t segments;
    uint64_t bytes; /* of all of it */
    uint8_t before[SHIP_MAC_BYTES], nonce[SHIP_NONCE_BYTES], mac[SHIP_MAC_BYTES];
};
struct ship_entry {
    uint8_t mailbox[MAILBOX_ID_LEN];
    enum ship_kind kind;
    uint64_t file, chain, seq;
    int64_t first_ms, last_ms;
    uint64_t at, bytes; /* in the pack */
    uint8_t mac[SHIP_MAC_BYTES];
};

static inline size_t ship_pack_data_at(uint32_t segments)
{
    return SHIP_PACK_HEAD + (size_t)segments * SHIP_INDEX_BYTES;
}
void ship_entry_of(const struct ship_segment *s, uint64_t at, const uint8_t mac[SHIP_MAC_BYTES],
                   struct ship_entry *out);
void ship_entry_put(const struct ship_entry *e, uint8_t out[SHIP_INDEX_BYTES]);
/* Head and MAC over it and the index, SHIP_PACK_HEAD bytes; p->mac is set. */
void ship_pack_seal(const uint8_t key[KEY_BYTES], struct ship_pack *p, struct str index,
                    uint8_t out[SHIP_PACK_HEAD]);
/* The first SHIP_PACK_HEAD bytes; the MAC is not looked at. E_CORRUPT, E_VERSION. */
MUST_CHECK int ship_pack_head_get(struct str bytes, struct ship_pack *out);
/* Head and index are ours, and the index says where in p->bytes each is, one behind the other. E_CORRUPT. */
MUST_CHECK int ship_pack_check(const uint8_t key[KEY_BYTES], const struct ship_pack *p,
                               struct str head_and_index);
/* Entry i of an index that was checked. */
void ship_pack_entry(struct str head_and_index, uint32_t i, struct ship_entry *out);
/* All of a pack, every segment of it. E_CORRUPT. */
MUST_CHECK int ship_pack_verify(const uint8_t key[KEY_BYTES], struct str pack, struct ship_pack *out);

/* ---- bases ---- */

struct ship_base {
    uint8_t mailbox[MAILBOX_ID_LEN];
    uint64_t file, chain, seq; /* the segment that goes on from it */
    int64_t valid_ms;          /* good for this moment and later ones */
    uint64_t bytes;
    uint8_t hash[HASH_BYTES];
};
void ship_base_put(const uint8_t key[KEY_BYTES], const struct ship_base *b, uint8_t out[SHIP_BASE_BYTES]);
/* E_CORRUPT, E_VERSION. */
MUST_CHECK int ship_base_get(const uint8_t key[KEY_BYTES], struct str bytes, struct ship_base *out);

/* ---- a -wal ---- */

struct ship_wal {
    uint32_t magic, page_bytes;
    uint8_t salts[SHIP_SALT_BYTES], sum[SHIP_SUM_BYTES];
};
/* The header of a -wal file: E_CORRUPT when its own checksum does not hold (it was never finished). */
MUST_CHECK int ship_wal_head(const uint8_t in[SHIP_WAL_HEAD], struct ship_wal *out);
/* Does this frame go on from `sum` (moved on to its own)? */
bool ship_wal_frame(const struct ship_wal *w, const uint8_t *frame, uint8_t sum[SHIP_SUM_BYTES]);
static inline size_t ship_frame_bytes(uint32_t page_bytes)
{
    return SHIP_FRAME_HEAD + (size_t)page_bytes;
}
uint32_t ship_frame_page(const uint8_t *frame);  /* from 1 */
uint32_t ship_frame_pages(const uint8_t *frame); /* of the file after this commit; 0: no commit ends here */
#endif
