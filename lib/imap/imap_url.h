/* lib/imap/imap_url.h
 *
 * URLs of messages and their parts (RFC 5092), as CATENATE names them (RFC 4469 3): relative ones only, since
 * it speaks of the session that it is in. "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.MIME". Grammar
 * only: whether there is such a message is for the store to say. */
#ifndef LIB_IMAP_IMAP_URL_H
#define LIB_IMAP_IMAP_URL_H
#include "lib/imap/fetch_items.h"

#define IMAP_URL_MAX KIB(8)

struct imap_url {
    struct str mailbox;   /* as UTF-8, in the arena; .n 0: the selected one */
    uint32_t uidvalidity; /* 0: not named */
    uint32_t uid;
    struct fetch_section section; /* none: the whole message */
    bool has_partial;
    uint64_t partial_off, partial_len; /* len 0: to the end */
};

/* E_SYNTAX: no such URL, or one that leads elsewhere (a scheme, a server, a search, an authorization);
 * E_LIMIT, E_NOMEM. The result may point into `url` and the arena. */
MUST_CHECK int imap_url_parse(struct arena *a, struct str url, struct imap_url *out);
/* `url` as a response code may hold it (RFC 4469 5, url-resp-text): what may not stand there is encoded. */
MUST_CHECK int imap_url_write(struct str url, struct buf *out);
#endif
