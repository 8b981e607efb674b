/* src/store/part.h
 *
 * Parts: large leaf bodies, once per mailbox, by BLAKE2b-256 of their bytes (base64 undone where that can
 * be done again, byte for byte), counted by the segments that name them. Everything here happens in the
 * transaction of its caller; memory is bounded whatever the size (some 1.5 MiB while writing). */
#ifndef SRC_STORE_PART_H
#define SRC_STORE_PART_H
#include "src/store/bytes.h"
#include "src/store/mailbox.h"
#include "src/store/part_map.h"

/* Smaller leaves stay in the raw runs: a row of their own would cost more than it saves. Measured with
 * bench/disk_bytes: base64 from 512 bytes to 4 KiB, others from 2 to 32 KiB, are all within 0.5 % of each
 * other; a letter of 10 KiB that is no part costs an index page less. */
#define PART_BASE64_MIN KIB(1)
#define PART_RAW_MIN    KIB(16)

static inline bool part_wanted(const struct part_leaf *leaf)
{
    return leaf->end - leaf->start >= (leaf->base64 ? PART_BASE64_MIN : PART_RAW_MIN);
}

/* A part as it will stand. */
struct ready_part {
    uint64_t start;         /* of the leaf, in the message */
    struct segment segment; /* but for the part's number, which its mailbox gives */
    uint64_t bytes;
    uint8_t hash[32];
    struct ready_row *rows; /* NULL: whoever puts it makes them */
    size_t nrows;
};
/* Any thread: every leaf of the structure that is worth it, as y->parts; what the structure claims is checked
 * against the message, behind y->head_bytes. Their rows too, while those hold no more than `rows_max` bytes
 * of parts. The map, in which all parts have number 1, goes to `map`. */
MUST_CHECK int parts_prepare(const struct bytes_in *message, struct str structure, uint64_t rows_max,
                             struct email_ready *y, struct buf *map);
void parts_ready_release(struct email_ready *y);
/* (w) Each of y->parts becomes a part, or one reference more to it. The map goes to `map`. */
MUST_CHECK int parts_put(struct mailbox *box, const struct bytes_in *message, const struct email_ready *y,
                         struct buf *map);
/* (w) Give back what a map names; parts that nobody names any more go with their rows. */
MUST_CHECK int parts_release(struct mailbox *box, struct str map);
/* Append n bytes of the message from segment s, `at` its first. E_CORRUPT, E_GONE. n at most 256 KiB. */
MUST_CHECK int part_read(struct mailbox *box, const struct segment *s, uint64_t at, size_t n,
                         struct buf *out);

/* The raw runs as one sequence of bytes: what is left of `message` behind `head`. Borrowed all. */
struct bytes_raw {
    struct bytes_in in;
    const struct bytes_in *message;
    uint64_t head;
    struct str map;
};
MUST_CHECK int bytes_raw_init(struct bytes_raw *b, const struct bytes_in *message, uint64_t head,
                              struct str map);
#endif
