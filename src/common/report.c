#include "src/common/report.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "proto/monitor.pb-c.h"

#define REPORT_MS  5000 /* numbers: so old at most */
#define NOTES_MS   500  /* notes: they wait so long for company */
#define ANSWER_MS  10000
#define NOTES_MAX  512u /* that wait, and that one report has */
#define NOTES_MANY 64u
#define DMARC_MAX  128u
#define DMARC_MANY 32u
#define DMARC_TEXT 2048u
#define TEXTS_MAX  KIB(256)

static struct {
    struct rpc_link *link; /* NULL: nobody is told */
    const char *service;
    struct timer timer;
    struct arena texts; /* of what waits */
    Monitor__Note notes[NOTES_MAX], *list[NOTES_MAX];
    size_t n;
    Monitor__DmarcRow dmarc[DMARC_MAX], *dmarc_list[DMARC_MAX];
    size_t ndmarc;
    uint64_t dropped;
    bool asked; /* one report at a time */
} report;

static void answered(void *ctx UNUSED, int status, struct str body UNUSED)
{
    report.asked = false;
    if (status < 0)
        log_event(LOG_DEBUG, "report.lost", F_ERR(status));
    timer_set(&report.timer, report.n || report.ndmarc ? NOTES_MS : REPORT_MS);
}

static void send_report(void)
{
    Monitor__ReportRequest m = MONITOR__REPORT_REQUEST__INIT;
    uint64_t counts[COUNTS_ALL], times[TIMES_ALL * TIME_ROW];
    struct rpc_ask ask = { .op = MONITOR__OP__REPORT,
                           .body = &m.base,
                           .deadline_ms = ANSWER_MS,
                           .done = answered,
                           .flags = RPC_NO_REPEAT };

    counts_read(counts, times);
    m.counts = counts;
    m.n_counts = COUNTS_ALL;
    m.times = times;
    m.n_times = ARRAY_LEN(times);
    m.notes = report.list;
    m.n_notes = report.n;
    m.dmarc = report.dmarc_list;
    m.n_dmarc = report.ndmarc;
    m.dropped = report.dropped;
    if (!rpc_link_is_up(report.link) || !rpc_link_ask(report.link, &ask)) {
        timer_set(&report.timer, REPORT_MS); /* what waits goes on waiting: it is bounded */
        return;
    }
    report.asked = true;
    report.n = 0;
    report.ndmarc = 0;
    report.dropped = 0;
    arena_reset(&report.texts);
}

static void due(struct timer *t UNUSED)
{
    if (!report.asked)
        send_report();
}

int report_start(struct loop *l, struct rpc_link *monitor, const char *service)
{
    int r = timer_init(&report.timer, l, due);

    if (r < 0)
        return r;
    report.service = service;
    report.texts.max = TEXTS_MAX;
    report.link = monitor;
    timer_set(&report.timer, NOTES_MS);
    return 0;
}

static bool keep_most(struct str s, size_t max, ProtobufCBinaryData *out)
{
    struct str copy = arena_dup(&report.texts, str_slice(s, 0, size_min(s.n, max)));

    *out = str_pb(copy);
    return s.n == 0 || copy.p;
}

static bool keep(struct str s, ProtobufCBinaryData *out)
{
    return keep_most(s, NOTE_TEXT_MAX, out);
}

void report_note(const struct note *n)
{
    Monitor__Note *m = &report.notes[report.n];

    if (!report.link || n->person.n == 0)
        return;
    if (report.n == NOTES_MAX) {
        report.dropped++;
        return;
    }
    monitor__note__init(m);
    if (!keep(n->person, &m->person) || !keep(n->other, &m->other) ||
        !keep(n->service.n ? n->service : str_from(report.service), &m->service) ||
        !keep(n->event, &m->event) || !keep(n->id, &m->id) || !keep(n->why, &m->why) ||
        !keep(n->client, &m->client) || !keep(n->name, &m->name) || !keep(n->auth, &m->auth)) {
        report.dropped++;
        return;
    }
    m->at_ms = clock_wall_ms();
    m->bytes = n->bytes;
    m->tls = n->tls;
    report.list[report.n++] = m;
    if (!report.asked)
        timer_set(&report.timer, report.n >= NOTES_MANY ? 0 : NOTES_MS);
}

void report_dmarc(const struct report_dmarc *d)
{
    Monitor__DmarcRow *m = &report.dmarc[report.ndmarc];

    if (!report.link)
        return;
    if (report.ndmarc == DMARC_MAX) {
        report.dropped++;
        return;
    }
    monitor__dmarc_row__init(m);
    if (!keep(d->domain, &m->domain) || !keep_most(d->record, DMARC_TEXT, &m->record) ||
        !keep(d->ip, &m->ip) || !keep(d->header_from, &m->header_from) ||
        !keep(d->envelope_from, &m->envelope_from) || !keep(d->reason, &m->reason) ||
        !keep(d->spf_domain, &m->spf_domain) || !keep(d->spf_scope, &m->spf_scope) ||
        !keep(d->spf_result, &m->spf_result) || !keep_most(d->signatures, DMARC_TEXT, &m->signatures)) {
        report.dropped++;
        return;
    }
    m->begins_s = d->begins_s;
    m->seconds = d->seconds;
    m->disposition = d->disposition;
    m->dkim = d->dkim;
    m->spf = d->spf;
    m->count = 1;
    report.dmarc_list[report.ndmarc++] = m;
    if (!report.asked)
        timer_set(&report.timer, report.ndmarc >= DMARC_MANY ? 0 : NOTES_MS);
}
