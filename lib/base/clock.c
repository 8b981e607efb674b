#include "lib/base/clock.h"
#include "lib/base/str.h"
#include <stdatomic.h>
#include <time.h>

static atomic_bool fake;
static _Atomic int64_t fake_wall_ms, fake_mono_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return fake ? fake_wall_ms : read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return fake ? fake_mono_ms : read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_fake(int64_t wall_ms)
{
    fake_wall_ms = wall_ms;
    fake_mono_ms = 0;
    fake = true;
}

void clock_fake_advance(int64_t ms)
{
    fake_wall_ms += ms;
    fake_mono_ms += ms;
}

void clock_real(void)
{
    fake = false;
}

/* Howard Hinnant's civil calendar arithmetic: eras of 400 years that begin in March. */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

void clock_civil_from_days(int64_t days, int64_t *year_out, unsigned *month_out, unsigned *day_out)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *day_out = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month_out = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year_out = yoe + era * 400 + (*month_out <= 2);
}

static void digits_put(char *out, int n, unsigned v)
{
    for (; n-- > 0; v /= 10)
        out[n] = (char)('0' + v % 10);
}

/* Several for every message: printf takes 4 us for one. */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_LEN + 1])
{
    int64_t days = wall_ms / 86400000, ms = wall_ms % 86400000, year;
    unsigned month, day;

    if (ms < 0) {
        ms += 86400000;
        days--;
    }
    clock_civil_from_days(days, &year, &month, &day);
    if (year < 0 || year > 9999)
        year = year < 0 ? 0 : 9999;
    memcpy(out, "yyyy-mm-ddThh:mm:ss.sssZ", CLOCK_ISO_LEN + 1);
    digits_put(out, 4, (unsigned)year);
    digits_put(out + 5, 2, month);
    digits_put(out + 8, 2, day);
    digits_put(out + 11, 2, (unsigned)(ms / 3600000));
    digits_put(out + 14, 2, (unsigned)(ms / 60000 % 60));
    digits_put(out + 17, 2, (unsigned)(ms / 1000 % 60));
    digits_put(out + 20, 3, (unsigned)(ms % 1000));
}

bool clock_from_iso(const char *text, size_t n, int64_t *ms_out)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    uint32_t v[7] = { 0 };
    int64_t days;

    if (n != CLOCK_ISO_LEN)
        return false;
    for (size_t i = 0, field = 0; i < n; i++) {
        if (shape[i] == 'd') {
            if (!ascii_digit(text[i]))
                return false;
            v[field] = v[field] * 10 + (uint32_t)(text[i] - '0');
        } else {
            if (text[i] != shape[i])
                return false;
            field++;
        }
    }
    if (v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 || v[4] > 59 || v[5] > 60)
        return false;
    days = clock_days_from_civil(v[0], v[1], v[2]);
    *ms_out = ((days * 24 + v[3]) * 60 + v[4]) * 60000 + (int64_t)v[5] * 1000 + v[6];
    return true;
}
