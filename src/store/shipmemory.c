#include "src/store/shipmemory.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <pthread.h>
#include <stdlib.h>

#define SLOTS 4096u

struct remembered {
    struct remembered *next;
    const struct target *target;
    const uint8_t *key;
    char name[TARGET_NAME_MAX];
    struct ship_pack pack;
    size_t n;
    struct ship_entry entries[];
};

static struct {
    pthread_mutex_t lock;
    struct remembered *slots[SLOTS];
    size_t bytes;
    int64_t used_ms;
    uint64_t hits;
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct remembered **slot_of(const char *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (const char *p = name; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return &memory.slots[h % SLOTS];
}

/* Under the lock. */
static void forget(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (struct remembered *m; (m = memory.slots[i]) != NULL;) {
            memory.slots[i] = m->next;
            free(m);
        }
    memory.bytes = 0;
}

void ship_memory_forget(void)
{
    pthread_mutex_lock(&memory.lock);
    forget();
    pthread_mutex_unlock(&memory.lock);
}

uint64_t ship_memory_hits(void)
{
    uint64_t n;

    pthread_mutex_lock(&memory.lock);
    n = memory.hits;
    pthread_mutex_unlock(&memory.lock);
    return n;
}

/* A copy, which the caller frees: another thread may forget it. NULL: not there. */
static struct remembered *recall(const struct target *t, const uint8_t *key, const char *name)
{
    struct remembered *copy = NULL;
    int64_t now = clock_mono_ms();

    pthread_mutex_lock(&memory.lock);
    if (memory.bytes && now - memory.used_ms > SHIP_MEMORY_MS)
        forget();
    memory.used_ms = now;
    for (const struct remembered *m = *slot_of(name); m && !copy; m = m->next)
        if (m->target == t && m->key == key && strcmp(m->name, name) == 0) {
            size_t size = sizeof *m + m->n * sizeof m->entries[0];

            if ((copy = malloc(size)))
                memcpy(copy, m, size);
            memory.hits += copy != NULL;
            break;
        }
    pthread_mutex_unlock(&memory.lock);
    return copy;
}

static void remember(struct remembered *m)
{
    size_t size = sizeof *m + m->n * sizeof m->entries[0];

    pthread_mutex_lock(&memory.lock);
    if (memory.bytes + size <= SHIP_MEMORY_MAX) {
        struct remembered **slot = slot_of(m->name);

        m->next = *slot;
        *slot = m;
        memory.bytes += size;
        m = NULL;
    }
    pthread_mutex_unlock(&memory.lock);
    free(m);
}

/* ---- reading --------------------------------------------------------------------------------------- */

struct recording {
    ship_entry_take *take;
    void *ctx;
    struct remembered *m; /* NULL: no memory for it */
};

static int record(void *ctx, const struct ship_pack *p, const struct ship_entry *e)
{
    struct recording *r = ctx;

    if (r->m && r->m->n == 0) { /* the first one tells how many there are */
        struct remembered *more = realloc(r->m, sizeof *more + p->segments * sizeof more->entries[0]);

        if (!more)
            free(r->m);
        r->m = more;
    }
    if (r->m)
        r->m->entries[r->m->n++] = *e;
    return r->take(r->ctx, p, e);
}

int ship_memory_index(struct target *t, const uint8_t *key, const char *name, ship_entry_take *take,
                      void *ctx, struct ship_pack *out)
{
    struct recording rec = { .take = take, .ctx = ctx, .m = NULL };
    struct remembered *m = recall(t, key, name);
    int r = 0;

    if (m) {
        for (size_t i = 0; i < m->n && r >= 0; i++)
            r = take(ctx, &m->pack, &m->entries[i]);
        *out = m->pack;
        free(m);
        return r < 0 ? r : 0;
    }
    if ((rec.m = calloc(1, sizeof *rec.m))) {
        rec.m->target = t;
        rec.m->key = key;
        snprintf(rec.m->name, sizeof rec.m->name, "%s", name);
    }
    if ((r = ship_index_read(t, key, name, record, &rec, out)) == 0 && rec.m) {
        rec.m->pack = *out;
        remember(rec.m);
    } else {
        free(rec.m);
    }
    return r;
}
