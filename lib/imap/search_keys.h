/* lib/imap/search_keys.h
 *
 * The program of SEARCH (RFC 9051 6.4.4, RFC 3501's keys, and those of RFC 4731, 5032, 7162, 8474,
 * 8514) as a tree in the arena. It finds nothing itself. Keys that are another key turned round
 * (UNSEEN, UNKEYWORD, OLD) become KEY_NOT over that one, so a reader of the tree knows few kinds. */
#ifndef LIB_IMAP_SEARCH_KEYS_H
#define LIB_IMAP_SEARCH_KEYS_H
#include "lib/imap/args.h"
#include "lib/imap/seqset.h"

#define SEARCH_DEPTH_MAX 32u   /* of parentheses, NOT, OR and FUZZY in each other */
#define SEARCH_KEYS_MAX  1000u /* in one program */

enum search_kind {
    KEY_AND,   /* all of the children; of none: everything */
    KEY_OR,    /* child, child->next */
    KEY_NOT,   /* child */
    KEY_FUZZY, /* child (RFC 6203) */
    KEY_ALL,
    KEY_FLAG,    /* has the system flag `flag` (IMAP_FLAG_*) */
    KEY_KEYWORD, /* has the keyword `text` */
    KEY_SEQ,     /* set: sequence numbers */
    KEY_UID,     /* set: UIDs */
    KEY_SAVED,   /* "$", the saved result (RFC 5182) */
    KEY_BEFORE,  /* internal date; `day` since 1970-01-01 */
    KEY_ON,
    KEY_SINCE,
    KEY_SENTBEFORE, /* the Date field; `day` */
    KEY_SENTON,
    KEY_SENTSINCE,
    KEY_SAVEDBEFORE, /* RFC 8514 */
    KEY_SAVEDON,
    KEY_SAVEDSINCE,
    KEY_SAVEDATESUPPORTED,
    KEY_OLDER, /* internal date, `number` seconds before now (RFC 5032) */
    KEY_YOUNGER,
    KEY_LARGER, /* `number` octets */
    KEY_SMALLER,
    KEY_MODSEQ, /* >= `number` */
    KEY_BCC,    /* `text` is a substring of the field */
    KEY_CC,
    KEY_FROM,
    KEY_SUBJECT,
    KEY_TO,
    KEY_HEADER, /* field `field` contains `text`; exists, when text is empty */
    KEY_BODY,
    KEY_TEXT,
    KEY_EMAILID, /* `text` */
    KEY_THREADID,
    KEY_REGEX, /* X-REGEX: field `field` (or HEADER, BODY, TEXT) matches the expression `text` */
};

struct search_key {
    enum search_kind kind;
    struct search_key *child, *next; /* next: the sibling under the same parent */
    struct str field, text;          /* in the charset of the program */
    const struct seqset *set;
    uint64_t number;
    uint32_t flag;
    int32_t day;
};

#define SEARCH_RETURN_MIN       BIT(0)
#define SEARCH_RETURN_MAX       BIT(1)
#define SEARCH_RETURN_ALL       BIT(2)
#define SEARCH_RETURN_COUNT     BIT(3)
#define SEARCH_RETURN_SAVE      BIT(4)
#define SEARCH_RETURN_PARTIAL   BIT(5) /* RFC 9394 */
#define SEARCH_RETURN_UPDATE    BIT(6) /* RFC 5267 */
#define SEARCH_RETURN_CONTEXT   BIT(7)
#define SEARCH_RETURN_RELEVANCY BIT(8) /* RFC 6203: only with a FUZZY key */

struct search_program {
    struct search_key *root; /* KEY_AND */
    bool has_return;         /* answer with ESEARCH; "RETURN ()" means ALL (RFC 4731 3.1) */
    uint32_t returns;
    int64_t partial_from, partial_to; /* negative: counted from the end */
    struct str update;  /* UPDATE's "(UID FLAGS)" (RFC 5465 7), a slice of the command; empty: none */
    bool open;          /* for who converts it: sets of UIDs also mean those that are yet to come */
    struct str charset; /* .p NULL: none named; only US-ASCII and UTF-8 need no conversion */
    bool fuzzy;         /* KEY_FUZZY occurs */
    bool modseq;        /* KEY_MODSEQ occurs: the answer carries MODSEQ */
    bool numbers;       /* KEY_SEQ occurs: message numbers, which UIDONLY has not (RFC 9586) */
};

/* What '*' means for each kind of set; 0 in an empty mailbox, then it names nothing. */
struct search_view {
    uint32_t last_seq, last_uid;
};

/* partial-range: "1:100", or "-1:-100", counted from the end. */
MUST_CHECK int search_partial_parse(struct args *a, int64_t *from_out, int64_t *to_out);
/* "RETURN (…) ", when it is there (SEARCH, and SORT of RFC 5267): sets has_return, returns, partial. */
MUST_CHECK int search_return_parse(struct args *a, struct search_program *out);
/* Keys to the end of the command: root, modseq. */
MUST_CHECK int search_keys_parse(struct args *a, const struct search_view *view, struct search_program *out);
/* From behind "SEARCH " to the end of the command. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int search_program_parse(struct args *a, const struct search_view *view,
                                    struct search_program *out);
#endif
