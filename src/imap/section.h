#ifndef SRC_IMAP_SECTION_H
#define SRC_IMAP_SECTION_H
#include "lib/imap/fetch_items.h"
#include "lib/mime/section.h"
#include "proto/store.pb-c.h"

/* Where a section's bytes are in the message of `row`, whose structure is `root` (NULL: not known). Of
 * HEADER.FIELDS: where the header is that they are in. False: there is no such section. */
bool section_range(const Store__Row *row, const struct mime_part *root, const struct fetch_section *s,
                   struct mime_range *out);
/* Does the section need filtering? */
bool section_is_filtered(const struct fetch_section *s);
#endif
