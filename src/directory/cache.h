/* src/directory/cache.h
 *
 * What RESOLVE answered lately, by address. A fixed table: a newer address takes the place of another,
 * so a flood of look-ups costs no memory. Emptied by every change. */
#ifndef SRC_DIRECTORY_CACHE_H
#define SRC_DIRECTORY_CACHE_H
#include "lib/base/str.h"
#include <protobuf-c/protobuf-c.h>

struct cache;

struct cache *cache_new(void);
/* The packed answer, borrowed until the next call; .p NULL when it is not here. */
struct str cache_get(const struct cache *c, struct str key);
/* Forgets another when its place is taken; quietly does nothing when memory runs out. */
void cache_put(struct cache *c, struct str key, const ProtobufCMessage *m);
void cache_clear(struct cache *c);
void cache_free(struct cache **c);
#endif
