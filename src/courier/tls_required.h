/* src/courier/tls_required.h
 *
 * "TLS-Required: No" in the header of a message (RFC 8689 3): its sender would rather have it arrive than have it arrive safely.
 * Reads bytes as they come, and no further than the header. Pure. */
#ifndef SRC_COURIER_TLS_REQUIRED_H
#define SRC_COURIER_TLS_REQUIRED_H
#include "lib/base/str.h"

struct tls_required {
    char line[40]; /* the beginning of a field, without what is white */
    size_t n;
    unsigned fields, no; /* of that name; those that say "No" */
    bool over, begun;    /* begun: not at the start of a line */
};

void tls_required_feed(struct tls_required *t, struct str bytes);
/* After the last byte: does it say No? Of several fields each must. */
bool tls_required_no(struct tls_required *t);
#endif
