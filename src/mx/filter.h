/* src/mx/filter.h
 *
 * What other scanners say of a message: ClamAV and rspamd, asked by way of the filter role beside the bytes that go to
 * the store. What ClamAV finds something in is refused, or what mx.clamav_action says; rspamd's score is a named reason of
 * spam.h. Nothing here may cost a message: what is down, slow or talks nonsense is left out. doc/spam.md. */
#ifndef SRC_MX_FILTER_H
#define SRC_MX_FILTER_H
#include "src/mx/conf.h"

#define MX_FILTER_NAME_MAX 100u

enum mx_filter_state { MX_FILTER_OFF, MX_FILTER_ANSWERED, MX_FILTER_FOUND, MX_FILTER_FAILED };

/* Borrowed. */
struct mx_filtered {
    enum mx_filter_state clamav, rspamd;
    struct str name, clamav_why, action, symbols, rspamd_why;
    int score; /* hundredths */
};

/* How a session reaches the filter role (filter_call.h). */
struct smtp_session;
struct mx_side_call;
struct mx_filter_io {
    int (*scan)(struct mx_side_call *c, const struct smtp_session *s); /* then mx_filter_answered */
    int (*send)(struct mx_side_call *c, struct str bytes);
    void (*end)(struct mx_side_call *c);
    void (*cancel)(struct mx_side_call *c);
};

/* Of one session. Zeroed; then the first two lines are the owner's. */
struct mx_filter {
    const struct mx_filter_io *io; /* NULL: nobody is asked */
    struct mx_side_call *call;
    /* of the transaction */
    bool running, asked;
    uint64_t sent;
    enum mx_filter_state clamav, rspamd;
    int score;
    char name[MX_FILTER_NAME_MAX + 1], action[40];
    const char *why; /* static: of both */
};

/* The message begins, its bytes (what goes on to the store), its end. */
void mx_filter_start(struct smtp_session *s);
void mx_filter_feed(struct smtp_session *s, struct str in, bool end);
/* The answer; status < 0: none came. */
void mx_filter_answered(struct smtp_session *s, int status, const struct mx_filtered *f);
bool mx_filter_settled(struct smtp_session *s);
void mx_filter_give_up(struct smtp_session *s);
/* Before mx_spam_verdict, which hears of it. NULL, or the refusal. */
const struct smtp_reply *mx_filter_verdict(struct smtp_session *s);
/* After it: what the header says besides, and the folder of what is infected. */
void mx_filter_mark(struct smtp_session *s);
void mx_filter_forget(struct smtp_session *s);
#endif
