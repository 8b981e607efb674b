/* lib/spam/fields.h
 *
 * A message without the fields that only we may write (X-Spam-Score, X-Spam-Status, X-Virus-Status), pushed through in slices:
 * whoever sends spam would like to say that it is none. Other fields of that family are others' and stay. */
#ifndef LIB_SPAM_FIELDS_H
#define LIB_SPAM_FIELDS_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define SPAM_FIELDS_HELD 64u

/* Private; start zeroed, nothing to release. */
struct spam_fields {
    int state;
    size_t n;
    bool dropping; /* the field at hand is one of ours */
    unsigned removed;
    char held[SPAM_FIELDS_HELD];
};

/* Append what passes. At the end of the message call with `end`. Errors: those of buf. */
MUST_CHECK int spam_fields_feed(struct spam_fields *f, struct str in, bool end, struct buf *out);
#endif
