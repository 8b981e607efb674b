/* src/jobs/dmarc_jobs.c: reports to the domains whose mail came in and whose DMARC record asks for them (RFC 9990). What is to
 * be said the monitor has; whether somebody else may be told the resolver knows; the courier sends. One report after the
 * other. What cannot be done now is tried the next time, for a week; a report has the same name then, so that none goes twice. */
#include "lib/mailauth/aggregate.h"
#include "proto/monitor.pb-c.h"
#include "src/common/report_mail.h"
#include "src/common/resolve.h"
#include "src/common/version.h"
#include "src/jobs/reporting.h"

#define ASK_MS     60000
#define WAIT_MS    15000
#define ROUNDS_MAX 100u /* of a list that was full */
#define NO_DNS_MAX 10u  /* then nobody is asked any more: other jobs wait for this one */

struct target {
    char address[REPORTING_ADDRESS_MAX + 1];
    uint64_t bytes_max;
};

static struct {
    struct reporting r;
    struct psl *psl; /* NULL: only the very same domain is asked about nothing */
    struct arena list_arena;
    Monitor__DmarcListResponse *list;
    size_t at, done;  /* done: of this list, for good */
    uint64_t waiting; /* what must be tried again: the list begins behind them */
    unsigned rounds, no_dns;
    /* the one at hand */
    Monitor__DmarcPeriod *period;
    struct aggregate_report report;
    struct dmarc_record policy;
    struct buf xml;
    struct target targets[DMARC_URIS_MAX];
    unsigned refused, too_large, nobody;
} dmarc;

static void next_period(void);

static void end(int status)
{
    struct job *j = dmarc.r.job;
    struct buf text = { .max = KIB(1) };
    int r = buf_printf(
        &text,
        "%u reports sent, %u to who did not agree to get them, %u too large for who wants them, %u not "
        "possible now, %u domains without a usable address",
        dmarc.r.sent, dmarc.refused, dmarc.too_large, dmarc.r.failed, dmarc.nobody);

    dmarc.r.job = NULL;
    buf_release(&dmarc.xml);
    arena_release(&dmarc.list_arena);
    dmarc.list = NULL;
    job_ended(j, status < 0 ? status : r, false, status < 0 ? STR_NONE : buf_str(&text));
    buf_release(&text);
}

static int ask_monitor(uint32_t op, const ProtobufCMessage *body, void (*done)(void *, int, struct str))
{
    struct rpc_ask ask = { .op = op, .body = body, .deadline_ms = ASK_MS, .done = done };

    return rpc_link_ask(role_link(the_role(), ROLE_MONITOR), &ask) ? 0 : E_NOMEM;
}

/* ---- one report ---- */

static void forgotten(void *ctx UNUSED, int status, struct str body UNUSED)
{
    if (status < 0)
        log_event(LOG_WARN, "jobs.dmarc_not_forgotten",
                  F_ERR(status)); /* its name is the same the next time */
    dmarc.done += status == 0;
    next_period();
}

static void period_over(void)
{
    Monitor__DmarcRowsRequest q = MONITOR__DMARC_ROWS_REQUEST__INIT;

    buf_release(&dmarc.xml);
    if (dmarc.r.later) {
        next_period();
        return;
    }
    q.begins_s = dmarc.period->begins_s;
    q.seconds = dmarc.period->seconds;
    q.domain = dmarc.period->domain;
    if (ask_monitor(MONITOR__OP__DMARC_DONE, &q.base, forgotten) < 0)
        end(E_NOMEM);
}

static int make_mail(const struct target *t, struct report_mail *m, struct buf *subject, struct buf *name,
                     struct buf *text)
{
    struct str host = role_hostname(the_role());
    int r;

    *m = (struct report_mail){ .from = str_from(jobs_conf.dmarc_report_from),
                               .to = str_from(t->address),
                               .id = str_from(dmarc.r.id),
                               .hostname = host,
                               .content_type = "application/gzip",
                               .body = buf_str(&dmarc.xml) };
    if ((r = aggregate_subject(&dmarc.report, host, subject)) < 0 ||
        (r = aggregate_file_name(&dmarc.report, host, name)) < 0 ||
        (r = reporting_text("DMARC aggregate report (RFC 9990)", "_dmarc", dmarc.report.domain, text)) < 0)
        return r;
    m->subject = buf_str(subject);
    m->file_name = buf_str(name);
    m->text = buf_str(text);
    return 0;
}

