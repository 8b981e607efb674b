#include "lib/base/clock.h"
#include "src/store/backup.h"

#define DAY_MS INT64_C(86400000)

static int64_t day_of(int64_t ms)
{
    return ms >= 0 ? ms / DAY_MS : -((-ms + DAY_MS - 1) / DAY_MS);
}

/* 1970-01-01 was a Thursday. */
static int64_t week_of(int64_t ms)
{
    int64_t d = day_of(ms) + 3;

    return d >= 0 ? d / 7 : -((-d + 6) / 7);
}

static int64_t month_of(int64_t ms)
{
    int64_t year;
    unsigned month, day;

    clock_civil_from_days(day_of(ms), &year, &month, &day);
    return year * 12 + month;
}

static void apply(int64_t (*period)(int64_t ms), uint32_t count, const int64_t *taken_ms, size_t n,
                  bool *keep)
{
    for (size_t i = 0; i < n && count; i++)
        if (i == 0 || period(taken_ms[i]) != period(taken_ms[i - 1])) {
            keep[i] = true;
            count--;
        }
}

void backup_rule_apply(const struct backup_rule *rule, const int64_t *taken_ms, size_t n, bool *keep)
{
    for (size_t i = 0; i < n; i++)
        keep[i] = i == 0;
    apply(day_of, rule->daily, taken_ms, n, keep);
    apply(week_of, rule->weekly, taken_ms, n, keep);
    apply(month_of, rule->monthly, taken_ms, n, keep);
}
