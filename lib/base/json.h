/* lib/base/json.h
 *
 * JSON written as it comes (RFC 8259), for texts too large to stand in memory as a tree. Whoever writes knows
 * what comes next: only strings need care. */
#ifndef LIB_BASE_JSON_H
#define LIB_BASE_JSON_H
#include "lib/base/buf.h"

#define JSON_GROWS 6u /* times, at most: a control character is six */

/* Append the inside of a string: escaped, and what is no UTF-8 replaced by U+FFFD. Characters are not cut between
 * calls by us, so they must not be by who calls. Errors: those of buf; part of it may stand there then. */
MUST_CHECK int json_put_text(struct buf *b, struct str s);
/* The same with quotes; .p NULL is null. */
MUST_CHECK int json_put_string(struct buf *b, struct str s);
#endif
