/* src/common/counts.h
 *
 * Numbers that only grow (and a few that go both ways), of this process: one atomic add an event, from any thread. The
 * table is all there is; the monitor prints it for Prometheus with role and instance before the labels. Rows are only
 * ever added at the end of a life: both sides are the same program, so the order is free to change with it. */
#ifndef SRC_COMMON_COUNTS_H
#define SRC_COMMON_COUNTS_H
#include "lib/base/base.h"
#include <stdatomic.h>

/* X(id, name, type, labels, help); rows of one name stand together. */
#define COUNTS(X)                                                                                    \
    X(CONNECTIONS, "connections_total", "counter", "", "Connections of clients that were taken")     \
    X(CONNECTIONS_REFUSED, "connections_refused_total", "counter", "",                               \
      "Connections turned away for a limit")                                                         \
    X(CONNECTIONS_OPEN, "connections", "gauge", "", "Connections of clients now")                    \
    X(COMMANDS, "commands_total", "counter", "", "Commands of clients")                              \
    X(LOGINS_GOOD, "logins_total", "counter", "result=\"good\"", "Logins")                           \
    X(LOGINS_BAD, "logins_total", "counter", "result=\"bad\"", "Logins")                             \
    X(LOGINS_LATER, "logins_total", "counter", "result=\"later\"", "Logins")                         \
    X(RECIPIENTS_TAKEN, "recipients_total", "counter", "result=\"taken\"", "Recipients named")       \
    X(RECIPIENTS_LATER, "recipients_total", "counter", "result=\"later\"", "Recipients named")       \
    X(RECIPIENTS_REFUSED, "recipients_total", "counter", "result=\"refused\"", "Recipients named")   \
    X(MESSAGES_TAKEN, "messages_total", "counter", "result=\"taken\"", "Messages sent to us")        \
    X(MESSAGES_LATER, "messages_total", "counter", "result=\"later\"", "Messages sent to us")        \
    X(MESSAGES_REFUSED, "messages_total", "counter", "result=\"refused\"", "Messages sent to us")    \
    X(MESSAGE_BYTES, "message_bytes_total", "counter", "", "Bytes of the messages that were taken")  \
    X(DMARC_PASS, "dmarc_total", "counter", "result=\"pass\"", "Messages by what DMARC says")        \
    X(DMARC_FAIL, "dmarc_total", "counter", "result=\"fail\"", "Messages by what DMARC says")        \
    X(DMARC_NONE, "dmarc_total", "counter", "result=\"none\"", "Messages by what DMARC says")        \
    X(CLAMAV_CLEAN, "clamav_total", "counter", "result=\"clean\"", "Messages shown to ClamAV")       \
    X(CLAMAV_FOUND, "clamav_total", "counter", "result=\"found\"", "Messages shown to ClamAV")       \
    X(CLAMAV_FAILED, "clamav_total", "counter", "result=\"failed\"", "Messages shown to ClamAV")     \
    X(RSPAMD_ANSWERED, "rspamd_total", "counter", "result=\"answered\"", "Messages shown to rspamd") \
    X(RSPAMD_FAILED, "rspamd_total", "counter", "result=\"failed\"", "Messages shown to rspamd")

enum count_id {
#define X(id, name, type, labels, help) COUNT_##id,
    COUNTS(X)
#undef X
        COUNTS_ALL
};

/* X(id, name, help): how long something took. */
#define TIMES(X) \
    X(MESSAGE, "message_seconds", "From the first byte of a message to the answer behind its last")

enum time_id {
#define X(id, name, help) TIME_##id,
    TIMES(X)
#undef X
        TIMES_ALL
};

/* A time's row in a report: how many took at most so long, all, and their sum in microseconds. */
#define TIME_BUCKETS 13u
#define TIME_ROW     (TIME_BUCKETS + 2)
extern const uint32_t time_bucket_ms[TIME_BUCKETS];

extern _Atomic uint64_t counts_now[COUNTS_ALL];

static inline void count_add(enum count_id id, uint64_t n)
{
    atomic_fetch_add_explicit(&counts_now[id], n, memory_order_relaxed);
}
static inline void count_one(enum count_id id)
{
    count_add(id, 1);
}
/* Of a gauge. */
static inline void count_less(enum count_id id)
{
    atomic_fetch_sub_explicit(&counts_now[id], 1, memory_order_relaxed);
}
void time_took(enum time_id id, int64_t us);
/* What stands there now: COUNTS_ALL numbers, TIMES_ALL rows. */
void counts_read(uint64_t counts_out[COUNTS_ALL], uint64_t times_out[TIMES_ALL * TIME_ROW]);
#endif
