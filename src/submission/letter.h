/* src/submission/letter.h
 *
 * A message on its way from its writer: the header block is kept until it is over (LETTER_HEADER_MAX), looked at and
 * put right as RFC 6409 8 allows: Bcc and Return-Path go, and results that claim to be ours; what is
 * missing is known. Of the body only a hash is kept. Pure. */
#ifndef SRC_SUBMISSION_LETTER_H
#define SRC_SUBMISSION_LETTER_H
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include <sodium/crypto_generichash.h>

#define LETTER_HEADER_MAX KIB(128)
#define LETTER_FROM_MAX   32u
#define LETTER_HASH_BYTES 32u

enum letter_fault {
    LETTER_OK,
    LETTER_NO_FROM, /* RFC 5322 3.6: exactly one, with an address in it */
    LETTER_MANY_FROM,
    LETTER_MANY_SENDER,
    LETTER_NO_SENDER,   /* several authors, and nobody who says that he sent it (3.6.2) */
    LETTER_BAD_ADDRESS, /* in From or Sender: no address, or a group */
    LETTER_TOO_MANY,    /* authors */
};

struct letter {
    struct str host; /* ours: whose results are removed; borrowed */
    struct buf head; /* the header block, then what goes on */
    bool in_body, cr;
    unsigned line_at;
    enum letter_fault fault;
    bool has_date, has_message_id;
    struct arena arena;
    struct str as[LETTER_FROM_MAX + 1]; /* addresses in From, and in Sender */
    size_t nas;
    struct str bcc; /* the fields, whole; empty: none */
    crypto_generichash_state hash;
};

void letter_init(struct letter *l, struct str host);
void letter_release(struct letter *l);
/* *out: what goes on now, borrowed until the next call. E_TOO_BIG: the header block is, for good; E_NOMEM. */
MUST_CHECK int letter_feed(struct letter *l, struct str in, struct str *out);
/* All of it has come. */
MUST_CHECK int letter_end(struct letter *l, struct str *out);
/* Of the bytes as they came. After the end, once. */
void letter_hash(struct letter *l, uint8_t out[LETTER_HASH_BYTES]);
#endif
