#include "lib/crypto/pwcache.h"

void pwcache_make(const uint8_t boot_key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_BYTES],
                  const struct password *p, uint8_t out[PWCACHE_BYTES])
{
    kdf2(out, boot_key,
         p->kind == PASSWORD_OWN ? "letterlock pwcache own v1" : "letterlock pwcache generated v1",
         str_of(mailbox, MAILBOX_ID_BYTES), str_of(p->bytes, p->n));
}

bool pwcache_match(const uint8_t boot_key[KEY_BYTES], const uint8_t mailbox[MAILBOX_ID_BYTES],
                   const struct password *p, const uint8_t kept[PWCACHE_BYTES])
{
    uint8_t mac[PWCACHE_BYTES];
    bool same;

    pwcache_make(boot_key, mailbox, p, mac);
    same = bytes_same(mac, kept, sizeof mac);
    bytes_wipe(mac, sizeof mac);
    return same;
}
