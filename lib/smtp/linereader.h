/* lib/smtp/linereader.h
 *
 * Command lines out of a byte stream, which may be cut anywhere. Strict: a line ends in CRLF and
 * holds no NUL, no other CR and no other LF; a bad line is read to its LF and then refused, so
 * that one reply answers it and the next line starts clean. Bounded: `max` bytes are kept, and a
 * line that never ends is given up. Knows nothing of what a line means. */
#ifndef LIB_SMTP_LINEREADER_H
#define LIB_SMTP_LINEREADER_H
#include "lib/base/buf.h"

#define LINEREADER_GARBAGE_MAX KIB(64) /* without any LF: not a client of ours */

struct linereader {
    struct buf line; /* set line.max: the longest line, without CRLF */
    size_t seen;     /* bytes since the last LF */
    int error;       /* first thing wrong with this line */
    bool cr, done;
};

/* Take bytes of `in` up to the end of one line at most; *used_out says how many.
 *  1            *line_out is a line without CRLF, borrowed until the next call
 *  0            all used, no line yet
 *  E_BARE_LF, E_BARE_CR, E_NUL, E_LINE_TOO_LONG   a bad line was used up: answer 500, go on
 *  E_LIMIT      64 KiB without a line end: answer 421 and close
 *  E_NOMEM      close */
MUST_CHECK int linereader_feed(struct linereader *l, struct str in, size_t *used_out, struct str *line_out);
/* Bytes of an unfinished line are waiting. */
static inline bool linereader_partial(const struct linereader *l)
{
    return l->seen > 0;
}
/* Frees; wipes, since a line may have held a password. */
void linereader_release(struct linereader *l);
#endif
