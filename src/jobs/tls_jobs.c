/* src/jobs/tls_jobs.c: reports to the domains that our mail went to and whose record asks for them (RFC 8460): how TLS went, a
 * day in each. What is to be said the courier has, and it sends them, too. One report after the other; what cannot be done now
 * is tried the next time, for a week, under the same name. */
#include "lib/mailauth/aggregate.h"
#include "lib/smtp/sts.h"
#include "proto/courier.pb-c.h"
#include "src/common/courier_send.h"
#include "src/common/report_mail.h"
#include "src/common/resolve.h"
#include "src/jobs/reporting.h"
#include "src/jobs/tls_report.h"
#include <sodium.h>

#define ASK_MS      60000
#define WAIT_MS     15000
#define TARGETS_MAX 10u
#define URL_MAX     500u
#define ANSWER_MAX  MIB(4)

static struct {
    struct reporting r;
    /* the one at hand */
    struct arena arena;
    Courier__TlsReportResponse *now;
    struct buf domain; /* of the one before, to go on from */
    int64_t day;
    char targets[TARGETS_MAX][URL_MAX + 1];
    unsigned unwanted;
} tls;

static void next_domain(void);

static void end(int status)
{
    struct job *j = tls.r.job;
    struct buf text = { .max = KIB(1) };
    int r = buf_printf(&text, "%u reports sent, %u not possible now, %u domains want none", tls.r.sent,
                       tls.r.failed, tls.unwanted);

    tls.r.job = NULL;
    arena_release(&tls.arena);
    buf_release(&tls.domain);
    job_ended(j, status < 0 ? status : r, false, status < 0 ? STR_NONE : buf_str(&text));
    buf_release(&text);
}

static int ask_courier(uint32_t op, void (*done)(void *, int, struct str))
{
    Courier__TlsReportRequest q = COURIER__TLS_REPORT_REQUEST__INIT;
    struct rpc_ask ask = { .op = op, .body = &q.base, .deadline_ms = ASK_MS, .done = done };

    q.after_day = tls.day;
    q.after_domain = str_pb(buf_str(&tls.domain));
    return rpc_link_ask(role_link(the_role(), ROLE_COURIER), &ask) ? 0 : E_NOMEM;
}

static void forgotten(void *ctx UNUSED, int status, struct str body UNUSED)
{
    if (status < 0)
        log_event(LOG_WARN, "jobs.tls_not_forgotten", F_ERR(status)); /* its name is the same the next time */
    next_domain();
}

static void domain_over(void)
{
    if (tls.r.later)
        next_domain();
    else if (ask_courier(COURIER__OP__TLS_REPORTED, forgotten) < 0)
        end(E_NOMEM);
}

/* ---- one report ---- */

static int write_json(const struct tls_report *base, struct buf *out)
{
    struct tls_report r = *base;
    struct tls_report_count *v = ARENA_ARRAY(&tls.arena, tls.now->n_counts + 1, struct tls_report_count);

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < tls.now->n_counts; i++) {
        const Courier__TlsCount *c = tls.now->counts[i];

        if (c->policy < TLS_REPORT_POLICIES)
            v[r.n++] = (struct tls_report_count){ .policy = (enum tls_report_policy)c->policy,
                                                  .result = pb_str(c->result),
                                                  .mx = pb_str(c->mx),
                                                  .ip = pb_str(c->ip),
                                                  .from_ip = pb_str(c->from_ip),
                                                  .reason = pb_str(c->reason),
                                                  .policy_text = pb_str(c->policy_text),
                                                  .sessions = c->sessions };
    }
    r.v = v;
    return tls_report_write(&r, out);
}

/* To an https: URL (RFC 8460 3, 5.4), by the queue as well, which holds lines. Begun: reporting_sent() follows. */
static int post_one(const char *url)
{
    CLEANUP(buf_release)
    struct buf json = { .max = TLS_REPORT_MAX }, zip = { .max = TLS_REPORT_MAX },
               lines = { .max = REPORT_MAIL_MAX }, to = { .max = KIB(1) };
    struct tls_report t = { .org = role_hostname(the_role()),
                            .contact = str_from(jobs_conf.tls_report_from),
                            .id = str_from(tls.r.id),
                            .domain = buf_str(&tls.domain),
                            .day = tls.day };
    struct courier_send q = { .webhook = true, .never_notify = true, .ask_ms = ASK_MS };
    uint8_t id[COURIER_SEND_ID];
    int r;

    if ((r = write_json(&t, &json)) < 0 || (r = report_mail_gzip(buf_str(&json), &zip)) < 0 ||
        (r = report_mail_base64(buf_str(&zip), &lines)) < 0 ||
        (r = buf_printf(&to, "%s\n%s", tls.r.id, url)) < 0)
        return r;
    crypto_generichash(id, sizeof id, (const uint8_t *)to.p, to.n, NULL, 0);
    q.delivery_id = id;
    buf_clear(&to);
    if ((r = buf_printf(&to, "tlsrpt:%s", url)) < 0)
        return r;
    q.to = buf_str(&to);
    return courier_send(role_link(the_role(), ROLE_COURIER), &q, &lines, reporting_sent, &tls.r);
}

