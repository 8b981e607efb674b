/* src/mx/service.h
 *
 * What makes a session of src/common/smtp_session.h one of the mx: who sent it is looked into (auth.h), and
 * the verdict is said (verdict.h). */
#ifndef SRC_MX_SERVICE_H
#define SRC_MX_SERVICE_H
#include "src/mx/auth.h"
#include "src/mx/conf.h"

/* Of one session; the owner's. */
struct mx_own {
    const struct mx_conf *conf;
    const struct psl *psl; /* borrowed; may be NULL */
    bool auth_exempt;      /* this client's messages are not checked (mx.auth_exempt) */
    struct mx_auth *auth;  /* checks of this message; NULL: none */
};

/* Before mx_session_start. */
void mx_session_serve(struct mx_session *s, struct mx_own *own);
static inline struct mx_own *mx_own(const struct mx_session *s)
{
    return s->own;
}
#endif
