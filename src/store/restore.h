/* src/store/restore.h
 *
 * A backup takes a mailbox's place, and what was there is kept beside until somebody says that it may go, or that it
 * shall come back. The disk side of it: synchronous, worker threads only, nobody may have the mailbox open.
 *
 *   <id>.sqlite  <id>-restore.sqlite   to be put in place
 *                <id>-before.sqlite    what was there (with its -wal, which only its key could have emptied)
 *   restores/<id>                      what is being done, or was: the note
 *
 * The note is written before the first name changes, and every step can be told from which names there are: who
 * starts after a crash goes on to the end, before anybody opens a mailbox. */
#ifndef SRC_STORE_RESTORE_H
#define SRC_STORE_RESTORE_H
#include "src/store/backup.h"

enum restore_step {
    RESTORE_NONE,
    RESTORE_PLACING,
    RESTORE_PLACED,  /* in place, and its UIDVALIDITY is that of the backup */
    RESTORE_RENEWED, /* opened since: its UIDs are new ones. Waits for confirm or undo */
    RESTORE_UNDOING,
};
struct restore_note {
    enum restore_step step;
    uint8_t backup[BACKUP_ID_LEN];
    int64_t at_ms;
    uint32_t generation; /* of the data key of what was there */
};

/* 1; 0: there is none. */
MUST_CHECK int restore_note_get(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                                struct restore_note *out);
MUST_CHECK int restore_note_put(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                                const struct restore_note *n);

/* The backup's file beside the mailbox, its hash compared. E_FULL: it would not fit; E_CORRUPT. */
/* Temporary mailboxes that lie there as "<id>-restore-<16 hex>.sqlite" (shipback.h) get their names with it, where there is
 * none of that name. */
MUST_CHECK int restore_fetch(const struct files *f, struct target *t, const struct backup_info *info,
                             struct backup_stop *stop);
/* A file beside the mailbox, checked under `key`, page by page. When `next` is not NULL it is written anew under that. */
MUST_CHECK int restore_check(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                             enum files_kind kind, const uint8_t key[KEY_BYTES], const uint8_t *next);
/* What was fetched under `key`, its .info verified (backup_info_verify): its bytes are, by their hash, those that were found in
 * order, tree by tree, when the backup was taken. Here every page is opened once, in its place. E_CORRUPT, E_CANCELED. */
MUST_CHECK int restore_check_same(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                                  const uint8_t key[KEY_BYTES], const struct backup_stop *stop);
void restore_drop(const struct files *f,
                  const uint8_t mailbox[MAILBOX_ID_LEN]); /* what was fetched and not placed */

/* E_EXISTS: an earlier one was neither confirmed nor undone. */
MUST_CHECK int restore_place(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN],
                             const struct restore_note *n);
/* What was there is there again; what was in its place is set aside (files.h). E_NOTFOUND: nothing was kept. */
MUST_CHECK int restore_undo(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN], int64_t now_ms);
/* Was there anything in its place? Where it was not, nobody has to confirm. */
bool restore_kept(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN]);
/* What was there is removed. E_NOTFOUND. */
MUST_CHECK int restore_confirm(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN]);
/* All that a crash cut off goes on to its end; `found` is called for every note that is left then. How many went on. */
MUST_CHECK int restore_forward_all(const struct files *f, int64_t now_ms,
                                   void (*found)(void *ctx, const uint8_t mailbox[MAILBOX_ID_LEN],
                                                 const struct restore_note *n, bool went_on),
                                   void *ctx);
/* The mailbox is gone. */
void restore_forget(const struct files *f, const uint8_t mailbox[MAILBOX_ID_LEN]);

/* In a transaction: every folder gets a UIDVALIDITY that none had before, and the count of commits jumps to one that no
 * backup has. */
MUST_CHECK int mailbox_renew(struct mailbox *box, int64_t now_ms);
#endif
