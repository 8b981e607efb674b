#include "src/mx/spam.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "src/mx/service.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define LEARN_FROM 1000 /* hundredths that rules alone must give before a refused message is learnt */
#define LISTED_MAX 12u  /* hosts of a message that lists are asked about */

static struct mx_spam *spam_of(const struct smtp_session *s)
{
    return &mx_own(s)->spam;
}

int mx_spam_open(struct mx_spam_all *all, const struct mx_conf *conf, int fd)
{
    int r = fd < 0 ? E_NOTFOUND : spam_model_map(fd, &all->model);

    if (fd >= 0)
        close(fd);
    if (r < 0)
        log_event(LOG_WARN, "mx.no_spam_model", F_ERR(r)); /* mail goes on: rules alone decide */
    if (!spam_points_parse(str_from(conf->spam_header), &all->header) ||
        !spam_points_parse(str_from(conf->spam_junk), &all->junk) ||
        !spam_points_parse(str_from(conf->spam_reject), &all->reject)) {
        log_event(LOG_ERROR, "mx.bad_points", F_Z("keys", "mx.spam_header mx.spam_junk mx.spam_reject"));
        return E_RANGE;
    }
    return 0;
}

void mx_spam_close(struct mx_spam_all *all)
{
    spam_model_free(&all->model);
}

void mx_spam_rcpt(struct smtp_session *s, const struct smtp_path *path)
{
    CLEANUP(buf_release) struct buf text = { .max = 2 * SMTP_PATH_MAX };
    struct str all = str_from(mx_own(s)->conf->spam_traps), one;

    if (all.n == 0 || smtp_path_print(path, &text) < 0)
        return;
    while (all.n) {
        str_cut(all, ',', &one, &all);
        spam_of(s)->trap = spam_of(s)->trap || str_ieq(str_trim(one), buf_str(&text));
    }
}

/* ---- the message goes by ---- */

void mx_spam_start(struct smtp_session *s)
{
    static const uint8_t no_key[SPAM_KEY_BYTES] = { 0 };
    struct mx_spam *p = spam_of(s);
    const struct smtp_recipient *first = s->m.recipients;
    struct str domain = STR("");
    ptrdiff_t at;

    if (!p->all || !p->all->io || p->exempt || !mx_own(s)->conf->spam)
        return;
    p->on = true;
    p->passed.max = KIB(80);
    p->fields = (struct spam_fields){ .n = 0 };
    lookups_init(&p->lookups);
    if (first && (at = str_rchr(first->mailbox.address, '@')) >= 0)
        domain = str_skip(first->mailbox.address, (size_t)at + 1);
    p->scanning =
        p->all->io->scan(p->call, domain, p->all->model ? spam_model_key(p->all->model) : no_key) == 0;
    if (!p->scanning)
        p->why_not = "no scanner";
}

static void stop_scan(struct smtp_session *s, const char *why)
{
    struct mx_spam *p = spam_of(s);

    if (p->scanning)
        p->all->io->cancel(p->call);
    p->scanning = false;
    p->why_not = why;
}

static void send_on(struct smtp_session *s, struct str in, bool end)
{
    struct mx_spam *p = spam_of(s);
    uint64_t room = mx_own(s)->conf->spam_scan_bytes - p->sent;

    if (!p->scanning)
        return;
    in = str_slice(in, 0, room < in.n ? (size_t)room : in.n); /* its beginning says enough */
    p->sent += in.n;
    if (in.n && p->all->io->send(p->call, in) < 0)
        stop_scan(s, "scanner gone");
    else if (end)
        p->all->io->end(p->call);
}

int mx_spam_feed(struct smtp_session *s, struct str in, bool end, struct str *out)
{
    struct mx_spam *p = spam_of(s);
    int r;

    *out = in;
    if (!p->on)
        return 0;
    buf_clear(&p->passed);
    if ((r = spam_fields_feed(&p->fields, in, end, &p->passed)) < 0)
        return r;
    *out = buf_str(&p->passed);
    send_on(s, *out, end);
    return 0;
}

/* ---- what is found ---- */

