/* src/mx/spam.h
 *
 * Is it spam? Beside the bytes that go to the store they go to the content role, which says what speaks for and
 * against (lib/spam); who sent it, what the server's classifier learnt, lists of bad hosts and other scanners add to
 * that, and the sum is compared with what each recipient set: the header says so, the Junk folder, or 550. Nothing here
 * may cost a message: where a part is slow or gone, the message is taken without it and its header says so.
 *
 * The classifier's file is the mx's alone. It learns from what no mailbox holds: messages that rules (not words)
 * were enough to refuse, and what comes to addresses that are there to catch spam. The rest an operator shows it
 * (letterlock spam learn). doc/spam.md. */
#ifndef SRC_MX_SPAM_H
#define SRC_MX_SPAM_H
#include "lib/mailauth/lookup.h"
#include "lib/spam/fields.h"
#include "lib/spam/links.h"
#include "lib/spam/model.h"
#include "src/mx/conf.h"
#include "src/mx/peer_check.h"

/* What came of a scan. Borrowed. */
struct mx_scanned {
    const uint32_t *rules;
    size_t nrules;
    const uint64_t *tokens;
    size_t ntokens;
    const struct str *hosts;
    size_t nhosts;
};

/* How a session reaches the scanner (scan_call.h). */
struct mx_side_call;
struct mx_spam_io {
    int (*scan)(struct mx_side_call *c, struct str domain,
                const uint8_t key[SPAM_KEY_BYTES]); /* then mx_spam_scanned */
    int (*send)(struct mx_side_call *c, struct str bytes);
    void (*end)(struct mx_side_call *c);
    void (*cancel)(struct mx_side_call *c);
};

/* Of the whole role. */
struct mx_spam_all {
    const struct mx_spam_io *io; /* NULL: nothing is scanned */
    struct spam_model *model;    /* NULL: words say nothing */
    struct peer_lists url_lists;
    int header, junk, reject; /* of who set nothing; hundredths */
};

/* Of one session. Zeroed; then the first three lines are the owner's. */
struct mx_spam {
    const struct mx_spam_all *all;
    struct mx_side_call *call;
    bool exempt;
    /* of the transaction */
    bool trap; /* somebody is among the recipients who does not exist and is known to spammers alone */
    bool on, scanning, scanned;
    bool junk;           /* it would be for a mailbox that sets nothing: for what leads elsewhere */
    const char *why_not; /* not scanned: why */
    uint64_t sent;
    struct spam_fields fields;
    struct buf passed;
    struct spam_hits hits;
    uint64_t *tokens;
    size_t ntokens;
    struct lookups lookups; /* of lists of hosts */
    char (*hosts)[SPAM_HOST_MAX];
    size_t nhosts;
    double p;
};

struct smtp_session;
/* The file of the classifier, from the supervisor; -1: none. Settings that make no sense: E_RANGE. */
MUST_CHECK int mx_spam_open(struct mx_spam_all *all, const struct mx_conf *conf, int fd);
void mx_spam_close(struct mx_spam_all *all);

/* RCPT: is it a trap? */
void mx_spam_rcpt(struct smtp_session *s, const struct smtp_path *path);
/* The message begins, its bytes, its end: what goes on to the store. Errors: those of buf. */
void mx_spam_start(struct smtp_session *s);
MUST_CHECK int mx_spam_feed(struct smtp_session *s, struct str in, bool end, struct str *out);
/* The answer. status < 0: none came. */
void mx_spam_scanned(struct smtp_session *s, int status, const struct mx_scanned *found);
bool mx_spam_settled(struct smtp_session *s);
bool mx_spam_looked_up(struct smtp_session *s, struct lookup *q, const struct lookup_answer *a);
void mx_spam_give_up(struct smtp_session *s);
/* After the checks of who sent it. NULL: every recipient's fields and folder are set; else the refusal. */
const struct smtp_reply *mx_spam_verdict(struct smtp_session *s);
void mx_spam_forget(struct smtp_session *s);
#endif
