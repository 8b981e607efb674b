/* src/directory/address.h
 *
 * The form in which names are compared: domains as lower-case A-labels (IDNA2008, UTS 46 mapping), local
 * parts in NFC with ASCII letters in lower case and quoting undone. Pure. */
#ifndef SRC_DIRECTORY_ADDRESS_H
#define SRC_DIRECTORY_ADDRESS_H
#include "lib/base/arena.h"

struct address {
    struct str local, domain; /* as compared */
    struct str text;          /* as shown: the local part in the case it came in */
};

/* E_SYNTAX: not a host name (address literals are none). Results live in the arena. */
MUST_CHECK int address_domain(struct arena *a, struct str text, struct str *out);
/* E_SYNTAX: not local@domain, E_LIMIT: too long. */
MUST_CHECK int address_parse(struct arena *a, struct str text, struct address *out);
#endif
