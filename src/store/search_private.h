/* src/store/search_private.h: shared by the files of SEARCH only. */
#ifndef SRC_STORE_SEARCH_PRIVATE_H
#define SRC_STORE_SEARCH_PRIVATE_H
#include "src/store/mailbox_private.h"
#include "src/store/search.h"
#include "src/store/words.h"
#include "src/store/searchset.h"
#include "lib/match/fuzzy.h"
#include "lib/regex/re2.h"
#include <pthread.h>
#include <stdatomic.h>

#define HEADERS_MAX    MIB(4) /* header lines of one message that are searched */
#define SHARE_UIDS     32u
#define REGEX_BODY_MAX MIB(4) /* of a body, for regular expressions */

/* A key of the tree. Children stand in the order in which they are planned and decided: the cheapest
 * first. */
struct node {
    const Store__SearchKey *k;
    struct node **child;
    size_t n;
    unsigned cost;
    struct buf needle; /* folded */
    struct buf name;   /* HEADER: the field's name, folded */
    struct regex *regex;
    struct buf literals; /* REGEX: what stands in every match */
    int64_t number;      /* of the key; below FUZZY dates and sizes are wider than they were said */
    int64_t ms;          /* the same, of dates, clipped to what the fixed width can say */
    bool fuzzy;          /* it is below a FUZZY, and its kind knows what that means */
    struct fuzzy words;  /* of a fuzzy text */
    /* What planning found, inside the set it was asked about: certain, and possible but not certain. */
    bool planned;
    struct uidset yes, maybe;
};

/* Emails by their row, one bit each. */
struct idbits {
    uint64_t *w;
    size_t words;
    uint64_t count;
};

/* The text of one email: its header lines whole, its body row by row. */
struct reader {
    struct mailbox *box;
    struct words words; /* open on its rows */
    struct buf head, body, trimmed;
    int64_t email_id;
    bool have_head, have_body, body_whole;
};

/* A message that is being decided. */
struct subject {
    struct reader *reader;
    uint32_t uid, flags;
    uint64_t modseq, bytes;
    int64_t email_id, internal_ms, saved_ms;
    double score, nearness; /* of what was fuzzy: a sum, and a product of factors up to 1 */
};

struct scored {
    uint32_t uid;
    float score;
};

/* One thread's share of what is open: it takes some messages at a time. */
struct share {
    struct reader reader;
    uint32_t uids[SHARE_UIDS];
    size_t n, at;
    struct uidset found;
    struct scored *scored; /* of each that was found, when relevance is asked for */
    size_t nscored, scored_cap;
    uint64_t decided;
};

struct search {
    const Store__SearchRequest *q;
    struct arena arena;
    struct node *root;
    size_t nodes;
    atomic_bool stop;
    bool planned;
    bool scoring; /* relevance is asked for: everything is decided, nothing is certain before */
    uint64_t folder_id;
    bool have_all, have_tail;
    struct uidset all;  /* every message of the folder */
    struct uidset tail; /* those whose text no index knows */
    struct uidset found, open;
    pthread_mutex_t lock; /* over the next two */
    size_t at;            /* in `open`: the range that is next */
    uint32_t next;        /* in that range; 0: its begin */
    struct share share[SEARCH_SHARES];
};

int64_t iso_ms(struct str iso);

/* search.c: the folder's UIDs, read once. */
MUST_CHECK int search_all(struct search *s, struct mailbox *box, const struct uidset **out);
/* searchplan.c: n->yes and n->maybe, within `bound` (NULL: the folder). */
MUST_CHECK int node_plan(struct search *s, struct mailbox *box, struct node *n, const struct uidset *bound);
/* searchtext.c: 1, 0. The message is one that planning left open. */
MUST_CHECK int node_decide(struct search *s, struct mailbox *box, struct node *n, struct subject *m);
/* searchindex.c: messages whose text may match, as the index says. */
struct candidates {
    struct uidset uids;
    bool exact; /* these do match */
    bool some;  /* of others (few) nothing is known; only with `exact` */
};
/* 0: the index cannot say, 1: it did. */
MUST_CHECK int index_candidates(struct search *s, struct mailbox *box, const struct node *n,
                                struct candidates *out);
MUST_CHECK int index_tail(struct search *s, struct mailbox *box, const struct uidset **out);

/* searchindex.c: emails of terms that begin with a needle of one or two letters. */
MUST_CHECK int index_ask_prefix(struct search *s, struct mailbox *box, struct str needle, struct idbits *out);
void idbits_release(struct idbits *b);
bool idbits_has(const struct idbits *b, int64_t id);
size_t text_letters(struct str s);
struct str text_trigram(struct str s); /* its first three letters; empty: it has less */
MUST_CHECK int index_term_put(struct str tri, struct buf *expr);

/* searchfuzzy.c: the best candidates of a fuzzy text, within `bound`. 0: the index cannot say, 1: it did. */
MUST_CHECK int fuzzy_candidates(struct search *s, struct mailbox *box, struct node *n,
                                const struct uidset *bound, struct uidset *out);
/* 1: it is like what is looked for, and m->score says how much. */
MUST_CHECK int fuzzy_decide(struct node *n, struct subject *m);
void fuzzy_widen(struct node *n);
/* For a date or a size that matched: m->nearness. */
void fuzzy_near(const struct node *n, struct subject *m);
MUST_CHECK int fuzzy_keep(struct share *h, const struct subject *m);
MUST_CHECK int fuzzy_answer(struct search *s, struct arena *a, Store__SearchResponse *out);
/* searchtext.c */
MUST_CHECK int reader_open(struct reader *t, struct mailbox *box, int64_t email_id);
MUST_CHECK int reader_head(struct reader *t);
MUST_CHECK int reader_body(struct reader *t);

/* A field of REGEX that is more than one. */
static inline bool is_whole_text(struct str name)
{
    return str_eq_z(name, "header") || str_eq_z(name, "body") || str_eq_z(name, "text");
}

static inline bool is_text(const Store__SearchKey *k)
{
    return k->type == STORE__SEARCH_KEY__TYPE__HEADER || k->type == STORE__SEARCH_KEY__TYPE__BODY ||
           k->type == STORE__SEARCH_KEY__TYPE__TEXT || k->type == STORE__SEARCH_KEY__TYPE__REGEX;
}
#endif
