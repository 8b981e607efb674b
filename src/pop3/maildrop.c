#include "src/pop3/maildrop.h"
#include "lib/base/errors.h"
#include <stdlib.h>
#include <string.h>

static int grow(struct maildrop *d)
{
    size_t cap = d->cap ? 2 * d->cap : 64;
    struct drop *v;

    if (d->n >= d->max)
        return E_LIMIT;
    if (d->n < d->cap)
        return 0;
    v = reallocarray(d->v, cap, sizeof *v);
    if (!v)
        return E_NOMEM;
    d->v = v;
    d->cap = cap;
    return 0;
}

int maildrop_add(struct maildrop *d, uint32_t uid, uint64_t bytes, const uint8_t id[UIDL_BYTES])
{
    int r = grow(d);

    if (r < 0)
        return r;
    d->v[d->n] = (struct drop){ .uid = uid, .bytes = bytes };
    memcpy(d->v[d->n].id, id, UIDL_BYTES);
    d->n++;
    d->left++;
    d->bytes += bytes;
    return 0;
}

struct drop *maildrop_get(struct maildrop *d, uint32_t number)
{
    return number && number <= d->n && !d->v[number - 1].deleted ? &d->v[number - 1] : NULL;
}

void maildrop_delete(struct maildrop *d, struct drop *m)
{
    m->deleted = true;
    d->left--;
    d->bytes -= m->bytes;
}

void maildrop_reset(struct maildrop *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (!d->v[i].deleted)
            continue;
        d->v[i].deleted = false;
        d->left++;
        d->bytes += d->v[i].bytes;
    }
}

int maildrop_deleted(const struct maildrop *d, uint32_t **ranges_out, size_t *n_out)
{
    uint32_t *v = d->left < d->n ? calloc(2 * (d->n - d->left), sizeof *v) : NULL;
    size_t n = 0;

    if (!v && d->left < d->n)
        return E_NOMEM;
    for (size_t i = 0; i < d->n; i++) {
        uint32_t uid = d->v[i].uid;

        if (!d->v[i].deleted)
            continue;
        if (n && v[n - 1] + 1 == uid) {
            v[n - 1] = uid;
        } else {
            v[n++] = uid;
            v[n++] = uid;
        }
    }
    *ranges_out = v;
    *n_out = n;
    return 0;
}

void maildrop_release(struct maildrop *d)
{
    free(d->v);
    *d = (struct maildrop){ .max = d->max };
}
