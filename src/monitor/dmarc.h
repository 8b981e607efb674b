/* src/monitor/dmarc.h
 *
 * Counters for DMARC's aggregate reports, in the journal's file: added to as messages come, read when a report is made, then
 * forgotten; in any case after a week. Bounded: rows of one domain and period, and in all. Blocks on disk. */
#ifndef SRC_MONITOR_DMARC_H
#define SRC_MONITOR_DMARC_H
#include "lib/base/arena.h"
#include "lib/db/db.h"
#include "proto/monitor.pb-c.h"

#define DMARC_ROWS_MAX    2000   /* of a report: 2 MiB of XML at most */
#define DMARC_ALL_MAX     500000 /* in the file */
#define DMARC_PERIODS_MAX 400    /* of an answer: whoever has seen to them asks again */
#define DMARC_PAGE        200
#define DMARC_KEEP_S      (7 * 86400)

/* In one transaction. *dropped_out: rows for which there was no room. */
MUST_CHECK int dmarc_add(struct db *db, Monitor__DmarcRow *const *rows, size_t n, uint64_t *dropped_out);
/* Answers in the arena. A period is over when those who count have had time to say so: its own length, ten minutes at
 * most. */
MUST_CHECK int dmarc_list(struct db *db, struct arena *a, int64_t now_s, const Monitor__DmarcListRequest *q,
                          Monitor__DmarcListResponse *out);
MUST_CHECK int dmarc_rows(struct db *db, struct arena *a, const Monitor__DmarcRowsRequest *q,
                          Monitor__DmarcRowsResponse *out);
MUST_CHECK int dmarc_done(struct db *db, const Monitor__DmarcRowsRequest *q);
/* What is too old. */
MUST_CHECK int dmarc_expire(struct db *db, int64_t now_s);
#endif
