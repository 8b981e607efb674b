#include "lib/limit/keytable.h"
#include <sodium.h>
#include <stdlib.h>

#define WAYS 8u /* places that a key may take: a set */

struct keytable {
    uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
    size_t sets; /* a power of two */
    struct keytable_entry v[];
};

struct keytable *keytable_new(size_t entries)
{
    struct keytable *t;
    size_t sets = 1;

    while (sets * WAYS < entries)
        sets *= 2;
    t = calloc(1, sizeof *t + sets * WAYS * sizeof t->v[0]);
    if (!t)
        return NULL;
    t->sets = sets;
    randombytes_buf(t->key, sizeof t->key);
    return t;
}

void keytable_free(struct keytable **t)
{
    free(*t);
    *t = NULL;
}

/* The set of a key, and its tag. */
static struct keytable_entry *set_of(struct keytable *t, const char *name, struct str key, uint64_t *tag_out)
{
    struct hashed {
        uint64_t set, tag;
    } space, whole;
    uint8_t text[sizeof space + 1024];
    size_t n = size_min(key.n, 1024);

    _Static_assert(sizeof space == crypto_shorthash_siphashx24_BYTES, "two words");
    /* the name's hash goes before the key, so that no name and key run into each other */
    crypto_shorthash_siphashx24((uint8_t *)&space, (const uint8_t *)name, strlen(name), t->key);
    memcpy(text, &space, sizeof space);
    if (n)
        memcpy(text + sizeof space, key.p, n);
    crypto_shorthash_siphashx24((uint8_t *)&whole, text, sizeof space + n, t->key);
    *tag_out = whole.tag ? whole.tag : 1;
    return &t->v[(whole.set & (t->sets - 1)) * WAYS];
}

struct keytable_entry *keytable_find(struct keytable *t, const char *name, struct str key, int64_t now)
{
    uint64_t tag;
    struct keytable_entry *set = set_of(t, name, key, &tag);

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].tag == tag)
            return set[i].until > now ? &set[i] : NULL;
    return NULL;
}

void keytable_put(struct keytable *t, const char *name, struct str key, int64_t now, int64_t until,
                  int64_t value)
{
    uint64_t tag;
    struct keytable_entry *set = set_of(t, name, key, &tag), *place = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].tag == tag) {
            place = &set[i];
            break;
        }
        if (set[i].tag && set[i].until <= now)
            set[i].tag = 0;
        if (!set[i].tag || (place->tag && set[i].until < place->until))
            place = &set[i];
    }
    *place = (struct keytable_entry){ tag, until, value };
}
