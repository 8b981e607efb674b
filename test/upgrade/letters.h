/* test/upgrade/letters.h: the sample mailbox: letters in folders, flags, keywords, copies, what went, and
 * what keeps requests from being done twice. */
#ifndef TEST_UPGRADE_LETTERS_H
#define TEST_UPGRADE_LETTERS_H
#include "lib/base/test.h"
#include "src/store/notes.h"
#include "src/store/sql_mailbox.h"
#include "src/store/tempbox.h"

#define LETTERS_PATH "mailbox.sqlite"

/* Letter `n` (from 1), always the same bytes: plain, a reply, with a file, HTML, a long one. */
void letter_make(unsigned n, struct buf *out);
/* Stored as the roles do, with what `content` would say of it. 0 or E_*. In a transaction of its own. */
int letter_append(struct mailbox *box, unsigned n, const char *folder, uint32_t flags, uint32_t *uid_out);
void letters_make(void);
void letters_check(void);
#endif
