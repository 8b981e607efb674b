/* lib/mailauth/spf.h
 *
 * SPF: may this address send mail for this domain (RFC 7208)? check_host with macros, include, redirect,
 * exp and every limit of section 4.6.4. Type 99 records are not asked for (3.1). No network: see lookup.h. */
#ifndef LIB_MAILAUTH_SPF_H
#define LIB_MAILAUTH_SPF_H
#include "lib/base/buf.h"
#include "lib/mailauth/lookup.h"

#define SPF_TERMS_MAX       10u /* RFC 7208 4.6.4: terms that cause look-ups */
#define SPF_VOIDS_MAX       2u  /* look-ups without an answer */
#define SPF_NAMES_MAX       10u /* MX and PTR names whose addresses are asked for */
#define SPF_RECORD_MAX      KIB(4)
#define SPF_EXPLANATION_MAX 512u

enum spf_code {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};

struct spf_ip {
    uint8_t bytes[16]; /* of an IPv4 address the first four */
    bool v6;
};

struct spf_request {
    struct spf_ip ip;
    struct str sender;   /* of MAIL FROM; empty: postmaster@helo, as 2.4 says */
    struct str helo;     /* foreign */
    struct str receiver; /* our host name, for the macro r and Received-SPF */
    int64_t now_s;       /* for the macro t */
};

struct spf_result {
    enum spf_code code;
    char domain[LOOKUP_NAME_MAX + 1];          /* the domain that was checked */
    char mechanism[64];                        /* the beginning of the term that matched; printable ASCII */
    char explanation[SPF_EXPLANATION_MAX + 1]; /* of the domain's owner, for a fail; printable ASCII */
    const char *problem;                       /* what was wrong, for permerror; static */
};

/* Text to binary. An IPv4 address mapped into IPv6 is the IPv4 address (RFC 7208 5). E_SYNTAX. */
MUST_CHECK int spf_ip_parse(struct str text, struct spf_ip *out);
/* Check the domain of the sender. 0 and *out set, or MAILAUTH_WAITS. Never fails otherwise. */
MUST_CHECK int spf_check(struct lookups *l, const struct spf_request *rq, struct spf_result *out);
/* "pass"; static. */
const char *spf_code_name(enum spf_code code);
/* The whole field of RFC 7208 9.1, "Received-SPF: …\r\n". identity: "mailfrom" or "helo". Errors of buf. */
MUST_CHECK int spf_received(struct buf *out, const struct spf_request *rq, const struct spf_result *res,
                            const char *identity);
#endif
