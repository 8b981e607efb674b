/* src/store/news.h
 *
 * What happened in a folder, told to many sessions at once. A delivery to a mailbox that 2,000 sessions
 * watch is one look into the file and not 2,000: SYNC answers are kept packed until the folder changes
 * again, questions that are the same wait for one answer, and sessions that stand at the same modseq are
 * pushed what happened, in one event for each peer.
 *
 * \Recent goes to one session (RFC 3501 2.3.2): to the one that made the store look; what is kept or pushed
 * to the others has none. The loop's. */
#ifndef SRC_STORE_NEWS_H
#define SRC_STORE_NEWS_H
#include "src/store/store.h"

struct news; /* of an actor; NULL until there is some */

int op_sync(struct rpc_req *q, struct str body);
/* After a commit: tell the sessions that have one of these folders selected. */
void news_tell(struct actor *a, const struct mailbox_change *c, size_t n);
/* Something was written: what is kept may be old. */
void news_forget(struct actor *a);
void news_free(struct news **n);
#endif
