/* src/mx/service.h
 *
 * What makes a session of src/common/smtp_session.h one of the mx: who sent it is looked into (auth.h), and
 * the verdict is said (verdict.h). */
#ifndef SRC_MX_SERVICE_H
#define SRC_MX_SERVICE_H
#include "lib/smtp/xclient.h"
#include "src/mx/auth.h"
#include "src/mx/conf.h"
#include "src/mx/policy.h"

/* Of one session; the owner's. */
struct mx_own {
    const struct mx_conf *conf;
    const struct psl *psl; /* borrowed; may be NULL */
    bool auth_exempt;      /* this client's messages are not checked (mx.auth_exempt) */
    struct mx_auth *auth;  /* checks of this message; NULL: none */
    struct mx_policy policy;
    /* XCLIENT: NULL: this client may not. Makes him the one that *x says: 0, or E_LIMIT (too many from there). */
    int (*become)(struct mx_session *s, const struct smtp_xclient *x);
};

/* Before mx_session_start. */
void mx_xclient(struct mx_session *s, struct str args);
void mx_session_serve(struct mx_session *s, struct mx_own *own);
static inline struct mx_own *mx_own(const struct mx_session *s)
{
    return s->own;
}
#endif
