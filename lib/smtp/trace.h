/* lib/smtp/trace.h
 *
 * Trace header fields that a receiver puts on top of a message: Received, Return-Path and Delivered-To
 * (RFC 5321 4.4, RFC 9228), written with folding and with every foreign byte made harmless; and a
 * scanner that counts the Received fields of a message pushed in slices, since a hundred of them are a
 * loop (RFC 5321 6.3). Pure: the clock and the id are given. */
#ifndef LIB_SMTP_TRACE_H
#define LIB_SMTP_TRACE_H
#include "lib/smtp/path.h"

#define TRACE_HEADER_MAX KIB(4) /* enough for any block written here: use it as the buf's max */

struct trace_hop {
    struct str helo;      /* what the client called itself; foreign */
    struct str peer_name; /* its verified host name, or empty */
    struct str peer_ip;   /* text form: 192.0.2.1 or 2001:db8::1; empty: a socket of this machine */
    struct str by;        /* our host name */
    struct str id;        /* queue id */
    struct str tls;       /* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"; empty on a clear connection */
    bool esmtp, lmtp, authenticated, smtputf8;
    bool hidden;                            /* nothing of the client is told: no "from" */
    const struct smtp_path *only_recipient; /* NULL unless there is exactly one: a second must not be told */
    int64_t when_ms;                        /* wall clock */
};

/* Append a whole Received field. Errors of buf; then `out` is as before. */
MUST_CHECK int trace_received(struct buf *out, const struct trace_hop *hop);
/* "Return-Path: <a@b>". */
MUST_CHECK int trace_return_path(struct buf *out, const struct smtp_path *sender);
/* "Delivered-To: a@b". */
MUST_CHECK int trace_delivered_to(struct buf *out, struct str address);
/* The protocol name after "with": RFC 5321, RFC 3848, RFC 6531 4.3. Static. */
const char *trace_protocol(bool esmtp, bool tls, bool authenticated, bool smtputf8);
/* "Sat, 22 Aug 2026 10:11:12 +0000" (RFC 5322 3.3). */
MUST_CHECK int trace_date(struct buf *out, int64_t when_ms);

/* Fields that are looked for. All but the first may stand there once (RFC 5322 3.6, RFC 2045). */
enum {
    TRACE_RECEIVED,
    TRACE_MESSAGE_ID,
    TRACE_FROM,
    TRACE_SENDER,
    TRACE_REPLY_TO,
    TRACE_TO,
    TRACE_CC,
    TRACE_BCC,
    TRACE_SUBJECT,
    TRACE_DATE,
    TRACE_IN_REPLY_TO,
    TRACE_REFERENCES,
    TRACE_MIME_VERSION,
    TRACE_CONTENT_TYPE,
    TRACE_ENCODING,
    TRACE_NAMES, /* how many */
};

/* What the header block says about itself. Zeroed to start. */
struct trace_scan {
    unsigned received;    /* Received fields */
    uint64_t bytes;       /* of the block so far, with the empty line */
    unsigned fields;      /* lines that do not go on with another */
    uint32_t seen, twice; /* BIT(TRACE_*): there, there more than once */
    bool eight_bit;       /* a byte above 127 */
    bool has_message_id;  /* a Message-ID field is there */
    bool done;            /* the header block is over: feed no more, it costs nothing if you do */
    unsigned alive;       /* names that the line so far still may be */
    unsigned at;          /* position in the line, no longer true once alive is 0 */
    bool blank_so_far;    /* the line is a lone CR */
};
void trace_scan_feed(struct trace_scan *t, struct str in);
#endif
