/* lib/mailauth/message.h
 *
 * A message as signatures see it: the header block, kept, and hashes of the body, which only flows by. Feed
 * slices cut anywhere; when the header block is over, the signatures in it say which body hashes are
 * needed. Line ends are CRLF. Memory: the header block up to MAILAUTH_HEADER_MAX, and 1.2 KiB for each of
 * at most MAILAUTH_BODIES_MAX different body hashes. */
#ifndef LIB_MAILAUTH_MESSAGE_H
#define LIB_MAILAUTH_MESSAGE_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

#define MAILAUTH_HEADER_MAX     KIB(256)
#define MAILAUTH_FIELDS_MAX     1000u
#define MAILAUTH_BODIES_MAX     10u
#define MAILAUTH_SIGNATURES_MAX 8u /* DKIM signatures that are looked at, from the top */
#define MAILAUTH_HASH_BYTES     32u

struct mailauth_field {
    struct str raw;  /* with its CRLF */
    struct str name; /* without white space */
    struct str value;
};

struct dkim_signature;
struct arc_chain;
struct mailauth_body;

struct mailauth_message {
    struct buf header;
    struct arena arena;
    struct mailauth_field *fields;
    size_t nfields;
    struct mailauth_body *bodies[MAILAUTH_BODIES_MAX];
    size_t nbodies;
    struct dkim_signature *signatures; /* DKIM, in the order of the message */
    size_t nsignatures, nsignatures_seen;
    struct arc_chain *arc; /* NULL: the message has no ARC fields */
    bool in_body, ended;
    unsigned line_at; /* bytes in the header's line so far */
    bool line_cr;
    int error; /* E_LIMIT: header block too large; E_NOMEM. Then no signature is looked at */
};

void mailauth_message_init(struct mailauth_message *m);
void mailauth_message_release(struct mailauth_message *m);
void mailauth_message_feed(struct mailauth_message *m, struct str in);
void mailauth_message_end(struct mailauth_message *m);

/* Want a hash of the body: before its first byte, that is before the first feed or from the parsers of
 * signatures. limit_bytes UINT64_MAX: all. Returns an index, or E_LIMIT, E_NOMEM. */
MUST_CHECK int mailauth_body_want(struct mailauth_message *m, bool relaxed, uint64_t limit_bytes);
/* After the end: the SHA-256, how many canonical bytes there were. False: trouble with memory. */
bool mailauth_body_hash(const struct mailauth_message *m, int index, uint8_t out[MAILAUTH_HASH_BYTES],
                        uint64_t *bytes_out);
/* How many fields of that name, and the last one; NULL when there is none. */
const struct mailauth_field *mailauth_field_last(const struct mailauth_message *m, const char *name,
                                                 size_t *count_out);
#endif
