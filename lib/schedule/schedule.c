#include "lib/schedule/schedule.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"

#define MINUTE   INT64_C(60000)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define WORDS    6u
#define LAST_MS  INT64_C(253402300799999) /* 9999-12-31 */
#define DAYS_MAX (8 * 366 + 1)            /* 29 February is never farther away */

static const char *const weekday_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                           "jul", "aug", "sep", "oct", "nov", "dec" };

/* ---- words ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* How many words; more than WORDS: WORDS + 1. */
static size_t words_of(struct str text, struct str out[WORDS])
{
    size_t n = 0, i = 0;

    while (i < text.n) {
        size_t from;

        while (i < text.n && is_space(text.p[i]))
            i++;
        for (from = i; i < text.n && !is_space(text.p[i]);)
            i++;
        if (i == from)
            break;
        if (n == WORDS)
            return WORDS + 1;
        out[n++] = str_slice(text, from, i);
    }
    return n;
}

static bool number_in(struct str s, uint32_t lo, uint32_t hi, uint32_t *out)
{
    return s.n <= 4 && str_to_u32(s, out) && *out >= lo && *out <= hi;
}

/* "03:10" */
static bool time_take(struct str s, uint32_t *hour, uint32_t *minute)
{
    struct str h, m;

    return str_cut(s, ':', &h, &m) && h.n <= 2 && m.n == 2 && number_in(h, 0, 23, hour) &&
           number_in(m, 0, 59, minute);
}

static bool name_take(struct str s, const char *const *names, size_t n, uint32_t base, uint32_t *out)
{
    for (size_t i = 0; i < n; i++)
        if (s.n >= 3 && str_ieq(str_slice(s, 0, 3), str_from(names[i])) && s.n <= 9) {
            *out = base + (uint32_t)i;
            return true;
        }
    return false;
}

/* ---- cron ---- */

struct field {
    uint32_t lo, hi;
    const char *const *names;
    size_t nnames;
    uint32_t base;
};
static const struct field fields[] = {
    { 0, 59, NULL, 0, 0 },         { 0, 23, NULL, 0, 0 },         { 1, 31, NULL, 0, 0 },
    { 1, 12, month_names, 12, 1 }, { 0, 7, weekday_names, 7, 0 },
};

static bool value_take(struct str s, const struct field *f, uint32_t *out)
{
    return number_in(s, f->lo, f->hi, out) || name_take(s, f->names, f->nnames, f->base, out);
}

/* "*", "5", "1-5", each with "/2" behind it. */
static bool range_take(struct str s, const struct field *f, uint64_t *bits)
{
    struct str range, step, from, to;
    uint32_t a = f->lo, b = f->hi, by = 1;
    bool stepped = str_cut(s, '/', &range, &step);

    if (stepped && !number_in(step, 1, 1000, &by))
        return false;
    if (!str_eq_z(range, "*")) {
        bool two = str_cut(range, '-', &from, &to);

        if (!value_take(from, f, &a) || (two && !value_take(to, f, &b)) || (two && a > b))
            return false;
        if (!two && !stepped)
            b = a; /* "5/10" goes on to the end */
    } else if (f->hi == 7) {
        b = 6;
    }
    for (uint32_t v = a; v <= b; v += by)
        *bits |= UINT64_C(1) << v;
    return true;
}

static bool field_take(struct str s, const struct field *f, uint64_t *bits)
{
    struct str one;
    bool more = true;

    *bits = 0;
    while (more) {
        more = str_cut(s, ',', &one, &s);
        if (!range_take(one, f, bits))
            return false;
    }
    return true;
}