static void ask_lists(struct smtp_session *s)
{
    struct mx_spam *p = spam_of(s);
    static const struct lookup_answer failed = { .status = LOOKUP_FAILED };
    struct lookup *q;

    for (size_t i = 0; i < p->nhosts; i++)
        for (size_t j = 0; j < p->all->url_lists.n; j++) {
            char name[LOOKUP_NAME_MAX + 1];
            int n = snprintf(name, sizeof name, "%s.%.*s", p->hosts[i], STR_ARG(p->all->url_lists.v[j]));
            const struct lookup_answer *a;

            if (n < 0 || (size_t)n >= sizeof name || !domain_is_plain(str_of(name, (size_t)n)))
                continue;
            a = lookups_get(&p->lookups, LOOKUP_A, str_of(name, (size_t)n));
            /* 127.0.0.1 and what is beyond 127/8 are not said of hosts (RFC 5782 2.3) but by lists that refuse us */
            for (size_t k = 0; a && a->status == LOOKUP_OK && k < a->n; k++)
                if (a->records[k].ip[0] == 127 &&
                    !(a->records[k].ip[1] == 255 && a->records[k].ip[2] == 255) &&
                    !(a->records[k].ip[1] == 0 && a->records[k].ip[2] == 0 && a->records[k].ip[3] <= 1))
                    spam_hit(&p->hits, SPAM_URL_LISTED);
        }
    while ((q = lookups_next(&p->lookups)))
        if (s->io->lookup(s->ctx, q) < 0)
            lookup_answer(&p->lookups, q, &failed);
}

static bool lists_wait(const struct mx_spam *p)
{
    for (const struct lookup *q = p->lookups.first; q; q = q->next)
        if (!q->answered && !p->lookups.over)
            return true;
    return false;
}

/* For lists only: without any, hosts are nobody's business. */
static void keep_hosts(struct mx_spam *p, const struct mx_scanned *found)
{
    size_t n = p->all->url_lists.n ? size_min(found->nhosts, LISTED_MAX) : 0;

    p->hosts = n ? calloc(n, sizeof *p->hosts) : NULL;
    for (; p->hosts && p->nhosts < n; p->nhosts++) {
        struct str h = found->hosts[p->nhosts];

        memcpy(p->hosts[p->nhosts], h.p, size_min(h.n, SPAM_HOST_MAX - 1));
    }
}

void mx_spam_scanned(struct smtp_session *s, int status, const struct mx_scanned *found)
{
    struct mx_spam *p = spam_of(s);

    if (!p->scanning)
        return;
    p->scanning = false;
    if (status < 0) {
        p->why_not = status == E_TIMEOUT ? "scanner slow"
                     : status == E_BUSY  ? "scanner busy"
                                         : "scanner gone";
    } else {
        p->scanned = true;
        for (size_t i = 0; i < found->nrules; i++)
            spam_hit(&p->hits, (enum spam_rule)found->rules[i]);
        p->ntokens = size_min(found->ntokens, SPAM_TOKENS_MAX);
        p->tokens = p->ntokens ? malloc(p->ntokens * sizeof *p->tokens) : NULL;
        if (p->tokens)
            memcpy(p->tokens, found->tokens, p->ntokens * sizeof *p->tokens);
        else
            p->ntokens = 0;
        keep_hosts(p, found);
        ask_lists(s);
    }
    if (s->state == SMTP_ST_CHECKING && s->service->settled(s))
        smtp_checked(s);
}

bool mx_spam_looked_up(struct smtp_session *s, struct lookup *q, const struct lookup_answer *a)
{
    struct mx_spam *p = spam_of(s);

    for (const struct lookup *l = p->on ? p->lookups.first : NULL; l; l = l->next)
        if (l == q) {
            lookup_answer(&p->lookups, q, a);
            if (s->state == SMTP_ST_CHECKING && s->service->settled(s))
                smtp_checked(s);
            return true;
        }
    return false;
}

bool mx_spam_settled(struct smtp_session *s)
{
    struct mx_spam *p = spam_of(s);

    return !p->on || (!p->scanning && !lists_wait(p));
}

void mx_spam_give_up(struct smtp_session *s)
{
    struct mx_spam *p = spam_of(s);

    if (!p->on)
        return;
    if (p->scanning)
        stop_scan(s, "scanner slow");
    lookups_give_up(&p->lookups);
}

/* ---- the verdict ---- */

static void hit_if(struct mx_spam *p, bool holds, enum spam_rule r)
{
    if (holds)
        spam_hit(&p->hits, r);
}

