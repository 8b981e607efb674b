/* src/imap/list.h: folders, as STATUS tells them. */
#ifndef SRC_IMAP_LIST_H
#define SRC_IMAP_LIST_H
#include "src/imap/imap.h"

/* "* STATUS name (MESSAGES 3 …)"; items: bits of enum status_item. */
void list_status(struct imap_conn *c, uint32_t items, const Store__Folder *f);
#endif
