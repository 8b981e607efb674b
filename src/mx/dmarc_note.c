#include "src/mx/dmarc_note.h"
#include "lib/base/clock.h"
#include "lib/mailauth/aggregate.h"
#include "src/common/report.h"
#include "src/mx/service.h"

static struct str domain_of(struct str address)
{
    ptrdiff_t at = str_rchr(address, '@');

    return at < 0 ? STR("") : str_skip(address, (size_t)at + 1);
}

/* An alias leads to a mailbox of another name. */
static bool is_written(const struct smtp_path *path, struct str address)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };

    return path->domain.n && smtp_path_print(path, &text) == 0 && str_ieq(buf_str(&text), address);
}

static bool is_about_us(const struct smtp_session *s, struct str from)
{
    if (str_ieq(domain_of(from), str_from(mx_own(s)->auth->check.from_domain)))
        return true;
    for (const struct smtp_recipient *r = s->m.recipients; r; r = r->next)
        if (str_ieq(r->mailbox.address, from) || is_written(&r->path, from))
            return true;
    for (const struct smtp_forward *f = s->m.forwards; f; f = f->next)
        if (str_ieq(f->alias, from))
            return true;
    return false;
}

static bool wants_reports(struct str record)
{
    struct dmarc_record policy;

    return dmarc_record_parse(record, &policy) && policy.nrua > 0;
}

static int put_signatures(const struct mailauth_check *c, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < c->message.nsignatures && r == 0; i++) {
        const struct dkim_signature *g = &c->message.signatures[i];

        if (g->domain.n && g->selector.n)
            r = buf_printf(out, "%.*s %.*s %s\n", STR_ARG(g->domain), STR_ARG(g->selector),
                           dkim_code_name(g->code));
    }
    return r;
}

/* What was done, and why it is not what the domain asks for (RFC 9990 3.1.1.13). */
static void take_disposition(const struct smtp_session *s, const struct mailauth_check *c, bool refused,
                             struct report_dmarc *d)
{
    bool junk = false;

    for (const struct smtp_recipient *r = s->m.recipients; r; r = r->next)
        junk |= r->junk;
    /* "pass" is for a policy that asks for something, t=y or not (RFC 9990, appendix A) */
    d->disposition =
        c->dmarc.code == DMARC_PASS && c->dmarc.policy != DMARC_POLICY_NONE ? AGGREGATE_PASS : AGGREGATE_NONE;
    d->reason = STR("");
    if (c->dmarc.code == DMARC_PASS)
        return;
    if (refused)
        d->disposition = AGGREGATE_REJECT;
    else if (c->dmarc.applied != DMARC_POLICY_NONE && junk)
        d->disposition = AGGREGATE_QUARANTINE;
    if (d->disposition == AGGREGATE_REJECT || c->dmarc.policy == DMARC_POLICY_NONE ||
        (d->disposition == AGGREGATE_QUARANTINE && c->dmarc.applied == DMARC_POLICY_QUARANTINE))
        return;
    d->reason = c->arc.code == ARC_PASS ? STR("trusted_forwarder")
                : c->from_list          ? STR("mailing_list")
                : c->dmarc.testing      ? STR("policy_test_mode")
                                        : STR("local_policy");
}

void mx_dmarc_note(const struct smtp_session *s, bool refused)
{
    CLEANUP(buf_release) struct buf signatures = { .max = KIB(2) };
    const struct mx_conf *conf = mx_own(s)->conf;
    const struct mailauth_check *c = mx_own(s)->auth ? &mx_own(s)->auth->check : NULL;
    int64_t seconds = (int64_t)conf->dmarc_interval_ms / 1000, now_s = clock_wall_ms() / 1000;
    struct report_dmarc d = { .seconds = seconds };

    if (!conf->dmarc_reports || !c || !mx_own(s)->auth->done || !c->done || seconds < 1 ||
        (c->dmarc.code != DMARC_PASS && c->dmarc.code != DMARC_FAIL) || !wants_reports(c->dmarc.record) ||
        is_about_us(s, str_from(conf->dmarc_report_from)))
        return;
    if (put_signatures(c, &signatures) < 0)
        buf_clear(&signatures);
    d.begins_s = now_s - now_s % seconds;
    d.domain = str_from(c->dmarc.domain);
    d.record = c->dmarc.record;
    d.ip = s->peer_ip;
    d.header_from = str_from(c->from_domain);
    d.envelope_from = domain_of(s->m.sender_address);
    d.dkim = c->dmarc.aligned_dkim;
    d.spf = c->dmarc.aligned_spf;
    d.spf_domain = c->has_ip ? str_from(c->spf.domain) : STR("");
    d.spf_scope = STR(
        "mfrom"); /* of a null sender, too: postmaster at his HELO (RFC 7208 2.4; RFC 9990 knows no other) */
    d.spf_result = str_from(spf_code_name(c->spf.code));
    d.signatures = buf_str(&signatures);
    take_disposition(s, c, refused, &d);
    report_dmarc(&d);
}
