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
#include "src/common/courier_send.h"

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

/* Lines of base64 with CRLF, appended. Errors of buf. */
MUST_CHECK int report_mail_base64(struct str in, struct buf *out);

/* The message, appended; out.max: REPORT_MAIL_MAX. E_SYNTAX: a CR, LF or foreign character where none may be.
 * E_NOMEM, E_LIMIT: errors of buf. */
MUST_CHECK int report_mail_format(const struct report_mail *m, int64_t now_ms, struct buf *out);

/* As courier_send, `message` being of report_mail_format; the same id and recipient are queued once in seven days.
 * E_NOMEM, E_SYNTAX. */
MUST_CHECK int report_mail_send(struct rpc_link *courier, const struct report_mail *m, struct buf *message,
                                courier_send_fn *done, void *ctx);
#endif
