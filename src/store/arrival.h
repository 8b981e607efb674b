/* src/store/arrival.h
 *
 * Where a message goes when it comes in, and what stands on it from the beginning: the folder of a special use
 * instead of INBOX, flags, keywords. Waits with the message for a closed mailbox, inside of what is sealed. */
#ifndef SRC_STORE_ARRIVAL_H
#define SRC_STORE_ARRIVAL_H
#include "lib/base/str.h"
#include "src/store/mailbox.h"

#define ARRIVAL_KEYWORDS_MAX       8u
#define ARRIVAL_KEYWORDS_BYTES_MAX 255u

struct arrival {
    uint8_t special_use; /* Store__SpecialUse */
    uint8_t flags;       /* Store__Flag bits */
    uint8_t nkeywords;
    uint8_t keywords_bytes;
    char keywords[ARRIVAL_KEYWORDS_BYTES_MAX + 1]; /* each ended by a NUL */
};

/* Of a request's recipient: E_SYNTAX, E_LIMIT. */
MUST_CHECK int arrival_of(const Store__Recipient *m, struct arrival *out);
/* The same for mailbox_append; `keywords` is what at->keywords then points to. */
void arrival_place(const struct arrival *a, char *keywords[ARRIVAL_KEYWORDS_MAX], struct placement *at);

/* Its bytes before a sealed message: doc/formats.md, 5. */
#define ARRIVAL_HEAD_MAX (12u + ARRIVAL_KEYWORDS_BYTES_MAX)
size_t arrival_head_write(const struct arrival *a, int64_t received_ms, uint8_t out[ARRIVAL_HEAD_MAX]);
/* How much of `in` is head; E_CORRUPT. `in` has the head whole, or is all there is. */
MUST_CHECK int arrival_head_read(struct str in, struct arrival *out, size_t *used_out);
#endif
