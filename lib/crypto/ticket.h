/* lib/crypto/ticket.h
 *
 * What a secondary keeps instead of a key: the data key of one session, readable only to the holder of
 * the ticket key (the supervisor keeps that across restarts of the store). Opaque and of one size. */
#ifndef LIB_CRYPTO_TICKET_H
#define LIB_CRYPTO_TICKET_H
#include "lib/crypto/box.h"

#define TICKET_BYTES     144u
#define MAILBOX_ID_BYTES 12u
#define SESSION_ID_BYTES 16u

struct ticket {
    uint8_t mailbox[MAILBOX_ID_BYTES];
    uint16_t slot;
    uint32_t generation; /* of the data key */
    uint8_t data_key[KEY_BYTES];
    uint8_t session[SESSION_ID_BYTES];
    int64_t expires_ms; /* wall clock */
};

void ticket_seal(const struct ticket *t, const uint8_t ticket_key[KEY_BYTES], uint8_t out[TICKET_BYTES]);
/* E_CORRUPT: not sealed with this key; E_STALE: expires_ms <= now_ms. *out is set on success only;
 * wipe it with ticket_release. */
MUST_CHECK int ticket_open(struct str bytes, const uint8_t ticket_key[KEY_BYTES], int64_t now_ms,
                           struct ticket *out);
void ticket_release(struct ticket *t);
#endif
