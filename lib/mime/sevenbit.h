/* lib/mime/sevenbit.h
 *
 * A message for a server that takes only 7 bits (RFC 6152 3): each part that holds other bytes becomes quoted-printable
 * or base64, whichever says it shorter, and its header says so; what was 7 bits stays byte for byte. Its content, decoded, is
 * the same. Where MIME forbids an encoding (RFC 2045 6.4: composite parts; header fields, what stands between parts) a byte
 * above 127 becomes '?': nothing could read it there. */
#ifndef LIB_MIME_SEVENBIT_H
#define LIB_MIME_SEVENBIT_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

/* Append the whole of `message` (CRLF line ends), all bytes below 128. The arena holds the tree of parts. E_NOMEM, E_LIMIT. */
MUST_CHECK int mime_to_7bit(struct arena *a, struct str message, struct buf *out);
#endif
