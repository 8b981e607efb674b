/* src/imap/notify.h
 *
 * NOTIFY (RFC 5465): what a client wants to hear all the time, and what of it waits to be told. The store tells that a
 * folder changed or that something happened (WATCH); what is to be said of it is asked for when it may be said, so a
 * client that does not read costs a bounded amount: a row of each watched folder, and some names.
 *
 * The selected folder's own news goes through updates.c, which asks here what of it is wanted. */
#ifndef SRC_IMAP_NOTIFY_H
#define SRC_IMAP_NOTIFY_H
#include "lib/imap/notify_args.h"
#include "src/imap/imap.h"

#define NOTIFY_WATCHED_MAX 4000u   /* folders whose messages are watched */
#define NOTIFY_BYTES_MAX   KIB(64) /* of the command that is kept, and of names that wait */

struct notify; /* of a connection; NULL: NOTIFY was never said, and what RFC 9051 says holds */

struct notify *notify_new(void);
void notify_free(struct notify **np);
/* For notify_args_parse, with notify_arena(n). */
struct notify_args *notify_args_of(struct notify *n);
struct arena *notify_arena(struct notify *n);
/* Bits of enum Watch that the store is asked for; 0 for NULL. */
uint32_t notify_watch(const struct notify *n);
/* Must the folders be known first? */
bool notify_wants_folders(const struct notify *n);
/* All folders as they are. STATUS of those that are watched is written, when it was asked for. E_NOMEM; E_LIMIT: too
 * many. */
MUST_CHECK int notify_begin(struct imap_conn *c, struct notify *n, const Store__FoldersResponse *m);

/* ---- what the connection may do; all hold for a connection without NOTIFY too ---- */

/* May it be told something between commands? */
bool notify_listens(const struct imap_conn *c);
/* Events of the selected folder that are told. */
uint32_t notify_selected(const struct imap_conn *c);
/* EXPUNGE waits for a command that allows it (RFC 5465 6.1.2). */
bool notify_delays(const struct imap_conn *c);
/* "(UID FLAGS)": what is told of new messages of the selected folder; empty: nothing. */
struct str notify_fetch(const struct imap_conn *c);

/* ---- what happens ---- */

void notify_news(struct imap_conn *c, const Store__NewsEvent *m);
void notify_changed(struct imap_conn *c, uint64_t folder_id, uint64_t modseq);
/* This connection creates, renames, subscribes… itself: other folders may be meant now. */
void notify_renamed(struct imap_conn *c);
/* The selected folder is left, and is one of the others. */
void notify_left(struct imap_conn *c);
/* The store began anew: all may have changed. */
void notify_reattached(struct imap_conn *c);

/* ---- telling: see updates.c ---- */

bool notify_due(const struct imap_conn *c);
/* 1: go on at once, 0: wait for an answer. */
int notify_step(struct imap_conn *c);
#endif