/* Begun: reporting_sent() follows. Else what it was. */
static int send_one(const struct target *t)
{
    CLEANUP(buf_release)
    struct buf subject = { .max = AGGREGATE_NAME_MAX }, name = { .max = AGGREGATE_NAME_MAX },
               text = { .max = KIB(2) }, message = { .max = REPORT_MAIL_MAX };
    struct report_mail m;
    int r = make_mail(t, &m, &subject, &name, &text);

    if (r < 0 || (r = report_mail_format(&m, clock_wall_ms(), &message)) < 0)
        return r;
    if (message.n > t->bytes_max)
        return E_TOO_BIG;
    return report_mail_send(role_link(the_role(), ROLE_COURIER), &m, &message, reporting_sent, &dmarc.r);
}

static void send_or_skip(void)
{
    int r = send_one(&dmarc.targets[dmarc.r.target]);

    if (r == 0)
        return;
    dmarc.too_large += r == E_TOO_BIG;
    dmarc.r.failed += r != E_TOO_BIG;
    reporting_next(&dmarc.r);
}

/* Somebody else's mailbox: does he say that he wants them (RFC 9990 4), and where? */
static void verified(void *ctx UNUSED, const struct dns_answer *a)
{
    CLEANUP(buf_release) struct buf address = { .max = REPORTING_ADDRESS_MAX };
    struct target *t = &dmarc.targets[dmarc.r.target];
    struct str host = str_from(strrchr(t->address, '@') + 1);
    bool agrees = false;

    for (size_t i = 0; i < a->n && !agrees; i++) {
        buf_clear(&address);
        agrees = a->records[i].type == DNS_TXT &&
                 aggregate_agrees(a->records[i].txt, host, &address, &t->bytes_max);
    }
    if (!agrees && dns_status_is_temporary(a->status)) {
        dmarc.no_dns++;
        reporting_not_now(&dmarc.r);
        return;
    }
    if (agrees && !str_ieq(buf_str(&address), str_from(jobs_conf.dmarc_report_from))) {
        if (address.n)
            snprintf(t->address, sizeof t->address, "%.*s", STR_ARG(buf_str(&address)));
        send_or_skip();
        return;
    }
    dmarc.refused++;
    reporting_next(&dmarc.r);
}

static void to_next(void)
{
    CLEANUP(buf_release) struct buf name = { .max = KIB(1) };
    struct dns_question q = { .type = DNS_TXT };
    struct str host;

    host = str_from(strrchr(dmarc.targets[dmarc.r.target].address, '@') + 1);
    if (aggregate_internal(dmarc.psl, dmarc.report.domain, host)) {
        send_or_skip();
        return;
    }
    if (aggregate_verification(dmarc.report.domain, host, &name) < 0) {
        dmarc.refused++;
        reporting_next(&dmarc.r);
        return;
    }
    if (dmarc.no_dns >= NO_DNS_MAX) {
        reporting_not_now(&dmarc.r);
        return;
    }
    q.name = buf_str(&name);
    if (!resolve_ask(role_link(the_role(), ROLE_RESOLVER), &q, WAIT_MS, verified, NULL))
        end(E_NOMEM);
}

/* Whom the record names, each once. */
static void take_targets(void)
{
    for (size_t i = 0; i < dmarc.policy.nrua; i++) {
        CLEANUP(buf_release) struct buf address = { .max = REPORTING_ADDRESS_MAX };
        struct target *t = &dmarc.targets[dmarc.r.ntargets];
        bool again = false;

        if (!aggregate_uri(dmarc.policy.rua[i], &address, &t->bytes_max))
            continue;
        snprintf(t->address, sizeof t->address, "%.*s", STR_ARG(buf_str(&address)));
        for (size_t k = 0; k < dmarc.r.ntargets; k++)
            again |= str_ieq(buf_str(&address), str_from(dmarc.targets[k].address));
        /* our own reports are not reported about, but they may be about us: not to who sends them */
        if (!again && !str_ieq(buf_str(&address), str_from(jobs_conf.dmarc_report_from)))
            dmarc.r.ntargets++;
    }
    dmarc.nobody += dmarc.r.ntargets == 0;
}

/* ---- its rows ---- */

static void ask_rows(uint64_t after);

static int put_rows(const Monitor__DmarcRowsResponse *m)
{
    int r = 0;

    for (size_t i = 0; i < m->n_rows && r == 0; i++) {
        const Monitor__DmarcRow *x = m->rows[i];
        const struct aggregate_row row = { .ip = pb_str(x->ip),
                                           .header_from = pb_str(x->header_from),
                                           .envelope_from = pb_str(x->envelope_from),
                                           .count = x->count,
                                           .disposition = (enum aggregate_disposition)x->disposition,
                                           .dkim = x->dkim,
                                           .spf = x->spf,
                                           .reason = pb_str(x->reason),
                                           .spf_domain = pb_str(x->spf_domain),
                                           .spf_scope = pb_str(x->spf_scope),
                                           .spf_result = pb_str(x->spf_result),
                                           .signatures = pb_str(x->signatures) };

        r = aggregate_row_put(&row, &dmarc.xml);
    }
    return r;
}

