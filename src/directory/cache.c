#include "src/directory/cache.h"
#include "lib/base/rand.h"
#include <stdlib.h>

#define PLACES 4096u /* a power of two; about 1 MB when full */

struct place {
    uint64_t generation; /* of the cache when it was put; older is empty */
    char *bytes;         /* key, then answer */
    uint32_t key_n, answer_n;
};
struct cache {
    uint64_t generation, seed;
    struct place places[PLACES];
};

struct cache *cache_new(void)
{
    struct cache *c = calloc(1, sizeof *c);

    if (c) {
        c->generation = 1;
        c->seed = rand_u64(); /* addresses come from strangers: they must not choose their place */
    }
    return c;
}

static struct place *place_of(const struct cache *c, struct str key)
{
    uint64_t h = c->seed;

    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * UINT64_C(0x9e3779b97f4a7c15), h ^= h >> 29;
    return (struct place *)(uintptr_t)&c->places[h & (PLACES - 1)];
}

struct str cache_get(const struct cache *c, struct str key)
{
    const struct place *p = place_of(c, key);

    if (key.n == 0 || p->generation != c->generation || !str_eq(key, str_of(p->bytes, p->key_n)))
        return STR_NONE;
    return str_of(p->bytes + p->key_n, p->answer_n);
}

void cache_put(struct cache *c, struct str key, const ProtobufCMessage *m)
{
    struct place *p = place_of(c, key);
    size_t n = protobuf_c_message_get_packed_size(m);
    char *bytes = key.n + n < 4096 ? malloc(key.n + n) : NULL;

    if (!bytes)
        return;
    memcpy(bytes, key.p, key.n);
    protobuf_c_message_pack(m, (uint8_t *)bytes + key.n);
    free(p->bytes);
    *p = (struct place){ c->generation, bytes, (uint32_t)key.n, (uint32_t)n };
}

void cache_clear(struct cache *c)
{
    c->generation++; /* the bytes are freed when their places are taken */
}

void cache_free(struct cache **cp)
{
    struct cache *c = *cp;

    *cp = NULL;
    for (size_t i = 0; c && i < PLACES; i++)
        free(c->places[i].bytes);
    free(c);
}
