/* src/common/report_mail.h
 *
 * "report_mail": a report that a machine sends to a machine, one gzip attachment in a mail, by way of the courier's queue:
 * DMARC aggregate reports (RFC 9990), TLS reports (RFC 8460). The sender is null, so nothing bounces and nobody answers;
 * the domain of From signs (DKIM). Knows mail and the courier, not what is reported.
 *
 *   report_mail_format(&m, now_ms, &text)           the whole message; look at text.n when there is a size limit
 *   report_mail_send(courier, &m, text, done, ctx)  staged, queued, durable: done(0) */
#ifndef SRC_COMMON_REPORT_MAIL_H
#define SRC_COMMON_REPORT_MAIL_H
#include "lib/base/buf.h"
#include "lib/rpc/rpc.h"

#define REPORT_MAIL_MAX MIB(32) /* of one message */

struct report_mail {
    struct str from;     /* local@domain of ours; the domain's keys sign */
    struct str to;       /* one address; who reports to several sends several */
    struct str subject;  /* ASCII, unfolded, well below 900 bytes */
    struct str id;       /* of the report, RFC 5322 atom characters: left half of Message-ID */
    struct str hostname; /* ours: right half of it */
    struct str fields;   /* more header lines, each with CRLF ("TLS-Report-Domain: …\r\n"); may be empty */
    struct str text;     /* for people: ASCII, CRLF, lines below 998 */
    const char *report_type;  /* multipart/report; report-type=…; NULL: multipart/mixed */
    const char *content_type; /* of the attachment: "application/gzip", "application/tlsrpt+gzip" */
    struct str file_name;     /* ASCII without quotes */
    struct str body;          /* of the attachment, not compressed */
};

/* Compress (RFC 1952), appended; the same bytes give the same bytes. E_NOMEM, errors of buf. */
MUST_CHECK int report_mail_gzip(struct str in, struct buf *out);

/* The message, appended; out.max: REPORT_MAIL_MAX. E_SYNTAX: a CR, LF or foreign character where none may be.
 * E_NOMEM, E_LIMIT: errors of buf. */
MUST_CHECK int report_mail_format(const struct report_mail *m, int64_t now_ms, struct buf *out);

/* 0: it is in the queue (or was, with the same id and recipient, within seven days). Else the courier's answer. */
typedef void report_mail_fn(void *ctx, int status);

/* `message` (of report_mail_format) moves here: it is released in any case. done once, later, unless this fails: E_NOMEM,
 * E_SYNTAX. */
MUST_CHECK int report_mail_send(struct rpc_link *courier, const struct report_mail *m, struct buf *message,
                                report_mail_fn *done, void *ctx);
#endif
