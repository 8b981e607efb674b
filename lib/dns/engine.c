/* lib/dns/engine.c
 *
 * A question lives in a table by its id from the first who asks until it is answered or given up. It has up
 * to four attempts, each with an upstream of its own. One that fails at once makes room for the next one; one
 * that says nothing for patience_ms gets company and may still win. The first answer that can be believed
 * ends the question:
 *   - it answers what was asked (id, question, source), is well-formed, and within limits;
 *   - SERVFAIL is believed only when nobody is left to say otherwise. DNS_BOGUS at once: whoever does not
 *     validate would say otherwise.
 * A query without an answer counts against an upstream only if nothing else came from it meanwhile: the
 * servers of some domain may be what is slow. */
#include "lib/dns/engine.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/idmap.h"
#include "lib/base/rand.h"

#define FAILURE_KEEP_S  5u /* RFC 9520 3.2: at least one second, at most five minutes */
#define ATTEMPT_BITS    3u
#define REPLY_ARENA_MAX KIB(256)

struct dns_wait {
    struct dns_wait *next, **prev;
    struct question *question;
    int64_t until_ms;
    dns_done_fn *done;
    void *ctx;
};

struct attempt {
    uint8_t upstream;
    bool active;
    int64_t began_ms;
    struct buf query;
};

struct question {
    struct dns_engine *engine;
    uint64_t id;
    struct dns_name name;
    uint16_t type;
    uint64_t waiting;
    struct dns_wait *waits;
    struct attempt attempts[DNS_ATTEMPTS_MAX];
    unsigned nattempts;
    uint32_t tried;            /* mask of upstreams */
    bool failed;               /* SERVFAIL came from one of them */
    int64_t until_ms, next_ms; /* given up; the next upstream is asked */
    uint64_t hash;
    struct question *chain; /* of the same bucket */
};

#define BUCKETS 1024u /* of questions under way */

struct dns_engine {
    struct dns_engine_conf conf;
    struct dns_transport transport;
    struct dns_cache *cache;
    struct dns_health health[DNS_UPSTREAMS_MAX];
    struct idmap questions;
    struct question *buckets[BUCKETS];
    uint8_t key[DNS_HASH_KEY];
    uint64_t next_id;
    struct dns_engine_counts n;
    struct arena arena; /* of one reply */
};

struct dns_engine *dns_engine_new(const struct dns_engine_conf *c, const struct dns_transport *t)
{
    struct dns_engine *e = calloc(1, sizeof *e);

    if (!e || !(e->cache = dns_cache_new(c->cache_bytes))) {
        free(e);
        return NULL;
    }
    e->conf = *c;
    e->transport = *t;
    e->arena.max = REPLY_ARENA_MAX;
    rand_bytes(e->key, sizeof e->key);
    return e;
}

static void wait_free(struct dns_wait *w)
{
    *w->prev = w->next;
    if (w->next)
        w->next->prev = w->prev;
    w->question->waiting--;
    free(w);
}

static void end_attempts(struct question *q)
{
    for (unsigned i = 0; i < q->nattempts; i++) {
        struct attempt *a = &q->attempts[i];

        if (a->active)
            q->engine->transport.cancel(q->engine->transport.ctx, a->upstream, q->id << ATTEMPT_BITS | i);
        a->active = false;
        buf_release(&a->query);
    }
    q->nattempts = 0;
}

static void leave_table(struct question *q)
{
    struct question **at = &q->engine->buckets[q->hash % BUCKETS];

    while (*at != q)
        at = &(*at)->chain;
    *at = q->chain;
    idmap_take(&q->engine->questions, q->id);
}

static void question_free(struct question *q)
{
    end_attempts(q);
    while (q->waits)
        wait_free(q->waits);
    leave_table(q);
    free(q);
}

void dns_engine_free(struct dns_engine **ep)
{
    struct dns_engine *e = *ep;
    void *q;

    *ep = NULL;
    if (!e)
        return;
    while ((q = idmap_any(&e->questions, NULL)))
        question_free(q);
    idmap_release(&e->questions);
    dns_cache_free(&e->cache);
    arena_release(&e->arena);
    free(e);
}

