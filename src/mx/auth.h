/* src/mx/auth.h
 *
 * Who sent this message? SPF, DKIM, ARC and DMARC (lib/mailauth) beside the bytes that go to the store: look-ups
 * for SPF go out when DATA begins, hashes are made as slices pass, forged results of our name are taken out on the way, and
 * after the last byte the rest of the answers is waited for, not longer than mx.auth_timeout. Nothing here can
 * fail a message but a policy of DMARC: without DNS or memory the results say temperror, or are not there. */
#ifndef SRC_MX_AUTH_H
#define SRC_MX_AUTH_H
#include "lib/mailauth/authres.h"
#include "lib/mailauth/check.h"
#include "src/common/smtp_message.h"

#define MX_AUTH_FIELDS_MAX KIB(10) /* of what is put before a message; the store takes 16 KiB in all */

struct smtp_session;
struct mx_own;
struct mx_auth {
    struct mailauth_check check;
    struct authres_filter filter;
    struct buf passed; /* a slice without forged fields */
    bool done;         /* the results are known, or nothing more is waited for */
};

/* Begin for the message of this transaction. Without memory there is none, and the message goes on without. */
void mx_auth_start(struct smtp_session *s);
void mx_auth_free(struct smtp_session *s);
/* Bytes of the message; what goes on to the store. E_NOMEM, E_LIMIT. */
MUST_CHECK int mx_auth_feed(struct smtp_session *s, struct str in, struct str *out);
/* The last byte has come: what is left to go on. */
MUST_CHECK int mx_auth_end(struct smtp_session *s, struct str *out);
/* Is everything known? When not, answers are under way, and mx_session_looked_up comes. */
bool mx_auth_settled(struct smtp_session *s);
/* Out of time. */
void mx_auth_give_up(struct smtp_session *s);
/* The answer of a look-up that s->io->lookup began. */
void mx_session_looked_up(struct smtp_session *s, struct lookup *q, const struct lookup_answer *answer);
/* Results into the message: fields to prepend, what DMARC asks for; one line for the log. */
void mx_auth_conclude(struct smtp_session *s);
#endif