/* Who sent it. Without checks there is nothing to say. */
static void judge_sender(struct smtp_session *s)
{
    const struct mx_auth *a = mx_own(s)->auth;
    const struct mailauth_check *c = a && a->done && a->check.done ? &a->check : NULL;
    uint32_t odd = mx_own(s)->policy.odd;
    struct mx_spam *p = spam_of(s);
    size_t good = 0;

    hit_if(p, odd & (MX_ODD_HELO_SYNTAX | MX_ODD_HELO_OWN | MX_ODD_HELO_UNKNOWN | MX_ODD_HELO_ADDRESS),
           SPAM_HELO_ODD);
    hit_if(p, odd & MX_ODD_SENDER, SPAM_SENDER_ODD);
    hit_if(p, mx_own(s)->conf->reverse_name && s->peer_name.n == 0, SPAM_NO_REVERSE_NAME);
    if (!c)
        return;
    hit_if(p, c->spf.code == SPF_PASS, SPAM_SPF_PASS);
    hit_if(p, c->spf.code == SPF_FAIL && !c->from_list, SPAM_SPF_FAIL);
    hit_if(p, c->spf.code == SPF_SOFTFAIL && !c->from_list, SPAM_SPF_SOFTFAIL);
    for (size_t i = 0; i < c->message.nsignatures; i++)
        good += c->message.signatures[i].code == DKIM_PASS;
    hit_if(p, good > 0, SPAM_DKIM_PASS);
    hit_if(p, c->message.nsignatures && good == 0 && !c->from_list, SPAM_DKIM_FAIL);
    hit_if(p, c->dmarc.code == DMARC_PASS, SPAM_DMARC_PASS);
    hit_if(p, c->dmarc.code == DMARC_FAIL && c->dmarc.applied != DMARC_POLICY_NONE && !c->from_list,
           SPAM_DMARC_FAIL);
}

static int or_default(int own, int dflt)
{
    return own > 0 ? own : dflt;
}

/* Folded before every few names, as a header line wants to be short. */
static int put_names(struct buf *out, struct str names)
{
    size_t line = 0;
    struct str one;
    int r = 0;

    while (names.n && r == 0) {
        str_cut(names, ',', &one, &names);
        if (line + one.n > 60) {
            r = buf_putz(out, "\r\n\t");
            line = 0;
        }
        line += one.n + 1;
        if (r == 0 && (r = buf_puts(out, one)) == 0 && names.n)
            r = buf_putz(out, ",");
    }
    return r;
}

static int put_fields(const struct mx_spam *p, int score, int required, struct buf *out)
{
    CLEANUP(buf_release) struct buf names = { .max = KIB(4) }, points = { .max = 40 }, need = { .max = 40 };
    int r;

    if (!p->scanned)
        return buf_printf(out, "X-Spam-Status: No, not scanned (%s)\r\n",
                          p->why_not ? p->why_not : "no scanner");
    if ((r = spam_names(&p->hits, &names)) < 0 || (r = spam_points(score, &points)) < 0 ||
        (r = required == SPAM_NEVER ? buf_putz(&need, "never") : spam_points(required, &need)) < 0 ||
        (r = buf_printf(out,
                        "X-Spam-Score: %.*s\r\nX-Spam-Status: %s, score=%.*s, required=%.*s,\r\n\ttests=",
                        STR_ARG(buf_str(&points)), score >= required ? "Yes" : "No",
                        STR_ARG(buf_str(&points)), STR_ARG(buf_str(&need)))) < 0 ||
        (r = put_names(out, buf_str(&names))) < 0)
        return r;
    return buf_putz(out, "\r\n");
}

static void set_fields(struct smtp_session *s, struct smtp_recipient *r, int score)
{
    CLEANUP(buf_release) struct buf text = { .max = MX_SPAM_FIELDS_MAX };
    const struct mx_spam *p = spam_of(s);

    r->fields = STR("");
    if (put_fields(p, score, or_default(r->mailbox.spam.header, p->all->header), &text) == 0)
        r->fields = arena_dup(&s->arena, buf_str(&text));
    if (!r->fields.p)
        r->fields = STR(""); /* no memory: the message goes on without */
    r->junk = p->scanned && score >= or_default(r->mailbox.spam.junk, p->all->junk);
}

