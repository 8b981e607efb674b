/* lib/spam/person.h
 *
 * A letter as a person's own classifier sees it: tokens of its search text, who sent it, which letter it is, what
 * the server said of it; and what follows from a probability. Hashed under a key that stays in the person's mailbox.
 * Knows no mailbox: counts come from there. Reads text that content has decoded, never a message. */
#ifndef LIB_SPAM_PERSON_H
#define LIB_SPAM_PERSON_H
#include "lib/base/errors.h"
#include "lib/base/str.h"
#include "lib/spam/tokens.h"

#define PERSON_TEXT_MAX   KIB(64) /* of the header lines, and of the text: its beginning says enough */
#define PERSON_TOKENS_MAX 1024u
#define PERSON_ID_BYTES   16u
#define PERSON_SENT_MAX   100u /* addresses that one letter was written to */

/* Letters of each kind to be learnt before anything is said. */
#define PERSON_LEAST 30u
/* At and above, all but one in a hundred million: to Junk. */
#define PERSON_JUNK 0.99999999
/* At and below: what the server's score sends to Junk stays in INBOX, unless that score is PERSON_FIRM or more. */
#define PERSON_HAM  0.001
#define PERSON_FIRM 1200 /* hundredths */

struct person_letter {
    int64_t tokens[PERSON_TOKENS_MAX]; /* ascending, each once, below 2^40 */
    size_t n;
    int64_t sender;              /* hash of the address in From; 0: none */
    uint8_t id[PERSON_ID_BYTES]; /* the same for the same letter, wherever it came from */
    bool scanned;                /* the server's scanner had it, and gave `points` (hundredths) */
    bool forged;                 /* it found that the domain in From is borrowed */
    bool infected;               /* a virus scanner found something */
    int points;
};

/* header: lines of its header as lib/mime/text.h folds them; body: the text behind; of either PERSON_TEXT_MAX count. About
 * 100 KiB while it runs. E_NOMEM. */
MUST_CHECK int person_read(const uint8_t key[SPAM_KEY_BYTES], struct str header, struct str body,
                           struct str message_id, struct person_letter *out);
/* Whom it is written to: hashes as person_letter.sender. How many. */
size_t person_recipients(const uint8_t key[SPAM_KEY_BYTES], struct str header, int64_t out[PERSON_SENT_MAX]);

/* What is known of a sender. */
struct person_sender {
    bool written; /* the person has written to this address */
    uint64_t junk, ham;
};
/* p: bayes_score_own of the tokens, 0 to 1. The same with the sender in the scale. */
double person_weigh(double p, const struct person_letter *l, const struct person_sender *s);

enum person_verdict { PERSON_SAYS_NOTHING, PERSON_SAYS_JUNK, PERSON_SAYS_HAM };
/* p: weighed. to_junk: where the server sends it. */
enum person_verdict person_verdict(double p, const struct person_letter *l, bool to_junk);
#endif
