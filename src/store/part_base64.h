/* src/store/part_base64.h
 *
 * Base64 that is regular: lines of one length, one kind of line end, nothing but digits, padding only at
 * the very end (RFC 2045 6.8, as nearly every program writes it). Only such text is what encoding its
 * decoded bytes gives back, so only such text may be kept decoded; and in it every position is arithmetic.
 * No I/O, no memory of its own. lib/mime/decode.h is the tolerant one, for reading. */
#ifndef SRC_STORE_PART_BASE64_H
#define SRC_STORE_PART_BASE64_H
#include "lib/base/str.h"

#define BASE64_LINE_MAX 1000u /* digits; longer lines count as one */

/* Lines of `line` digits, a multiple of 4, all but the last followed by `eol` bytes: CRLF or LF.
 * line 0: one line only. */
struct base64_form {
    uint32_t line;
    uint8_t eol;
};

/* A unit is a line with its end, or one group of four digits where there is but one line. */
static inline size_t base64_unit_in(struct base64_form f)
{
    return f.line ? f.line + f.eol : 4;
}

static inline size_t base64_unit_out(struct base64_form f)
{
    return f.line ? f.line / 4 * 3 : 3;
}

/* The form that text beginning so has (give more than BASE64_LINE_MAX bytes when there are). */
bool base64_form_find(struct str head, struct base64_form *out);
/* How long `bytes` decoded bytes are in this form; no line end behind the last line. */
uint64_t base64_encoded_bytes(struct base64_form f, uint64_t bytes);
/* Decode whole units from the beginning of `in` into out (room for in.n / 4 * 3): how many were regular. */
size_t base64_units_decode(struct base64_form f, struct str in, uint8_t *out);
/* The last line, which may be padded: digits used of `in`, at most one line, a multiple of 4; 0: there is
 * no such line. *n_out: bytes decoded. */
size_t base64_last_decode(struct base64_form f, struct str in, uint8_t *out, size_t *n_out);
/* Encode n bytes that begin at a unit. end: they end the text, so that the last line has no line end and
 * may be padded; else n is whole units. Returns the bytes written: base64_encoded_bytes, or whole units. */
size_t base64_encode(struct base64_form f, const uint8_t *in, size_t n, bool end, char *out);
#endif
