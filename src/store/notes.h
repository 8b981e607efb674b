/* src/store/notes.h
 *
 * How far each file was when we last looked, kept in a file of its own (`notes.sqlite`, its pages under a
 * server subkey): who brings back an older mailbox or temporary mailbox is seen. Notes are gathered in
 * memory and written together, now and then; after a crash they are older than the files, which only
 * means that less is noticed. Nothing is ever refused because of a note.
 *
 * Any thread; each call takes a lock. Knows nothing of what is in the files. */
#ifndef SRC_STORE_NOTES_H
#define SRC_STORE_NOTES_H
#include "lib/crypto/sealed.h"
#include "src/store/files.h"

struct notes; /* opaque */

struct note {
    uint64_t generation; /* of a temporary mailbox; 0: the mailbox itself */
    uint64_t seq;        /* the head of its chain; the mailbox: how many commits */
    uint8_t link[SEALED_LINK_BYTES];
};

/* E_* of db_open. */
MUST_CHECK int notes_open(const struct files *f, const uint8_t key[KEY_BYTES], struct notes **out);
/* Writes what is gathered; NULL accepted. */
int notes_close(struct notes **n);
/* Remember; written by the next notes_flush. A note that finds no memory is lost. */
void notes_put(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], const struct note *note);
/* 1; 0: none. */
MUST_CHECK int notes_get(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], uint64_t generation,
                         struct note *out);
/* Generations of the temporary mailboxes that were noted, oldest first, at most max. How many, or E_*. */
MUST_CHECK int notes_temps(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], uint64_t *out, size_t max);
/* Before the file is removed: durable when this gives 0, so that nobody misses it after a crash. */
MUST_CHECK int notes_forget(struct notes *n, const uint8_t id[MAILBOX_ID_LEN], uint64_t generation);
/* The mailbox goes with all its files. */
MUST_CHECK int notes_forget_mailbox(struct notes *n, const uint8_t id[MAILBOX_ID_LEN]);
/* All that is gathered, in one transaction. */
MUST_CHECK int notes_flush(struct notes *n);
#endif
