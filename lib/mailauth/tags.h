/* lib/mailauth/tags.h
 *
 * Tag lists, "v=1; a=rsa-sha256; …", of DKIM, ARC and DMARC (RFC 6376 3.2), and the base64 in them. */
#ifndef LIB_MAILAUTH_TAGS_H
#define LIB_MAILAUTH_TAGS_H
#include "lib/base/arena.h"
#include "lib/base/errors.h"

#define TAGS_MAX 40u

struct tag {
    struct str name, value; /* without white space around; the value may be folded inside */
};
struct tags {
    struct tag tag[TAGS_MAX];
    size_t n;
};

/* Strict: an empty tag, a strange name, a control character or a tag that is there twice is E_SYNTAX, since
 * RFC 6376 3.2 makes the whole list invalid. E_LIMIT. The strings point into `text`. */
MUST_CHECK int tags_parse(struct str text, struct tags *out);
/* As DMARC wants it (RFC 9989 4.7): what is not well-formed is left out, of doubles the first counts. */
void tags_parse_lenient(struct str text, struct tags *out);
/* .p NULL: not there. Names are case-sensitive. */
struct str tags_get(const struct tags *t, const char *name);
/* Items of a colon-separated list, white space around them taken off. False at the end. */
bool tags_list_next(struct str *list, struct str *item_out);

/* Decode, ignoring white space. The bytes are in the arena. E_SYNTAX, E_NOMEM. Empty is E_SYNTAX. */
MUST_CHECK int base64_decode(struct arena *a, struct str text, struct str *out);
/* Decimal, at most 12 digits (RFC 6376 3.5, t=). */
bool tags_time(struct str s, int64_t *out);
#endif
