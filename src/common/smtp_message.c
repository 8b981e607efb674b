#include "src/common/smtp_message.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"

int smtp_path_dup(struct arena *a, const struct smtp_path *from, struct smtp_path *out)
{
    struct smtp_path p = *from;

    p.local = arena_dup(a, from->local);
    p.domain = arena_dup(a, from->domain);
    if ((from->local.n && !p.local.p) || (from->domain.n && !p.domain.p))
        return E_NOMEM;
    *out = p;
    return 0;
}

int smtp_message_start(struct smtp_message *m, struct arena *a, const struct smtp_command *mail)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    int r;

    m->recipients = NULL;
    m->last = &m->recipients;
    m->forwards = NULL;
    m->last_forward = &m->forwards;
    m->nrcpt = m->nboxes = m->nforwards = m->ndiscards = 0;
    m->answers = NULL;
    m->nanswers = 0;
    m->last_answer = &m->answers;
    m->smtputf8 = (mail->params & SMTP_EXT_SMTPUTF8) != 0;
    m->body = mail->body;
    m->requiretls = (mail->params & SMTP_EXT_REQUIRETLS) != 0;
    m->ret = mail->dsn.ret;
    m->release = mail->release;
    m->envid = arena_dup(a, mail->dsn.envid);
    if (mail->dsn.envid.n && !m->envid.p)
        return E_NOMEM;
    m->size_declared = mail->size_bytes;
    m->bytes = m->staged = 0;
    m->auth_fields = STR("");
    m->auth_note = STR("");
    m->dmarc_reject = false;
    m->scan = (struct trace_scan){ 0 };
    m->began_ms = clock_mono_ms();
    if ((r = smtp_path_dup(a, &mail->path, &m->sender)) < 0 || (r = smtp_path_print(&m->sender, &text)) < 0)
        return r;
    m->sender_address = arena_dup(a, buf_str(&text));
    return text.n && !m->sender_address.p ? E_NOMEM : 0;
}

static struct smtp_recipient *find_mailbox(const struct smtp_message *m, const struct smtp_mailbox *box)
{
    for (struct smtp_recipient *r = m->recipients; r; r = r->next)
        if (str_eq(r->mailbox.id, box->id) && (box->id.n || str_eq(r->mailbox.address, box->address)))
            return r;
    return NULL;
}

static int add_answer(struct smtp_message *m, struct arena *a, const struct smtp_recipient *to)
{
    struct smtp_answer *one = ARENA_NEW(a, struct smtp_answer);

    if (!one)
        return E_NOMEM;
    one->rcpt = m->nanswers; /* the one that is being answered */
    one->to = to;
    *m->last_answer = one;
    m->last_answer = &one->next;
    return 0;
}

/* The worst of its mailboxes; when there are several, room in one of them may help. */
int smtp_message_outcome(const struct smtp_message *m, unsigned rcpt, const struct smtp_answer **at)
{
    const struct smtp_answer *a = *at ? (*at)->next : m->answers;
    unsigned n = 0;
    int status = 0;

    for (; a && a->rcpt <= rcpt; *at = a, a = a->next) {
        n += a->rcpt == rcpt;
        if (a->to->status < 0 && (status == 0 || status == E_QUOTA || status == E_TOO_BIG))
            status = a->to->status;
    }
    return status == E_TOO_BIG && n > 1 ? E_QUOTA : status;
}

int smtp_message_add(struct smtp_message *m, struct arena *a, const struct smtp_path *path,
                     const struct smtp_mailbox *box)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    struct smtp_mailbox elsewhere = { .id = STR("") };
    struct smtp_recipient *r;
    int e;

    if (!box) {
        if ((e = smtp_path_print(path, &text)) < 0)
            return e;
        elsewhere.address = buf_str(&text);
        box = &elsewhere;
    }
    if ((r = find_mailbox(m, box)))
        return add_answer(m, a, r);
    r = ARENA_NEW(a, struct smtp_recipient);
    if (!r)
        return E_NOMEM;
    if ((e = smtp_path_dup(a, path, &r->path)) < 0)
        return e;
    r->mailbox.limited = box->limited;
    r->mailbox.spam = box->spam;
    r->mailbox.id = arena_dup(a, box->id);
    r->mailbox.address = arena_dup(a, box->address);
    if ((box->id.n && !r->mailbox.id.p) || !r->mailbox.address.p)
        return E_NOMEM;
    for (size_t i = 0; i < box->nkey_states && i < SMTP_KEY_STATES_MAX; i++) {
        r->mailbox.key_states[i] = arena_dup(a, box->key_states[i]);
        if (!r->mailbox.key_states[i].p)
            return E_NOMEM;
        r->mailbox.nkey_states++;
    }
    if ((e = add_answer(m, a, r)) < 0)
        return e;
    *m->last = r;
    m->last = &r->next;
    m->nrcpt++;
    m->nboxes++;
    return 0;
}

