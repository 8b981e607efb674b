#include "lib/port/mbox.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <stdio.h>

#define LINE_MAX_BYTES 64u /* of ">>>>From ": deeper quoting is passed through */
#define YEAR_MIN       1
#define YEAR_MAX       9999

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };

/* asctime(3), UTC. A year has four digits, or the line would not be known again, and its message be the end of another. */
static int from_line(int64_t ms, struct buf *out)
{
    int64_t s = ms / 1000, day, year;
    int64_t first = clock_days_from_civil(YEAR_MIN, 1, 1) * 86400;
    int64_t last = clock_days_from_civil(YEAR_MAX + 1, 1, 1) * 86400 - 1;
    unsigned month, mday, left;

    s -= ms % 1000 < 0;
    s = s < first ? first : s > last ? last : s;
    day = s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
    left = (unsigned)(s - day * 86400);
    clock_civil_from_days(day, &year, &month, &mday);
    return buf_printf(out, "From MAILER-DAEMON %s %s %2u %02u:%02u:%02u %04lld\n", days[((day % 7) + 7) % 7],
                      months[month - 1], mday, left / 3600, left / 60 % 60, left % 60, (long long)year);
}

static int status_lines(const struct port_message *m, struct buf *out)
{
    int r = buf_printf(out, "Status: %sO\nX-Status: %s%s%s%s\nX-Keywords:", m->flags & PORT_SEEN ? "R" : "",
                       m->flags & PORT_ANSWERED ? "A" : "", m->flags & PORT_FLAGGED ? "F" : "",
                       m->flags & PORT_DRAFT ? "T" : "", m->flags & PORT_DELETED ? "D" : "");

    for (size_t i = 0; i < m->nkeywords && r == 0; i++)
        r = buf_printf(out, " %.*s", STR_ARG(m->keywords[i]));
    return r < 0 ? r : buf_putc(out, '\n');
}

int mbox_encode_begin(struct mbox_encoder *e, const struct port_message *m, struct buf *out)
{
    int r;

    e->cr = false;
    e->bol = true;
    e->line.max = LINE_MAX_BYTES;
    buf_clear(&e->line);
    return (r = from_line(m->date_ms, out)) < 0 ? r : status_lines(m, out);
}

void mbox_encoder_release(struct mbox_encoder *e)
{
    buf_release(&e->line);
}

/* 1: it is ">*From "; 0: it cannot become that; -1: not known yet. */
static int looks_from(struct str s)
{
    size_t q = 0;

    while (q < s.n && s.p[q] == '>')
        q++;
    s = str_skip(s, q);
    if (s.n >= 5)
        return str_starts(s, STR("From "));
    return str_starts(STR("From "), s) ? -1 : 0;
}

static int line_flush(struct mbox_encoder *e, bool quote, struct buf *out)
{
    int r = quote ? buf_putc(out, '>') : 0;

    if (r == 0)
        r = buf_puts(out, buf_str(&e->line));
    buf_clear(&e->line);
    e->bol = false;
    return r;
}

static int encode_byte(struct mbox_encoder *e, char c, struct buf *out)
{
    int r, looks;

    if (!e->bol) {
        e->bol = c == '\n';
        return buf_putc(out, c);
    }
    if ((r = buf_putc(&e->line, c)) < 0)
        return r;
    looks = c == '\n' ? 0 : looks_from(buf_str(&e->line));
    if (looks < 0 && e->line.n < LINE_MAX_BYTES)
        return 0;
    r = line_flush(e, looks == 1, out);
    e->bol = c == '\n';
    return r;
}

int mbox_encode(struct mbox_encoder *e, struct str bytes, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < bytes.n && r == 0; i++) {
        char c = bytes.p[i];

        if (e->cr && c != '\n')
            r = encode_byte(e, '\r', out);
        e->cr = c == '\r';
        if (r == 0 && !e->cr)
            r = encode_byte(e, c, out);
    }
    return r;
}

/* The message's last line is ended, and an empty one follows. */
int mbox_encode_end(struct mbox_encoder *e, struct buf *out)
{
    int r = e->cr ? encode_byte(e, '\r', out) : 0;
    bool ended = e->bol && e->line.n == 0;

    if (r == 0 && e->line.n)
        r = line_flush(e, false, out);
    if (r == 0 && !ended)
        r = buf_putc(out, '\n');
    return r < 0 ? r : buf_putc(out, '\n');
}

