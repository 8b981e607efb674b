/* src/submission/service.h
 *
 * What makes a session of src/common/smtp_session.h one of submission (RFC 6409): nobody sends before he has logged in
 * over TLS, only as himself, and not more than he may. Knows no RPC: what it asks of the world is in
 * struct submission_io. */
#ifndef SRC_SUBMISSION_SERVICE_H
#define SRC_SUBMISSION_SERVICE_H
#include "src/submission/conf.h"
#include "src/submission/letter.h"
#include "src/submission/login.h"

#define SUBMISSION_HOLD_MAX_S (30u * 86400u)
#define SUBMISSION_AS_MAX     (LETTER_FROM_MAX + 2u)

/* Both are answered later, never from inside the call; negative: there will be no answer. */
struct submission_io {
    int (*login)(void *ctx, struct str address, struct str password); /* then submission_logged_in */
    int (*sender)(void *ctx, const struct str *as, size_t nas,
                  uint32_t recipients); /* then submission_counted */
};

/* The directory's answer about whoever sends. Borrowed. */
struct submission_sender {
    struct smtp_mailbox mailbox; /* its own */
    bool as_domain, copy;
    uint32_t foreign; /* from 1 */
    bool refused;     /* a limit: */
    const char *scope, *of;
    uint64_t limit;
    int64_t opens_ms;
    char language[36]; /* of reports; empty: not said */
};

/* Of one session; the owner's. Zeros, and conf, io, ctx. */
struct submission_own {
    const struct submission_conf *conf;
    const struct submission_io *io;
    void *ctx;
    struct login login;
    uint64_t failed;
    char address[LOGIN_ADDRESS_MAX + 1]; /* who has logged in, as the directory writes it; "": nobody */
    bool as_domain, copy;
    char language[36];
    struct letter letter;
    bool has_letter;
    bool asked, known, counted;
    int status;
    const struct smtp_reply *no;
    struct smtp_reply built;
    char text[200];
    struct smtp_mailbox sent; /* copy: the mailbox that it goes to, in the transaction's arena */
    bool sender_said;         /* as[0] was the envelope's */
};

/* Before smtp_session_start. */
void submission_serve(struct smtp_session *s, struct submission_own *own);
static inline struct submission_own *submission_own(const struct smtp_session *s)
{
    return s->own;
}
/* 0: it was right, and this is who. E_AUTH: no. Else: try later. */
void submission_logged_in(struct smtp_session *s, int status, const struct submission_sender *who);
void submission_counted(struct smtp_session *s, int status, const struct submission_sender *who);
#endif
