/* src/imap/esearch.h
 *
 * What SEARCH and SORT found, on its way to the client: numbers of its view, the answers of RFC 3501,
 * RFC 4731, RFC 5267 and RFC 9394, and "$" (RFC 5182). */
#ifndef SRC_IMAP_ESEARCH_H
#define SRC_IMAP_ESEARCH_H
#include "lib/imap/search_keys.h"
#include "src/imap/imap.h"

struct esearch {
    struct search_program program;
    bool sorted;       /* SORT: uids in their order; else ascending */
    uint32_t *v;       /* UIDs of the view, n of them; owned */
    uint8_t *scores;   /* RELEVANCY: 1 to 100, of each; NULL without */
    size_t n, cap, at; /* at: written so far */
    uint64_t modseq;   /* the highest of them */
    struct str
        mailbox; /* RFC 7377: told with it, when something was found; .p NULL: the selected one, not named */
    uint32_t uidvalidity;
    uint64_t folder_id;                /* 0: the selected one */
    void (*then)(struct imap_conn *c); /* instead of the tagged OK */
    struct context *context;           /* RETURN (UPDATE): it goes on; NULL: it does not */
};

void esearch_release(struct esearch *e);
/* A UID that was found; one that this client does not know yet is not told. E_NOMEM. */
MUST_CHECK int esearch_add(struct imap_conn *c, struct esearch *e, uint32_t uid);
/* The same with its relevance, as the store has it (proto/store.proto). */
MUST_CHECK int esearch_add_scored(struct imap_conn *c, struct esearch *e, uint32_t uid, uint32_t relevance);
/* The store's tree of the program's keys. NULL: out of memory, or a text not in its charset. */
Store__SearchKey *esearch_key(struct imap_conn *c, const struct search_program *p);
/* The same, whether or not it is known. relevance: in hundredths of a percent, 0: none. */
MUST_CHECK int esearch_push(struct esearch *e, uint32_t uid, uint32_t relevance);
/* "* NO [NOUPDATE "tag"] …" (RFC 5267 4.3.1). */
void esearch_no_update(struct imap_conn *c);
/* Checks what search_program_parse cannot: 1, or 0 when a reply was made. */
int esearch_check(struct imap_conn *c, const struct search_program *p);
/* RETURN (UPDATE): readies what goes on when all is found. `again` stands before the program, to be read once more. 1, or 0
 * when a reply was made. */
int esearch_update(struct imap_conn *c, struct esearch *e, struct args again);
/* The keys are made, or it failed: a SAVE that ends in NO leaves "$" empty (RFC 5182 2.1). */
void esearch_forget(struct imap_conn *c, const struct search_program *p);
/* All is found: answer. c->step_data holds e as its first member. */
void esearch_answer(struct imap_conn *c, struct esearch *e);
/* The window of n that a partial range names, as indexes [*from, *to). */
void esearch_window(size_t n, int64_t from, int64_t to, size_t *from_out, size_t *to_out);
#endif