static void got_rows(void *ctx UNUSED, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    Monitor__DmarcRowsResponse *m = status == 0 ? RPC_UNPACK(&a, body, monitor__dmarc_rows_response) : NULL;

    if (status == 0 && !m)
        status = E_NOMEM;
    if (status == 0)
        status = put_rows(m);
    if (status == 0 && m->more && m->n_rows)
        ask_rows(m->rows[m->n_rows - 1]->id);
    else if (status == 0 && (status = aggregate_end(&dmarc.xml)) == 0)
        reporting_go_on(&dmarc.r);
    if (status < 0)
        end(status);
}

static void ask_rows(uint64_t after)
{
    Monitor__DmarcRowsRequest q = MONITOR__DMARC_ROWS_REQUEST__INIT;

    q.begins_s = dmarc.period->begins_s;
    q.seconds = dmarc.period->seconds;
    q.domain = dmarc.period->domain;
    q.after = after;
    if (ask_monitor(MONITOR__OP__DMARC_ROWS, &q.base, got_rows) < 0)
        end(E_NOMEM);
}

static void make_id(void)
{
    char hex[2 * REPORTING_HASH_BYTES + 1];

    reporting_hash(STR(""), pb_str(dmarc.period->domain), hex);
    snprintf(dmarc.r.id, sizeof dmarc.r.id, "%lld.%lld.%s", (long long)dmarc.period->begins_s,
             (long long)dmarc.period->seconds, hex);
}

static void ask_list(void);

static void next_period(void)
{
    struct str from = str_from(jobs_conf.dmarc_report_from);
    Monitor__DmarcPeriod *p;

    if (dmarc.at == dmarc.list->n_periods) {
        dmarc.waiting += dmarc.list->n_periods - dmarc.done;
        if (dmarc.list->n_periods == 0 || ++dmarc.rounds == ROUNDS_MAX)
            end(0);
        else
            ask_list(); /* there may be more than an answer holds */
        return;
    }
    p = dmarc.period = dmarc.list->periods[dmarc.at++];
    reporting_another(&dmarc.r);
    buf_release(&dmarc.xml);
    dmarc.xml = (struct buf){ .max = AGGREGATE_XML_MAX };
    if (!dmarc_record_parse(pb_str(p->record), &dmarc.policy)) {
        period_over(); /* it was cut: a record that long is nobody's */
        return;
    }
    make_id();
    dmarc.report = (struct aggregate_report){ .generator = STR("Letterlock " LETTERLOCK_VERSION),
                                              .org = role_hostname(the_role()),
                                              .email = from,
                                              .id = str_from(dmarc.r.id),
                                              .begin_s = p->begins_s,
                                              .end_s = p->begins_s + p->seconds - 1,
                                              .domain = pb_str(p->domain),
                                              .policy = &dmarc.policy };
    take_targets();
    if (dmarc.r.ntargets == 0)
        period_over();
    else if (aggregate_begin(&dmarc.report, &dmarc.xml) < 0)
        end(E_NOMEM);
    else
        ask_rows(0);
}

static void listed(void *ctx UNUSED, int status, struct str body)
{
    if (status == 0 && !(dmarc.list = RPC_UNPACK(&dmarc.list_arena, body, monitor__dmarc_list_response)))
        status = E_NOMEM;
    if (status < 0)
        end(status);
    else
        next_period();
}

static void ask_list(void)
{
    Monitor__DmarcListRequest q = MONITOR__DMARC_LIST_REQUEST__INIT;

    q.skip = dmarc.waiting;
    dmarc.at = dmarc.done = 0;
    arena_release(&dmarc.list_arena);
    dmarc.list_arena.max = MIB(4);
    if (ask_monitor(MONITOR__OP__DMARC_LIST, &q.base, listed) < 0)
        end(E_NOMEM);
}

void dmarc_jobs_init(void)
{
    if (jobs_conf.dmarc_reports && psl_open(NULL, &dmarc.psl) < 0)
        log_event(LOG_WARN, "jobs.no_suffix_list");
}

static void begin(struct job *j)
{
    dmarc.r.not_sent = "jobs.dmarc_not_sent";
    dmarc.r.to_next = to_next;
    dmarc.r.over = period_over;
    reporting_begin(&dmarc.r, j);
    dmarc.waiting = 0;
    dmarc.rounds = dmarc.no_dns = dmarc.refused = dmarc.too_large = dmarc.nobody = 0;
    ask_list();
}

void job_dmarc(struct job *j)
{
    if (!jobs_conf.dmarc_reports) {
        job_ended(j, 0, false, STR("off (mx.dmarc_reports)"));
        return;
    }
    report_from_check(j, "mx.dmarc_report_from", jobs_conf.dmarc_report_from, begin);
}
