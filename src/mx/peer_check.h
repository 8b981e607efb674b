/* src/mx/peer_check.h
 *
 * What the domain name system says of the host that connects: its name, when that name leads back to its
 * address (RFC 8601 3, "iprev"), and whether lists of addresses have it (RFC 5782). Begun with the connection,
 * within a time that is set: whoever does not answer by then has said nothing, and that is never a reason to
 * refuse. It knows questions and answers; how they travel is the owner's. */
#ifndef SRC_MX_PEER_CHECK_H
#define SRC_MX_PEER_CHECK_H
#include "src/common/resolve.h"
#include <sys/socket.h>

#define PEER_LISTS_MAX   8u
#define PEER_NAMES_MAX   4u /* of one address that are followed; spammers give it hundreds */
#define PEER_NAME_MAX    254u
#define PEER_LISTS_BYTES 1024u

/* The lists of an operator: "zen.example.org, bl.example.net". */
struct peer_lists {
    struct str v[PEER_LISTS_MAX];
    size_t n;
};
/* Borrows `text`. E_SYNTAX: no names; E_LIMIT. */
MUST_CHECK int peer_lists_parse(struct str text, struct peer_lists *out);

struct peer_check_conf {
    bool name; /* look for its name */
    struct peer_lists block, allow;
    bool want_allowed; /* ask the latter even where no list blocks */
    int64_t timeout_ms;
};
struct peer_check_io {
    /* As resolve_ask: NULL when it cannot be asked. */
    struct resolve *(*ask)(void *ctx, const struct dns_question *q, int64_t wait_ms, resolve_fn *done,
                           void *done_ctx);
    void (*cancel)(void *ctx, struct resolve **r);
};

struct peer_facts {
    char name[PEER_NAME_MAX]; /* verified; "" when there is none, or nobody could say */
    bool allowed;             /* a list that allows has it */
    struct str listed;        /* the first list that blocks it; empty: none. An allowing list goes before */
};

struct peer_check; /* opaque */
/* Never calls `done` from inside; NULL when there is nothing to ask, or no memory: then nothing is known. The
 * configuration must outlive it. */
struct peer_check *peer_check_start(const struct peer_check_conf *c, const struct peer_check_io *io,
                                    void *io_ctx, const struct sockaddr *sa,
                                    void (*done)(void *ctx, const struct peer_facts *f), void *ctx);
/* Before `done`: it is not called; after it the check is gone by itself. NULL is accepted. */
void peer_check_cancel(struct peer_check **p);
#endif
