/* lib/mime/param.h
 *
 * Content-Type and Content-Disposition values: a kind and parameters (RFC 2045 5.1, RFC 2183), kept
 * as sent for BODYSTRUCTURE, and decoded on request (RFC 2231 continuations and charsets, and the
 * encoded words that RFC 2047 5 forbids here and everybody sends). Never fails on bad input. */
#ifndef LIB_MIME_PARAM_H
#define LIB_MIME_PARAM_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define MIME_PARAMS_MAX 64u /* per field; further ones are dropped */

/* Name as sent ("filename*0*"), value without quotes, backslashes and folds. */
struct mime_param {
    struct str name, value;
    struct mime_param *next;
};

/* Content-Type. False, with nothing set, when there is no type/subtype (RFC 2045 5.2: then the default
 * holds) or the arena is full. */
bool mime_type_parse(struct arena *a, struct str value, struct str *type_out, struct str *subtype_out,
                     struct mime_param **params_out);
/* Content-Disposition, and every other "token; parameters" value. */
bool mime_disposition_parse(struct arena *a, struct str value, struct str *token_out,
                            struct mime_param **params_out);
/* First word of a value, comments skipped: Content-Transfer-Encoding. Empty when there is none. */
struct str mime_token(struct str value);
/* Raw value of the parameter with exactly this name; .p NULL when absent. */
struct str mime_param_raw(const struct mime_param *list, struct str name);
/* Append the parameter's text as UTF-8. Returns 1, or 0 when it is absent, or the errors of buf. */
MUST_CHECK int mime_param_text(const struct mime_param *list, struct str name, struct buf *out);
#endif
