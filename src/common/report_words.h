/* src/common/report_words.h
 *
 * What a report of the queue (RFC 3464) says to a person, by language. Words only: no format, no address, nothing to be put
 * in. All are complete: what one language says, each does. UTF-8; English is the first and stands in for what is not here. */
#ifndef SRC_COMMON_REPORT_WORDS_H
#define SRC_COMMON_REPORT_WORDS_H
#include "lib/base/str.h"

enum report_about {
    REPORT_FAILED,
    REPORT_EXPIRED,
    REPORT_DELAYED,
    REPORT_RELAYED,
    REPORT_DELIVERED,
    REPORT_EXPANDED,
    REPORT_ABOUT
};
enum report_why {
    WHY_NOBODY,
    WHY_NO_DOMAIN,
    WHY_NO_MAIL,
    WHY_FULL,
    WHY_LARGE,
    WHY_RULES,
    WHY_AWAY,
    WHY_SAFETY,
    REPORT_WHY
};

struct report_words {
    const char *tag;                   /* RFC 5646 */
    const char *subject[REPORT_ABOUT]; /* of the report */
    const char *system;                /* before our name and a full stop */
    const char *message_of;            /* before the date of the message */
    const char *begin[REPORT_ABOUT];   /* before the recipients */
    const char *its_server, *answered, *hidden_answered;
    const char *why[REPORT_WHY];                          /* below a recipient: what its status means */
    const char *end[REPORT_ABOUT];                        /* below the recipients; lines with CRLF */
    const char *tried, *days, *hours, *minutes, *no_more; /* expired: "tried" number unit "no_more" */
    const char *told;                                     /* delayed: below the time it is tried until */
};

/* Of a list as RFC 9110 12.5.4 has it ("de-CH, fr;q=0.8"): the first that is here, in their order; NULL: none is. */
const struct report_words *report_words_find(struct str languages);
/* Number i of all; NULL behind the last. 0: English. */
const struct report_words *report_words_at(size_t i);
/* What a status says ("5.1.1"); NULL: nothing that is worth saying. */
const char *report_words_why(const struct report_words *w, struct str status);
#endif
