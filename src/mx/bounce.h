/* src/mx/bounce.h
 *
 * Mail to a rewritten sender (SRS): a bounce of something that was forwarded here. The courier, who has the key, says who
 * sent it (proto/courier.proto); the directory, whether that one is ours; and if he is not, the bounce leaves to him by
 * the queue. Only bounces: whoever else writes there wants to be relayed.
 *
 * Mail to bounce+TOKEN, the sender that people here send under: it goes to who sent, whoever wrote it (there are automatic
 * answers); reports go to the courier, too. */
#ifndef SRC_MX_BOUNCE_H
#define SRC_MX_BOUNCE_H
#include "lib/rpc/rpc.h"
#include "src/mx/service.h"

/* Of service's `rcpt`: false: refused. */
bool mx_bounce_rcpt(struct smtp_session *s, const struct smtp_command *c);
/* Is this recipient for the courier to say? */
bool mx_bounce_is(struct str address);

/* One recipient, being looked for; zeroed, with done, ctx and deadline set. */
struct mx_bounce {
    /* 0: to is who the bounce is for, and may be asked of the directory. E_NOTFOUND: nobody; else E_*: nobody can say. */
    void (*done)(void *ctx, int status, struct str to);
    void *ctx;
    int64_t deadline_ms;
    /* its own */
    struct rpc_link *link;
    struct rpc_call *call;
    char at[SMTP_PATH_MAX + 1], to[SMTP_PATH_MAX + 1]; /* the recipient; the answer. Empty: none */
    struct smtp_forward forward;
};
/* link: to the courier. E_NOMEM, E_LIMIT. */
MUST_CHECK int mx_bounce_ask(struct mx_bounce *b, struct rpc_link *link, struct str address);
/* It is no longer wanted, or is another recipient's turn. */
void mx_bounce_forget(struct mx_bounce *b);
/* What the directory said of him. Nobody here: then the bounce leaves. Here, and it is of something that was sent here: the
 * courier gets a copy, too; from `a`. E_NOMEM. */
MUST_CHECK int mx_bounce_resolved(struct mx_bounce *b, const struct smtp_session *s, struct arena *a,
                                  enum smtp_found *found, struct mx_resolved *out);
#endif
