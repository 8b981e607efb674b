/* src/store/part_map.h
 *
 * Where the bytes of an email are: its header block stands in email_top, what follows is a sequence of
 * raw runs (email_raw, one behind the other) and of segments that are parts. The map is that sequence as
 * bytes (doc/formats.md); an empty one says that all of it is raw. And where content said that leaves
 * are, which is a claim of an untrusted role: ranges are good only after part_leaf_next's caller compared
 * them with the message. Pure: no database, no allocation. */
#ifndef SRC_STORE_PART_MAP_H
#define SRC_STORE_PART_MAP_H
#include "lib/base/buf.h"
#include "src/store/part_base64.h"

#define PART_MAP_MAX      KIB(32) /* bytes of a map */
#define PART_SEGMENTS_MAX 1000u   /* of one email: MIME_PARTS_MAX */

/* `gap` raw bytes, then the part, which is `bytes` long in the message. */
struct segment {
    uint64_t gap, bytes;
    int64_t part;
    bool base64; /* the part holds it decoded; `form` is how it is encoded again */
    struct base64_form form;
};

/* Append to a map. E_LIMIT, E_NOMEM. */
MUST_CHECK int segment_put(struct buf *map, const struct segment *s);
/* Take the first segment off *map. 1; 0: there is none; E_CORRUPT. */
MUST_CHECK int segment_take(struct str *map, struct segment *out);

/* A leaf's body, as content says. */
struct part_leaf {
    uint64_t start, end;
    bool base64; /* its Content-Transfer-Encoding */
};
/* Take parts off a packed structure (proto/structure.proto) up to the next leaf. 1; 0: there is none, or
 * the rest is not a structure. */
int part_leaf_next(struct str *structure, struct part_leaf *out);
#endif
