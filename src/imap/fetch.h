/* src/imap/fetch.h: FETCH for other commands. */
#ifndef SRC_IMAP_FETCH_H
#define SRC_IMAP_FETCH_H
#include "src/imap/imap.h"

/* Tell UID, FLAGS and MODSEQ of those of `uids` that changed after `since`; then "OK [code] text"
 * (both fixed). */
MUST_CHECK int fetch_changed(struct imap_conn *c, const struct uidranges *uids, uint64_t since,
                             const char *code, const char *text);
#endif
