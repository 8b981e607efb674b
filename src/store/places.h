/* src/store/places.h
 *
 * Where backups go: the installation's place, and those of storage.places, which mailboxes of some domains have. Each is a
 * target (target.h), and when commits are shipped, a ship of its own (ship.h), so that one that is slow or away keeps
 * nobody else waiting, and what is one domain's is nowhere but there.
 *
 * Which mailbox is where is known by placefile.h; whoever asks for a mailbox to be made, or to be moved, says it. */
#ifndef SRC_STORE_PLACES_H
#define SRC_STORE_PLACES_H
#include "src/store/placefile.h"
#include "src/store/target.h"

struct shipping;
struct place {
    const char *name;          /* PLACE_DEFAULT: the installation's */
    const char *where;         /* in receipts: "backups", or "backups NAME" */
    const char *spool;         /* folder of its ship */
    struct target *target;     /* NULL: could not be opened, an alarm was logged */
    bool remote;               /* target is a target_remote */
    struct shipping *shipping; /* shipop.c's; NULL: nothing is shipped */
};

/* Before any mailbox is opened. What cannot be opened is an alarm; mail goes on. */
void places_open(void);
/* Who waits for storage elsewhere waits no more. */
void places_stop(void);
/* [0] is the installation's. */
struct place *places_all(size_t *n_out);
/* Any thread, as all that follow. One that the configuration does not name any more has no target. */
struct place *place_of(const uint8_t mailbox[MAILBOX_ID_LEN]);
/* NULL: cannot be reached. */
struct target *place_target(const uint8_t mailbox[MAILBOX_ID_LEN]);
/* Where it is and where it was, the first first. */
size_t places_of(const uint8_t mailbox[MAILBOX_ID_LEN], struct place *out[PLACES_EACH_MAX]);
/* A mailbox that is being made. E_NOTFOUND: no such place. */
MUST_CHECK int place_new(const uint8_t mailbox[MAILBOX_ID_LEN], struct str name);
void place_forget(const uint8_t mailbox[MAILBOX_ID_LEN]);
#endif
