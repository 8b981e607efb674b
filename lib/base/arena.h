/* lib/base/arena.h
 *
 * Memory that dies together: process, connection, command. Allocation is a pointer bump; there is
 * no free, only arena_reset (keeps one block) and arena_release. Start with { .max = … }: the limit
 * on all bytes given out between resets. In ASan builds freed memory is poisoned. What an arena
 * gives back is wiped. */
#ifndef LIB_BASE_ARENA_H
#define LIB_BASE_ARENA_H
#include "lib/base/str.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used, max;           /* bytes given out since the reset; limit */
};

/* Zeroed memory aligned for any type; NULL when over max or out of memory. */
void *arena_alloc(struct arena *a, size_t n);
/* Zeroed array; NULL on overflow too. */
void *arena_array(struct arena *a, size_t count, size_t size);
#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))
/* Copies; .p is NULL on failure (never for an empty source). */
struct str arena_dup(struct arena *a, struct str s);
/* NUL-terminated copy; NULL on failure. */
char *arena_dupz(struct arena *a, struct str s);
/* printf into the arena; NULL on failure. */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void arena_reset(struct arena *a);
void arena_release(struct arena *a);
#endif
