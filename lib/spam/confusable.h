/* lib/spam/confusable.h
 *
 * What a name looks like: letters of other scripts become the ASCII letters they look like (UTS 39, reduced to
 * ASCII; the table is made by tools/confusables). Two names with one skeleton look alike. */
#ifndef LIB_SPAM_CONFUSABLE_H
#define LIB_SPAM_CONFUSABLE_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

struct spam_confusable {
    uint32_t cp;
    char ascii[4];
};
extern const struct spam_confusable spam_confusables[]; /* ascending */
extern const size_t spam_confusables_count;

/* Append the skeleton of UTF-8 text: lower case, accents gone, "rn" and "m" are one, "vv" and "w", 0 and o, 1 and l. At
 * most as long as the input. Errors: those of buf. */
MUST_CHECK int spam_skeleton(struct str text, struct buf *out);
/* Letters of more than one script among Latin, Greek and Cyrillic (ASCII is Latin), in UTF-8 text. */
bool spam_mixed_script(struct str text);
#endif
