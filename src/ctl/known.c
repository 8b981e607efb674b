#include "src/ctl/known.h"
#include "lib/base/errors.h"
#include <stdlib.h>

static size_t slot_of(const struct known *k, uint64_t bytes)
{
    return (size_t)(bytes * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (k->cap - 1);
}

static void put(struct known *k, const struct known_one *one)
{
    size_t i = slot_of(k, one->bytes);

    while (k->v[i].uid)
        i = (i + 1) & (k->cap - 1);
    k->v[i] = *one;
    k->n++;
}

static int grow(struct known *k)
{
    struct known next = { .cap = k->cap ? 2 * k->cap : 1024 };

    if (!(next.v = calloc(next.cap, sizeof *next.v)))
        return E_NOMEM;
    for (size_t i = 0; i < k->cap; i++)
        if (k->v[i].uid)
            put(&next, &k->v[i]);
    free(k->v);
    *k = next;
    return 0;
}

int known_add(struct known *k, uint64_t bytes, uint32_t uid)
{
    struct known_one one = { .bytes = bytes, .uid = uid };
    int r = 2 * (k->n + 1) > k->cap ? grow(k) : 0;

    if (r < 0)
        return r;
    put(k, &one);
    return 0;
}

int known_take(struct known *k, uint64_t bytes, const uint8_t hash[KNOWN_HASH_BYTES],
               int (*fetch)(void *ctx, uint32_t uid, uint8_t hash_out[KNOWN_HASH_BYTES]), void *ctx)
{
    if (!k->cap)
        return 0;
    for (size_t i = slot_of(k, bytes); k->v[i].uid; i = (i + 1) & (k->cap - 1)) {
        struct known_one *one = &k->v[i];
        int r;

        if (one->bytes != bytes || one->taken)
            continue;
        if (!one->hashed && (r = fetch(ctx, one->uid, one->hash)) < 0 && r != E_NOTFOUND)
            return r;
        one->hashed = true; /* gone: zeros, which are no message's */
        if (memcmp(one->hash, hash, sizeof one->hash) == 0) {
            one->taken = true;
            return 1;
        }
    }
    return 0;
}

void known_release(struct known *k)
{
    free(k->v);
    *k = (struct known){ .n = 0 };
}