/* ---- the end of a question ---- */

/* Tells all who wait. They may ask again from there: the question is out of the table first. */
static void finish(struct question *q, const struct dns_reply *r)
{
    struct dns_wait *w;

    end_attempts(q);
    leave_table(q);
    while ((w = q->waits)) {
        dns_done_fn *done = w->done;
        void *ctx = w->ctx;

        wait_free(w);
        done(ctx, r);
    }
    free(q);
}

static void keep(struct question *q, struct dns_reply *r)
{
    const struct dns_engine_conf *c = &q->engine->conf;
    bool failure = dns_status_is_temporary(r->status);
    uint32_t max = r->status == DNS_OK ? c->keep_max_s : c->no_max_s;

    r->ttl_s = failure ? FAILURE_KEEP_S : r->ttl_s < max ? r->ttl_s : max;
    /* nobody waits when it was asked for again ahead of time: a failure then does not take away what is good */
    if (!failure || q->waits)
        dns_cache_put(q->engine->cache, &q->name, q->type, r, r->ttl_s);
}

static void give_up(struct question *q, enum dns_status status)
{
    struct dns_reply r = { .status = status, .name = q->name };

    q->engine->n.given_up++;
    if (status == DNS_SERVFAIL)
        keep(q, &r);
    finish(q, &r);
}

/* ---- attempts ---- */

static int write_query(struct question *q, struct attempt *a)
{
    uint32_t flags = q->engine->conf.flags[a->upstream];
    bool private = (flags & DNS_UP_PRIVATE) != 0;
    struct dns_query m = { .name = q->name,
                           .type = q->type,
                           .id = private ? 0 : (uint16_t)rand_u64(),
                           .pad = private,
                           .mixed = flags & DNS_UP_MIX_CASE ? rand_u64() : 0 };

    a->query.max = DNS_QUERY_MAX;
    return dns_query_write(&m, &a->query);
}

/* Ask one more upstream. False when none is left. */
static bool attempt(struct question *q)
{
    struct dns_engine *e = q->engine;
    struct attempt *a = &q->attempts[q->nattempts];
    int up, r;

    while (q->nattempts < DNS_ATTEMPTS_MAX &&
           (up = dns_health_pick(e->health, e->conf.upstreams, q->tried)) >= 0) {
        q->tried |= BIT(up);
        a->upstream = (uint8_t)up;
        a->began_ms = clock_mono_ms();
        r = write_query(q, a);
        if (r == 0)
            r = e->transport.send(e->transport.ctx, (size_t)up, q->id << ATTEMPT_BITS | q->nattempts,
                                  buf_str(&a->query));
        if (r == 0) {
            a->active = true;
            q->nattempts++;
            q->next_ms = a->began_ms + e->conf.patience_ms;
            return true;
        }
        buf_release(&a->query);
        dns_health_failed(&e->health[up]);
    }
    q->next_ms = INT64_MAX;
    return false;
}

static bool any_active(const struct question *q)
{
    for (unsigned i = 0; i < q->nattempts; i++)
        if (q->attempts[i].active)
            return true;
    return false;
}

/* Another round, with those that were asked before: a packet, or the whole connection, may have been lost. */
static bool attempt_again(struct question *q)
{
    q->tried = 0;
    return attempt(q);
}

/* One attempt is over without an answer: the next, or the end. When all have failed at once, once more. */
static void go_on(struct question *q)
{
    if (attempt(q) || any_active(q) || (!q->failed && q->nattempts < 2 && attempt_again(q)))
        return;
    give_up(q, q->failed ? DNS_SERVFAIL : DNS_TIMEOUT);
}

/* ---- what comes back ---- */

static void shorten(uint32_t *ttl_s, uint32_t age_s)
{
    *ttl_s = *ttl_s > age_s ? *ttl_s - age_s : 0;
}

