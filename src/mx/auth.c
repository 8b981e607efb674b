#include "src/mx/auth.h"
#include "src/common/counts.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "src/mx/service.h"
#include <stdlib.h>

/* Ask for what is wanted now. A look-up that cannot be asked has failed. */
static void pump(struct smtp_session *s)
{
    static const struct lookup_answer failed = { .status = LOOKUP_FAILED };
    struct lookups *l = &mx_own(s)->auth->check.lookups;
    struct lookup *q;

    while ((q = lookups_next(l)))
        if (s->io->lookup(s->ctx, q) < 0)
            lookup_answer(l, q, &failed);
}

/* Run as far as answers reach. */
static void run(struct smtp_session *s)
{
    struct mx_auth *a = mx_own(s)->auth;

    /* a look-up that fails at once may be what was waited for: each round asks at least one, or ends */
    for (unsigned before = ~0u; !a->done && before != a->check.lookups.n;) {
        before = a->check.lookups.n;
        a->done = mailauth_check_run(&a->check) == 0;
        if (!a->done)
            pump(s);
    }
}

void mx_auth_start(struct smtp_session *s)
{
    struct mailauth_envelope e = {
        .ip = s->peer_ip,
        .helo = s->helo,
        .sender = s->m.sender_address,
        .receiver = s->hostname,
        .now_s = clock_wall_ms() / 1000,
    };
    struct mx_auth *a;

    mx_auth_free(s);
    if (!mx_own(s)->conf->auth_checks || mx_own(s)->auth_exempt || !(a = calloc(1, sizeof(*a))))
        return;
    if (mailauth_check_start(&a->check, &e, mx_own(s)->psl) < 0) {
        free(a);
        return;
    }
    authres_filter_init(&a->filter, s->hostname);
    a->passed.max = KIB(64) + AUTHRES_HELD_MAX;
    mx_own(s)->auth = a;
    run(s);
}

void mx_auth_free(struct smtp_session *s)
{
    struct mx_auth *a = mx_own(s)->auth;

    mx_own(s)->auth = NULL;
    if (!a)
        return;
    mailauth_check_release(&a->check);
    authres_filter_release(&a->filter);
    buf_release(&a->passed);
    free(a);
}

int mx_auth_feed(struct smtp_session *s, struct str in, struct str *out)
{
    struct mx_auth *a = mx_own(s)->auth;
    bool was;
    int r;

    if (!a) {
        *out = in;
        return 0;
    }
    was = a->check.message.in_body;
    buf_clear(&a->passed);
    mailauth_check_feed(&a->check, in); /* as the sender made it: signatures may cover what we take out */
    if ((r = authres_filter_feed(&a->filter, in, &a->passed)) < 0)
        return r;
    *out = buf_str(&a->passed);
    if (!was && a->check.message.in_body)
        run(s); /* the signatures are known: their keys can be asked for */
    return 0;
}

int mx_auth_end(struct smtp_session *s, struct str *out)
{
    struct mx_auth *a = mx_own(s)->auth;
    int r;

    if (!a) {
        *out = STR("");
        return 0;
    }
    buf_clear(&a->passed);
    if ((r = authres_filter_end(&a->filter, &a->passed)) < 0)
        return r;
    mailauth_check_end(&a->check);
    *out = buf_str(&a->passed);
    run(s);
    return 0;
}

bool mx_auth_settled(struct smtp_session *s)
{
    if (!mx_own(s)->auth || mx_own(s)->auth->done)
        return true;
    run(s);
    return mx_own(s)->auth->done;
}

void mx_auth_give_up(struct smtp_session *s)
{
    lookups_give_up(&mx_own(s)->auth->check.lookups);
    run(s);
    mx_own(s)->auth->done = true;
}

static void log_results(const struct smtp_session *s, const struct mailauth_check *c)
{
    unsigned passed = 0;

    for (size_t i = 0; i < c->message.nsignatures; i++)
        passed += c->message.signatures[i].code == DKIM_PASS;
    count_one(c->dmarc.code == DMARC_PASS   ? COUNT_DMARC_PASS
              : c->dmarc.code == DMARC_FAIL ? COUNT_DMARC_FAIL
                                            : COUNT_DMARC_NONE);
    log_event(LOG_INFO, "mx.auth", F_Z("id", s->m.id), F_Z("spf", spf_code_name(c->spf.code)),
              F_Z("dmarc", dmarc_code_name(c->dmarc.code)), F_Z("asks", dmarc_policy_name(c->dmarc.applied)),
              F_Z("arc", arc_code_name(c->arc.code)), F_U64("dkim", c->message.nsignatures),
              F_U64("dkim_pass", passed), F_U64("forged", mx_own(s)->auth->filter.removed),
              F_U64("lookups", c->lookups.n));
}

static const char *dkim_in_a_word(const struct mailauth_check *c)
{
    for (size_t i = 0; i < c->message.nsignatures; i++)
        if (c->message.signatures[i].code == DKIM_PASS)
            return "pass";
    return c->message.nsignatures ? "fail" : "none";
}

void mx_auth_conclude(struct smtp_session *s)
{
    CLEANUP(buf_release) struct buf text = { .max = MX_AUTH_FIELDS_MAX };
    const struct mailauth_check *c;

    s->m.auth_fields = s->m.auth_note = STR("");
    s->m.dmarc_reject = false;
    if (!mx_own(s)->auth || !mx_own(s)->auth->done)
        return;
    c = &mx_own(s)->auth->check;
    s->m.dmarc_reject =
        c->done && c->dmarc.code == DMARC_FAIL && c->dmarc.applied == DMARC_POLICY_REJECT && !c->from_list;
    log_results(s, c);
    if (!c->done || mailauth_check_fields(c, &text) < 0)
        return; /* too long, or no memory: the message goes on without */
    s->m.auth_fields = arena_dup(&s->arena, buf_str(&text));
    if (!s->m.auth_fields.p)
        s->m.auth_fields = STR("");
    char *note = arena_printf(&s->arena, "spf=%s dkim=%s dmarc=%s", spf_code_name(c->spf.code),
                              dkim_in_a_word(c), dmarc_code_name(c->dmarc.code));
    s->m.auth_note = note ? str_from(note) : STR("");
}

void mx_session_looked_up(struct smtp_session *s, struct lookup *q, const struct lookup_answer *answer)
{
    if (mx_policy_looked_up(s, q, answer) || mx_spam_looked_up(s, q, answer) || !mx_own(s)->auth)
        return;
    lookup_answer(&mx_own(s)->auth->check.lookups, q, answer);
    run(s);
    if (s->state == SMTP_ST_CHECKING && s->service->settled(s))
        smtp_checked(s);
}
