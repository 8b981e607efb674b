/* lib/imap/flags.h
 *
 * Flags of a message: the system flags as bits, keywords as text (RFC 9051 2.3.2). */
#ifndef LIB_IMAP_FLAGS_H
#define LIB_IMAP_FLAGS_H
#include "lib/imap/args.h"

#define IMAP_FLAG_ANSWERED BIT(0)
#define IMAP_FLAG_FLAGGED  BIT(1)
#define IMAP_FLAG_DELETED  BIT(2)
#define IMAP_FLAG_SEEN     BIT(3)
#define IMAP_FLAG_DRAFT    BIT(4)
#define IMAP_FLAG_RECENT   BIT(5) /* of a session, never stored; IMAP4rev1 only */
/* Those that a client may set. */
#define IMAP_FLAGS_SETTABLE \
    (IMAP_FLAG_ANSWERED | IMAP_FLAG_FLAGGED | IMAP_FLAG_DELETED | IMAP_FLAG_SEEN | IMAP_FLAG_DRAFT)

#define IMAP_KEYWORD_MAX  100u /* bytes of one */
#define IMAP_KEYWORDS_MAX 64u  /* in one command */

struct imap_flags {
    uint32_t system; /* IMAP_FLAG_* */
    const struct str *keywords;
    size_t nkeywords;
};

/* "\Seen" for one bit; NULL when there is none. */
const char *imap_flag_name(uint32_t bit);
/* The bit of "\Seen" (any case), 0 when it is no system flag. */
uint32_t imap_flag_bit(struct str name);
/* May it be a keyword: an atom of at most IMAP_KEYWORD_MAX bytes? */
bool imap_keyword_valid(struct str name);
/* flag-list "(\Seen $Forwarded)". E_SYNTAX (also for \Recent, \* and unknown \flags: RFC 9051 9 lets
 * flag-extension be refused), E_LIMIT, E_NOMEM. A keyword named twice is kept once. */
MUST_CHECK int imap_flags_parse_list(struct args *a, struct imap_flags *out);
/* The same without parentheses, one at least, as STORE allows it. */
MUST_CHECK int imap_flags_parse_bare(struct args *a, struct imap_flags *out);
#endif
