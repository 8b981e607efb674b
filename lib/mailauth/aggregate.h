/* lib/mailauth/aggregate.h
 *
 * DMARC aggregate reports (RFC 9990, which replaces the reporting half of RFC 7489) as text: the XML, what the mail that
 * carries it is called, who wants one and who may be sent one. No network, no clock, no mail. */
#ifndef LIB_MAILAUTH_AGGREGATE_H
#define LIB_MAILAUTH_AGGREGATE_H
#include "lib/mailauth/dmarc.h"

#define AGGREGATE_XML_MAX  MIB(24)
#define AGGREGATE_NAME_MAX 700u

/* RFC 9990 3.1.1.13: of policy_evaluated. */
enum aggregate_disposition { AGGREGATE_NONE, AGGREGATE_PASS, AGGREGATE_QUARANTINE, AGGREGATE_REJECT };

struct aggregate_report {
    struct str org, email;  /* who reports */
    struct str generator;   /* program and version */
    struct str id;          /* of this report, unlike any other of ours: letters, digits, dots */
    int64_t begin_s, end_s; /* from the first to the last second */
    struct str domain;      /* where the policy record was found */
    const struct dmarc_record *policy;
};

/* So many messages alike. Foreign text is made to fit. */
struct aggregate_row {
    struct str ip, header_from, envelope_from; /* envelope_from empty: the null sender */
    uint64_t count;
    enum aggregate_disposition disposition;
    bool dkim, spf;                               /* aligned, and passed */
    struct str reason;                            /* why it is not what the policy asks for; empty: it is */
    struct str spf_domain, spf_scope, spf_result; /* scope "mfrom"; domain empty: SPF was not looked at */
    struct str signatures;                        /* "domain selector result\n" each; may be empty */
};

/* Appended, in this order. Errors: those of buf. */
MUST_CHECK int aggregate_begin(const struct aggregate_report *r, struct buf *out);
MUST_CHECK int aggregate_row_put(const struct aggregate_row *row, struct buf *out);
MUST_CHECK int aggregate_end(struct buf *out);

/* "receiver!example.org!1700000000!1700086399!id.xml.gz" (RFC 9990 3.3.1); of the id its letters and digits */
MUST_CHECK int aggregate_file_name(const struct aggregate_report *r, struct str receiver, struct buf *out);
/* "Report Domain: example.org Submitter: receiver Report-ID: <id>" (RFC 9990 3.3.2) */
MUST_CHECK int aggregate_subject(const struct aggregate_report *r, struct str receiver, struct buf *out);

/* One URI of rua=: "mailto:a@b", "mailto:a@b!10m" (RFC 7489 6.2: units are powers of two). True: *address_out, its percent
 * signs undone in `out`, and the largest message it wants, UINT64_MAX when it does not say. */
bool aggregate_uri(struct str uri, struct buf *out, uint64_t *bytes_max_out);

/* May reports about `domain` go to a mailbox at `host` without asking there (RFC 9990 4: one organizational domain)? psl may
 * be NULL. */
bool aggregate_internal(const struct psl *psl, struct str domain, struct str host);
/* `record` is one that stands at that name: may reports go to mailboxes at `host`? True: they may; when it names one there
 * itself, to that: it is in `out`, else `out` is left empty. False: it is no record of DMARC, or names somebody at
 * another host, or nobody who could be written to: neither he nor who asked gets any (RFC 7489 7.1, RFC 9990 4). */
bool aggregate_agrees(struct str record, struct str host, struct buf *out, uint64_t *bytes_max_out);
/* "example.org._report._dmarc.third.example", whose TXT record must be one of DMARC. E_LIMIT: no such name. */
MUST_CHECK int aggregate_verification(struct str domain, struct str host, struct buf *out);
#endif
