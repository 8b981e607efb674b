/* lib/regex/fold.h
 *
 * An expression over text that lib/mime/fold.h folded. */
#ifndef LIB_REGEX_FOLD_H
#define LIB_REGEX_FOLD_H
#include "lib/base/buf.h"

/* The expression with its letters as they stand in folded text: what is not ASCII is decomposed, one
 * letter that becomes several is bracketed so that what follows counts for all of them. Inside [...] a
 * letter stays a letter: one that becomes several matches nothing there. E_LIMIT, E_NOMEM. */
MUST_CHECK int regex_fold(struct str pattern, struct buf *out);
/* Letters that stand in every text that matches, folded: pieces of three and more, "\n" behind each;
 * nothing when none is certain. */
MUST_CHECK int regex_literals(struct str folded_pattern, struct buf *out);
#endif
