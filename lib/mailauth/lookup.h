/* lib/mailauth/lookup.h
 *
 * What a check wants to know from the DNS, without a network. A check is a plain function that asks this
 * table; what is not there yet is noted, the check gives up with MAILAUTH_WAITS and is run again from
 * its start when answers have come. So every check reads like its RFC, look-ups of several checks run
 * side by side, none is asked twice for one message, and replaying costs microseconds: the number of
 * look-ups is bounded by each check's own rules (SPF: RFC 7208 4.6.4) and by LOOKUPS_MAX in all.
 *
 *     while ((r = spf_check(&lookups, …)) == MAILAUTH_WAITS)
 *         while ((q = lookups_next(&lookups)))
 *             ask the resolver for q->type of q->name; later: lookup_answer(&lookups, q, …)
 *
 * After lookups_give_up (out of time) everything unknown counts as a failure of the DNS: no check waits
 * any more, and what depends on it is a temperror. */
#ifndef LIB_MAILAUTH_LOOKUP_H
#define LIB_MAILAUTH_LOOKUP_H
#include "lib/base/arena.h"
#include "lib/base/errors.h"

#define MAILAUTH_WAITS      1 /* not an error: answer what lookups_next gives out, then call again */
#define LOOKUPS_MAX         400u
#define LOOKUP_NAME_MAX     253u
#define LOOKUP_RECORDS_MAX  256u      /* of one answer; later ones are not looked at */
#define LOOKUP_TEXT_MAX     KIB(16)   /* of one TXT record; longer ones are left out */
#define LOOKUPS_ARENA_BYTES KIB(1024) /* names and answers of one message */

enum lookup_type { LOOKUP_A = 1, LOOKUP_PTR = 12, LOOKUP_MX = 15, LOOKUP_TXT = 16, LOOKUP_AAAA = 28 };
enum lookup_status {
    LOOKUP_OK,       /* there are records */
    LOOKUP_NODATA,   /* the name exists and has none of this type */
    LOOKUP_NXDOMAIN, /* there is no such name */
    LOOKUP_FAILED,   /* no answer, SERVFAIL, bogus: may be tried again */
};

struct lookup_record {
    struct str text;     /* TXT: its strings joined; MX: the exchange; PTR: the name */
    uint8_t ip[16];      /* A: the first four bytes; AAAA */
    uint16_t preference; /* MX */
};

struct lookup_answer {
    enum lookup_status status;
    const struct lookup_record *records;
    size_t n;
};

struct lookup {
    enum lookup_type type;
    struct str name; /* lower case, no dot at the end, labels checked; may hold any other byte */
    bool asked, answered;
    struct lookup_answer answer;
    struct lookup *next;
};

struct lookups {
    struct arena arena;
    struct lookup *first, **last;
    unsigned n;
    bool over; /* out of time */
};

void lookups_init(struct lookups *l);
void lookups_release(struct lookups *l);
/* The answer, or NULL: not known yet, and noted as wanted. A name that cannot be in the DNS does not exist. */
const struct lookup_answer *lookups_get(struct lookups *l, enum lookup_type type, struct str name);
/* The next one to ask, marked as asked; NULL when there is none. Valid until release. */
struct lookup *lookups_next(struct lookups *l);
/* Answer it; records are copied. A second answer changes nothing. */
void lookup_answer(struct lookups *l, struct lookup *q, const struct lookup_answer *a);
/* Out of time: what is not answered has failed, and so has all that is asked from now on. */
void lookups_give_up(struct lookups *l);

/* A domain name with labels of 1 to 63 octets, 253 in all, and two labels at least. */
bool domain_is_fqdn(struct str name);
/* `name` is `parent` or lies below it. ASCII case-insensitive. */
bool domain_is_within(struct str name, struct str parent);
/* Letters, digits, hyphens, underscores and dots, well-formed: what we may put into a header as it is. */
bool domain_is_plain(struct str name);
#endif
