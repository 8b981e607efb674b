#include "lib/crypto/secret_slab.h"
#include "lib/base/errors.h"
#include "lib/base/rand.h"
#include <pthread.h>
#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#define CANARY_BYTES 16u

struct entry {
    uint8_t before[CANARY_BYTES], secret[SECRET_BYTES_MAX], after[CANARY_BYTES];
};

struct secret_slab {
    pthread_mutex_t lock;
    uint8_t canary[CANARY_BYTES];
    void *map; /* guard page, entries, guard page */
    size_t map_bytes, count, nfree;
    struct entry *entries;
    bool locked;
    uint32_t *free; /* stack of free indexes: beside the secrets, not among them */
    bool *live;
};

static struct secret_slab *slab_arrays(size_t count)
{
    struct secret_slab *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->count = s->nfree = count;
    s->free = calloc(count, sizeof *s->free);
    s->live = calloc(count, sizeof *s->live);
    if (s->free && s->live)
        return s;
    free(s->free);
    free(s->live);
    free(s);
    return NULL;
}

int secret_slab_new(size_t count, struct secret_slab **out)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE),
           bytes = (count * sizeof(struct entry) + page - 1) / page * page;
    struct secret_slab *s;

    if (count < 1 || count > SECRET_SLAB_COUNT_MAX)
        return E_LIMIT;
    if (!(s = slab_arrays(count)))
        return E_NOMEM;
    s->map_bytes = bytes + 2 * page;
    s->map = mmap(NULL, s->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->map == MAP_FAILED || mprotect((char *)s->map + page, bytes, PROT_READ | PROT_WRITE) < 0) {
        if (s->map != MAP_FAILED)
            munmap(s->map, s->map_bytes);
        free(s->free);
        free(s->live);
        free(s);
        return E_NOMEM;
    }
    s->entries = (struct entry *)(void *)((char *)s->map + page);
    madvise(s->entries, bytes, MADV_DONTDUMP);
    madvise(s->entries, bytes, MADV_WIPEONFORK);
    s->locked = mlock(s->entries, bytes) == 0;
    pthread_mutex_init(&s->lock, NULL);
    rand_bytes(s->canary, sizeof s->canary);
    for (size_t i = 0; i < count; i++)
        s->free[i] = (uint32_t)(count - 1 - i);
    *out = s;
    return 0;
}

void secret_slab_free(struct secret_slab **sp)
{
    struct secret_slab *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    sodium_memzero(s->entries, s->count * sizeof *s->entries);
    munmap(s->map, s->map_bytes);
    pthread_mutex_destroy(&s->lock);
    free(s->free);
    free(s->live);
    free(s);
}

bool secret_slab_locked(const struct secret_slab *s)
{
    return s->locked;
}

size_t secret_slab_used(struct secret_slab *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->count - s->nfree;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void *secret_alloc(struct secret_slab *s)
{
    struct entry *e = NULL;

    pthread_mutex_lock(&s->lock);
    if (s->nfree) {
        uint32_t i = s->free[--s->nfree];

        s->live[i] = true;
        e = &s->entries[i];
        memcpy(e->before, s->canary, CANARY_BYTES);
        memcpy(e->after, s->canary, CANARY_BYTES);
    }
    pthread_mutex_unlock(&s->lock);
    return e ? e->secret : NULL;
}

void secret_free(struct secret_slab *s, void *p)
{
    struct entry *e = p ? CONTAINER_OF(p, struct entry, secret) : NULL;
    size_t i;

    if (!p)
        return;
    if (e < s->entries || (i = (size_t)(e - s->entries)) >= s->count || &s->entries[i] != e)
        abort();
    pthread_mutex_lock(&s->lock);
    if (!s->live[i] || sodium_memcmp(e->before, s->canary, CANARY_BYTES) ||
        sodium_memcmp(e->after, s->canary, CANARY_BYTES))
        abort();
    sodium_memzero(e, sizeof *e);
    s->live[i] = false;
    s->free[s->nfree++] = (uint32_t)i;
    pthread_mutex_unlock(&s->lock);
}
