/* lib/smtp/bdat.h
 *
 * BDAT: messages in chunks of announced length (RFC 3030). Counts chunk and message. In a BINARYMIME
 * message bytes are kept as they are; in any other, BDAT is only another envelope for the text that
 * DATA carries, so the rules of dot.h hold (CRLF line ends only, no NUL, 998 octets a line), across
 * chunks too: a refusal must not depend on which command a client prefers. The last line may lack its
 * CRLF; it is kept so. Pure. */
#ifndef LIB_SMTP_BDAT_H
#define LIB_SMTP_BDAT_H
#include "lib/base/buf.h"

struct bdat {
    bool binary;        /* BODY=BINARYMIME */
    int error;          /* sticky, the first; set it yourself to discard the rest */
    uint64_t bytes;     /* of the message so far */
    uint64_t max_bytes; /* 0: no limit */
    size_t line_max;    /* 0: SMTP_TEXT_LINE_MAX */
    uint64_t chunk_left;
    bool last, cr;
    size_t line_bytes;
};

/* Start a chunk. A chunk over max_bytes sets the error already; its bytes must be fed all the same
 * (RFC 3030 2: the octets follow in any case). Only when no chunk is unfinished. */
void bdat_chunk(struct bdat *b, uint64_t bytes, bool last);
/* Take bytes of `in` up to the end of the chunk; *used_out (always set) says how many. Appends to
 * `out`, which needs room for in.n bytes more; after an error discards. Returns b->error as dot_feed does. */
int bdat_feed(struct bdat *b, struct str in, struct buf *out, size_t *used_out);
/* The chunk is complete; with b->last so is the message. */
static inline bool bdat_chunk_done(const struct bdat *b)
{
    return b->chunk_left == 0;
}
#endif
