/* lib/mime/envelope.h
 *
 * What RFC 9051 7.5.2 calls an envelope: ten values out of a header block, raw (encoded words stay),
 * unfolded. The wire form is imap_format.h's. */
#ifndef LIB_MIME_ENVELOPE_H
#define LIB_MIME_ENVELOPE_H
#include "lib/mime/address.h"
#include "lib/mime/date.h"

/* .p NULL and list NULL mean NIL; present and empty is the empty string. */
struct mime_envelope {
    struct str date, subject;
    struct mime_address *from, *sender, *reply_to, *to, *cc, *bcc;
    struct str in_reply_to, message_id;
    struct mime_date sent; /* the Date field's time; valid when has_sent */
    bool has_sent;
};

/* Build from a header block (only the fields it uses need be in it). Of repeated fields the first
 * counts, address lists are joined: an address that some other program shows must not be missing
 * here. Sender and Reply-To default to From. NULL when the arena is full. */
struct mime_envelope *mime_envelope_parse(struct arena *a, struct str header);
#endif
