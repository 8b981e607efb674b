/* lib/imap/sort_args.h
 *
 * What SORT and THREAD are given (RFC 5256, RFC 5957, RFC 5267):
 *   RETURN (COUNT) (REVERSE DATE SUBJECT) UTF-8 UNSEEN
 *   REFERENCES UTF-8 SINCE 5-Mar-2026 */
#ifndef LIB_IMAP_SORT_ARGS_H
#define LIB_IMAP_SORT_ARGS_H
#include "lib/imap/search_keys.h"

#define SORT_CRITERIA_MAX 16u

enum sort_key {
    SORT_ARRIVAL,
    SORT_CC,
    SORT_DATE,
    SORT_FROM,
    SORT_SIZE,
    SORT_SUBJECT,
    SORT_TO,
    SORT_DISPLAYFROM,
    SORT_DISPLAYTO,
    SORT_RELEVANCY, /* RFC 6203: only with a FUZZY key */
};

struct sort_args {
    struct {
        enum sort_key key;
        bool reverse;
    } criteria[SORT_CRITERIA_MAX];
    size_t n;
    struct search_program program; /* its charset is always named */
};

enum thread_algorithm { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES, THREAD_REFS };

struct thread_args {
    enum thread_algorithm algorithm;
    struct search_program program;
};

/* To the end of the command. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int sort_args_parse(struct args *a, const struct search_view *view, struct sort_args *out);
MUST_CHECK int thread_args_parse(struct args *a, const struct search_view *view, struct thread_args *out);
#endif
