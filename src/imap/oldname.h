/* src/imap/oldname.h: names that came in a form that is not ours (RFC 9051 6.3.9.7). */
#ifndef SRC_IMAP_OLDNAME_H
#define SRC_IMAP_OLDNAME_H
#include "src/imap/imap.h"

/* Like args_mailbox; *given_out: as the client wrote it, where that is another name (UTF-8 enabled, and not NFC,
 * or with a separator at its end), else .p NULL. */
MUST_CHECK int oldname_mailbox(struct args *a, struct str *out, struct str *given_out);
/* "* LIST (attributes) "/" name ("OLDNAME" (old))"; old.p NULL: without. */
void oldname_list(struct imap_conn *c, const char *attributes, struct str name, struct str old);
#endif
