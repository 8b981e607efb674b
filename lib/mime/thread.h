/* lib/mime/thread.h
 *
 * What threads are made of (RFC 5256): base subjects and message ids. */
#ifndef LIB_MIME_THREAD_H
#define LIB_MIME_THREAD_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"

/* Append the base subject of a raw Subject value (RFC 5256 2.1): decoded, without Re, Fwd, [list] and
 * (fwd), folded as fold.h does. *reply_out, when not NULL: something said that it is a reply or a
 * forward. Errors: those of buf. */
MUST_CHECK int mime_subject_base(struct str subject, struct buf *out, bool *reply_out);
/* Take the next <id> off a Message-ID, In-Reply-To or References value: without the brackets, as it
 * came. False when there is no further one. */
bool mime_message_id_next(struct str *value, struct str *id_out);
#endif
