/* lib/mime/preview.h
 *
 * The beginning of a message's text for a list of messages (RFC 8970 3.3): white space is one space,
 * what cannot be seen is left out, quotations with the line that introduces them too while there is
 * something else, rulers and OpenPGP armour always. Arithmetic; knows no MIME. */
#ifndef LIB_MIME_PREVIEW_H
#define LIB_MIME_PREVIEW_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define MIME_PREVIEW_CHARS_MAX 200u
#define MIME_PREVIEW_BYTES_MAX (4 * MIME_PREVIEW_CHARS_MAX)
#define MIME_PREVIEW_LEAD_MAX  KIB(4) /* more of a text is not looked at */

/* `text`: UTF-8 in lines; what is not UTF-8 is left out. Appends; nothing when the text says nothing. */
MUST_CHECK int mime_preview_make(struct str text, struct buf *out);
#endif
