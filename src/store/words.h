/* src/store/words.h
 *
 * The text of an email that SEARCH looks at, folded: header lines (part 0), then text of the bodies (1), row
 * by row, wherever the rows stand: emails of before have them in email_text, later ones in email_words or in email_raw, as
 * what differs from the message. */
#ifndef SRC_STORE_WORDS_H
#define SRC_STORE_WORDS_H
#include "src/store/chunk.h"
#include "src/store/mailbox.h"

/* Start zeroed. One snapshot and one thread at a time. */
struct words {
    struct mailbox *box;
    struct stmt *st;
    struct chunk_decoder decoder;
    struct buf like;
    int64_t email_id;
    size_t bytes; /* of the row it stands on */
    int part;
    bool on_row;
};

/* To the first row of an email; on_row: there is one. An email that is not there has none. */
MUST_CHECK int words_open(struct words *w, struct mailbox *box, int64_t email_id);
MUST_CHECK int words_next(struct words *w);
/* Append the row it stands on: w->bytes bytes. E_CORRUPT. */
MUST_CHECK int words_take(struct words *w, struct buf *out);
/* Give the statement back, as before the end of the snapshot; what is kept of the email is forgotten. */
void words_close(struct words *w);
/* And free, wiped. */
void words_release(struct words *w);
#endif
