/* src/pop3/maildrop.h
 *
 * What a POP3 session sees: the messages that INBOX had at login, by number, and which of them DELE marked
 * (RFC 1939 5). Neither what arrives later nor what another session removes changes a number. */
#ifndef SRC_POP3_MAILDROP_H
#define SRC_POP3_MAILDROP_H
#include "lib/base/base.h"

#define UIDL_BYTES 12u /* the EMAILID of RFC 8474, which a message keeps when it is moved away and back */

struct drop {
    uint64_t bytes;
    uint32_t uid;
    uint8_t id[UIDL_BYTES];
    bool deleted, seen; /* seen: retrieved in this session */
};

struct maildrop {
    struct drop *v; /* message n is v[n - 1] */
    size_t n, cap, max;
    size_t left;    /* not deleted */
    uint64_t bytes; /* of these */
};

/* Set max first. In the order of UIDs. E_LIMIT, E_NOMEM. */
MUST_CHECK int maildrop_add(struct maildrop *d, uint32_t uid, uint64_t bytes, const uint8_t id[UIDL_BYTES]);
/* NULL: no such number, or deleted. */
struct drop *maildrop_get(struct maildrop *d, uint32_t number);
void maildrop_delete(struct maildrop *d, struct drop *m);
/* RSET: nothing is deleted. */
void maildrop_reset(struct maildrop *d);
/* UIDs of what is deleted as ranges [first, last, …]: *n_out numbers in an array for free(); NULL and 0 when there
 * is nothing. E_NOMEM. */
MUST_CHECK int maildrop_deleted(const struct maildrop *d, uint32_t **ranges_out, size_t *n_out);
void maildrop_release(struct maildrop *d);
#endif
