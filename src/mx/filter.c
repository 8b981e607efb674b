#include "src/mx/filter.h"
#include "lib/base/log.h"
#include "src/common/counts.h"
#include "src/mx/service.h"

static struct mx_filter *filter_of(const struct smtp_session *s)
{
    return &mx_own(s)->filter;
}

void mx_filter_start(struct smtp_session *s)
{
    struct mx_filter *f = filter_of(s);

    if (!f->io || mx_own(s)->spam.exempt)
        return;
    f->asked = true;
    f->running = f->io->scan(f->call, s) == 0;
    if (!f->running)
        f->why = "filter gone";
}

static void stop(struct mx_filter *f, const char *why)
{
    if (f->running)
        f->io->cancel(f->call);
    f->running = false;
    f->why = why;
}

void mx_filter_feed(struct smtp_session *s, struct str in, bool end)
{
    struct mx_filter *f = filter_of(s);
    uint64_t room = mx_own(s)->conf->filter_bytes - f->sent;

    if (!f->running)
        return;
    in = str_slice(in, 0, room < in.n ? (size_t)room : in.n);
    f->sent += in.n;
    if (in.n && f->io->send(f->call, in) < 0)
        stop(f, "filter gone");
    else if (end)
        f->io->end(f->call);
}

static void keep(char *out, size_t n, struct str s)
{
    s = str_slice(s, 0, n - 1);
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?';
    out[s.n] = '\0';
}

void mx_filter_answered(struct smtp_session *s, int status, const struct mx_filtered *a)
{
    struct mx_filter *f = filter_of(s);

    if (!f->running)
        return;
    f->running = false;
    if (status < 0) {
        f->why = status == E_TIMEOUT ? "filter slow" : status == E_BUSY ? "filter busy" : "filter gone";
    } else {
        f->clamav = a->clamav;
        f->rspamd = a->rspamd;
        f->score = a->score > 100000 ? 100000 : a->score < -100000 ? -100000 : a->score;
        keep(f->name, sizeof f->name, a->name);
        keep(f->action, sizeof f->action, a->action);
        log_event(LOG_INFO, "mx.filter", F_Z("id", s->m.id), F_U64("clamav", (uint64_t)a->clamav),
                  F_STR("name", str_from(f->name)), F_STR("clamav_why", a->clamav_why),
                  F_U64("rspamd", (uint64_t)a->rspamd), F_I64("score", f->score),
                  F_STR("action", str_from(f->action)), F_STR("symbols", a->symbols),
                  F_STR("rspamd_why", a->rspamd_why));
    }
    if (s->state == SMTP_ST_CHECKING && s->service->settled(s))
        smtp_checked(s);
}

bool mx_filter_settled(struct smtp_session *s)
{
    return !filter_of(s)->running;
}

void mx_filter_give_up(struct smtp_session *s)
{
    if (filter_of(s)->running)
        stop(filter_of(s), "filter slow");
}

static void count(const struct mx_filter *f, const struct mx_conf *conf)
{
    bool none = f->why != NULL;

    if (conf->clamav[0])
        count_one(f->clamav == MX_FILTER_FOUND              ? COUNT_CLAMAV_FOUND
                  : none || f->clamav != MX_FILTER_ANSWERED ? COUNT_CLAMAV_FAILED
                                                            : COUNT_CLAMAV_CLEAN);
    if (conf->rspamd[0])
        count_one(none || f->rspamd != MX_FILTER_ANSWERED ? COUNT_RSPAMD_FAILED : COUNT_RSPAMD_ANSWERED);
}

const struct smtp_reply *mx_filter_verdict(struct smtp_session *s)
{
    struct mx_filter *f = filter_of(s);
    struct mx_own *own = mx_own(s);

    if (!f->asked)
        return NULL;
    count(f, own->conf);
    if (f->why)
        log_event(LOG_INFO, "mx.filter", F_Z("id", s->m.id), F_Z("why", f->why));
    if (f->clamav != MX_FILTER_FOUND || own->conf->clamav_action != MX_CLAMAV_REJECT)
        return NULL;
    snprintf(own->spam_said, sizeof own->spam_said, "Message refused: infected (%s)", f->name);
    own->spam_refusal = (struct smtp_reply){ 550, "5.7.1", own->spam_said };
    return &own->spam_refusal;
}

void mx_filter_mark(struct smtp_session *s)
{
    const struct mx_filter *f = filter_of(s);

    if (!f->asked || f->clamav == MX_FILTER_OFF || f->clamav == MX_FILTER_FAILED)
        return;
    for (struct smtp_recipient *r = s->m.recipients; r; r = r->next) {
        char *text = arena_printf(&s->arena, "X-Virus-Status: %s%s%s%s\r\n%.*s",
                                  f->clamav == MX_FILTER_FOUND ? "Infected" : "Clean", f->name[0] ? " (" : "",
                                  f->name, f->name[0] ? ")" : "", STR_ARG(r->fields));

        if (text)
            r->fields = str_from(text);
        r->junk |= f->clamav == MX_FILTER_FOUND && mx_own(s)->conf->clamav_action == MX_CLAMAV_JUNK;
    }
}

void mx_filter_forget(struct smtp_session *s)
{
    struct mx_filter *f = filter_of(s);

    if (f->running)
        f->io->cancel(f->call);
    *f = (struct mx_filter){ .io = f->io, .call = f->call };
}
