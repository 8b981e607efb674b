/* lib/mime/address.h
 *
 * Address lists as senders write them (RFC 5322 3.4 and 4.4, UTF-8 by RFC 6532), cut into the four
 * fields of an IMAP ENVELOPE (RFC 9051 7.5.2). Names stay encoded (RFC 2047). Never fails: what is
 * not an address becomes one as best it can, and a list over MIME_ADDRESSES_MAX ends there. */
#ifndef LIB_MIME_ADDRESS_H
#define LIB_MIME_ADDRESS_H
#include "lib/base/arena.h"
#include "lib/base/errors.h"

#define MIME_ADDRESSES_MAX 2000u

/* .p NULL is IMAP's NIL. A group begins with host NIL and its name in mailbox, and ends with both
 * NIL. An address without domain has the empty host, which is not NIL. */
struct mime_address {
    struct str name, route, mailbox, host;
    struct mime_address *next;
};

/* Parse a field value (folded or not). The list lives in the arena; a full arena ends it early. */
struct mime_address *mime_address_parse(struct arena *a, struct str value);
static inline bool mime_address_is_group(const struct mime_address *m)
{
    return !m->host.p;
}
#endif
