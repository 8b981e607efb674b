/* lib/mime/decode.h
 *
 * Transfer encodings undone in slices: base64 (RFC 2045 6.8), quoted-printable (6.7), the Q of
 * encoded words (RFC 2047 4.2), uuencode. Tolerant: what is not of the encoding is skipped (base64) or
 * kept as it is (quoted-printable). Output is never longer than input and a few bytes. */
#ifndef LIB_MIME_DECODE_H
#define LIB_MIME_DECODE_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

enum mime_encoding { MIME_IDENTITY, MIME_BASE64, MIME_QP, MIME_Q, MIME_UU };

/* Private; nothing to release. */
struct mime_decoder {
    enum mime_encoding encoding;
    uint32_t bits, nbits; /* base64: up to four digits */
    int state;            /* quoted-printable, uu */
    char hex;             /* quoted-printable: the A of "=A" */
    uint32_t n;           /* bytes in hold */
    char hold[128];       /* white space that may end a line; a uu line */
};

/* From a Content-Transfer-Encoding token; unknown ones are the identity. */
enum mime_encoding mime_encoding_of(struct str token);
void mime_decoder_init(struct mime_decoder *d, enum mime_encoding e);
/* Append the decoded bytes. Errors: those of buf. */
MUST_CHECK int mime_decoder_feed(struct mime_decoder *d, struct str in, struct buf *out);
MUST_CHECK int mime_decoder_finish(struct mime_decoder *d, struct buf *out);
#endif
