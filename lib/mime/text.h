/* lib/mime/text.h
 *
 * A message in, its structure and its search text out, in one pass over slices cut anywhere. The text
 * is UTF-8, decoded and folded by fold.h:
 *
 *   name: value LF        every field of the message's header; then, as they come,
 *   filename: name LF     of parts that have one,
 *   name: value LF        every field of an enclosed message's header, and
 *   text LF               every text part (HTML as its text).
 *
 * No line begins or ends with white space. Beside it the first text that says something is made a
 * preview (preview.h), as it is written and not folded.
 *
 * Memory is bounded whatever comes, the length of the text is not. Messages that are themselves
 * encoded (which RFC 2046 5.2.1 forbids) are not looked into. */
#ifndef LIB_MIME_TEXT_H
#define LIB_MIME_TEXT_H
#include "lib/base/buf.h"
#include "lib/base/errors.h"
#include "lib/mime/charset.h"
#include "lib/mime/decode.h"
#include "lib/mime/fold.h"
#include "lib/mime/html.h"
#include "lib/mime/scan.h"

#define MIME_TEXT_FIELD_MAX KIB(16) /* longer fields are decoded in pieces, cut between lines */

/* Takes a piece of the text, borrowed for the call. A negative return stops further text and comes
 * back from feed and finish; the structure is found all the same. */
typedef int mime_text_sink(void *user, struct str text);

/* The same before it is folded, as it is written: a piece of a line. `field`: a line begins, of this field of
 * a header, of "filename", or (empty) of a text; .p NULL: it goes on. end: it ends with this piece. */
typedef int mime_text_plain(void *user, struct str field, struct str text, bool end);

/* What else is seen on the way, for who judges mail (lib/spam): the leaves of the message, whatever they are,
 * with their transfer encoding undone, and texts as characters before HTML is taken out. Slices are borrowed
 * for the call; any may be NULL. */
struct mime_text_watch {
    void (*header_end)(void *user, const struct mime_part *p);
    void (*leaf_begin)(void *user, const struct mime_part *p);
    void (*leaf)(void *user, struct str decoded);
    void (*utf8)(void *user, struct str text);
    void (*leaf_end)(void *user);
};

/* Private; init before use, release after. About 70 KiB with its buffers, and the tree's arena. */
struct mime_text {
    struct mime_scan scan;
    mime_text_sink *sink;
    mime_text_plain *plain_sink;
    const struct mime_text_watch *watch;
    void *user;
    int error;
    uint64_t bytes, header_bytes;
    bool active, watched, html, leading, continued, in_field, mid_line;
    struct mime_decoder decoder;
    struct mime_charset charset;
    struct mime_html strip;
    struct mime_fold fold;
    struct buf field, decoded, utf8, plain, out, references, lead, preview;
};

MUST_CHECK int mime_text_init(struct mime_text *t, struct arena *a, mime_text_sink *sink, void *user);
/* Before the first feed: `plain` gets every line too, with the same `user`. */
void mime_text_also_plain(struct mime_text *t, mime_text_plain *plain);
/* The same for a watch: borrowed for the life of `t`. */
void mime_text_also_watch(struct mime_text *t, const struct mime_text_watch *watch);
MUST_CHECK int mime_text_feed(struct mime_text *t, struct str slice);
/* *root_out is set whatever is returned. header_bytes of the text were the message's own header; the
 * rest is its body (IMAP SEARCH BODY). */
MUST_CHECK int mime_text_finish(struct mime_text *t, struct mime_part **root_out);
void mime_text_release(struct mime_text *t);
/* The value of the message's References field, as it came (at most MIME_TEXT_FIELD_MAX); valid until
 * release. */
struct str mime_text_references(const struct mime_text *t);
/* After finish: what to show of the message (preview.h); empty when it has no text. Valid until release. */
struct str mime_text_preview(const struct mime_text *t);
#endif
