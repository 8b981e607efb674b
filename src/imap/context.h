/* src/imap/context.h
 *
 * Searches that go on (RFC 5267 4.3): SEARCH and SORT with RETURN (UPDATE). What they found is kept, within a limit a
 * connection; when the selected folder changes, the messages that changed are searched again, and who came or went is told
 * by ADDTO and REMOVEFROM. A sorted one is sorted again then, and told by positions.
 *
 * They end with the selection (RFC 5267 4.3), by CANCELUPDATE, or with NOUPDATE when they grow over the limit. */
#ifndef SRC_IMAP_CONTEXT_H
#define SRC_IMAP_CONTEXT_H
#include "lib/imap/sort_args.h"
#include "src/imap/imap.h"

#define CONTEXTS_MAX       16u
#define CONTEXTS_BYTES_MAX MIB(1) /* of all of a connection */

struct context; /* one */

/* Before the search is asked: of a program with SEARCH_RETURN_UPDATE. `open`: the same program once more, parsed so that
 * "n:*" reaches to messages that are yet to come; sort: NULL for SEARCH. NULL: it cannot be kept (NOUPDATE). */
struct context *context_new(struct imap_conn *c, const struct search_program *open,
                            const struct sort_args *sort);
void context_free(struct context **xp);
bool context_has(const struct imap_conn *c, struct str tag);
/* It found these, in its order, and goes on from here. Takes *xp over; false: it is too large, and was freed. */
bool context_keep(struct imap_conn *c, struct context **xp, const uint32_t *uids, size_t n);
void context_cancel(struct imap_conn *c, struct str tag);
void contexts_free(struct imap_conn *c);

/* ---- updates.c ---- */

/* These changed or, `added`, came; told to the client already. */
void contexts_changed(struct imap_conn *c, uint32_t first, uint32_t last, bool added);
/* Writes `also`, "(UID)", with what the contexts that hold this message want of new ones. False: they want nothing. */
bool contexts_fetch(const struct imap_conn *c, uint32_t uid, struct str also, struct buf *out);
/* May one message be told all at once of what NOTIFY wants of it (`notify`, empty or "(UID)"), what every context wants and
 * what one more, `more`, would? */
bool contexts_fit(const struct imap_conn *c, struct str notify, struct str more);
/* What is in view->vanished: REMOVEFROM, before EXPUNGE (RFC 5267 4.3.4). */
void contexts_vanished(struct imap_conn *c);
bool contexts_due(const struct imap_conn *c);
/* 1: go on at once, 0: wait for an answer. */
int contexts_step(struct imap_conn *c);
#endif
