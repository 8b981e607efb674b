#include "lib/imap/datetime.h"
#include "lib/base/clock.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool digits(struct str s, size_t at, size_t n, uint32_t *out)
{
    return at + n <= s.n && str_to_u32(str_slice(s, at, at + n), out);
}

static unsigned month_of(struct str name)
{
    for (unsigned m = 0; name.n == 3 && m < 12; m++)
        if (str_ieq(name, str_of(months + 3 * m, 3)))
            return m + 1;
    return 0;
}

/* "d-Mon-yyyy" at the front of s, with one or two digits of day, or a space and one. */
static bool day_at_front(struct str s, int64_t *days_out, size_t *used_out)
{
    size_t day_at = s.n && s.p[0] == ' ' ? 1 : 0;
    ptrdiff_t dash = str_chr(s, '-');
    uint32_t day, year;
    int64_t back_year, days;
    unsigned month, back_month, back_day;
    size_t at;

    if (dash < 1 || dash > 2 || !digits(s, day_at, (size_t)dash - day_at, &day))
        return false;
    at = (size_t)dash + 1;
    month = month_of(str_slice(s, at, at + 3));
    if (!month || at + 8 > s.n || s.p[at + 3] != '-' || !digits(s, at + 4, 4, &year))
        return false;
    if (day < 1 || day > 31)
        return false;
    days = clock_days_from_civil(year, month, day);
    clock_civil_from_days(days, &back_year, &back_month, &back_day);
    if (back_month != month) /* 31-Feb */
        return false;
    *days_out = days;
    *used_out = at + 8;
    return true;
}

bool datetime_parse_day(struct str s, int32_t *day_out)
{
    int64_t days;
    size_t used;

    if (!s.n || s.p[0] == ' ' || !day_at_front(s, &days, &used) || used != s.n)
        return false;
    *day_out = (int32_t)days;
    return true;
}

bool datetime_parse(struct str s, int64_t *ms_out)
{
    uint32_t h, m, sec, zone_h, zone_m;
    int64_t days, zone;
    size_t at;

    if (!day_at_front(s, &days, &at) || s.n != at + 15)
        return false;
    s = str_skip(s, at); /* " 21:52:25 -0800" */
    if (s.p[0] != ' ' || s.p[3] != ':' || s.p[6] != ':' || s.p[9] != ' ' ||
        (s.p[10] != '+' && s.p[10] != '-'))
        return false;
    if (!digits(s, 1, 2, &h) || !digits(s, 4, 2, &m) || !digits(s, 7, 2, &sec) ||
        !digits(s, 11, 2, &zone_h) || !digits(s, 13, 2, &zone_m) || h > 23 || m > 59 || sec > 60 ||
        zone_h > 23 || zone_m > 59)
        return false;
    zone = (int64_t)(zone_h * 60 + zone_m) * 60;
    *ms_out = (days * 86400 + h * 3600 + m * 60 + sec - (s.p[10] == '-' ? -zone : zone)) * 1000;
    return true;
}

void datetime_write(int64_t ms, char out[DATETIME_LEN + 1])
{
    int64_t secs = ms / 1000 - (ms % 1000 < 0), days = secs / 86400 - (secs % 86400 < 0), year;
    unsigned month, day, of_day = (unsigned)(secs - days * 86400);

    clock_civil_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999) { /* nothing else fits the grammar */
        year = year < 0 ? 0 : 9999;
    }
    snprintf(out, DATETIME_LEN + 1, "%2u-%.3s-%04u %02u:%02u:%02u +0000", day % 100, months + 3 * (month - 1),
             (unsigned)year % 10000, of_day / 3600 % 24, of_day / 60 % 60, of_day % 60);
}
