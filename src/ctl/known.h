/* src/ctl/known.h
 *
 * Which messages a folder has, so that none is brought in twice: by size, and where sizes agree by the hash of all its
 * bytes, which is read when it is first needed. 48 bytes a message. Each stands for one of what comes: a folder of two equal
 * messages is two of them, and the second time both are there. */
#ifndef SRC_CTL_KNOWN_H
#define SRC_CTL_KNOWN_H
#include "lib/base/str.h"

#define KNOWN_HASH_BYTES 32u

struct known_one {
    uint64_t bytes;
    uint32_t uid; /* 0: nothing has this place */
    bool hashed, taken;
    uint8_t hash[KNOWN_HASH_BYTES];
};
struct known {
    struct known_one *v;
    size_t n, cap; /* cap: a power of 2, or 0 */
};
MUST_CHECK int known_add(struct known *k, uint64_t bytes, uint32_t uid /* not 0 */);
/* 1: it is there, and now taken; 0: not (any more). `fetch` gives the hash of the message `uid`; E_NOTFOUND: that one is
 * gone. */
MUST_CHECK int known_take(struct known *k, uint64_t bytes, const uint8_t hash[KNOWN_HASH_BYTES],
                          int (*fetch)(void *ctx, uint32_t uid, uint8_t hash_out[KNOWN_HASH_BYTES]),
                          void *ctx);
void known_release(struct known *k);
#endif
