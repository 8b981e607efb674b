#include "src/mx/deliver.h"
#include "lib/base/errors.h"
#include "lib/rpc/pb.h"

static int recipient_fill(struct arena *a, const struct smtp_message *m, const struct smtp_recipient *r,
                          Store__Recipient *out)
{
    struct str prepend;
    int e = smtp_message_prepend(m, a, r, &prepend);

    if (e < 0)
        return e;
    store__recipient__init(out);
    out->mailbox_id = str_pb(r->mailbox.id);
    out->address = str_pb(r->mailbox.address);
    out->prepend = str_pb(prepend);
    out->limited = r->mailbox.limited;
    if (r->junk)
        out->special_use = STORE__SPECIAL_USE__USE_JUNK;
    out->n_key_states = r->mailbox.nkey_states;
    out->key_states = ARENA_ARRAY(a, r->mailbox.nkey_states + 1, ProtobufCBinaryData);
    if (!out->key_states)
        return E_NOMEM;
    for (size_t i = 0; i < r->mailbox.nkey_states; i++)
        out->key_states[i] = str_pb(r->mailbox.key_states[i]);
    return 0;
}

int mx_deliver_request(struct arena *a, const struct smtp_message *m, struct str staging,
                       Store__DeliverRequest *q)
{
    Store__Recipient *rows = ARENA_ARRAY(a, m->nboxes, Store__Recipient);
    size_t n = 0;
    int e;

    q->recipients = ARENA_ARRAY(a, m->nboxes, Store__Recipient *);
    if (!rows || !q->recipients)
        return E_NOMEM;
    for (const struct smtp_recipient *r = m->recipients; r; r = r->next, n++) {
        if ((e = recipient_fill(a, m, r, &rows[n])) < 0)
            return e;
        q->recipients[n] = &rows[n];
    }
    q->n_recipients = n;
    q->staging = str_pb(staging);
    q->sender = str_pb(m->sender_address);
    q->has_message_id = m->scan.has_message_id;
    q->received_ms = m->received_ms;
    q->each = m->each;
    return 0;
}

int mx_deliver_results(struct smtp_message *to, const Store__DeliverResponse *m)
{
    size_t i = 0;

    if (!m || m->n_results != to->nboxes)
        return E_BUG; /* nobody is told that it is there */
    for (struct smtp_recipient *r = to->recipients; r; r = r->next)
        r->status = m->results[i++];
    return 0;
}
