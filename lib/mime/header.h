/* lib/mime/header.h
 *
 * The fields of one header block that is in memory (RFC 5322 2.2, obsolete and odd forms included),
 * and the subsets of it that IMAP asks for (RFC 9051 6.4.5). Bytes are sliced, never changed; the
 * meaning of a value is for other files. Nothing here fails on bad input. */
#ifndef LIB_MIME_HEADER_H
#define LIB_MIME_HEADER_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

struct mime_field {
    struct str raw;   /* the whole field with its line ends */
    struct str name;  /* without spaces before the colon; empty for a line that has no colon */
    struct str value; /* what follows the colon, folds included, without the last line end */
};

/* Take the next field off *block. False at the blank line or the end; *block then starts there. */
bool mime_header_next(struct str *block, struct mime_field *field_out);
/* Value of the first field `name`, ASCII case-insensitive; .p is NULL when absent. */
struct str mime_header_find(struct str block, struct str name);
/* Copy of a value on one line: folds opened (RFC 5322 2.2.3), outer white space gone. .p is NULL only
 * when the arena is full. */
struct str mime_unfold(struct arena *a, struct str value);
/* Append the fields that are (`not` false) or are not among `names`, byte for byte, and the blank
 * line when the block has one. Lines without a colon belong to no name. Errors: those of buf. */
MUST_CHECK int mime_header_filter(struct str block, const struct str *names, size_t count, bool not,
                                  struct buf *out);
#endif
