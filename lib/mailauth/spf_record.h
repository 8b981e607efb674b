/* lib/mailauth/spf_record.h
 *
 * The grammar of SPF records: one term at a time, and macros (RFC 7208 5, 6, 7, 12). Private to spf.c and
 * its tests and fuzzers. */
#ifndef LIB_MAILAUTH_SPF_RECORD_H
#define LIB_MAILAUTH_SPF_RECORD_H
#include "lib/mailauth/spf.h"

enum spf_mechanism {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT, /* the modifiers */
    SPF_EXP,
    SPF_UNKNOWN_MODIFIER,
};

struct spf_term {
    enum spf_mechanism mechanism;
    enum spf_code qualifier;   /* the result when it matches */
    struct str domain;         /* domain-spec with its macros; empty: the current domain */
    uint8_t ip[16];            /* SPF_IP4, SPF_IP6 */
    unsigned prefix4, prefix6; /* 32 and 128 unless given */
};

/* One word of a record. E_SYNTAX. */
MUST_CHECK int spf_term_parse(struct str word, struct spf_term *out);
/* Is it a macro-string? `explanation`: c, r, t and spaces are allowed. */
bool spf_macro_valid(struct str text, bool explanation);
/* Is it a domain-spec: a macro-string that ends with a top label or a macro? */
bool spf_domain_spec_valid(struct str text);

/* What letters mean. */
struct spf_macros {
    const struct spf_request *rq;
    struct str sender, local, sender_domain, domain;
    struct str validated; /* p */
};
/* Expand a valid macro-string, appending. Errors of buf, E_SYNTAX. */
MUST_CHECK int spf_macro_expand(struct buf *out, struct str text, const struct spf_macros *m);
/* Does it use the macro p? */
bool spf_macro_needs_p(struct str text);
/* "4.3.2.1.in-addr.arpa". At most 80 bytes. */
MUST_CHECK int spf_reverse_name(struct buf *out, const struct spf_ip *ip);
#endif
