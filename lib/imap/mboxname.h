/* lib/imap/mboxname.h
 *
 * Mailbox names: inside the program they are UTF-8 (NFC, RFC 9051 5.1), levels separated by '/', with
 * INBOX always in capitals. On the wire they are modified UTF-7 (RFC 3501 5.1.3) until the client has
 * enabled UTF-8. Knows no mailbox that exists. */
#ifndef LIB_IMAP_MBOXNAME_H
#define LIB_IMAP_MBOXNAME_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define MBOXNAME_SEP        '/'
#define MBOXNAME_MAX        1000u /* bytes of UTF-8 */
#define MBOXNAME_LEVELS_MAX 32u
#define MBOXNAME_LEVEL_MAX  255u /* bytes of one level */

/* May a mailbox be called so? Valid UTF-8 without control characters, wildcards, empty levels or a
 * separator at an end; within the limits. */
bool mboxname_valid(struct str name);
bool mboxname_is_inbox(struct str name);
/* From an argument of a command to a name, in the arena. `utf8`: the client has enabled UTF-8. One
 * trailing separator is dropped (RFC 3501 6.3.3, CREATE). E_RANGE: not a name; E_NOMEM. */
MUST_CHECK int mboxname_from_wire(struct arena *a, struct str wire, bool utf8, struct str *out);
/* The same for a pattern or reference of LIST: % and * stay, it may be empty or end in '/'. */
MUST_CHECK int mboxname_pattern_from_wire(struct arena *a, struct str wire, bool utf8, struct str *out);

/* Modified UTF-7, strictly: one encoding for one name. E_SYNTAX; E_LIMIT, E_NOMEM from the buf. */
MUST_CHECK int mutf7_decode(struct str in, struct buf *utf8_out);
/* E_SYNTAX when `in` is not UTF-8. */
MUST_CHECK int mutf7_encode(struct str in, struct buf *out);

/* Does `name` match the pattern of LIST: '*' matches anything, '%' anything but '/'? INBOX matches in
 * any case. Time is bounded by the product of both lengths; patterns over MBOXNAME_MAX match nothing. */
bool mboxname_match(struct str pattern, struct str name);
/* Is `name` a level below `parent`, at any depth? */
bool mboxname_is_child(struct str name, struct str parent);
#endif
