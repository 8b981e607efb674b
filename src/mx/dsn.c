#include "src/mx/dsn.h"
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/base/rand.h"
#include "lib/crypto/box.h"
#include "lib/rpc/pb.h"
#include "proto/courier.pb-c.h"
#include "src/mx/service.h"
#include <stdlib.h>

#define HEADER_MAX KIB(32)

struct told {
    unsigned rcpt; /* the how manieth that was taken */
    struct str to, orcpt;
    Courier__ArrivalRecipient__Action action;
    struct told *next;
};
struct mx_dsn {
    struct told *list, **last; /* in the transaction's arena */
    size_t n;
    struct buf header;
    bool header_over;
};

void mx_dsn_forget(struct smtp_session *s)
{
    struct mx_dsn *d = mx_own(s)->dsn;

    mx_own(s)->dsn = NULL;
    if (d)
        buf_release(&d->header);
    free(d);
}

bool mx_dsn_wanted(const struct smtp_session *s)
{
    return mx_own(s)->dsn != NULL;
}

static struct mx_dsn *dsn_of(struct smtp_session *s)
{
    struct mx_dsn *d = mx_own(s)->dsn;

    if (!d && (d = calloc(1, sizeof *d))) {
        d->last = &d->list;
        d->header.max = HEADER_MAX;
        mx_own(s)->dsn = d;
    }
    return d;
}

static int note(struct smtp_session *s, Courier__ArrivalRecipient__Action action)
{
    CLEANUP(buf_release) struct buf path = { .max = KIB(1) };
    struct mx_dsn *d = dsn_of(s);
    struct told *t = ARENA_NEW(&s->arena, struct told);

    /* RFC 3461 6.3 e: the recipient of the envelope; <Postmaster> has no domain of its own */
    if (!d || !t || smtp_path_print(&s->pending, &path) < 0)
        return E_NOMEM;
    *t = (struct told){ .rcpt = s->m.nanswers,
                        .to = arena_dup(&s->arena, buf_str(&path)),
                        .orcpt = s->pending_orcpt,
                        .action = action };
    if (!t->to.p)
        return E_NOMEM;
    *d->last = t;
    d->last = &t->next;
    d->n++;
    return 0;
}

/* RFC 3461 5.2.7.3 c: whoever wanted to hear of success only wants to hear nothing from the copies. */
static uint32_t without_success(uint32_t notify)
{
    uint32_t rest = notify & ~(uint32_t)SMTP_NOTIFY_SUCCESS;

    return rest || !notify ? rest : SMTP_NOTIFY_NEVER;
}

int mx_dsn_take(struct smtp_session *s, const struct mx_resolved *r, uint32_t *notify_out)
{
    size_t n = r->nboxes + r->nforwards;

    *notify_out = s->pending_notify;
    if (!s->m.sender_address.n || !(s->pending_notify & SMTP_NOTIFY_SUCCESS)) /* RFC 3461 5.2 */
        return 0;
    if (n == 1 && r->nforwards == 1 && !r->forwards[0].webhook)
        return 0; /* the courier's: when the next server has it */
    *notify_out = without_success(s->pending_notify);
    return note(s, n > 1          ? COURIER__ARRIVAL_RECIPIENT__ACTION__EXPANDED
                   : r->nforwards ? COURIER__ARRIVAL_RECIPIENT__ACTION__RELAYED /* 5.2.4 b */
                                  : COURIER__ARRIVAL_RECIPIENT__ACTION__DELIVERED);
}

void mx_dsn_feed(struct smtp_session *s, struct str in)
{
    struct mx_dsn *d = mx_own(s)->dsn;
    size_t from;
    ptrdiff_t end;

    if (!d || d->header_over)
        return;
    from = d->header.n > 3 ? d->header.n - 3 : 0;
    if (buf_puts(&d->header, str_slice(in, 0, d->header.max - d->header.n)) < 0) {
        d->header_over = true; /* no memory: the report goes without */
        return;
    }
    if (str_starts(buf_str(&d->header),
                   STR("\r\n"))) { /* it has none (RFC 5322 2.1): what follows is the body */
        d->header.n = 0;
        d->header_over = true;
        return;
    }
    end = str_find(str_skip(buf_str(&d->header), from), STR("\r\n\r\n"));
    if (end >= 0)
        d->header.n = from + (size_t)end + 4;
    d->header_over = end >= 0 || d->header.n == d->header.max;
}

/* ---- when it was delivered ---- */

const char *mx_dsn_unwanted(const struct smtp_session *s)
{
    const struct mx_auth *a = mx_own(s)->auth;

    for (const struct smtp_recipient *r = s->m.recipients; r; r = r->next)
        if (r->junk)
            return "spam";
    if (s->m.forwards && mx_own(s)->spam.junk)
        return "spam";
    if (a && a->check.done && (a->check.spf.code == SPF_FAIL || a->check.dmarc.code == DMARC_FAIL))
        return "forged";
    return NULL;
}

