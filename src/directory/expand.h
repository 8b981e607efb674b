/* src/directory/expand.h
 *
 * Who gets what comes to an address. In this order: the domain, or the one it is another name of; the alias of the very
 * local part; the alias before a separator (ann+tag: ann; the longest that there is); the first pattern; the
 * catch-all. Then its targets, and theirs, within our own domains: at most EXPAND_DEPTH_MAX steps, each alias once,
 * so that it always ends and no mailbox gets a message twice. Reads only. */
#ifndef SRC_DIRECTORY_EXPAND_H
#define SRC_DIRECTORY_EXPAND_H
#include "src/directory/leases.h"
#include "src/directory/recipients.h"

#define EXPAND_DEPTH_MAX 5u
#define EXPAND_MAX       100u /* aliases, mailboxes and forwards of one recipient */

enum expand_result {
    EXPAND_OK,
    EXPAND_NO_DOMAIN,
    EXPAND_NO_ALIAS,
    EXPAND_NOT_READY, /* it, or an alias it leads to, waits for its first password */
    EXPAND_DISABLED,
    EXPAND_REFUSED,
    EXPAND_LOOP, /* too far, or nothing but circles */
};

struct expand_box {
    struct account account;
    struct lease_room room;
};
struct expand_forward {
    struct target target;
    struct str alias, domain; /* ours that it leaves from */
};
struct expansion {
    enum expand_result result;
    unsigned answer;    /* EXPAND_DISABLED */
    struct str address; /* as the directory writes it */
    struct expand_box *boxes;
    size_t nboxes;
    struct expand_forward *forwards;
    size_t nforwards;
    uint64_t taken[EXPAND_MAX]; /* aliases that take it, in the order they were found */
    struct str taken_as[EXPAND_MAX];
    size_t ntaken;
    bool
        named; /* the first of them is the address as written, or that without its tag; no pattern or catch-all led there */
    bool circular; /* somewhere an alias leads back to one it came from */
    bool fixed;    /* the same for every sender, until something is changed */
};

/* peer NULL: the lists are not looked at. E_NOMEM and what the database says. */
MUST_CHECK int recipient_expand(struct db *db, struct arena *a, const struct address *addr,
                                const struct access_peer *peer, struct expansion *out);
#endif
