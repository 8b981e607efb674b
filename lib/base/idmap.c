#include "lib/base/idmap.h"
#include "lib/base/errors.h"
#include <assert.h>

static size_t home(const struct idmap *m, uint64_t id)
{
    return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (m->cap - 1);
}

static struct idmap_slot *find(const struct idmap *m, uint64_t id)
{
    size_t i = home(m, id);

    while (m->slots[i].id && m->slots[i].id != id)
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

void *idmap_get(const struct idmap *m, uint64_t id)
{
    return m->cap ? find(m, id)->value : NULL;
}

static int grow(struct idmap *m)
{
    struct idmap bigger = { .cap = m->cap ? m->cap * 2 : 16, .n = m->n };

    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return E_NOMEM;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].id)
            *find(&bigger, m->slots[i].id) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int idmap_put(struct idmap *m, uint64_t id, void *value)
{
    struct idmap_slot *s;

    assert(id != 0 && value);
    if ((m->n + 1) * 4 > m->cap * 3 && grow(m) < 0)
        return E_NOMEM;
    s = find(m, id);
    m->n += s->id == 0;
    *s = (struct idmap_slot){ id, value };
    return 0;
}

/* Close the gap: move up every entry behind it that would no longer be found (Knuth 6.4, algorithm R). */
static void close_gap(struct idmap *m, size_t gap)
{
    for (size_t i = (gap + 1) & (m->cap - 1); m->slots[i].id; i = (i + 1) & (m->cap - 1)) {
        size_t h = home(m, m->slots[i].id);
        bool stays = gap <= i ? (gap < h && h <= i) : (gap < h || h <= i);

        if (stays)
            continue;
        m->slots[gap] = m->slots[i];
        gap = i;
    }
    m->slots[gap] = (struct idmap_slot){ 0, NULL };
}

void *idmap_take(struct idmap *m, uint64_t id)
{
    struct idmap_slot *s = m->cap ? find(m, id) : NULL;
    void *value = s ? s->value : NULL;

    if (!s || !s->id)
        return NULL;
    m->n--;
    close_gap(m, (size_t)(s - m->slots));
    return value;
}

void *idmap_any(const struct idmap *m, uint64_t *id_out)
{
    for (size_t i = 0; i < m->cap && m->n; i++) {
        if (m->slots[i].id) {
            if (id_out)
                *id_out = m->slots[i].id;
            return m->slots[i].value;
        }
    }
    return NULL;
}

uint64_t *idmap_ids(const struct idmap *m, size_t *n_out)
{
    uint64_t *ids = m->n ? malloc(m->n * sizeof *ids) : NULL;

    *n_out = 0;
    for (size_t i = 0; ids && i < m->cap; i++)
        if (m->slots[i].id)
            ids[(*n_out)++] = m->slots[i].id;
    return ids;
}

void idmap_release(struct idmap *m)
{
    free(m->slots);
    *m = (struct idmap){ 0 };
}
