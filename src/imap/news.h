/* src/imap/news.h
 *
 * What the store tells of a mailbox beside its messages: annotations (RFC 5464 4.4.2), names, subscriptions.
 * Kept until it may be told, within a limit. */
#ifndef SRC_IMAP_NEWS_H
#define SRC_IMAP_NEWS_H
#include "src/imap/imap.h"

#define NEWS_WAITING_MAX 200u

/* Say to the store what this connection wants to hear. `done` as for imap_ask_store; NULL: nobody waits. */
MUST_CHECK int imap_news_watch(struct imap_conn *c, imap_done_fn *done);
/* NEWS from the store. */
void imap_news_event(struct imap_conn *c, struct str body);
bool imap_news_due(const struct imap_conn *c);
/* Write the first, or ask for what is needed to write it. 1: go on at once, 0: wait for an answer. */
int imap_news_step(struct imap_conn *c);
void imap_news_clear(struct imap_conn *c);
#endif
