/* lib/mime/vacation.h
 *
 * Automatic replies (RFC 3834): whether a message may be answered by a program, and the answer. Bytes and rules; who was
 * answered when, and whether the sender is who he says, are for others. */
#ifndef LIB_MIME_VACATION_H
#define LIB_MIME_VACATION_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/errors.h"

/* NULL: it may. Else why not, in a word for the log. header: its header block, or the beginning of it; sender: of the
 * envelope; own: addresses of who is away, one of which must be among the recipients in the header (RFC 3834 2). */
const char *vacation_refused(struct arena *a, struct str header, struct str sender, const struct str *own,
                             size_t nown);
/* Who is answered, to count by: the address in From when it is of the sender's domain, since senders may be tagged; else the
 * sender. In small letters, in the arena; .p NULL: no memory. */
struct str vacation_whom(struct arena *a, struct str header, struct str sender);

struct vacation_reply {
    struct str from, to; /* addresses */
    struct str subject;  /* UTF-8; empty: "Auto:" and that of the message */
    struct str text;     /* UTF-8, any line ends */
    struct str header;   /* of the message */
    struct str id;       /* of the Message-ID, without brackets */
    int64_t now_ms;
};
/* Append the whole message, with CRLF. Errors of buf; E_NOMEM. */
MUST_CHECK int vacation_write(struct arena *a, const struct vacation_reply *v, struct buf *out);
#endif
