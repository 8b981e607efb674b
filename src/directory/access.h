/* src/directory/access.h
 *
 * Allow and deny lists: whom a row names, and which of several rows decides. Pure.
 *
 * A row names an address (ann@example.org), a domain with all below it (example.org), a network (192.0.2.0/24,
 * 2001:db8::/32, an address alone), the null sender (<>), or anyone (*). Of the rows that fit, the most exact one
 * decides: an address and <> before a domain, a longer domain before a shorter one, a domain before a network, a longer
 * prefix before a shorter one, anyone last. Of two rows equally exact, the one that allows. */
#ifndef SRC_DIRECTORY_ACCESS_H
#define SRC_DIRECTORY_ACCESS_H
#include "lib/base/arena.h"

#define ACCESS_WHO_MAX 400u

/* Who writes. */
struct access_peer {
    struct str
        address;       /* local@domain as compared; "<>" for the null sender; empty: one that is no address */
    struct str domain; /* of the sender; empty: none */
    uint8_t ip[16];    /* IPv4 as ::ffff:a.b.c.d */
    bool has_ip;
};
/* From the envelope: `sender` as the client wrote it (empty: null), `ip` as text. What is not well-formed fits no row
 * that names it. E_NOMEM. Results live in the arena. */
MUST_CHECK int access_peer_of(struct arena *a, struct str sender, struct str ip, struct access_peer *out);

/* The one form of a row's name. E_SYNTAX; E_RANGE (a prefix too long, or bits behind it); E_NOMEM. */
MUST_CHECK int access_who(struct arena *a, struct str text, struct str *out);

/* How exactly `who` (in that form) names the peer; 0: not at all. */
unsigned access_rank(struct str who, const struct access_peer *p);

struct access_verdict {
    unsigned rank; /* of the row that decides so far; 0: none */
    bool allow;
    struct str who; /* of that row; borrowed */
};
/* Rows come in any order. */
void access_weigh(struct access_verdict *v, struct str who, bool allow, const struct access_peer *p);
#endif