static bool anyone_asks(const struct smtp_session *s)
{
    const struct smtp_forward *f = s->m.forwards;

    while (f && !(f->notify & SMTP_NOTIFY_SUCCESS))
        f = f->next;
    return f || mx_dsn_wanted(s);
}

/* The courier tells of what is sent on, and knows neither of this. */
void mx_dsn_settle(struct smtp_session *s)
{
    const char *why;

    if (!anyone_asks(s) || (!(why = mx_dsn_unwanted(s)) && !(why = mx_policy_report(s) ? NULL : "rate")))
        return;
    log_event(LOG_INFO, "mx.dsn_none", F_Z("id", s->m.id), F_Z("why", why));
    mx_dsn_forget(s);
    for (struct smtp_forward *f = s->m.forwards; f; f = f->next)
        f->notify = without_success(f->notify);
}

/* Whole lines, when it was too long. */
static struct str header_of(const struct mx_dsn *d)
{
    struct str h = buf_str(&d->header);

    while (h.n && !str_ends(h, STR("\r\n")))
        h.n--;
    return h;
}

/* The same for the same message, as long as that can be known: without a Message-ID of his nothing tells a repeat. */
static int once_of(struct smtp_session *s, const Courier__ArrivalRequest *q, uint8_t out[MX_DSN_ONCE])
{
    CLEANUP(buf_release) struct buf names = { .max = MIB(1) };
    const uint8_t *key = mx_own(s)->delivery_key;
    struct str digest = mx_forward_digest(s);
    uint8_t hash[HASH_BYTES];
    int r = buf_printf(&names, "%.*s\n%.*s", STR_ARG(s->m.sender_address), STR_ARG(s->m.envid));

    for (size_t i = 0; i < q->n_recipients && r == 0; i++)
        r = buf_printf(&names, "\n%d %.*s", (int)q->recipients[i]->action,
                       STR_ARG(pb_str(q->recipients[i]->to)));
    if (r < 0)
        return r;
    if (!s->m.scan.has_message_id || !key || !digest.n) {
        rand_bytes(out, MX_DSN_ONCE);
        return 0;
    }
    kdf2(hash, key, "letterlock report of arrival v1", buf_str(&names), digest);
    memcpy(out, hash, MX_DSN_ONCE);
    return 0;
}

static int recipients_fill(struct smtp_session *s, struct arena *a, Courier__ArrivalRequest *out)
{
    const struct mx_dsn *d = mx_own(s)->dsn;
    const struct smtp_answer *at = NULL;
    const struct told *t = d->list;

    if (!(out->recipients = ARENA_ARRAY(a, d->n, Courier__ArrivalRecipient *)))
        return E_NOMEM;
    for (unsigned i = 0; i < s->m.nanswers && t; i++) {
        int status = smtp_message_outcome(&s->m, i, &at);
        Courier__ArrivalRecipient *r;

        if (t->rcpt != i)
            continue;
        if (status == 0) { /* LMTP: not all of them may have it */
            if (!(r = ARENA_NEW(a, Courier__ArrivalRecipient)))
                return E_NOMEM;
            courier__arrival_recipient__init(r);
            r->to = str_pb(t->to);
            r->orcpt = str_pb(t->orcpt);
            r->action = t->action;
            out->recipients[out->n_recipients++] = r;
        }
        t = t->next;
    }
    return 0;
}

int mx_dsn_request(struct smtp_session *s, struct arena *a, Courier__ArrivalRequest *out)
{
    CLEANUP(buf_release) struct buf envid = { .max = SMTP_ENVID_MAX };
    const struct mx_dsn *d = mx_own(s)->dsn;
    uint8_t *once;
    int r;

    if (!d)
        return 0;
    courier__arrival_request__init(out);
    if ((r = recipients_fill(s, a, out)) < 0 || out->n_recipients == 0)
        return r;
    if (!(once = arena_alloc(a, MX_DSN_ONCE)))
        return E_NOMEM;
    if ((r = once_of(s, out, once)) < 0 || (r = smtp_xtext_decode(s->m.envid, &envid)) < 0)
        return r;
    out->envid = str_pb(arena_dup(a, buf_str(&envid)));
    out->once = str_pb(str_of(once, MX_DSN_ONCE));
    out->sender = str_pb(s->m.sender_address);
    out->smtputf8 = s->m.smtputf8;
    out->requiretls = s->m.requiretls;
    out->arrived_ms = s->m.received_ms;
    out->header = str_pb(header_of(d));
    return 1;
}
