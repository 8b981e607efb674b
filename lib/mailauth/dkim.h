/* lib/mailauth/dkim.h
 *
 * DKIM signatures (RFC 6376, 8301, 8463, 8616): verify those of a message, make new ones. The message flows
 * through message.h; keys are asked for through lookup.h. */
#ifndef LIB_MAILAUTH_DKIM_H
#define LIB_MAILAUTH_DKIM_H
#include "lib/mailauth/key.h"
#include "lib/mailauth/lookup.h"
#include "lib/mailauth/message.h"

#define DKIM_NAMES_MAX    300u /* in h= */
#define DKIM_FIELD_MAX    KIB(32)
#define DKIM_CLOCK_SKEW_S 3600 /* a signature may be that far in the future */

/* RFC 8601 2.7.1. */
enum dkim_code {
    DKIM_NONE,
    DKIM_PASS,
    DKIM_FAIL,    /* body or header was changed */
    DKIM_POLICY,  /* weak: rsa-sha1, a short key */
    DKIM_NEUTRAL, /* fails, and its key says that it is a test */
    DKIM_TEMPERROR,
    DKIM_PERMERROR, /* the signature or its key cannot be used */
};
const char *dkim_code_name(enum dkim_code code);

struct dkim_signature {
    const struct mailauth_field *field;
    enum dkim_code code; /* DKIM_NONE: not decided yet */
    const char *why;     /* NULL for a pass; static */
    enum dkim_algorithm algorithm;
    bool header_relaxed, body_relaxed;
    struct str domain, selector, identity, names; /* d, s, i, h; foreign, d and s are well-formed names */
    struct str signature, body_hash;              /* decoded */
    struct str signature_text;                    /* b as written, for header.b */
    bool limited;                                 /* l= */
    uint64_t body_limit;
    bool partial;              /* passes, but there is more body than it covers (RFC 6376 8.2) */
    bool testing;              /* the key says so */
    int64_t made_s, expires_s; /* 0: not given */
    unsigned key_bits;
    int body; /* of mailauth_body_hash */
};

/* Look at all signatures: m->signatures[0 .. m->nsignatures). 0: every code is set, or MAILAUTH_WAITS.
 * Before mailauth_message_end it only asks for keys, and waits. */
MUST_CHECK int dkim_check(struct mailauth_message *m, struct lookups *l, int64_t now_s);

struct dkim_signer {
    const struct dkim_private *key;
    struct str domain, selector;
    struct str identity;             /* i=; empty: left out */
    struct str names;                /* h=, colon-separated; empty: dkim_default_names that the message has */
    bool header_simple, body_simple; /* relaxed unless set */
    int64_t now_s;                   /* t= */
    int64_t expires_s;               /* x=; 0: left out */
};

/* The body hash that a signer will need: before the first byte is fed. An index or an error. */
MUST_CHECK int dkim_signer_want(struct mailauth_message *m, bool body_simple);
/* After mailauth_message_end: the whole field, "DKIM-Signature: …\r\n", appended. `body`: from
 * dkim_signer_want. E_SYNTAX (names that are none, no From), E_LIMIT, E_NOMEM, E_BUG. */
MUST_CHECK int dkim_make(struct mailauth_message *m, const struct dkim_signer *s, int body, struct buf *out);
#endif
