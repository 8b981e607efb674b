/* lib/mime/word.h
 *
 * Encoded words (RFC 2047, language tags of RFC 2231 5) in header text to UTF-8. Tolerant as readers
 * must be: words inside quotes, without space around them, with characters cut in two between
 * neighbours. Raw 8-bit text is read as charset.h's guess. */
#ifndef LIB_MIME_WORD_H
#define LIB_MIME_WORD_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

/* Length of the well-formed encoded word at the beginning of s, 0 when there is none. */
size_t mime_word_bytes(struct str s);
/* Append a field value, decoded, folds opened. Errors: those of buf. */
MUST_CHECK int mime_word_decode(struct str value, struct buf *out);
/* Append base64 without line ends. Errors: those of buf. */
MUST_CHECK int mime_base64_put(struct str s, struct buf *out);
/* Append UTF-8 as words of up to 75 characters, folded between them. Errors: those of buf. */
MUST_CHECK int mime_word_encode(struct str text, struct buf *out);
#endif
