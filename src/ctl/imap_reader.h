/* src/ctl/imap_reader.h
 *
 * All messages of a mailbox on another IMAP server as a reader (lib/port): folder by folder, in order of UIDs, from where an
 * earlier run came to. A connection that breaks off is made anew, ever later, and goes on. Politely: one connection, two
 * requests under way, nothing is changed there (EXAMINE, BODY.PEEK). */
#ifndef SRC_CTL_IMAP_READER_H
#define SRC_CTL_IMAP_READER_H
#include "lib/port/port.h"
#include "src/ctl/imap_client.h"

struct imap_reader_folder {
    struct str ours, wire; /* its name for us, and there */
    enum imap_use use;
    uint32_t uidvalidity; /* known when it is entered */
};
struct imap_reader_hooks {
    /* A folder begins: the last UID that is dealt with already (of this UIDVALIDITY); 0: none. */
    int (*begin)(void *ctx, struct imap_reader_folder *f, uint32_t *after_out);
    /* A folder or message is left out, and why. e: E_*, or 0 when that is as it should be. */
    void (*left_out)(void *ctx, const char *what, const char *why, int e);
    void *ctx;
};
/* folder: only this one (as we call it), NULL: all but those that show messages of others (\All, \Flagged, \Important). The
 * folder of a message is the name given by begin, in f->ours. E_* of imap_client_open, with `why`. */
MUST_CHECK int imap_reader_new(const struct imap_client_options *o, const char *folder,
                               const struct imap_reader_hooks *h, struct buf *why, struct port_reader **out);
/* The folder whose messages come now. */
const struct imap_reader_folder *imap_reader_folder(struct port_reader *r);
/* Of it: up to this UID nothing is still to come. */
uint32_t imap_reader_done(struct port_reader *r);
#endif
