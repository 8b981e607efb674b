/* lib/spam/names.h
 *
 * Is a domain dressed up as another one? Compared with names that are often counterfeited (names_known.c) and with the
 * recipient's own. Text only: nothing is looked up. */
#ifndef LIB_SPAM_NAMES_H
#define LIB_SPAM_NAMES_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/mailauth/psl.h"

enum spam_name {
    SPAM_NAME_PLAIN,
    SPAM_NAME_HOMOGRAPH, /* looks like a known one, by letters of other scripts */
    SPAM_NAME_LOOKALIKE, /* looks like a known one, in ASCII: paypa1.com, rnicrosoft.com */
    SPAM_NAME_NEAR,      /* one letter away from a known one of 6 letters and more */
    SPAM_NAME_INSIDE,    /* paypal.com.example.net */
    SPAM_NAME_MIXED,     /* several scripts in one label */
};

/* host: ASCII (xn-- too) or UTF-8, any case. own: a domain to compare with too; may be empty. psl may be NULL: then
 * the last two labels are taken for what somebody registered. */
enum spam_name spam_name_check(struct str host, struct str own, const struct psl *psl);
/* Append what somebody registered of a host, lower case: "a.b.example.co.uk" -> "example.co.uk"; the host itself
 * when there is nothing to tell. E_LIMIT, E_NOMEM. */
MUST_CHECK int spam_name_base(struct str host, const struct psl *psl, struct buf *out);
/* A name that is shown ("PayPal Service") begins with a known one, and the domain is another's. */
bool spam_name_claims(struct str shown, struct str domain, const struct psl *psl);
extern const char *const spam_known[]; /* "paypal.com"; ends with NULL */
#endif
