/* src/imap/qresync.h
 *
 * CONDSTORE and QRESYNC (RFC 7162): what SELECT is told about a client's cache, and the answer that
 * brings it up to date. */
#ifndef SRC_IMAP_QRESYNC_H
#define SRC_IMAP_QRESYNC_H
#include "src/imap/imap.h"

/* A CONDSTORE enabling command (RFC 7162 3.1): from now on changes are told with MODSEQ. The first one while a
 * folder is selected tells its HIGHESTMODSEQ. */
void condstore_enable(struct imap_conn *c);
/* The line of it. */
void condstore_tell(struct imap_conn *c);

struct qresync {
    bool given;
    uint32_t uidvalidity;
    uint64_t modseq;
    const struct seqset *known; /* UIDs; NULL: all */
    size_t npairs;              /* of seqs and uids */
    const uint32_t *pairs;      /* number, UID, number, UID… */
};

/* select-params of RFC 4466: " (CONDSTORE)", " (QRESYNC (1 20 41,43:211))". May enable CONDSTORE.
 * E_SYNTAX with args set. */
MUST_CHECK int qresync_parse(struct imap_conn *c, struct args *a, struct qresync *out);
/* The folder is selected: tell what went and what changed since, then OK with `code`. */
MUST_CHECK int qresync_answer(struct imap_conn *c, const struct qresync *q, const char *code);
/* "* VANISHED (EARLIER) …" of `uids` (packed), then `then`. The command waits. `pairs`: see proto. */
MUST_CHECK int qresync_vanished(struct imap_conn *c, uint64_t since, uint32_t *uids, size_t n,
                                const struct qresync *q, int (*then)(struct imap_conn *c));
#endif
