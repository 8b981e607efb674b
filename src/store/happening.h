/* src/store/happening.h
 *
 * What happened to a mailbox that is no message: folders' names, subscriptions, annotations. Noted inside the
 * transaction, like changes of folders, and told to sessions that watch when it is committed. */
#ifndef SRC_STORE_HAPPENING_H
#define SRC_STORE_HAPPENING_H
#include "lib/base/arena.h"
#include "proto/store.pb-c.h"

#define HAPPENINGS_MAX   1000u /* of one transaction; more become one LOST */
#define HAPPENING_BY_LEN 16u

struct happening {
    struct happening *next;
    uint8_t by[HAPPENING_BY_LEN]; /* the session that did it, which needs not be told; zeros: none */
    struct arena arena;
    Store__NewsEvent event; /* its texts are in the arena; without a session */
};
void happenings_free(struct happening *list);
/* Which sessions want this: a bit of enum Watch. */
uint32_t happening_watch(const struct happening *n);
#endif
