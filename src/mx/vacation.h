/* src/mx/vacation.h
 *
 * Automatic replies of people who are away (RFC 3834), decided where mail comes in: from what the directory says of the
 * alias and the message's header, so for a closed mailbox, too. The mailbox is not asked. Rules and text:
 * lib/mime/vacation.h; once in four days for a sender: the courier's queue. */
#ifndef SRC_MX_VACATION_H
#define SRC_MX_VACATION_H
#include "src/common/smtp_session.h"

#define MX_VACATION_DAYS 4u
#define MX_VACATION_ONCE 16u

struct mx_resolved;
struct mx_vacations;
/* A recipient was taken. Where there is no memory nobody is answered. */
void mx_vacation_take(struct smtp_session *s, const struct mx_resolved *r);
void mx_vacation_feed(struct smtp_session *s, struct str in);
void mx_vacation_forget(struct smtp_session *s);

struct mx_vacation_reply {
    struct str alias, to;
    uint8_t once[MX_VACATION_ONCE];
    struct buf text; /* the whole message; the caller's */
};
/* The next one that is due for the message, which was delivered; *at starts at 0. False: there is none. */
bool mx_vacation_next(struct smtp_session *s, size_t *at, struct mx_vacation_reply *out);

/* vacation_call.c: all of them, to the queue; nobody waits. courier: its link. */
struct rpc_link;
void mx_vacation_send(struct smtp_session *s, struct rpc_link *courier);
#endif
