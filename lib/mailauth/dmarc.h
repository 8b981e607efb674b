/* lib/mailauth/dmarc.h
 *
 * DMARC (RFC 9989, which replaces RFC 7489): does what SPF and DKIM proved belong to the domain in From, and what
 * does that domain want done when not? Records are found by the tree walk; the public suffix list guards it. */
#ifndef LIB_MAILAUTH_DMARC_H
#define LIB_MAILAUTH_DMARC_H
#include "lib/mailauth/lookup.h"
#include "lib/mailauth/psl.h"

#define DMARC_QUERIES_MAX 8u /* of one tree walk (RFC 9989 4.10) */
#define DMARC_DOMAINS_MAX 10u
#define DMARC_URIS_MAX    8u

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT, DMARC_POLICY_ABSENT };
enum dmarc_code {
    DMARC_NONE, /* the domain has no policy, or there is no one domain in From */
    DMARC_PASS,
    DMARC_FAIL,
    DMARC_TEMPERROR,
    DMARC_PERMERROR, /* From cannot be used */
};
const char *dmarc_code_name(enum dmarc_code code);
const char *dmarc_policy_name(enum dmarc_policy p);

/* A policy record, read. */
struct dmarc_record {
    enum dmarc_policy p, sp, np; /* ABSENT: not there */
    bool p_wrong;                /* p, sp or np has a value that is none */
    bool strict_dkim, strict_spf;
    bool testing;                                        /* t=y */
    char psd;                                            /* 'y', 'n', 'u' */
    struct str fo;                                       /* as written */
    struct str rua[DMARC_URIS_MAX], ruf[DMARC_URIS_MAX]; /* mailto and other URIs, as written */
    size_t nrua, nruf;
};
/* False: not a DMARC record at all. Strings point into `text`. */
bool dmarc_record_parse(struct str text, struct dmarc_record *out);

struct dmarc_request {
    struct str from_domain;                     /* the one domain of From, A-labels; empty: none or several */
    struct str spf_domain;                      /* of MAIL FROM (not HELO), if SPF passed; else empty */
    struct str dkim_domains[DMARC_DOMAINS_MAX]; /* of signatures that passed */
    size_t ndkim;
};

struct dmarc_result {
    enum dmarc_code code;
    enum dmarc_policy policy;  /* that the domain asks for, after sp, np; for the record found */
    enum dmarc_policy applied; /* what to do: NONE unless the code is FAIL; one step milder for t=y (4.7) */
    bool testing;
    bool aligned_spf, aligned_dkim;
    char domain[LOOKUP_NAME_MAX + 1]; /* where the record is */
    const char *policy_tag;           /* "p", "sp", "np": where the policy is from */
    const char *why;                  /* static, for errors */
    struct str record;                /* its text, in the look-ups' memory: for reports */
};

/* 0 and *out set, or MAILAUTH_WAITS. psl may be NULL. */
MUST_CHECK int dmarc_check(struct lookups *l, const struct psl *psl, const struct dmarc_request *rq,
                           struct dmarc_result *out);
#endif
