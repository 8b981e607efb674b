/* lib/smtp/sts.h
 *
 * Texts by which a domain says how mail to it is to be protected: the record and the policy of MTA-STS (RFC 8461), and the
 * record of TLS reports (RFC 8460). Strangers write them. Pure: where they come from, and how long they are kept, is somebody
 * else's. */
#ifndef LIB_SMTP_STS_H
#define LIB_SMTP_STS_H
#include "lib/base/str.h"

#define STS_TEXT_MAX    KIB(64)   /* of a policy (RFC 8461 3.3) */
#define STS_ID_MAX      32u       /* RFC 8461 3.1 */
#define STS_MAX_AGE_MAX 31557600u /* seconds: a year (RFC 8461 3.2) */
#define STS_MX_MAX      1000u     /* patterns of one policy */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
    enum sts_mode mode;
    uint32_t max_age_s;
    size_t nmx;
    struct str text; /* borrowed: what it was read from */
};

/* The id in a TXT record of _mta-sts.DOMAIN (RFC 8461 3.1). E_NOTFOUND: it begins differently, and is none of these; E_SYNTAX:
 * it begins as one and is not well-formed. *id_out points into it. */
MUST_CHECK int sts_record_parse(struct str txt, struct str *id_out);
/* A policy file (RFC 8461 3.2). E_SYNTAX, E_TOO_BIG, E_LIMIT. */
MUST_CHECK int sts_policy_parse(struct str text, struct sts_policy *out);
/* Its next pattern: *at begins at 0. False: there are no more. */
bool sts_policy_mx(const struct sts_policy *p, size_t *at, struct str *pattern_out);
/* Is this host among its patterns (RFC 8461 4.1)? "*.example.org" is one label below, neither none nor two. */
bool sts_policy_allows(const struct sts_policy *p, struct str host);
const char *sts_mode_name(enum sts_mode m); /* "enforce"; static */

/* Where reports go (RFC 8460 3): the next URI of a record of _smtp._tls.DOMAIN; *at begins at 0. 1, 0: there are no more;
 * E_NOTFOUND, E_SYNTAX as above. It points into the record. */
MUST_CHECK int tlsrpt_record_next(struct str txt, size_t *at, struct str *uri_out);
#endif
