#include "src/mx/resolved.h"
#include "lib/base/errors.h"
#include "lib/rpc/pb.h"

#define MAILBOX_ID 12u

static const struct {
    Directory__ResolveResponse__Result result;
    enum smtp_found found;
    enum mx_outcome outcome;
} results[] = {
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__OK, SMTP_FOUND, MX_TAKE },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__DISABLED, SMTP_FOUND, MX_DISABLED },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__REFUSED, SMTP_FOUND, MX_REFUSED },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__LOOP, SMTP_FOUND, MX_LOOP },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_DOMAIN, SMTP_NO_DOMAIN, MX_TAKE },
    { DIRECTORY__RESOLVE_RESPONSE__RESULT__NO_ALIAS, SMTP_NO_ALIAS, MX_TAKE },
    /* what a newer directory may say is "try later", too, never "no" */
};

static int mailbox_of(const Directory__ResolvedMailbox *m, struct smtp_mailbox *box)
{
    if (m->mailbox_id.len != MAILBOX_ID || m->n_key_states > SMTP_KEY_STATES_MAX || m->address.len == 0)
        return E_BUG;
    *box = (struct smtp_mailbox){ .id = pb_str(m->mailbox_id), .address = pb_str(m->address) };
    box->limited = m->limited;
    box->room = m->room;
    box->limit = m->limit;
    for (size_t i = 0; i < m->n_key_states; i++) {
        if (m->key_states[i].len > SMTP_KEY_STATE_MAX || m->key_states[i].len == 0)
            return E_BUG;
        box->key_states[box->nkey_states++] = pb_str(m->key_states[i]);
    }
    return 0;
}

static int boxes_of(struct arena *a, const Directory__ResolveResponse *m, struct mx_resolved *out)
{
    Directory__ResolvedMailbox first = DIRECTORY__RESOLVED_MAILBOX__INIT;
    struct smtp_mailbox *v = ARENA_ARRAY(a, m->n_more + 1, struct smtp_mailbox);
    int r;

    if (!v)
        return E_NOMEM;
    first.mailbox_id = m->mailbox_id;
    first.key_states = m->key_states;
    first.n_key_states = m->n_key_states;
    first.address = m->address;
    first.limited = m->limited;
    first.room = m->room;
    first.limit = m->limit;
    if (m->mailbox_id.len && (r = mailbox_of(&first, &v[out->nboxes++])) < 0)
        return r;
    for (size_t i = 0; i < m->n_more; i++)
        if ((r = mailbox_of(m->more[i], &v[out->nboxes++])) < 0)
            return r;
    for (size_t i = 0; m->spam && i < out->nboxes; i++)
        v[i].spam = (struct smtp_points){ (int)m->spam->header, (int)m->spam->junk, (int)m->spam->reject };
    out->boxes = v;
    return 0;
}

static int forwards_of(struct arena *a, const Directory__ResolveResponse *m, struct mx_resolved *out)
{
    struct smtp_forward *v = ARENA_ARRAY(a, m->n_forwards + 1, struct smtp_forward);

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < m->n_forwards; i++) {
        const Directory__ResolvedForward *f = m->forwards[i];

        if (!f->to.len || !f->alias.len || !f->domain.len)
            return E_BUG;
        v[out->nforwards++] =
            (struct smtp_forward){ .webhook = f->kind == DIRECTORY__ALIAS_TARGET__KIND__WEBHOOK,
                                   .to = pb_str(f->to),
                                   .alias = pb_str(f->alias),
                                   .domain = pb_str(f->domain) };
    }
    out->forwards = v;
    return 0;
}

static int vacations_of(struct arena *a, const Directory__ResolveResponse *m, struct mx_resolved *out)
{
    struct mx_vacation *v = ARENA_ARRAY(a, m->n_vacations + 1, struct mx_vacation);

    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < m->n_vacations; i++)
        v[i] = (struct mx_vacation){ .alias = pb_str(m->vacations[i]->alias),
                                     .subject = pb_str(m->vacations[i]->subject),
                                     .text = pb_str(m->vacations[i]->text),
                                     .begins_ms = m->vacations[i]->begins_ms,
                                     .ends_ms = m->vacations[i]->ends_ms,
                                     .made_ms = m->vacations[i]->made_ms,
                                     .direct = m->vacations[i]->direct };
    out->vacations = v;
    out->nvacations = m->n_vacations;
    return 0;
}

int mx_resolved_of(struct arena *a, const Directory__ResolveResponse *m, enum smtp_found *found_out,
                   struct mx_resolved *out)
{
    struct mx_resolved v = { .outcome = MX_TAKE, .answer = m->answer };
    enum smtp_found found = SMTP_NOT_READY;
    int r;

    v.person = pb_str(m->address);
    for (size_t i = 0; i < ARRAY_LEN(results); i++)
        if (results[i].result == m->result) {
            found = results[i].found;
            v.outcome = results[i].outcome;
        }
    if (m->result == DIRECTORY__RESOLVE_RESPONSE__RESULT__OK &&
        ((r = boxes_of(a, m, &v)) < 0 || (r = forwards_of(a, m, &v)) < 0 ||
         (r = vacations_of(a, m, &v)) < 0 || v.nboxes + v.nforwards == 0))
        return r < 0 ? r : E_BUG;
    *found_out = found;
    *out = v;
    return 0;
}
