#include "src/jobs/tls_report.h"
#include "lib/base/clock.h"
#include "lib/base/json.h"

#define DAY_S 86400

static const char *const types[TLS_REPORT_POLICIES] = { "no-policy-found", "sts", "tlsa" };

static int put_field(struct buf *b, const char *before, const char *name, struct str value)
{
    int r = buf_printf(b, "%s\"%s\":", before, name);

    return r < 0 ? r : json_put_string(b, value.p ? value : STR(""));
}

/* The lines of a text as strings; only those that begin with `only`, without it, when it is given. */
static int put_lines(struct buf *b, struct str text, struct str only)
{
    struct str line;
    bool any = false;
    int r = buf_putc(b, '[');

    while (r == 0 && text.n) {
        (void)str_cut(text, '\n', &line, &text);
        if (!str_starts(line, only))
            continue;
        if (any)
            r = buf_putc(b, ',');
        if (r == 0)
            r = json_put_string(b, str_trim(str_skip(line, only.n)));
        any = true;
    }
    return r < 0 ? r : buf_putc(b, ']');
}

static int put_policy(const struct tls_report *t, enum tls_report_policy p, struct str text, struct buf *b)
{
    int r = put_field(b, "{\"policy\":{", "policy-type", str_from(types[p]));

    if (r == 0 && text.n && (r = buf_putz(b, ",\"policy-string\":")) == 0)
        r = put_lines(b, text, STR(""));
    if (r == 0)
        r = put_field(b, ",", "policy-domain", t->domain);
    if (r == 0 && p == TLS_REPORT_STS && (r = buf_putz(b, ",\"mx-host\":")) == 0)
        r = put_lines(b, text, STR("mx:"));
    return r < 0 ? r : buf_putc(b, '}');
}

static int put_failure(const struct tls_report_count *c, struct buf *b)
{
    const struct {
        const char *name;
        struct str value;
    } more[] = { { "sending-mta-ip", c->from_ip },
                 { "receiving-mx-hostname", c->mx },
                 { "receiving-ip", c->ip },
                 { "failure-reason-code", c->reason } };
    int r = put_field(b, "{", "result-type", c->result);

    for (size_t i = 0; i < ARRAY_LEN(more) && r == 0; i++)
        if (more[i].value.n)
            r = put_field(b, ",", more[i].name, more[i].value);
    return r < 0 ? r : buf_printf(b, ",\"failed-session-count\":%llu}", (unsigned long long)c->sessions);
}

static int put_one(const struct tls_report *t, enum tls_report_policy p, bool first, struct buf *b)
{
    uint64_t good = 0, bad = 0;
    struct str text = STR_NONE;
    bool any = false;
    int r;

    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].policy == p) {
            *(t->v[i].result.n ? &bad : &good) += t->v[i].sessions;
            text = t->v[i].policy_text.n ? t->v[i].policy_text : text;
        }
    if ((r = first ? 0 : buf_putc(b, ',')) < 0 || (r = put_policy(t, p, text, b)) < 0 ||
        (r = buf_printf(
             b, ",\"summary\":{\"total-successful-session-count\":%llu,\"total-failure-session-count\":%llu}",
             (unsigned long long)good, (unsigned long long)bad)) < 0)
        return r;
    for (size_t i = 0; i < t->n && r == 0; i++) {
        if (t->v[i].policy != p || !t->v[i].result.n)
            continue;
        if ((r = buf_putz(b, any ? "," : ",\"failure-details\":[")) == 0)
            r = put_failure(&t->v[i], b);
        any = true;
    }
    if (r == 0 && any)
        r = buf_putc(b, ']');
    return r < 0 ? r : buf_putc(b, '}');
}

static bool has(const struct tls_report *t, enum tls_report_policy p)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].policy == p)
            return true;
    return false;
}

static void iso_seconds(int64_t s, char out[CLOCK_ISO_LEN + 1])
{
    clock_iso(s * 1000, out);
    memcpy(out + 19, "Z", 2); /* RFC 3339 without fractions */
}

int tls_report_write(const struct tls_report *t, struct buf *b)
{
    char begin[CLOCK_ISO_LEN + 1], end[CLOCK_ISO_LEN + 1];
    bool first = true;
    int r;

    iso_seconds(t->day * DAY_S, begin);
    iso_seconds(t->day * DAY_S + DAY_S - 1, end);
    if ((r = put_field(b, "{", "organization-name", t->org)) < 0 ||
        (r = buf_printf(b, ",\"date-range\":{\"start-datetime\":\"%s\",\"end-datetime\":\"%s\"}", begin,
                        end)) < 0 ||
        (r = put_field(b, ",", "contact-info", t->contact)) < 0 ||
        (r = put_field(b, ",", "report-id", t->id)) < 0 || (r = buf_putz(b, ",\"policies\":[")) < 0)
        return r;
    for (int p = TLS_REPORT_POLICIES - 1; p >= 0 && r == 0; p--)
        if (has(t, (enum tls_report_policy)p)) {
            r = put_one(t, (enum tls_report_policy)p, first, b);
            first = false;
        }
    return r < 0 ? r : buf_putz(b, "]}\n");
}

int tls_report_file_name(const struct tls_report *t, struct buf *out)
{
    return buf_printf(out, "%.*s!%.*s!%lld!%lld!%.*s.json.gz", STR_ARG(t->org), STR_ARG(t->domain),
                      (long long)t->day * DAY_S, (long long)t->day * DAY_S + DAY_S - 1, STR_ARG(t->id));
}
