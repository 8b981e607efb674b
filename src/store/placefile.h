/* src/store/placefile.h
 *
 * Which mailboxes have their backups elsewhere than the others, and where they had them before: `places` in the data folder, a
 * line a mailbox, "<24 hex> <name now> <former name>...". Names are those of storage.places; "default" is the installation's
 * place. A mailbox that is not in it is there, and always was.
 *
 * Knows names, and nothing of what they name. Any thread. What is set for a mailbox that has files counts from the next start
 * on: who ships it meanwhile goes on. */
#ifndef SRC_STORE_PLACEFILE_H
#define SRC_STORE_PLACEFILE_H
#include "src/common/places.h"
#include "src/store/files.h"

#define PLACES_EACH_MAX (PLACES_MAX + 1) /* names of one mailbox */

struct placefile; /* opaque */

/* E_CORRUPT: a line is none of ours. */
MUST_CHECK int placefile_open(const struct files *f, struct placefile **out);
void placefile_free(struct placefile **p);
struct place_names {
    char name[PLACES_EACH_MAX][PLACE_NAME_MAX + 1]; /* [0]: now */
    size_t n;                                       /* at least 1 */
};
void placefile_get(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], struct place_names *out);
/* Just the first. */
void placefile_now(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], char out[PLACE_NAME_MAX + 1]);
/* From now on there, or, when `later`, from the next start on. Durable. 1: it was elsewhere; 0: it was there. */
MUST_CHECK int placefile_set(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN], const char *name,
                             bool later);
/* The mailbox is no more. */
MUST_CHECK int placefile_forget(struct placefile *p, const uint8_t mailbox[MAILBOX_ID_LEN]);
#endif
