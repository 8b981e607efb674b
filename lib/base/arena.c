#include "lib/base/arena.h"
#include <stdarg.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define BLOCK_BYTES 4000u
#define ALIGN       16u

struct arena_block {
    struct arena_block *next;
    size_t cap, used;
    _Alignas(ALIGN) char bytes[];
};

static struct arena_block *block_new(struct arena *a, size_t need)
{
    size_t cap = size_max(need, BLOCK_BYTES);
    struct arena_block *b = malloc(sizeof *b + cap);

    if (!b)
        return NULL;
    *b = (struct arena_block){ .next = a->blocks, .cap = cap };
    POISON(b->bytes, cap);
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    size_t rounded, total;
    void *p;

    n = size_max(n, 1);
    if (__builtin_add_overflow(n, (size_t)ALIGN - 1, &rounded))
        return NULL;
    rounded &= ~(size_t)(ALIGN - 1);
    if (__builtin_add_overflow(a->used, rounded, &total) || total > a->max)
        return NULL;
    if ((!b || b->cap - b->used < rounded) && !(b = block_new(a, rounded)))
        return NULL;
    p = b->bytes + b->used;
    b->used += rounded;
    a->used = total;
    UNPOISON(p, n);
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    return __builtin_mul_overflow(count, size, &n) ? NULL : arena_alloc(a, n);
}

struct str arena_dup(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n);

    if (!p)
        return STR_NONE;
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct str){ p, s.n };
}

char *arena_dupz(struct arena *a, struct str s)
{
    char *p = s.n == SIZE_MAX ? NULL : arena_alloc(a, s.n + 1);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !(p = arena_alloc(a, (size_t)n + 1)))
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

static void block_wipe(struct arena_block *b)
{
    UNPOISON(b->bytes, b->cap);
    explicit_bzero(b->bytes, b->used);
}

void arena_reset(struct arena *a)
{
    struct arena_block *b = a->blocks;

    a->used = 0;
    if (!b)
        return;
    for (struct arena_block *old = b->next, *next; old; old = next) {
        next = old->next;
        block_wipe(old);
        free(old);
    }
    block_wipe(b);
    b->next = NULL;
    b->used = 0;
    if (b->cap > BLOCK_BYTES) { /* do not keep what one large command needed */
        free(b);
        a->blocks = NULL;
        return;
    }
    POISON(b->bytes, b->cap);
}

void arena_release(struct arena *a)
{
    arena_reset(a);
    if (a->blocks) {
        UNPOISON(a->blocks->bytes, a->blocks->cap);
        free(a->blocks);
    }
    a->blocks = NULL;
}
