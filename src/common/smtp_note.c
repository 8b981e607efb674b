/* src/common/smtp_note.c: what a session decided, counted and told to the journal of the person concerned. Recipients
 * that nobody here has are counted only: guesses of strangers fill no journal. Who logged in to send reads of his own
 * letters, by recipient; a recipient here reads of those only that came. */
#include "lib/base/clock.h"
#include "src/common/report.h"
#include "src/common/smtp_session.h"

static const char *event_of(unsigned code)
{
    return code < 400 ? "accepted" : code < 500 ? "deferred" : "refused";
}

static void note(const struct smtp_session *s, struct str person, struct str other, unsigned code,
                 struct str why)
{
    struct note n = { .person = person,
                      .other = other,
                      .event = str_from(event_of(code)),
                      .id = str_from(s->m.id),
                      .why = why,
                      .client = s->peer_ip,
                      .name = s->helo,
                      .auth = s->m.auth_note,
                      .bytes = s->m.bytes,
                      .tls = s->tls };

    report_note(&n);
}

/* A recipient that was refused to who sends; the command may have named none. */
static void note_sender(const struct smtp_session *s, unsigned code, struct str why)
{
    CLEANUP(buf_release) struct buf other = { .max = 2 * SMTP_PATH_MAX };
    struct str person = s->service->person(s);

    if (person.n && (!s->pending.domain.n || smtp_path_print(&s->pending, &other) == 0))
        note(s, person, buf_str(&other), code, why);
}

void smtp_note_recipient(struct smtp_session *s, unsigned code, const char *enh, struct str text)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(2) };
    enum count_id c = code < 400   ? COUNT_RECIPIENTS_TAKEN
                      : code < 500 ? COUNT_RECIPIENTS_LATER
                                   : COUNT_RECIPIENTS_REFUSED;
    struct str person = s->noting;

    if (!s->in_rcpt)
        return;
    s->in_rcpt = false;
    s->noting = STR_NONE;
    count_one(c);
    if (code >= 400 && !person.n && s->service->concerned)
        person = s->service->concerned(s);
    if (code < 400 || buf_printf(&why, "%u %s %.*s", code, enh ? enh : "", STR_ARG(text)) < 0)
        return;
    if (s->service->person)
        note_sender(s, code, buf_str(&why));
    else if (person.n)
        note(s, person, s->m.sender_address, code, buf_str(&why));
}

void smtp_note_message(struct smtp_session *s, unsigned code, const char *enh, struct str text)
{
    CLEANUP(buf_release) struct buf why = { .max = KIB(2) };
    struct str sender = STR_NONE;

    count_one(code < 400 ? COUNT_MESSAGES_TAKEN : code < 500 ? COUNT_MESSAGES_LATER : COUNT_MESSAGES_REFUSED);
    if (code < 400) {
        count_add(COUNT_MESSAGE_BYTES, s->m.bytes);
        time_took(TIME_MESSAGE, (clock_mono_ms() - s->m.began_ms) * 1000);
    } else if (buf_printf(&why, "%u %s %.*s", code, enh ? enh : "", STR_ARG(text)) < 0)
        return;
    if (s->service->person)
        sender = s->service->person(s);
    for (const struct smtp_recipient *r = s->m.recipients; r; r = r->next) {
        if (sender.n)
            note(s, sender, r->mailbox.address, code, buf_str(&why));
        if (r->mailbox.id.n && (!s->service->person || code < 400))
            note(s, r->mailbox.address, s->m.sender_address, code, buf_str(&why));
    }
}
