/* lib/imap/status_items.h
 *
 * The items of STATUS (RFC 9051 6.3.11 and its extensions) as bits. */
#ifndef LIB_IMAP_STATUS_ITEMS_H
#define LIB_IMAP_STATUS_ITEMS_H
#include "lib/imap/args.h"

enum status_item {
    STATUS_MESSAGES,
    STATUS_RECENT,
    STATUS_UIDNEXT,
    STATUS_UIDVALIDITY,
    STATUS_UNSEEN,
    STATUS_DELETED,
    STATUS_SIZE,
    STATUS_HIGHESTMODSEQ,   /* RFC 7162 3.1.7 */
    STATUS_MAILBOXID,       /* RFC 8474 4.3 */
    STATUS_APPENDLIMIT,     /* RFC 7889 3.2 */
    STATUS_DELETED_STORAGE, /* RFC 9208 4.1.4 */
    STATUS_ITEMS,
};

const char *status_item_name(enum status_item item);
/* "(MESSAGES UNSEEN)": one item at least. */
MUST_CHECK int status_items_parse(struct args *a, uint32_t *bits_out);
#endif
