/* lib/smtp/srs.h
 *
 * The Sender Rewriting Scheme: a forward's envelope sender becomes an address of the domain that forwards, so that
 * SPF holds for it, and a bounce to that address finds its way to who sent it.
 *
 *   SRS0=HHHHHH=TT=domain=local@ours   of local@domain; TT: the day, in ten bits
 *   SRS1=HHHHHH=host=rest@ours         of SRS0rest@host: the bounce goes to who rewrote it first, however many there were since
 *   SRS0=HHHHHH=TT==token@ours         of what does not fit into 64 octets, or is no plain ASCII: the caller keeps it
 *
 * H is a keyed hash over all that stands behind it, the whole number of the day, and our domain. Hash, day and token are
 * base32 in any case, and the hash is over lower case, since there are servers that lower-case what they bounce to. Pure: the
 * day is given. */
#ifndef LIB_SMTP_SRS_H
#define LIB_SMTP_SRS_H
#include "lib/base/buf.h"
#include "lib/smtp/path.h"

#define SRS_DAYS        21
#define SRS_TOKEN_BYTES 10u
#define SRS_TOKEN_CHARS 16u

struct srs {
    const uint8_t *key; /* of 32 bytes */
    struct str domain;  /* ours, that forwards */
    int64_t day;        /* since the epoch, now */
};

/* A token as base32, in small letters, and back from any case; false: it is none. */
void srs_token_put(const uint8_t token[SRS_TOKEN_BYTES], char out[SRS_TOKEN_CHARS]);
bool srs_token_get(struct str s, uint8_t out[SRS_TOKEN_BYTES]);
/* Could it be one of these? Of the local part alone. */
bool srs_is(struct str local);
/* Append the rewritten sender. The null sender and those of our domain stay what they are. 1: `token_out` is to be kept with
 * `sender` for SRS_DAYS from today, 0: nothing is. E_SYNTAX: no address, E_LIMIT: our domain is too long; nothing
 * is appended then. */
MUST_CHECK int srs_forward(const struct srs *k, struct str sender, struct buf *out,
                           uint8_t token_out[SRS_TOKEN_BYTES]);
/* Append whom a bounce to `local` at k->domain is for; 1: who was kept with `token_out`. E_NOTFOUND: not srs_is,
 * E_AUTH: not of our making, E_STALE: too old. */
MUST_CHECK int srs_reverse(const struct srs *k, struct str local, struct buf *out,
                           uint8_t token_out[SRS_TOKEN_BYTES]);
#endif
