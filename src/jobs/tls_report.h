/* src/jobs/tls_report.h
 *
 * A day's TLS report of one domain as JSON (RFC 8460 4). Counters in, text out; knows nobody. */
#ifndef SRC_JOBS_TLS_REPORT_H
#define SRC_JOBS_TLS_REPORT_H
#include "lib/base/buf.h"

#define TLS_REPORT_MAX MIB(8)

enum tls_report_policy { TLS_REPORT_NONE, TLS_REPORT_STS, TLS_REPORT_TLSA, TLS_REPORT_POLICIES };

struct tls_report_count {
    enum tls_report_policy policy;
    struct str result; /* RFC 8460 4.3; empty: these went well */
    struct str mx, ip, from_ip, reason;
    struct str policy_text; /* lines, LF between them */
    uint64_t sessions;
};

struct tls_report {
    struct str org, contact, id; /* who reports: a host name, an address; the report's name */
    struct str domain;
    int64_t day; /* since the epoch, UTC */
    const struct tls_report_count *v;
    size_t n;
};

/* Appended. Errors: those of buf. */
MUST_CHECK int tls_report_write(const struct tls_report *r, struct buf *out);
/* "our.host!example.org!1459468800!1459555199!id.json.gz" (RFC 8460 5.1). */
MUST_CHECK int tls_report_file_name(const struct tls_report *r, struct buf *out);
#endif
