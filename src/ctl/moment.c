/* src/ctl/moment.c: moments, as people write them. */
#include "lib/base/clock.h"
#include "src/ctl/cmd_backup.h"
#include <time.h>

static bool two(const char **p, char before, int lo, int hi, int *out)
{
    if (before && *(*p)++ != before)
        return false;
    if (!ascii_digit((*p)[0]) || !ascii_digit((*p)[1]))
        return false;
    *out = ((*p)[0] - '0') * 10 + ((*p)[1] - '0');
    *p += 2;
    return *out >= lo && *out <= hi;
}

bool moment_parse(const char *text, int64_t *ms_out)
{
    int century, year, sign = 0, oh = 0, om = 0;
    struct tm tm = { .tm_sec = 59, .tm_isdst = -1 };
    int64_t ms = 999, days;
    const char *p = text;

    if (!two(&p, 0, 19, 99, &century) || !two(&p, 0, 0, 99, &year) || !two(&p, '-', 1, 12, &tm.tm_mon) ||
        !two(&p, '-', 1, 31, &tm.tm_mday) || (*p != 'T' && *p != ' ') ||
        (p++, !two(&p, 0, 0, 23, &tm.tm_hour)) || !two(&p, ':', 0, 59, &tm.tm_min))
        return false;
    if (*p == ':' && !two(&p, ':', 0, 59, &tm.tm_sec))
        return false;
    if (*p == '.' && ascii_digit(p[1])) {
        p++;
        ms = 0;
        for (int scale = 100; ascii_digit(*p); p++, scale /= 10)
            ms += (*p - '0') * scale;
    }
    if (*p == 'Z' && !p[1])
        sign = 2;
    else if (*p == '+' || *p == '-') {
        sign = *p++ == '+' ? 1 : -1;
        if (!two(&p, '\0', 0, 23, &oh) || !two(&p, *p == ':' ? ':' : '\0', 0, 59, &om))
            return false;
    }
    if (sign == 2)
        p++;
    if (*p)
        return false;
    days = clock_days_from_civil(century * 100 + year, (unsigned)tm.tm_mon, (unsigned)tm.tm_mday);
    if (sign) {
        *ms_out = ((days * 24 + tm.tm_hour) * 60 + tm.tm_min) * 60000 + tm.tm_sec * 1000 + ms -
                  (sign == 2 ? 0 : sign * (oh * 60 + om) * INT64_C(60000));
        return true;
    }
    tm.tm_year = century * 100 + year - 1900;
    tm.tm_mon--;
    *ms_out = (int64_t)mktime(&tm) * 1000 + ms;
    return true;
}