/* ---- reading ---- */

static bool word(struct str *s, struct str *out)
{
    while (s->n && s->p[0] == ' ')
        *s = str_skip(*s, 1);
    *out = *s;
    while (s->n && s->p[0] != ' ')
        *s = str_skip(*s, 1);
    out->n -= s->n;
    return out->n > 0;
}

static bool month_of(struct str s, unsigned *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(months); i++)
        if (str_ieq_z(s, months[i])) {
            *out = i + 1;
            return true;
        }
    return false;
}

static bool time_of(struct str s, uint32_t *seconds_out)
{
    uint32_t v[3] = { 0 };
    struct str part;

    for (size_t i = 0; i < 3 && s.n; i++) {
        str_cut(s, ':', &part, &s);
        if (!str_to_u32(part, &v[i]) || v[i] > 60)
            return false;
    }
    *seconds_out = v[0] * 3600 + v[1] * 60 + v[2];
    return v[0] < 24;
}

static bool zone_of(struct str s, int64_t *minutes_out)
{
    uint32_t v;

    if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') || !str_to_u32(str_skip(s, 1), &v))
        return false;
    *minutes_out = (int64_t)(v / 100 * 60 + v % 100) * (s.p[0] == '-' ? -1 : 1);
    return true;
}

/* From the end of "From someone Www Mmm dd hh:mm[:ss] [zone] yyyy [zone]": addresses may have spaces. */
bool mbox_from_line(struct str line, int64_t *date_ms_out)
{
    struct str words[12], s = str_trim(line);
    int64_t zone = 0;
    size_t n = 0;

    if (!str_starts(line, STR("From ")))
        return false;
    s = str_skip(s, 5);
    while (n < ARRAY_LEN(words) && word(&s, &words[n]))
        n++;
    for (size_t i = 0; i + 3 < n; i++) {
        uint32_t day, seconds, year = 0;
        unsigned month;
        size_t k = i + 3;

        if (!month_of(words[i], &month) || !str_to_u32(words[i + 1], &day) || day < 1 || day > 31 ||
            !time_of(words[i + 2], &seconds))
            continue;
        for (; k < n && year == 0; k++)
            if (!zone_of(words[k], &zone) && words[k].n == 4 && !str_to_u32(words[k], &year))
                year = 0;
        if (k < n)
            zone_of(words[k], &zone);
        if (year < YEAR_MIN || year > YEAR_MAX)
            continue;
        *date_ms_out = (clock_days_from_civil(year, month, day) * 86400 + seconds - zone * 60) * 1000;
        return true;
    }
    return false;
}

static uint32_t flags_of(struct str value, bool x)
{
    static const struct {
        char c;
        bool x;
        uint32_t flag;
    } rows[] = {
        { 'R', false, PORT_SEEN }, { 'A', true, PORT_ANSWERED }, { 'F', true, PORT_FLAGGED },
        { 'T', true, PORT_DRAFT }, { 'D', true, PORT_DELETED },
    };
    uint32_t flags = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].x == x && str_chr(value, rows[i].c) >= 0)
            flags |= rows[i].flag;
    return flags;
}

static bool keywords_take(struct str value, struct port_message *m, struct arena *a)
{
    struct str s = arena_dup(a, value), one;

    m->keywords = arena_alloc(a, (value.n / 2 + 1) * sizeof *m->keywords);
    while (m->keywords && m->nkeywords < PORT_KEYWORDS_MAX && word(&s, &one))
        m->keywords[m->nkeywords++] = one;
    return m->keywords != NULL;
}

bool mbox_status_line(struct str line, struct port_message *m, struct arena *a)
{
    struct str name, value;

    if (!str_cut(line, ':', &name, &value))
        return false;
    value = str_trim(value);
    if (str_ieq_z(name, "Status"))
        m->flags |= flags_of(value, false);
    else if (str_ieq_z(name, "X-Status"))
        m->flags |= flags_of(value, true);
    else if (!str_ieq_z(name, "X-Keywords") || m->nkeywords || !keywords_take(value, m, a))
        return false;
    return true;
}
