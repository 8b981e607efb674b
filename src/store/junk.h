/* src/store/junk.h
 *
 * The person's own classifier (sql/mailbox/0010_junk.sql): what is to be learnt is noted with what teaches it, in
 * the same transaction, and learnt behind it, a few letters at a time; what comes is judged when it comes. Where
 * the counts come from, and what follows from them: lib/spam/person.h. Whatever is counted stays in the mailbox. */
#ifndef SRC_STORE_JUNK_H
#define SRC_STORE_JUNK_H
#include "lib/spam/person.h"
#include "src/store/mailbox.h"

#define JUNK_BATCH_MAX   20u
#define JUNK_TOKENS_MAX  200000u /* rows: then those that one letter had make room */
#define JUNK_SENDERS_MAX 20000u
#define JUNK_LEARNT_MAX  50000u

enum junk_class { JUNK_CLASS_NONE, JUNK_CLASS_JUNK, JUNK_CLASS_HAM };

/* Numbers are those in junk_queue. */
enum junk_wish {
    JUNK_WISH_JUNK = 1,
    JUNK_WISH_HAM,
    JUNK_WISH_NOT_JUNK,  /* no longer marked: forget that it was learnt as junk */
    JUNK_WISH_NOT_HAM,   /* the same of ham */
    JUNK_WISH_MAYBE_HAM, /* answered: ham, unless something was learnt of it */
    JUNK_WISH_SENT,      /* the person wrote it: to whom? */
};

/* (w) Up to JUNK_BATCH_MAX letters that wait, fewer when budget_ms are over. How many; 0: none waits. */
MUST_CHECK int mailbox_junk_step(struct mailbox *box, int64_t budget_ms);
/* Does anything wait? 1, 0. */
MUST_CHECK int mailbox_junk_waiting(struct mailbox *box);

/* ---- for message.c; (w) ------------------------------------------------------------------------- */

/* Where a letter goes that comes by itself. */
struct junk_opinion {
    bool known; /* enough was learnt, and there is a score */
    double score;
    int placed, special_use; /* 0, 1, 2 as in email_junk; where it goes */
};
MUST_CHECK int junk_judge(struct mailbox *box, const struct email_in *e, int special_use,
                          struct junk_opinion *out);
MUST_CHECK int junk_judged(struct mailbox *box, int64_t email_id, const struct junk_opinion *o);

MUST_CHECK int junk_wish(struct mailbox *box, int64_t email_id, enum junk_wish wish);
/* Between folders of these uses. */
MUST_CHECK int junk_moved(struct mailbox *box, int64_t email_id, int from_use, int to_use);
/* Put there by the person. */
MUST_CHECK int junk_put(struct mailbox *box, int64_t email_id, int use, char *const *keywords, size_t n);

/* Which keywords mark junk and ham: those of the mailbox that there are. */
struct junk_marks {
    int64_t ids[4];
    int bits[4];
    size_t n;
};
MUST_CHECK int junk_marks_find(struct mailbox *box, struct junk_marks *out);
/* Bits 1 (junk) and 2 (ham) of a message. */
MUST_CHECK int junk_marks_of(struct mailbox *box, const struct junk_marks *m, uint64_t folder_id,
                             uint32_t uid);
MUST_CHECK int junk_marked(struct mailbox *box, int64_t email_id, int before, int after, bool in_junk);

/* ---- of one letter, for junk_learn.c, tests and the bench ------------------------------------------ */

MUST_CHECK int junk_key(struct mailbox *box, uint8_t out[SPAM_KEY_BYTES]);
/* (w) It is of this class from now on. 1: that was new. */
MUST_CHECK int junk_learn(struct mailbox *box, const struct person_letter *l, enum junk_class class);
/* 1 and what the counts say, weighed; 0: too little was learnt. */
MUST_CHECK int junk_score(struct mailbox *box, const struct person_letter *l, double *out);
#endif
