/* lib/mime/collate.h
 *
 * Keys whose bytes compare as i;unicode-casemap does (RFC 5051): text folded by fold.h and then in
 * title case, so that what stands between "Z" and "a" in ASCII comes behind the letters. */
#ifndef LIB_MIME_COLLATE_H
#define LIB_MIME_COLLATE_H
#include "lib/mime/address.h"
#include "lib/mime/fold.h"

#define MIME_COLLATE_MAX 1000u /* bytes of a key; longer ones are cut between characters */

/* Append the key of UTF-8 text. Errors: those of buf, which has MIME_COLLATE_MAX to spare at least. */
MUST_CHECK int mime_collate(struct str text, struct buf *out);
/* Of the first address of a list (RFC 5256 3): its mailbox, or the name of the group that begins it.
 * Nothing when there is none. */
MUST_CHECK int mime_collate_mailbox(const struct mime_address *first, struct buf *out);
/* Its display name, decoded; without one mailbox@host (RFC 5957 3). */
MUST_CHECK int mime_collate_display(const struct mime_address *first, struct buf *out);
#endif
