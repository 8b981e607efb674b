#include "src/mx/recipients.h"
#include "lib/base/log.h"
#include "src/mx/service.h"

static const struct smtp_reply
    say_ok = { 250, "2.1.5", "Recipient ok" },
    no_later = { 451, "4.3.0", "Temporary trouble on our side, try later" },
    no_room = { 452, "4.2.2", "That mailbox is full, try later" },
    no_fit = { 552, "5.2.2", "That message is larger than all that mailbox may hold" },
    /* The connection goes on: who else is in this message is not kept waiting for it. */
    no_disabled_now = { 421, "4.2.1", "That mailbox is disabled for now, try later" },
    no_disabled = { 550, "5.2.1", "That mailbox is disabled" },
    no_more = { 452, "4.5.3", "Too many recipients: send the rest in another message" },
    no_access = { 550, "5.7.1", "That recipient takes no mail from this sender" },
    no_loop = { 554, "5.4.6", "That address leads in circles" };

/* What certainly does not fit into one of its mailboxes. */
static const struct smtp_reply *check_room(const struct smtp_session *s, const struct mx_resolved *r)
{
    uint64_t size = s->m.size_declared;
    const struct smtp_reply *no = NULL;

    for (size_t i = 0; i < r->nboxes; i++) {
        const struct smtp_mailbox *b = &r->boxes[i];

        if (b->limited && size > b->limit)
            return &no_fit; /* for ever: nothing that is removed there would help */
        if (b->limited && (b->room == 0 || size > b->room))
            no = &no_room;
    }
    return no;
}

static const struct smtp_reply *take_all(struct smtp_session *s, const struct mx_resolved *r)
{
    uint32_t notify = 0;

    for (size_t i = 0; i < r->nboxes; i++)
        if (smtp_message_add(&s->m, &s->arena, &s->pending, &r->boxes[i]) < 0)
            return &no_later;
    if (mx_dsn_take(s, r, &notify) < 0)
        return &no_later;
    for (size_t i = 0; i < r->nforwards; i++) {
        struct smtp_forward f = r->forwards[i];

        f.notify = notify;
        f.orcpt = s->pending_orcpt;
        if (smtp_message_forward(&s->m, &s->arena, &f) < 0)
            return &no_later;
    }
    mx_vacation_take(s, r);
    return &say_ok;
}

static const struct smtp_reply *take(struct smtp_session *s, const struct mx_resolved *r)
{
    const struct smtp_reply *no;

    switch (r->outcome) {
    case MX_REFUSED: return &no_access;
    case MX_LOOP: return &no_loop;
    case MX_DISABLED:
        if (r->answer != 250)
            return r->answer == 421 ? &no_disabled_now : &no_disabled;
        s->m.nrcpt++;
        s->m.ndiscards++;
        return &say_ok;
    case MX_TAKE: break;
    }
    if (s->m.nrcpt && s->m.nrcpt + r->nboxes + r->nforwards > s->conf->max_recipients)
        return &no_more;
    return (no = check_room(s, r)) ? no : take_all(s, r);
}

struct str mx_recipient_concerned(struct smtp_session *s)
{
    const struct mx_resolved *r = mx_own(s)->resolved;

    return r && r->person.n && mx_policy_note(s) ? r->person : STR_NONE;
}

bool mx_recipient_take(struct smtp_session *s)
{
    static const char *const names[] = { "take", "disabled", "refused", "loop" };
    const struct mx_resolved *r = mx_own(s)->resolved;
    const struct smtp_reply *say;

    if (!r)
        return false;
    if (r->outcome != MX_TAKE)
        log_event(LOG_INFO, "mx.recipient", F_Z("id", s->m.id), F_Z("why", names[r->outcome]),
                  F_U64("answer", r->answer));
    if ((say = take(s, r)) == &say_ok)
        smtp_rcpt_taken(s, say);
    else
        smtp_say(s, say);
    return true;
}
