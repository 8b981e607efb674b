/* src/store/findings.h
 *
 * What went wrong with mailboxes, in words for the operator: a line each, with the mailbox's id, until the jobs role asks
 * (maintain.c) and tells him. The log has all of it anyway; here the first few of each kind are kept, and how many more
 * there were. Any thread. */
#ifndef SRC_STORE_FINDINGS_H
#define SRC_STORE_FINDINGS_H
#include "lib/base/buf.h"
#include "src/store/files.h"

#define FINDINGS_MAX     12u
#define FINDING_TEXT_MAX 220u /* longer ones are cut */

enum finding_kind { FINDING_BACKUP, FINDING_CHECK, FINDING_KINDS };

/* What is there already word by word is not there twice. */
PRINTF_LIKE(3, 4)
void finding_add(enum finding_kind kind, const uint8_t mailbox[MAILBOX_ID_LEN], const char *fmt, ...);
/* Those since the last time, each behind a newline; what does not fit is left out. How many there were. */
size_t findings_take(enum finding_kind kind, struct buf *out);
#endif
