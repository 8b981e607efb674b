/* lib/schedule/schedule.h
 *
 * When something is to be done, as an operator writes it, and when that is next. Pure: text, and arithmetic on UTC. There
 * is no local time here: clocks that are put forward or back would do a job twice or never.
 *
 *   hourly | daily | weekly | monthly          at 00 of what they begin (weekly: Monday; monthly: the 1st)
 *   daily at 03:10 | weekly at Sun 03:10 | monthly at 1 03:10 | hourly at 15
 *   every 10 minutes | every 6 hours | every 2 days    counted from the epoch, so that a restart moves nothing
 *   10 3 * * 1-5                               five fields of cron: minute, hour, day of month, month, day of week
 *                                              (0 and 7: Sunday; names too); * , - and / as ever; when both days are
 *                                              given, either is enough
 *   2026-12-31 | 2026-12-31 23:50              once
 *   never
 *
 * Words in any case, spaces as many as one likes. */
#ifndef LIB_SCHEDULE_SCHEDULE_H
#define LIB_SCHEDULE_SCHEDULE_H
#include "lib/base/str.h"

#define SCHEDULE_TEXT_MAX 120u
#define SCHEDULE_NEVER    INT64_MAX

struct schedule {
    enum { SCHEDULE_NONE, SCHEDULE_EVERY, SCHEDULE_FIELDS, SCHEDULE_ONCE } kind;
    int64_t every_ms, once_ms;
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* bits; days 1-31, months 1-12, weekdays 0 (Sunday) to 6 */
    bool any_day, any_weekday;              /* the field was "*" */
};

/* E_SYNTAX; E_RANGE: a date or field that does not exist, or never comes (30 February). */
MUST_CHECK int schedule_parse(struct str text, struct schedule *out);
/* The first moment after `after_ms` at which it is time; SCHEDULE_NEVER. Milliseconds since the epoch, UTC. Years up to 9999. */
int64_t schedule_next(const struct schedule *s, int64_t after_ms);
/* Is this whole minute one of its moments? For tests, and for who wants to check. */
bool schedule_matches(const struct schedule *s, int64_t at_ms);
#endif
