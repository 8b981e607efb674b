/* src/store/search.h
 *
 * SEARCH, in slices. A search first plans: every key takes from its index the messages that match for
 * certain and those that may (searchplan.c), which and, or and not combine; what is left uncertain is
 * decided message by message on its own text (searchtext.c). Planning is one slice; deciding stops when
 * the slice's time is over and goes on with the next one, on any handle of the same mailbox. So no
 * search holds a reader or a snapshot for long, and it can be given up between two messages.
 *
 * What it answers was true when it began; of a message that went meanwhile it may say either. */
#ifndef SRC_STORE_SEARCH_H
#define SRC_STORE_SEARCH_H
#include "src/store/mailbox.h"

#define SEARCH_NODES_MAX  1000u /* keys of one search, and ... */
#define SEARCH_DEPTH_MAX  32u
#define SEARCH_NEEDLE_MAX KIB(8)

#define SEARCH_SHARES     2u   /* threads at one search */
#define SEARCH_HELP_TEXTS 120u /* so many texts are worth the second one */

struct search; /* opaque */

/* The request is borrowed until the release. E_SYNTAX, E_LIMIT, E_NOMEM. */
MUST_CHECK int search_new(const Store__SearchRequest *q, struct search **out);
/* A while of work: 1 when there is more to do, 0 when it is done. Blocks for little more than budget_ms,
 * but for planning, behind which it ends at once where help pays. E_CANCELED after search_stop. */
MUST_CHECK int search_step(struct search *s, struct mailbox *box, int64_t budget_ms);
/* The same for the message texts that are left, by another thread, on another handle, at the same time
 * as steps; once a step has returned 1. 0: no more is to be begun. */
MUST_CHECK int search_help(struct search *s, struct mailbox *box, int64_t budget_ms);
/* Once a step has returned 1, and between steps and helps: so many messages are still to be looked at. */
uint64_t search_left(const struct search *s);
/* Any thread: the next step, or the one under way, ends with E_CANCELED. */
void search_stop(struct search *s);
/* After it is done, and who helped too. */
MUST_CHECK int search_answer(struct search *s, struct mailbox *box, struct arena *a,
                             Store__SearchResponse *out);
/* How many messages had their text looked at: for tests and benches. */
uint64_t search_decided(const struct search *s);
/* NULL accepted. */
void search_free(struct search **s);
#endif
