/* src/store/grouping.h
 *
 * Group commit: what waits in a lane behind a job joins its transaction, up to 64 jobs or 20 ms. Shared by the
 * store's lanes and the bench that measures them. */
#ifndef SRC_STORE_GROUPING_H
#define SRC_STORE_GROUPING_H
#include "lib/base/clock.h"
#include "lib/base/work.h"

#define GROUP_JOBS_MAX 64u
#define GROUP_MS_MAX   20
/* Messages that join the first one: up to so many bytes of them, none larger than that. */
#define GROUP_BYTES_MAX MIB(4)
#define JOIN_BYTES_MAX  MIB(2)
#define GROUP_ROOM_BYTES \
    (GROUP_BYTES_MAX + JOIN_BYTES_MAX + MIB(2)) /* what they and all the rest take at most */

static inline int64_t group_until_ms(void)
{
    return clock_mono_ms() + GROUP_MS_MAX;
}

/* The one that joins `n` others; NULL: none. */
static inline struct work_job *group_next(struct work_lane *l, size_t n, int64_t until_ms,
                                          bool (*want)(const struct work_job *job))
{
    return n < GROUP_JOBS_MAX && clock_mono_ms() < until_ms ? work_lane_take(l, want) : NULL;
}
#endif
