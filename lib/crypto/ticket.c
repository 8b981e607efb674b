#include "lib/crypto/ticket.h"
#include "lib/base/errors.h"
#include "lib/base/hex.h"

#define MAGIC       "LLTK\x01\x00"
#define MAGIC_BYTES 6u
#define PLAIN_BYTES (TICKET_BYTES - MAGIC_BYTES - BOX_OVERHEAD_BYTES) /* 98, of which 74 are used */
enum { AT_MAILBOX = 0, AT_SLOT = 12, AT_GENERATION = 14, AT_KEY = 18, AT_SESSION = 50, AT_EXPIRES = 66 };

void ticket_seal(const struct ticket *t, const uint8_t ticket_key[KEY_BYTES], uint8_t out[TICKET_BYTES])
{
    uint8_t p[PLAIN_BYTES] = { 0 };

    memcpy(p + AT_MAILBOX, t->mailbox, MAILBOX_ID_BYTES);
    le16_put(p + AT_SLOT, t->slot);
    le32_put(p + AT_GENERATION, t->generation);
    memcpy(p + AT_KEY, t->data_key, KEY_BYTES);
    memcpy(p + AT_SESSION, t->session, SESSION_ID_BYTES);
    le64_put(p + AT_EXPIRES, (uint64_t)t->expires_ms);
    memcpy(out, MAGIC, MAGIC_BYTES);
    box_seal(ticket_key, str_of(MAGIC, MAGIC_BYTES), str_of(p, sizeof p), out + MAGIC_BYTES);
    bytes_wipe(p, sizeof p);
}

static void ticket_get(const uint8_t *p, struct ticket *out)
{
    memcpy(out->mailbox, p + AT_MAILBOX, MAILBOX_ID_BYTES);
    out->slot = le16_get(p + AT_SLOT);
    out->generation = le32_get(p + AT_GENERATION);
    memcpy(out->data_key, p + AT_KEY, KEY_BYTES);
    memcpy(out->session, p + AT_SESSION, SESSION_ID_BYTES);
    out->expires_ms = (int64_t)le64_get(p + AT_EXPIRES);
}

int ticket_open(struct str bytes, const uint8_t ticket_key[KEY_BYTES], int64_t now_ms, struct ticket *out)
{
    uint8_t p[PLAIN_BYTES];
    int r;

    if (bytes.n != TICKET_BYTES || memcmp(bytes.p, MAGIC, MAGIC_BYTES) != 0)
        return E_CORRUPT;
    if ((r = box_open(ticket_key, str_of(MAGIC, MAGIC_BYTES), str_skip(bytes, MAGIC_BYTES), p)) < 0)
        return r;
    r = (int64_t)le64_get(p + AT_EXPIRES) <= now_ms ? E_STALE : 0;
    if (r == 0)
        ticket_get(p, out);
    bytes_wipe(p, sizeof p);
    return r;
}

void ticket_release(struct ticket *t)
{
    bytes_wipe(t, sizeof *t);
}
