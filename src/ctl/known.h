/* src/ctl/known.h
 *
 * Which messages a folder has, so that none is brought in twice: by size, and where sizes agree by the hash of all its
 * bytes, which is read when it is first needed. 48 bytes a message. */
#ifndef SRC_CTL_KNOWN_H
#define SRC_CTL_KNOWN_H
#include "lib/base/str.h"

#define KNOWN_HASH_BYTES 32u

struct known_one {
    uint64_t bytes;
    uint32_t uid; /* 0: nothing has this place */
    bool hashed;
    uint8_t hash[KNOWN_HASH_BYTES];
};
struct known {
    struct known_one *v;
    size_t n, cap; /* cap: a power of 2, or 0 */
};
MUST_CHECK int known_add(struct known *k, uint64_t bytes, uint32_t uid, const uint8_t *hash /* or NULL */);
/* 1: it is there; 0: not. `fetch` gives the hash of the message `uid`; E_NOTFOUND: that one is gone. */
MUST_CHECK int known_find(struct known *k, uint64_t bytes, const uint8_t hash[KNOWN_HASH_BYTES],
                          int (*fetch)(void *ctx, uint32_t uid, uint8_t hash_out[KNOWN_HASH_BYTES]),
                          void *ctx);
void known_release(struct known *k);
#endif