static int cron_parse(const struct str words[5], struct schedule *out)
{
    struct schedule s = { .kind = SCHEDULE_FIELDS };
    uint64_t bits[5];

    for (size_t i = 0; i < 5; i++)
        if (!field_take(words[i], &fields[i], &bits[i]))
            return E_SYNTAX;
    s.minutes = bits[0];
    s.hours = (uint32_t)bits[1];
    s.days = (uint32_t)bits[2];
    s.months = (uint32_t)bits[3];
    s.weekdays = (uint32_t)(bits[4] | bits[4] >> 7) & 0x7f; /* 7 is Sunday too */
    s.any_day = words[2].p[0] == '*';
    s.any_weekday = words[4].p[0] == '*';
    *out = s;
    return 0;
}

/* ---- words of people ---- */

/* "daily", "daily at 03:10", and the like become fields. */
static int named_parse(const struct str *w, size_t n, struct schedule *out)
{
    static const char *const names[] = { "hourly", "daily", "weekly", "monthly" };
    struct schedule s = { .kind = SCHEDULE_FIELDS,
                          .minutes = 1,
                          .hours = 1,
                          .days = ~1u,
                          .months = 0x1ffe,
                          .weekdays = 0x7f,
                          .any_day = true,
                          .any_weekday = true };
    uint32_t hour = 0, minute = 0, day = 1;
    size_t which = 0;

    while (which < 4 && !str_ieq_z(w[0], names[which]))
        which++;
    if (which == 4 || (n > 1 && !str_ieq_z(w[1], "at")) || n == 2)
        return E_SYNTAX;
    if (which == 0 && n == 3 && !number_in(w[2], 0, 59, &minute))
        return E_SYNTAX;
    if (which == 1 && n == 3 && !time_take(w[2], &hour, &minute))
        return E_SYNTAX;
    if (which == 2 && n > 1 &&
        (n != 4 || !name_take(w[2], weekday_names, 7, 0, &day) || !time_take(w[3], &hour, &minute)))
        return E_SYNTAX;
    if (which == 3 && n > 1 && (n != 4 || !number_in(w[2], 1, 28, &day) || !time_take(w[3], &hour, &minute)))
        return E_SYNTAX; /* every month has a 28th */
    if (n > (which < 2 ? 3u : 4u))
        return E_SYNTAX;
    s.minutes = UINT64_C(1) << minute;
    s.hours = which == 0 ? 0xffffff : BIT(hour);
    if (which == 2) {
        s.weekdays = BIT(day);
        s.any_weekday = false;
    } else if (which == 3) {
        s.days = BIT(day);
        s.any_day = false;
    }
    *out = s;
    return 0;
}

/* "every 6 hours" */
static int every_parse(const struct str *w, size_t n, struct schedule *out)
{
    static const struct {
        const char *one, *many;
        int64_t ms;
    } units[] = { { "minute", "minutes", MINUTE }, { "hour", "hours", HOUR }, { "day", "days", DAY } };
    struct schedule s = { .kind = SCHEDULE_EVERY };
    uint32_t count = 1;

    if (n != 2 && n != 3)
        return E_SYNTAX;
    if (n == 3 && !number_in(w[1], 1, 9999, &count))
        return E_SYNTAX;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_ieq_z(w[n - 1], units[i].one) || str_ieq_z(w[n - 1], units[i].many))
            s.every_ms = (int64_t)count * units[i].ms;
    if (!s.every_ms)
        return E_SYNTAX;
    *out = s;
    return 0;
}

/* "2026-12-31", "2026-12-31 23:50" */
static int once_parse(const struct str *w, size_t n, struct schedule *out)
{
    struct str d = w[0];
    uint32_t year, month, day, hour = 0, minute = 0;
    unsigned back_month, back_day;
    int64_t days, back_year;

    if (n > 2 || d.n != 10 || d.p[4] != '-' || d.p[7] != '-' ||
        !number_in(str_slice(d, 0, 4), 1970, 9999, &year) || !number_in(str_slice(d, 5, 7), 0, 99, &month) ||
        !number_in(str_slice(d, 8, 10), 0, 99, &day) || (n == 2 && !time_take(w[1], &hour, &minute)))
        return E_SYNTAX;
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return E_RANGE;
    days = clock_days_from_civil(year, month, day);
    clock_civil_from_days(days, &back_year, &back_month, &back_day);
    if (back_month != month || back_day != day)
        return E_RANGE;
    *out = (struct schedule){ .kind = SCHEDULE_ONCE, .once_ms = days * DAY + hour * HOUR + minute * MINUTE };
    return 0;
}