/* Of what is refused, or came to a trap; never of what a mailbox holds. */
static void learn(struct smtp_session *s, bool refused, int by_rules)
{
    const struct mx_spam *p = spam_of(s);

    if (p->all->model && p->ntokens &&
        (p->trap || (refused && by_rules >= LEARN_FROM && !p->hits.hit[SPAM_GTUBE])))
        spam_model_learn(p->all->model, p->tokens, p->ntokens, true);
}

static const struct smtp_reply *refusal(struct smtp_session *s)
{
    static const struct smtp_reply plain = { 550, "5.7.1", "Message refused as spam" };
    CLEANUP(buf_release) struct buf names = { .max = KIB(4) };
    struct mx_own *own = mx_own(s); /* the transaction's memory is gone when it is said */

    if (spam_names(&spam_of(s)->hits, &names) < 0)
        return &plain;
    snprintf(own->spam_said, sizeof own->spam_said, "Message refused as spam: %.*s",
             (int)size_min(names.n, 300), names.p);
    own->spam_refusal = (struct smtp_reply){ 550, "5.7.1", own->spam_said };
    return &own->spam_refusal;
}

/* ClamAV and rspamd (filter.h), as far as they answered. */
static void add_others(struct smtp_session *s)
{
    const struct mx_filter *f = &mx_own(s)->filter;
    struct mx_spam *p = spam_of(s);

    hit_if(p, f->clamav == MX_FILTER_FOUND && mx_own(s)->conf->clamav_action != MX_CLAMAV_NOTE, SPAM_CLAMAV);
    if (f->rspamd != MX_FILTER_ANSWERED || mx_own(s)->conf->rspamd_weight == 0)
        return;
    p->hits.extra = (int)((int64_t)f->score * (int64_t)mx_own(s)->conf->rspamd_weight / 100);
    hit_if(p, p->hits.extra != 0, SPAM_RSPAMD);
}

const struct smtp_reply *mx_spam_verdict(struct smtp_session *s)
{
    struct mx_spam *p = spam_of(s);
    CLEANUP(buf_release) struct buf names = { .max = KIB(4) };
    bool all_refuse = s->m.recipients || s->m.nforwards, refuses;
    int by_rules, score, counts;

    if (!p->on)
        return NULL;
    ask_lists(s); /* what was answered counts now */
    if (p->scanned)
        judge_sender(s);
    by_rules = spam_score(&p->hits); /* without what others said: they teach our classifier nothing */
    add_others(s);
    p->p = p->scanned && p->all->model ? spam_model_score(p->all->model, p->tokens, p->ntokens) : BAYES_NONE;
    spam_hit_bayes(&p->hits, p->p);
    score = spam_score(&p->hits);
    counts = score; /* what ClamAV found is refused, or not, by mx.clamav_action */
    if (mx_own(s)->filter.clamav == MX_FILTER_FOUND && p->hits.hit[SPAM_CLAMAV])
        counts -= spam_rows[SPAM_CLAMAV].score;
    for (struct smtp_recipient *r = s->m.recipients; r; r = r->next) {
        set_fields(s, r, score);
        refuses = p->scanned && counts >= or_default(r->mailbox.spam.reject, p->all->reject);
        all_refuse = all_refuse && refuses;
        r->junk =
            r->junk || refuses; /* when others take it: whoever wants it refused never has it in his INBOX */
    }
    p->junk = p->scanned && score >= p->all->junk;
    all_refuse = all_refuse && (!s->m.nforwards || (p->scanned && counts >= p->all->reject));
    learn(s, all_refuse, by_rules);
    (void)!spam_names(&p->hits, &names);
    log_event(LOG_INFO, "mx.spam", F_Z("id", s->m.id), F_Z("scanned", p->scanned ? "yes" : p->why_not),
              F_I64("score", score), F_STR("tests", buf_str(&names)), F_U64("forged", p->fields.removed));
    return all_refuse ? refusal(s) : NULL;
}

void mx_spam_forget(struct smtp_session *s)
{
    struct mx_spam *p = spam_of(s);

    if (p->on) {
        if (p->scanning)
            p->all->io->cancel(p->call);
        lookups_release(&p->lookups);
        buf_release(&p->passed);
        free(p->tokens);
        free(p->hosts);
    }
    *p = (struct mx_spam){ .all = p->all, .call = p->call, .exempt = p->exempt };
}
