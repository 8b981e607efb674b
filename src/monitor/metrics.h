/* src/monitor/metrics.h
 *
 * What every role told of itself, and how it is printed for Prometheus (text format 0.0.4). */
#ifndef SRC_MONITOR_METRICS_H
#define SRC_MONITOR_METRICS_H
#include "lib/base/buf.h"
#include "proto/monitor.pb-c.h"
#include "src/common/counts.h"
#include "lib/rpc/rpc.h"

#define METRICS_ROLES_MAX 64u /* processes */
#define METRICS_BYTES_MAX MIB(1)

struct metrics_of {
    enum role_id role; /* ROLE_NONE: the row is free */
    uint32_t instance;
    uint64_t counts[COUNTS_ALL], times[TIMES_ALL * TIME_ROW];
};
struct metrics {
    struct metrics_of rows[METRICS_ROLES_MAX];
};

/* What a process reports; what it reported before is forgotten. E_SYNTAX: of another program; E_LIMIT: too many. */
MUST_CHECK int metrics_take(struct metrics *m, enum role_id role, uint32_t instance,
                            const Monitor__ReportRequest *q);
/* All of it, name after name. E_LIMIT, E_NOMEM. */
MUST_CHECK int metrics_print(const struct metrics *m, struct buf *out);
/* The numbers of an answer to STATUS: letterlock_<role>_<field>. Lists and texts in it are left out. */
MUST_CHECK int metrics_print_status(const char *role, const ProtobufCMessage *status, struct buf *out);
#endif
