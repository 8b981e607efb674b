/* src/mx/recipients.h
 *
 * What the directory says of one recipient, and what RCPT is answered: mailboxes, what leaves by the courier, aliases that
 * are disabled or let this sender not in. */
#ifndef SRC_MX_RECIPIENTS_H
#define SRC_MX_RECIPIENTS_H
#include "src/common/smtp_session.h"

enum mx_outcome { MX_TAKE, MX_DISABLED, MX_REFUSED, MX_LOOP };

/* Beside enum smtp_found, which says SMTP_FOUND for all of these. Borrowed. */
struct mx_resolved {
    enum mx_outcome outcome;
    unsigned answer;   /* MX_DISABLED: 250, 421, 550 */
    struct str person; /* of the first mailbox, else the alias that takes it; empty: nobody here */
    const struct smtp_mailbox *boxes;
    size_t nboxes;
    const struct smtp_forward *forwards;
    size_t nforwards;
    const struct mx_vacation *vacations; /* who is away, or will be */
    size_t nvacations;
};

/* What who writes to an alias is answered, within its time. */
struct mx_vacation {
    struct str alias, subject, text;
    int64_t begins_ms, ends_ms, made_ms; /* 0: open */
    bool direct;                         /* it was written to, not what leads to it */
};

/* Service's `take`: answers for mx_own(s)->resolved; false when there is none. */
bool mx_recipient_take(struct smtp_session *s);
/* Service's `concerned`. */
struct str mx_recipient_concerned(struct smtp_session *s);
#endif
