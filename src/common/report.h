/* src/common/report.h
 *
 * How a role tells the monitor what it counts (counts.h) and what it decided. Nobody waits for it: what the monitor
 * does not take within a while is dropped, and that is counted. */
#ifndef SRC_COMMON_REPORT_H
#define SRC_COMMON_REPORT_H
#include "src/common/counts.h"
#include "lib/rpc/rpc.h"

/* A decision about a message that concerns a person of ours: proto/monitor.proto, Note. Bytes are borrowed for the call;
 * each is cut at NOTE_TEXT_MAX. */
#define NOTE_TEXT_MAX 320u
struct note {
    struct str person, other, service, event, id, why, client, name, auth;
    uint64_t bytes;
    bool tls;
};

/* From now on, over the link to the monitor; `service`, static, is what notes that name none are of. Once, on the loop's
 * thread. E_NOMEM. */
MUST_CHECK int report_start(struct loop *l, struct rpc_link *monitor, const char *service);
/* Loop's thread. Before report_start, or where nobody listens: dropped. */
void report_note(const struct note *n);

/* What DMARC said of one message, for the report its domain asks for (RFC 9990); texts are borrowed for the call. */
struct report_dmarc {
    int64_t begins_s, seconds; /* the period it counts for */
    struct str domain, record, ip, header_from, envelope_from, reason, spf_domain, spf_scope, spf_result,
        signatures;
    uint32_t disposition; /* enum aggregate_disposition */
    bool dkim, spf;
};
void report_dmarc(const struct report_dmarc *d);
#endif
