/* lib/port/mbox.h
 *
 * mboxrd as a stream of bytes (RFC 4155 and the quoting that loses nothing): a line "From MAILER-DAEMON date", the message
 * with LF line ends and ">" before every line that is ">"s and "From ", an empty line. Ours begin each message with Status,
 * X-Status and X-Keywords, always all three, and reading takes exactly those away. */
#ifndef LIB_PORT_MBOX_H
#define LIB_PORT_MBOX_H
#include "lib/port/port.h"

struct mbox_encoder {
    bool cr, bol;    /* bol: the next byte begins a line */
    struct buf line; /* its beginning, as long as it may be a From line */
};
MUST_CHECK int mbox_encode_begin(struct mbox_encoder *e, const struct port_message *m, struct buf *out);
MUST_CHECK int mbox_encode(struct mbox_encoder *e, struct str bytes, struct buf *out);
MUST_CHECK int mbox_encode_end(struct mbox_encoder *e, struct buf *out);
void mbox_encoder_release(struct mbox_encoder *e);

/* "From someone Mon Nov  2 10:11:12 2026": also with a zone or seconds left out. False: no date; then it is no From line
 * either, unless nothing else can be. */
bool mbox_from_line(struct str line, int64_t *date_ms_out);
/* A line of ours at the beginning of a message; false: it is the message's own. Keywords are pieces of `value`. */
bool mbox_status_line(struct str line, struct port_message *m, struct arena *a);
#endif
