/* src/ctl/imap_client.h
 *
 * One connection to another IMAP server, always under TLS, its certificate checked. Blocking, with a limit on every wait.
 * Knows nothing of mailboxes of ours. */
#ifndef SRC_CTL_IMAP_CLIENT_H
#define SRC_CTL_IMAP_CLIENT_H
#include "lib/imap/answer.h"
#include "src/ctl/ctl.h"

struct imap_client_options {
    const char *host, *ca_file; /* ca_file: "" what the system trusts */
    uint16_t port;
    bool starttls;
    struct str user, password;
    struct service *service; /* whose resolver is asked; when it has none, the system's */
};
struct imap_client; /* opaque */

/* Connected and logged in. E_NOTFOUND: no such name; E_UNAVAIL, E_TIMEOUT, E_CLOSED: may be tried again; E_AUTH; E_DENIED: its
 * certificate is not good, or it has no TLS; E_SYNTAX: no IMAP. `why` has words for people, without control characters. */
MUST_CHECK int imap_client_open(const struct imap_client_options *o, struct buf *why,
                                struct imap_client **out);
void imap_client_close(struct imap_client **c); /* with LOGOUT, when there is somebody to hear it */
bool imap_client_can(const struct imap_client *c, const char *capability);
bool imap_client_utf8(const struct imap_client *c);
/* Sends "<tag> <command>" CRLF; the tag is a number that goes up by one. Pipelined when nobody reads meanwhile. */
MUST_CHECK int imap_client_send(struct imap_client *c, struct str command, uint32_t *tag_out);
/* The next event (lib/imap/answer.h), never IMAP_ANSWERS_MORE. *line_out and *slice_out are good until the next call. */
MUST_CHECK int imap_client_next(struct imap_client *c, struct str *line_out, struct str *slice_out);
/* The length of the body that began. */
uint64_t imap_client_body_bytes(const struct imap_client *c);
/* The number of a tag of ours; 0: none. */
uint32_t imap_client_tag(struct str tag);
/* A command, and all that is answered until its end: untagged responses to `take` (may be NULL). E_DENIED: NO; E_SYNTAX: BAD;
 * the text is in `why`. E_UNAVAIL: it said NO, and that it will pass. */
MUST_CHECK int imap_client_ask(struct imap_client *c, struct str command,
                               int (*take)(void *ctx, const struct imap_answer *a), void *ctx,
                               struct buf *why);
/* What a NO says: E_UNAVAIL when it will pass (RFC 5530), E_DENIED. */
int imap_client_no(const struct imap_answer *a);
/* The words of a server, for a terminal. */
void imap_client_say(struct str text, struct buf *why);
#endif
