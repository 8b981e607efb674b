#include "lib/dns/cache.h"
#include "lib/base/clock.h"
#include "lib/base/rand.h"

#define BYTES_MIN    KIB(64)
#define BUCKETS_MIN  64u
#define HOT_HITS     3u  /* asked so often in one life… */
#define HOT_PART     10u /* …and within its last tenth */
#define HOT_LIFE_MIN 20  /* seconds: what lives shorter would be asked for all the time */

struct entry {
    struct entry *next;          /* in the bucket */
    struct entry *newer, *older; /* by use */
    int64_t born_ms, dies_ms;
    uint64_t hash;
    uint32_t hits;
    uint16_t type;
    bool asked_again;
    struct dns_name name;
    size_t value_n;
    char value[];
};

struct dns_cache {
    struct entry **buckets;
    size_t nbuckets; /* a power of two */
    struct entry *newest, *oldest;
    size_t bytes_max;
    struct dns_cache_counts n;
    uint8_t key[DNS_HASH_KEY];
};

static size_t cost(const struct entry *e)
{
    return sizeof *e + e->value_n + 2 * sizeof(void *); /* what malloc and the bucket take besides */
}

struct dns_cache *dns_cache_new(size_t bytes_max)
{
    struct dns_cache *c = calloc(1, sizeof *c);

    if (!c || !(c->buckets = calloc(BUCKETS_MIN, sizeof(struct entry *)))) {
        free(c);
        return NULL;
    }
    c->nbuckets = BUCKETS_MIN;
    c->bytes_max = bytes_max < BYTES_MIN ? 0 : bytes_max;
    rand_bytes(c->key, sizeof c->key);
    return c;
}

static struct entry **slot(struct dns_cache *c, uint64_t hash)
{
    return &c->buckets[hash & (c->nbuckets - 1)];
}

static void unlink_use(struct dns_cache *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct dns_cache *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(struct dns_cache *c, struct entry *e)
{
    struct entry **at = slot(c, e->hash);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlink_use(c, e);
    c->n.bytes -= cost(e);
    c->n.entries--;
    free(e);
}

static struct entry *look(struct dns_cache *c, const struct dns_name *name, uint16_t type, uint64_t hash)
{
    struct entry *e = *slot(c, hash);

    while (e && (e->hash != hash || e->type != type || !dns_name_eq(&e->name, name)))
        e = e->next;
    return e;
}

/* Twice the buckets when they are full; without memory chains get longer. */
static void grow(struct dns_cache *c)
{
    size_t n = c->nbuckets * 2;
    struct entry **wider = c->n.entries >= c->nbuckets ? calloc(n, sizeof(struct entry *)) : NULL;

    if (!wider)
        return;
    free(c->buckets);
    c->buckets = wider;
    c->nbuckets = n;
    for (struct entry *e = c->newest; e; e = e->older) {
        struct entry **at = slot(c, e->hash);

        e->next = *at;
        *at = e;
    }
}

void dns_cache_put(struct dns_cache *c, const struct dns_name *name, uint16_t type, const struct dns_reply *r,
                   uint32_t keep_s)
{
    CLEANUP(buf_release) struct buf value = { .max = 2 * DNS_RDATA_MAX };
    uint64_t hash = dns_name_hash(name, type, c->key);
    struct entry *e = look(c, name, type, hash);

    if (e)
        drop(c, e);
    if (keep_s == 0 || dns_reply_pack(r, &value) < 0 || sizeof *e + value.n > c->bytes_max / 4 ||
        !(e = calloc(1, sizeof *e + value.n)))
        return;
    e->hash = hash;
    e->born_ms = clock_mono_ms();
    e->dies_ms = e->born_ms + (int64_t)keep_s * 1000;
    e->type = type;
    e->name = *name;
    e->value_n = value.n;
    memcpy(e->value, value.p, value.n);
    while (c->oldest && c->n.bytes + cost(e) > c->bytes_max) {
        c->n.evicted++;
        drop(c, c->oldest);
    }
    grow(c);
    e->next = *slot(c, hash);
    *slot(c, hash) = e;
    link_newest(c, e);
    c->n.bytes += cost(e);
    c->n.entries++;
}

/* What is told is what is left: whoever keeps it in turn is never later than we. */
static void age(struct dns_reply *r, const struct entry *e, int64_t now)
{
    uint32_t old_s = (uint32_t)((now - e->born_ms + 999) / 1000),
             left_s = (uint32_t)((e->dies_ms - now) / 1000);

    r->ttl_s = left_s;
    for (size_t i = 0; i < r->n; i++)
        r->v[i].ttl_s = r->v[i].ttl_s > old_s ? r->v[i].ttl_s - old_s : 0;
}

bool dns_cache_get(struct dns_cache *c, const struct dns_name *name, uint16_t type, struct arena *a,
                   struct dns_cached *out)
{
    struct entry *e = look(c, name, type, dns_name_hash(name, type, c->key));
    int64_t now = clock_mono_ms(), life;

    if (e && e->dies_ms <= now) {
        drop(c, e);
        e = NULL;
    }
    if (!e || dns_reply_unpack(str_of(e->value, e->value_n), a, &out->reply) < 0) {
        c->n.misses++;
        return false;
    }
    c->n.hits++;
    e->hits++;
    unlink_use(c, e);
    link_newest(c, e);
    age(&out->reply, e, now);
    life = e->dies_ms - e->born_ms;
    out->hot = !e->asked_again && e->hits >= HOT_HITS && life >= HOT_LIFE_MIN * 1000 &&
               (e->dies_ms - now) * HOT_PART <= life;
    e->asked_again |= out->hot;
    return true;
}

void dns_cache_clear(struct dns_cache *c)
{
    while (c->oldest)
        drop(c, c->oldest);
}

void dns_cache_free(struct dns_cache **cp)
{
    struct dns_cache *c = *cp;

    *cp = NULL;
    if (!c)
        return;
    dns_cache_clear(c);
    free(c->buckets);
    free(c);
}

struct dns_cache_counts dns_cache_counts(const struct dns_cache *c)
{
    return c->n;
}