static int believe(struct question *q, struct attempt *a, const struct dns_heard *h, struct dns_reply *r)
{
    struct dns_engine *e = q->engine;
    uint32_t flags = e->conf.flags[a->upstream];
    int st;

    if (!dns_message_answers(buf_str(&a->query), h->message, !(flags & DNS_UP_MIX_CASE))) {
        e->n.forged++;
        return E_SYNTAX;
    }
    st = dns_reply_parse(h->message, &q->name, q->type, &e->arena, r);
    if (st < 0)
        return st;
    if (!(flags & DNS_UP_TRUST_AD))
        r->ad = false;
    shorten(&r->ttl_s, h->age_s);
    for (size_t i = 0; i < r->n; i++)
        shorten(&r->v[i].ttl_s, h->age_s);
    return 0;
}

void dns_engine_heard(struct dns_engine *e, uint64_t token, const struct dns_heard *h)
{
    struct question *q = idmap_get(&e->questions, token >> ATTEMPT_BITS);
    unsigned i = token & ((1u << ATTEMPT_BITS) - 1);
    struct attempt *a = q && i < q->nattempts ? &q->attempts[i] : NULL;
    int status = h->status;
    struct dns_reply r;

    if (!a || !a->active)
        return;
    a->active = false;
    if (status == 0)
        status = believe(q, a, h, &r);
    if (status < 0) {
        dns_health_failed(&e->health[a->upstream]);
        go_on(q);
    } else if (r.status == DNS_SERVFAIL) {
        dns_health_answered(&e->health[a->upstream], h->took_us);
        q->failed = true;
        go_on(q);
    } else {
        dns_health_answered(&e->health[a->upstream], h->took_us);
        keep(q, &r);
        finish(q, &r);
    }
    arena_reset(&e->arena);
}

/* ---- asking ---- */

static struct question *find_same(struct dns_engine *e, const struct dns_name *name, uint16_t type)
{
    struct question *q = e->buckets[dns_name_hash(name, type, e->key) % BUCKETS];

    while (q && (q->type != type || !dns_name_eq(&q->name, name)))
        q = q->chain;
    return q;
}

static int question_new(struct dns_engine *e, const struct dns_name *name, uint16_t type,
                        struct question **out)
{
    struct question *q, **bucket;

    if (e->questions.n >= e->conf.questions_max)
        return E_BUSY;
    if (!(q = calloc(1, sizeof *q)))
        return E_NOMEM;
    *q = (struct question){ .engine = e, .id = ++e->next_id, .name = *name, .type = type };
    q->until_ms = clock_mono_ms() + e->conf.limit_ms;
    q->hash = dns_name_hash(name, type, e->key);
    if (idmap_put(&e->questions, q->id, q) < 0) {
        free(q);
        return E_NOMEM;
    }
    bucket = &e->buckets[q->hash % BUCKETS];
    q->chain = *bucket;
    *bucket = q;
    *out = q;
    return 0;
}

/* Before its time is over: whoever asks next does not wait. */
static void ask_again(struct dns_engine *e, const struct dns_name *name, uint16_t type)
{
    struct question *q;

    if (!e->conf.prefetch || e->questions.n >= e->conf.questions_max / 2 || find_same(e, name, type) ||
        question_new(e, name, type, &q) < 0)
        return;
    e->n.prefetched++;
    if (!attempt(q))
        question_free(q);
}

static bool known_type(uint16_t type)
{
    char text[DNS_TYPE_TEXT_MAX];
    uint16_t same;

    return dns_type_from(str_from(dns_type_name(type, text)), &same);
}

static bool from_cache(struct dns_engine *e, const struct dns_name *name, uint16_t type, dns_done_fn *done,
                       void *ctx)
{
    struct arena a = { .max = REPLY_ARENA_MAX };
    struct dns_cached c;
    bool found = dns_cache_get(e->cache, name, type, &a, &c);

    if (found) {
        done(ctx, &c.reply);
        if (c.hot)
            ask_again(e, name, type);
    }
    arena_release(&a);
    return found;
}

