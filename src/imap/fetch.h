/* src/imap/fetch.h: FETCH for other commands. */
#ifndef SRC_IMAP_FETCH_H
#define SRC_IMAP_FETCH_H
#include "src/imap/imap.h"

/* Tell UID, FLAGS and MODSEQ of those of `uids` that changed after `since`; then "OK [code] text"
 * (both fixed). */
MUST_CHECK int fetch_changed(struct imap_conn *c, const struct uidranges *uids, uint64_t since,
                             const char *code, const char *text);
/* In a command of our own (imap_aside): what NOTIFY asks for, "(UID FLAGS)", of those of `uids` that are in view; nothing
 * is marked as seen. */
MUST_CHECK int fetch_aside(struct imap_conn *c, struct str atts, const struct uidranges *uids);
#endif
