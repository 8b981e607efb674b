/* lib/mime/imap_format.h
 *
 * ENVELOPE, BODY and BODYSTRUCTURE as IMAP writes them (RFC 9051 7.5.2 and 9), out of the scanner's
 * tree. Text that does not fit a quoted string becomes a literal. With `utf8` (RFC 9755,
 * UTF8=ACCEPT, and IMAP4rev2) valid UTF-8 stands in quoted strings, without it in literals. */
#ifndef LIB_MIME_IMAP_FORMAT_H
#define LIB_MIME_IMAP_FORMAT_H
#include "lib/mime/scan.h"

/* Each appends to out. Errors: those of buf. */
MUST_CHECK int mime_imap_envelope(const struct mime_envelope *e, bool utf8, struct buf *out);
/* extended: BODYSTRUCTURE; else BODY. */
MUST_CHECK int mime_imap_body(const struct mime_part *root, bool extended, bool utf8, struct buf *out);
/* nstring: NIL for .p NULL, quoted, or a literal. NUL, which no literal may hold, becomes '?'. */
MUST_CHECK int mime_imap_nstring(struct str s, bool utf8, struct buf *out);
#endif