static int join(struct question *q, int64_t wait_ms, dns_done_fn *done, void *ctx, struct dns_wait **out)
{
    struct dns_wait *w = q->waiting < q->engine->conf.questions_max ? calloc(1, sizeof *w) : NULL;

    if (!w)
        return q->waiting ? E_BUSY : E_NOMEM;
    *w = (struct dns_wait){ .next = q->waits, .prev = &q->waits, .question = q, .done = done, .ctx = ctx };
    w->until_ms = clock_mono_ms() + wait_ms;
    if (w->next)
        w->next->prev = &w->next;
    q->waits = w;
    q->waiting++;
    *out = w;
    return 0;
}

int dns_engine_ask(struct dns_engine *e, const struct dns_name *name, uint16_t type, int64_t wait_ms,
                   dns_done_fn *done, void *ctx, struct dns_wait **out)
{
    struct question *q;
    int r;

    *out = NULL;
    if (!known_type(type))
        return E_UNSUPPORTED;
    e->n.asked++;
    if (from_cache(e, name, type, done, ctx))
        return 0;
    if ((q = find_same(e, name, type))) {
        e->n.joined++;
        return join(q, wait_ms, done, ctx, out);
    }
    if ((r = question_new(e, name, type, &q)) < 0) {
        e->n.refused++;
        return r;
    }
    if ((r = join(q, wait_ms, done, ctx, out)) < 0) {
        question_free(q);
        return r;
    }
    if (!attempt(q)) {
        *out = NULL;
        give_up(q, DNS_TIMEOUT);
    }
    return 0;
}

void dns_engine_forget(struct dns_wait *w)
{
    wait_free(w);
}

/* ---- time ---- */

static void end_waits(struct question *q, int64_t now)
{
    struct dns_reply r = { .status = DNS_TIMEOUT, .name = q->name };
    struct dns_wait *w = q->waits, *next;

    for (; w; w = next) {
        dns_done_fn *done = w->done;
        void *ctx = w->ctx;

        next = w->next;
        if (w->until_ms > now)
            continue;
        wait_free(w);
        done(ctx, &r);
        next = q->waits; /* whoever was told may have forgotten others */
    }
}

/* An upstream that has said nothing at all since. */
static void note_silence(struct question *q)
{
    for (unsigned i = 0; i < q->nattempts; i++) {
        struct attempt *a = &q->attempts[i];
        struct dns_health *h = &q->engine->health[a->upstream];

        if (a->active && h->answered_ms < a->began_ms && h->retry_ms < clock_mono_ms() &&
            clock_mono_ms() - a->began_ms >= q->engine->conf.patience_ms)
            dns_health_failed(h);
    }
}

void dns_engine_tick(struct dns_engine *e)
{
    int64_t now = clock_mono_ms();
    size_t n;
    uint64_t *ids = idmap_ids(&e->questions, &n);

    for (size_t i = 0; i < n; i++) {
        struct question *q = idmap_get(&e->questions, ids[i]);

        if (q)
            end_waits(q, now);
        if (!q || !(q = idmap_get(&e->questions, ids[i])))
            continue;
        if (now >= q->next_ms || now >= q->until_ms)
            note_silence(q);
        if (now >= q->until_ms)
            give_up(q, q->failed ? DNS_SERVFAIL : DNS_TIMEOUT);
        else if (now >= q->next_ms && !attempt(q))
            attempt_again(q);
    }
    free(ids);
}

bool dns_engine_busy(const struct dns_engine *e)
{
    return e->questions.n > 0;
}

struct dns_engine_counts dns_engine_counts(const struct dns_engine *e)
{
    struct dns_engine_counts n = e->n;

    n.questions = e->questions.n;
    n.cache = dns_cache_counts(e->cache);
    return n;
}

const struct dns_health *dns_engine_health(const struct dns_engine *e, size_t upstream)
{
    return &e->health[upstream];
}
