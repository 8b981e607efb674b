/* src/store/index.h
 *
 * The text index behind SEARCH (sql/mailbox/0002_search.sql), kept up behind the deliveries: an email is
 * behind meta.indexed_upto when it is stored, and comes into the index later, a batch at a
 * time. What is noted is never lost, and whoever searches looks at the text of what is not in the index
 * yet, so nobody can tell the difference but by the time it takes. */
#ifndef SRC_STORE_INDEX_H
#define SRC_STORE_INDEX_H
#include "src/store/mailbox.h"

#define INDEX_TEXT_MAX  KIB(512) /* longer texts are not indexed: SEARCH reads them */
#define INDEX_BATCH_MAX 50u

/* (w) Index up to INDEX_BATCH_MAX emails that wait, fewer when budget_ms are over. Returns how many
 * were taken from the list (0: none waits), or an error. */
MUST_CHECK int mailbox_index_step(struct mailbox *box, int64_t budget_ms);
/* Emails that wait. */
MUST_CHECK int mailbox_index_waiting(struct mailbox *box, uint64_t *n_out);
/* (w) For email.c: an email was stored; it goes. */
MUST_CHECK int index_note(struct mailbox *box, int64_t email_id);
MUST_CHECK int index_forget(struct mailbox *box, int64_t email_id);
#endif
