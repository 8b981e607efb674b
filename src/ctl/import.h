/* src/ctl/import.h
 *
 * Messages from a reader (lib/port: files, a backup, another server) into a mailbox. They are staged one after the other and
 * go in some at a time; while one group is committed the next one is staged. Each group is there as a whole or not at all,
 * so whatever stopped it, the same again goes on. Memory does not grow with what comes. */
#ifndef SRC_CTL_IMPORT_H
#define SRC_CTL_IMPORT_H
#include "lib/port/port.h"
#include "src/ctl/known.h"
#include "src/ctl/mail.h"

struct import_group; /* opaque */
/* For readers that remember where they were. Names are those in the reader's messages. */
struct import_hooks {
    /* A folder is entered. from_uid: only messages of ours from this UID on can be what comes; it is 1 before. */
    int (*entered)(void *ctx, struct str folder, struct str ours, uint32_t *from_uid);
    /* All of the folder's messages up to `number` are dealt with; of ours, those before `uid` were there by then. */
    int (*landed)(void *ctx, struct str folder, struct str ours, uint64_t number, uint32_t uid);
    void *ctx;
};
struct import {
    const char *address;
    struct mail mail;
    struct port_reader *r;
    const char *folder;               /* all goes into this one; NULL: where the reader says */
    const char *under;                /* or below this one; NULL: as it is */
    const struct import_hooks *hooks; /* may be NULL */
    uint64_t messages, repeats, skipped;
    /* ---- import.c's own ---- */
    struct buf theirs, ours; /* names of the folder under way */
    uint64_t folder_id;
    uint32_t uidnext;
    uint64_t number; /* the last message of it that was begun */
    bool entered;
    struct known known;
    struct import_group *group, *sent;
    int64_t bar_ms, began_ms;
};
/* mail is open and r is there. E_QUOTA and others: so far it is in. */
MUST_CHECK int import_all(struct import *x);
/* What was read so far goes in, and is told to the hooks: for a reader that begins another folder. */
MUST_CHECK int import_flush(struct import *x);
/* Said on standard error: one that was not brought in, and why. */
void import_skip(struct import *x, const char *what, int e);
int import_say(const struct import *x, const char *input, int e); /* sysexits code */
int import_report(struct import *x, bool json); /* the same: EX_DATAERR when some were skipped */
/* Closes reader and mail. */
void import_release(struct import *x);
#endif