int schedule_parse(struct str text, struct schedule *out)
{
    struct str w[WORDS];
    struct schedule s = { .kind = SCHEDULE_NONE };
    size_t n = text.n > SCHEDULE_TEXT_MAX ? 0 : words_of(text, w);
    int r;

    if (n == 0 || n > WORDS)
        return E_SYNTAX;
    if (n == 1 && str_ieq_z(w[0], "never"))
        r = 0;
    else if (str_ieq_z(w[0], "every"))
        r = every_parse(w, n, &s);
    else if (n == 5)
        r = cron_parse(w, &s);
    else if (ascii_digit(w[0].p[0]))
        r = once_parse(w, n, &s);
    else
        r = named_parse(w, n, &s);
    if (r == 0 && s.kind == SCHEDULE_FIELDS && schedule_next(&s, 0) == SCHEDULE_NEVER)
        r = E_RANGE;
    if (r == 0)
        *out = s;
    return r;
}

/* ---- when ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool day_matches(const struct schedule *s, int64_t day)
{
    unsigned month, of_month, weekday = (unsigned)((day % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
    int64_t year;
    bool by_month, by_week;

    clock_civil_from_days(day, &year, &month, &of_month);
    by_month = (s->days & BIT(of_month)) != 0;
    by_week = (s->weekdays & BIT(weekday)) != 0;
    if (!(s->months & BIT(month)))
        return false;
    return s->any_day || s->any_weekday ? by_month && by_week : by_month || by_week;
}

bool schedule_matches(const struct schedule *s, int64_t at_ms)
{
    int64_t day = floor_div(at_ms, DAY), minute = floor_div(at_ms - day * DAY, MINUTE);

    switch (s->kind) {
    case SCHEDULE_EVERY: return at_ms % s->every_ms == 0;
    case SCHEDULE_ONCE: return at_ms == s->once_ms;
    case SCHEDULE_FIELDS:
        return at_ms % MINUTE == 0 && (s->minutes >> (minute % 60) & 1) && (s->hours & BIT(minute / 60)) &&
               day_matches(s, day);
    case SCHEDULE_NONE: break;
    }
    return false;
}

static int64_t next_of_fields(const struct schedule *s, int64_t after_ms)
{
    int64_t at = (floor_div(after_ms, MINUTE) + 1) * MINUTE, day = floor_div(at, DAY), first = day;
    int64_t minute = (at - day * DAY) / MINUTE;

    for (; day - first < DAYS_MAX; day++, minute = 0) {
        if (!day_matches(s, day))
            continue;
        for (; minute < 24 * 60; minute++)
            if ((s->minutes >> (minute % 60) & 1) && (s->hours & BIT(minute / 60)))
                return day * DAY + minute * MINUTE;
    }
    return SCHEDULE_NEVER;
}

int64_t schedule_next(const struct schedule *s, int64_t after_ms)
{
    int64_t next = SCHEDULE_NEVER;

    if (after_ms < 0)
        after_ms = -1;
    if (after_ms >= LAST_MS)
        return SCHEDULE_NEVER;
    if (s->kind == SCHEDULE_EVERY)
        next = (floor_div(after_ms, s->every_ms) + 1) * s->every_ms;
    else if (s->kind == SCHEDULE_FIELDS)
        next = next_of_fields(s, after_ms);
    else if (s->kind == SCHEDULE_ONCE && s->once_ms > after_ms)
        next = s->once_ms;
    return next > LAST_MS ? SCHEDULE_NEVER : next;
}
