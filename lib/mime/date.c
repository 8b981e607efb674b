#include "lib/mime/date.h"

#define WORDS_MAX 64u /* a date of more words is none */

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

struct fields {
    int32_t year, month, day, hour, minute, second, zone_min;
    bool has_year, has_day, has_time, has_zone;
};

int64_t mime_days(int32_t year, int32_t month, int32_t day)
{
    /* Howard Hinnant's days_from_civil: years begin in March, so the leap day is the last one */
    int64_t y = (int64_t)year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_split(int64_t days, struct fields *f)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    f->day = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
    f->month = (int32_t)(mp < 10 ? mp + 3 : mp - 9);
    f->year = (int32_t)(yoe + era * 400 + (f->month <= 2));
}

static int32_t days_in_month(int32_t year, int32_t month)
{
    static const int8_t n[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return n[month - 1] + (month == 2 && leap);
}

static int32_t month_of(struct str w)
{
    for (int32_t i = 0; i < 12; i++)
        if (w.n >= 3 && str_istarts(w, str_of(months[i], 3)))
            return i + 1;
    return 0;
}

static int fields_join(const struct fields *f, struct mime_date *out)
{
    if (f->month < 1 || f->month > 12 || f->day < 1 || f->year < 1 || f->year > 9999 ||
        f->day > days_in_month(f->year, f->month) || f->hour > 23 || f->minute > 59 || f->second > 60)
        return E_RANGE;
    out->ms = mime_days(f->year, f->month, f->day) * MIME_DAY_MS +
              (((int64_t)f->hour * 60 + f->minute - f->zone_min) * 60 + f->second) * 1000;
    out->zone_min = f->zone_min;
    return 0;
}

static bool number(struct str s, int32_t *out)
{
    uint32_t v;

    if (s.n > 6 || !str_to_u32(s, &v))
        return false;
    *out = (int32_t)v;
    return true;
}

static bool zone_digits(struct str s, int32_t *out)
{
    int32_t v;

    if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') || !number(str_skip(s, 1), &v) || v % 100 > 59 ||
        v > 2359)
        return false;
    *out = (v / 100 * 60 + v % 100) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

static bool zone_name(struct str s, int32_t *out)
{
    /* RFC 5322 4.3. Military letters were specified backwards once and mean nothing: UTC. */
    static const struct {
        const char *name;
        int32_t min;
    } zones[] = {
        { "UT", 0 },     { "GMT", 0 },    { "UTC", 0 },    { "EST", -300 }, { "EDT", -240 }, { "CST", -360 },
        { "CDT", -300 }, { "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 }, { "CET", 60 },
        { "CEST", 120 }, { "MET", 60 },   { "MEST", 120 }, { "BST", 60 },   { "WET", 0 },    { "WEST", 60 },
        { "EET", 120 },  { "EEST", 180 }, { "MSK", 180 },  { "JST", 540 },
    };

    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        if (str_ieq_z(s, zones[i].name)) {
            *out = zones[i].min;
            return true;
        }
    *out = 0;
    return s.n == 1 && ascii_alpha(s.p[0]);
}

static bool time_word(struct str s, struct fields *f)
{
    struct str h, m, sec, rest;

    if (!str_cut(s, ':', &h, &rest))
        return false;
    if (!str_cut(rest, ':', &m, &sec))
        sec = STR("0");
    str_cut(sec, '.', &sec, &rest); /* fractions of a second occur, and are dropped */
    if (h.n > 2 || m.n > 2 || sec.n > 2)
        return false;
    return number(h, &f->hour) && number(m, &f->minute) && number(sec, &f->second);
}

static int32_t full_year(int32_t y, size_t digits)
{
    if (digits == 2)
        return y < 50 ? y + 2000 : y + 1900; /* RFC 5322 4.3 */
    return digits == 3 ? y + 1900 : y;
}

/* One word of a date. False for what makes it no date at all. */
static void date_word(struct str w, struct fields *f)
{
    int32_t v;

    if (!f->has_time && (f->has_time = time_word(w, f)))
        return;
    if (!f->has_zone && f->has_time && (zone_digits(w, &v) || zone_name(w, &v))) {
        f->zone_min = v;
        f->has_zone = true;
    } else if (!f->month && ascii_alpha(w.p[0])) {
        f->month = month_of(w);
    } else if (number(w, &v)) {
        if (!f->has_day && w.n <= 2) {
            f->day = v;
            f->has_day = true;
        } else if (!f->has_year && w.n <= 4) {
            f->year = full_year(v, w.n);
            f->has_year = true;
        }
    }
}

/* Next word: separated by space, comma, comment; '-' separates too unless it signs a zone. */
static bool next_word(struct str *s, struct str *word_out)
{
    size_t i = 0, depth = 0, from;

    for (; i < s->n; i++) {
        char c = s->p[i];

        if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (!depth &&
                 (ascii_digit(c) || ascii_alpha(c) || c == '+' ||
                  (c == '-' && s->n - i >= 5 && ascii_digit(s->p[i + 1]) && ascii_digit(s->p[i + 2]) &&
                   ascii_digit(s->p[i + 3]) && ascii_digit(s->p[i + 4]) &&
                   (s->n - i == 5 || !ascii_digit(s->p[i + 5])) && (i == 0 || !ascii_alpha(s->p[i - 1])))))
            break;
    }
    if (i == s->n)
        return false;
    from = i++;
    while (i < s->n && (ascii_digit(s->p[i]) || ascii_alpha(s->p[i]) || s->p[i] == ':' || s->p[i] == '.'))
        i++;
    *word_out = str_slice(*s, from, i);
    *s = str_skip(*s, i);
    return true;
}

int mime_date_parse(struct str s, struct mime_date *out)
{
    struct fields f = { 0 };
    struct str w;

    for (size_t n = 0; n < WORDS_MAX && next_word(&s, &w); n++) {
        date_word(w, &f);
        if (s.n && s.p[0] == '-' && f.has_day && !f.has_year)
            s = str_skip(s, 1); /* 17-Jul-1996 */
    }
    if (!f.has_day || !f.month || !f.has_year)
        return E_SYNTAX;
    if (f.second > 60)
        f.second = 59;
    return fields_join(&f, out) < 0 ? E_SYNTAX : 0;
}

static int day_fields(struct str s, struct fields *f)
{
    struct str d, m, y;

    if (!str_cut(s, '-', &d, &m) || !str_cut(m, '-', &m, &y) || d.n < 1 || d.n > 2 || m.n != 3 || y.n != 4 ||
        !number(d, &f->day) || !number(y, &f->year) || !(f->month = month_of(m)))
        return E_SYNTAX;
    return 0;
}

int mime_day_parse(struct str s, int64_t *day_ms_out)
{
    struct fields f = { 0 };
    struct mime_date d;
    int r;

    if ((r = day_fields(s, &f)) < 0 || (r = fields_join(&f, &d)) < 0)
        return r;
    *day_ms_out = d.ms;
    return 0;
}

int mime_date_time_parse(struct str s, struct mime_date *out)
{
    struct fields f = { 0 };
    struct str day, time, zone;
    int r;

    if (s.n && s.p[0] == ' ')
        s = str_skip(s, 1); /* date-day-fixed = (SP DIGIT) / 2DIGIT */
    if (!str_cut(s, ' ', &day, &time) || !str_cut(time, ' ', &time, &zone) || time.n != 8 ||
        (r = day_fields(day, &f)) < 0 || !time_word(time, &f) || !zone_digits(zone, &f.zone_min))
        return E_SYNTAX;
    return fields_join(&f, out);
}

static void fields_split(struct mime_date d, struct fields *f, int64_t *days_out)
{
    int64_t local = d.ms + (int64_t)d.zone_min * 60000, days, left;

    days = local >= 0 ? local / MIME_DAY_MS : -((MIME_DAY_MS - 1 - local) / MIME_DAY_MS);
    left = (local - days * MIME_DAY_MS) / 1000;
    date_split(days, f);
    f->hour = (int32_t)(left / 3600);
    f->minute = (int32_t)(left / 60 % 60);
    f->second = (int32_t)(left % 60);
    *days_out = days;
}

static int32_t zone_number(int32_t zone_min)
{
    int32_t z = zone_min < 0 ? -zone_min : zone_min;

    return z / 60 * 100 + z % 60;
}

int mime_date_time_format(struct mime_date d, struct buf *out)
{
    struct fields f = { 0 };
    int64_t days;

    fields_split(d, &f, &days);
    return buf_printf(out, "%02d-%s-%04d %02d:%02d:%02d %c%04d", f.day, months[f.month - 1], f.year, f.hour,
                      f.minute, f.second, d.zone_min < 0 ? '-' : '+', zone_number(d.zone_min));
}

int mime_date_format(struct mime_date d, struct buf *out)
{
    struct fields f = { 0 };
    int64_t days;

    fields_split(d, &f, &days);
    return buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%04d", weekdays[((days % 7) + 11) % 7], f.day,
                      months[f.month - 1], f.year, f.hour, f.minute, f.second, d.zone_min < 0 ? '-' : '+',
                      zone_number(d.zone_min));
}
