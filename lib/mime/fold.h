/* lib/mime/fold.h
 *
 * The one function that makes text comparable: search text and needle go through it, and then bytes
 * are compared. In the spirit of i;unicode-casemap (RFC 5051), which IMAP asks for (RFC 9051 6.4.4):
 * full case folding and compatibility decomposition (NFKD), so "STRASSE" finds "straße", "ﬁ" is
 * "fi", and é is e and an accent: "cafés" does not find "cafes", though "café" is found by "cafe", as
 * RFC 5051 has it. Beyond it: white space of any kind and length is one space, since senders wrap
 * lines where they like; characters that cannot be seen (controls, soft hyphen, joiners, BOM) are dropped.
 *
 * Folding twice changes nothing. UTF-8 in and out; invalid bytes become U+FFFD. */
#ifndef LIB_MIME_FOLD_H
#define LIB_MIME_FOLD_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define MIME_FOLD_MARKS_MAX 30u /* of one letter, then they are no longer sorted (UAX 15, stream-safe) */
#define MIME_FOLD_GROWTH    12u /* output bytes per input byte, at most */

/* Private; start zeroed, nothing to release. */
struct mime_fold {
    unsigned char pend[4]; /* the beginning of a character */
    uint32_t npend, nmarks;
    bool space;                             /* the last thing written was the space of a run */
    int32_t marks[MIME_FOLD_MARKS_MAX + 2]; /* combining marks not yet in their order */
};

MUST_CHECK int mime_fold_feed(struct mime_fold *f, struct str in, struct buf *out);
/* End of the text; `f` is as new. */
MUST_CHECK int mime_fold_finish(struct mime_fold *f, struct buf *out);
/* Whole string. Errors: those of buf. */
MUST_CHECK int mime_fold_append(struct str in, struct buf *out);
#endif
