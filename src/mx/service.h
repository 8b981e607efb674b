/* src/mx/service.h
 *
 * What makes a session of src/common/smtp_session.h one of the mx: who sent it is looked into (auth.h), and
 * the verdict is said (verdict.h). */
#ifndef SRC_MX_SERVICE_H
#define SRC_MX_SERVICE_H
#include "lib/smtp/xclient.h"
#include "src/mx/auth.h"
#include "src/mx/conf.h"
#include "src/mx/dsn.h"
#include "src/mx/filter.h"
#include "src/mx/forward.h"
#include "src/mx/policy.h"
#include "src/mx/recipients.h"
#include "src/mx/spam.h"
#include "src/mx/vacation.h"

/* Of one session; the owner's. */
struct mx_own {
    const struct mx_conf *conf;
    const struct psl *psl;              /* borrowed; may be NULL */
    bool auth_exempt;                   /* this client's messages are not checked (mx.auth_exempt) */
    struct mx_auth *auth;               /* checks of this message; NULL: none */
    const struct mx_resolved *resolved; /* what the directory said of the recipient; while it is told */
    struct mx_forwarding *forwarding;   /* of this message; NULL: nothing leaves */
    const uint8_t *delivery_key;        /* of 32 bytes; NULL: none, and no repeat is known for one */
    struct mx_vacations *vacations;     /* of this message; NULL: nobody is away */
    struct mx_dsn *dsn;                 /* of this message; NULL: nobody hears that it arrived */
    struct mx_policy policy;
    struct mx_spam spam;
    struct mx_filter filter;
    struct smtp_reply spam_refusal;
    char spam_said[400];
    /* XCLIENT: NULL: this client may not. Makes him the one that *x says: 0, or E_LIMIT (too many from there). */
    int (*become)(struct smtp_session *s, const struct smtp_xclient *x);
};

/* Before smtp_session_start. */
void mx_xclient(struct smtp_session *s, struct str args);
void mx_session_serve(struct smtp_session *s, struct mx_own *own);
static inline struct mx_own *mx_own(const struct smtp_session *s)
{
    return s->own;
}
#endif
