/* lib/mailauth/psl.h
 *
 * The public suffix list: below which names do strangers register? Behind libpsl, whose built-in list needs no
 * file; a newer one is loaded before a role locks itself in. */
#ifndef LIB_MAILAUTH_PSL_H
#define LIB_MAILAUTH_PSL_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

struct psl; /* opaque */

/* file NULL: the newest of the system's list and the built-in one. E_NOTFOUND, E_NOMEM. Reads files. */
MUST_CHECK int psl_open(const char *file, struct psl **out);
void psl_close(struct psl **p);
/* Is it a public suffix? Only of the list's part by registries (ICANN): who runs a private suffix can say so in
 * its own DMARC record (psd=y). Any case; A-labels or UTF-8. */
bool psl_is_suffix(const struct psl *p, struct str domain);
/* "a.b.example.co.uk" -> "example.co.uk" by the whole list. False: it is a suffix itself, or no name. */
bool psl_registrable(const struct psl *p, struct str domain, struct buf *out);
#endif