/* Begun: reporting_sent() follows. */
static int send_one(const char *to)
{
    CLEANUP(buf_release)
    struct buf json = { .max = TLS_REPORT_MAX }, name = { .max = KIB(1) }, subject = { .max = KIB(1) },
               text = { .max = KIB(2) }, fields = { .max = KIB(2) }, message = { .max = REPORT_MAIL_MAX };
    struct str host = role_hostname(the_role()), domain = buf_str(&tls.domain);
    struct tls_report t = { .org = host,
                            .contact = str_from(jobs_conf.tls_report_from),
                            .id = str_from(tls.r.id),
                            .domain = domain,
                            .day = tls.day };
    struct report_mail m = { .from = t.contact,
                             .to = str_from(to),
                             .id = t.id,
                             .hostname = host,
                             .report_type = "tlsrpt",
                             .content_type = "application/tlsrpt+gzip" };
    int r;

    if ((r = write_json(&t, &json)) < 0 || (r = tls_report_file_name(&t, &name)) < 0 ||
        (r = buf_printf(&subject, "Report Domain: %.*s Submitter: %.*s Report-ID: <%s@%.*s>", STR_ARG(domain),
                        STR_ARG(host), tls.r.id, STR_ARG(host))) < 0 ||
        (r = reporting_text("TLS report (RFC 8460)", "_smtp._tls", domain, &text)) < 0 ||
        /* what it tells of may be what keeps it from arriving (RFC 8460 5.3, RFC 8689 3) */
        (r = buf_printf(&fields,
                        "TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\nTLS-Required: No\r\n",
                        STR_ARG(domain), STR_ARG(host))) < 0)
        return r;
    m.subject = buf_str(&subject);
    m.fields = buf_str(&fields);
    m.text = buf_str(&text);
    m.file_name = buf_str(&name);
    m.body = buf_str(&json);
    if ((r = report_mail_format(&m, clock_wall_ms(), &message)) < 0)
        return r;
    return report_mail_send(role_link(the_role(), ROLE_COURIER), &m, &message, reporting_sent, &tls.r);
}

static void to_next(void)
{
    const char *to = tls.targets[tls.r.target];

    if ((str_istarts(str_from(to), STR("https://")) ? post_one(to) : send_one(to)) < 0) {
        tls.r.failed++;
        reporting_next(&tls.r);
    }
}

/* ---- who wants one ---- */

static void take_record(struct str txt)
{
    struct str uri;
    size_t at = 0;

    while (tls.r.ntargets < TARGETS_MAX && tlsrpt_record_next(txt, &at, &uri) == 1) {
        CLEANUP(buf_release) struct buf address = { .max = REPORTING_ADDRESS_MAX };
        uint64_t bytes_max;

        if (str_istarts(uri, STR("https://")) && uri.n <= URL_MAX)
            snprintf(tls.targets[tls.r.ntargets++], URL_MAX + 1, "%.*s", STR_ARG(uri));
        else if (str_istarts(uri, STR("mailto:")) && aggregate_uri(uri, &address, &bytes_max) &&
                 address.n <= REPORTING_ADDRESS_MAX)
            snprintf(tls.targets[tls.r.ntargets++], REPORTING_ADDRESS_MAX + 1, "%.*s",
                     STR_ARG(buf_str(&address)));
    }
}

/* Of several records none counts (RFC 8460 3). */
static void record_came(void *ctx UNUSED, const struct dns_answer *a)
{
    struct str one = STR_NONE, uri;
    size_t n = 0, at;

    for (size_t i = 0; i < a->n; i++) {
        at = 0;
        if (a->records[i].type == DNS_TXT && tlsrpt_record_next(a->records[i].txt, &at, &uri) != E_NOTFOUND) {
            one = a->records[i].txt;
            n++;
        }
    }
    if (n == 1)
        take_record(one);
    if (dns_status_is_temporary(a->status)) {
        tls.r.later = true;
        tls.r.failed++;
    } else {
        tls.unwanted += tls.r.ntargets == 0;
    }
    reporting_go_on(&tls.r);
}

static void make_id(void)
{
    char hex[2 * REPORTING_HASH_BYTES + 1];

    reporting_hash(str_of("tls", 4), buf_str(&tls.domain), hex);
    snprintf(tls.r.id, sizeof tls.r.id, "%lld.%s", (long long)tls.day, hex);
}

static void got_domain(void *ctx UNUSED, int status, struct str body)
{
    struct dns_question q = { .type = DNS_TXT };
    char name[300];

    tls.now = status == 0 ? RPC_UNPACK(&tls.arena, body, courier__tls_report_response) : NULL;
    buf_clear(&tls.domain);
    if (!tls.now || !tls.now->found || buf_puts(&tls.domain, pb_str(tls.now->domain)) < 0) {
        end(status < 0 ? status : tls.now && !tls.now->found ? 0 : E_NOMEM);
        return;
    }
    tls.day = tls.now->day;
    reporting_another(&tls.r);
    make_id();
    snprintf(name, sizeof name, "_smtp._tls.%.*s", STR_ARG(buf_str(&tls.domain)));
    q.name = str_from(name);
    if (!resolve_ask(role_link(the_role(), ROLE_RESOLVER), &q, WAIT_MS, record_came, NULL))
        end(E_NOMEM);
}

static void next_domain(void)
{
    arena_release(&tls.arena);
    tls.arena.max = ANSWER_MAX;
    if (ask_courier(COURIER__OP__TLS_REPORT, got_domain) < 0)
        end(E_NOMEM);
}

static void begin(struct job *j)
{
    tls.r.not_sent = "jobs.tls_not_sent";
    tls.r.to_next = to_next;
    tls.r.over = domain_over;
    reporting_begin(&tls.r, j);
    tls.day = 0;
    tls.domain = (struct buf){ .max = 256 };
    tls.unwanted = 0;
    next_domain();
}

void job_tls(struct job *j)
{
    if (!jobs_conf.tls_reports) {
        job_ended(j, 0, false, STR("off (relay.tls_reports)"));
        return;
    }
    report_from_check(j, "relay.tls_report_from", jobs_conf.tls_report_from, begin);
}
