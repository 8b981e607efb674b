#include "lib/limit/limit.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/limit/keytable.h"
#include <stdlib.h>

struct limits {
    struct keytable *busy; /* until: when the bucket is full again, microseconds */
};

struct limits *limits_new(size_t keys)
{
    struct limits *l = calloc(1, sizeof *l);

    if (l && !(l->busy = keytable_new(keys))) {
        free(l);
        return NULL;
    }
    return l;
}

void limits_free(struct limits **l)
{
    if (*l)
        keytable_free(&(*l)->busy);
    free(*l);
    *l = NULL;
}

/* A bucket is one number, the time when it is full again (the "generic cell rate algorithm"): taking moves it on by
 * what each unit takes to come back, and it may not lie further ahead than per_ms. */
int limit_take(struct limits *l, const struct limit_rule *r, struct str key, uint64_t n, int64_t *wait_ms_out)
{
    int64_t now = clock_mono_ms() * 1000 + 1, per = r->per_ms * 1000, full = now, ahead;
    const struct keytable_entry *e;

    if (r->count == 0 || n == 0)
        return 0;
    if (n > r->count)
        n = r->count; /* else it would never go */
    if ((e = keytable_find(l->busy, r->name, key, now)))
        full = e->until;
    full += (int64_t)((double)per * (double)n / (double)r->count);
    ahead = full - now - per;
    if (ahead > 0) {
        if (wait_ms_out)
            *wait_ms_out = ahead / 1000 + 1;
        return E_LIMIT;
    }
    keytable_put(l->busy, r->name, key, now, full, 0);
    return 0;
}