/* RFC 3461 4.1: who said nothing hears of failures and delays. */
static uint32_t notify_both(uint32_t a, uint32_t b)
{
    uint32_t unsaid = SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, all;

    if (a == b)
        return a;
    all = (a ? a : unsaid) | (b ? b : unsaid);
    return all & ~(uint32_t)SMTP_NOTIFY_NEVER;
}

int smtp_message_forward(struct smtp_message *m, struct arena *a, const struct smtp_forward *from)
{
    struct smtp_forward *f;

    for (f = m->forwards; f; f = f->next)
        if (f->webhook == from->webhook && str_eq(f->to, from->to)) {
            f->notify = notify_both(f->notify, from->notify);
            return 0;
        }
    if (!(f = ARENA_NEW(a, struct smtp_forward)))
        return E_NOMEM;
    *f = (struct smtp_forward){ .webhook = from->webhook,
                                .to = arena_dup(a, from->to),
                                .alias = arena_dup(a, from->alias),
                                .domain = arena_dup(a, from->domain),
                                .notify = from->notify,
                                .orcpt = from->orcpt };
    if (!f->to.p || !f->alias.p || !f->domain.p)
        return E_NOMEM;
    *m->last_forward = f;
    m->last_forward = &f->next;
    m->nrcpt++;
    m->nforwards++;
    return 0;
}

/* Somebody who has several addresses wants to know which one it was. */
static int original_to(struct buf *out, const struct smtp_recipient *r)
{
    CLEANUP(buf_release) struct buf text = { .max = KIB(1) };
    int e;

    if (r->path.domain.n == 0 || (e = smtp_path_print(&r->path, &text)) < 0 ||
        str_ieq(buf_str(&text), r->mailbox.address) || !smtp_utf8_clean(buf_str(&text)))
        return 0;
    if ((e = buf_putz(out, "X-Original-To: ")) < 0 || (e = buf_puts(out, buf_str(&text))) < 0)
        return e;
    return buf_putz(out, "\r\n");
}

int smtp_forward_prepend(const struct smtp_message *m, struct arena *a, struct str alias, struct str *out)
{
    CLEANUP(buf_release) struct buf text = { .max = SMTP_PREPEND_MAX };
    int r;

    if ((r = trace_delivered_to(&text, alias)) < 0 || (r = buf_puts(&text, m->auth_fields)) < 0 ||
        (r = trace_received(&text, &m->hop)) < 0)
        return r;
    *out = arena_dup(a, buf_str(&text));
    return out->p ? 0 : E_NOMEM;
}

int smtp_message_prepend(const struct smtp_message *m, struct arena *a, const struct smtp_recipient *rcpt,
                         struct str *out)
{
    CLEANUP(buf_release) struct buf text = { .max = SMTP_PREPEND_MAX };
    struct trace_hop hop = m->hop;
    struct str s;
    int r;

    hop.only_recipient = m->nrcpt == 1 ? &rcpt->path : NULL; /* RFC 5321 7.2: tell nobody of the others */
    if ((r = trace_return_path(&text, &m->sender)) < 0 ||
        (r = trace_delivered_to(&text, rcpt->mailbox.address)) < 0 || (r = original_to(&text, rcpt)) < 0 ||
        (r = buf_puts(&text, rcpt->fields)) < 0 ||
        (r = buf_puts(&text, m->auth_fields)) < 0 || /* RFC 7208 9.1: above our Received */
        (r = trace_received(&text, &hop)) < 0)
        return r;
    s = arena_dup(a, buf_str(&text));
    if (!s.p)
        return E_NOMEM;
    *out = s;
    return 0;
}
