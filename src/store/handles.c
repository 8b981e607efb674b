#include "src/store/handles.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include <assert.h>

#define TRIM_MAX     64u
#define SLIM_MAX     8u /* at a time: whose lane wants one of them waits for all */
#define FAT_BYTES    KIB(64)
#define HANDLE_BYTES KIB(160) /* schema and statements of one, as measured; the page cache is counted */
#define REST_BYTES   KIB(64)  /* one that rests, as measured */

struct idle_list {
    struct handle *head, *tail;
};

struct handles {
    pthread_mutex_t lock;
    pthread_cond_t closed;
    size_t max, max_bytes, open, other, idle, bytes;
    uint64_t opened, closed_for_others;
    struct idle_list lists[2]; /* writers, readers */
    void (*closing)(struct handle *h);
};

struct handles *handles_new(size_t max, size_t max_bytes, void (*closing)(struct handle *h))
{
    struct handles *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->closed, NULL);
    p->max = max;
    p->max_bytes = max_bytes;
    p->closing = closing;
    return p;
}

void handles_free(struct handles **pp)
{
    struct handles *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    assert(p->open == 0);
    pthread_cond_destroy(&p->closed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void idle_push(struct handles *p, struct handle *h)
{
    struct idle_list *l = &p->lists[h->reader];

    h->idle = true;
    h->next = NULL;
    h->prev = l->tail;
    if (l->tail)
        l->tail->next = h;
    else
        l->head = h;
    l->tail = h;
    p->idle++;
}

static void idle_remove(struct handles *p, struct handle *h)
{
    struct idle_list *l = &p->lists[h->reader];

    if (h->prev)
        h->prev->next = h->next;
    else
        l->head = h->next;
    if (h->next)
        h->next->prev = h->prev;
    else
        l->tail = h->prev;
    h->next = h->prev = NULL;
    h->idle = false;
    p->idle--;
}

static struct handle *longest_unused(const struct handles *p)
{
    struct handle *w = p->lists[0].head, *r = p->lists[1].head;

    while (w && w->closing)
        w = w->next;
    while (r && r->closing)
        r = r->next;
    if (!w || !r)
        return w ? w : r;
    return r->used_ms - HANDLES_READER_MS <= w->used_ms ? r : w;
}

/* With the lock, which is free while the file is closed: its lane waits, nobody else. */
static void close_one(struct handles *p, struct handle *h)
{
    struct mailbox *box = h->box;

    idle_remove(p, h);
    h->closing = true;
    p->closed_for_others++;
    pthread_mutex_unlock(&p->lock);
    if (p->closing && !h->resting)
        p->closing(h);
    h->box = NULL;
    (void)mailbox_close(&box); /* a checkpoint that failed leaves the -wal, for who opens next */
    pthread_mutex_lock(&p->lock);
    h->closing = false;
    p->open--;
    p->bytes -= h->bytes;
    h->bytes = 0;
    pthread_cond_broadcast(&p->closed);
}

static bool over(const struct handles *p, size_t more, size_t spare)
{
    return p->open + p->other + more + p->max / 16 * spare > p->max ||
           p->bytes + more * HANDLE_BYTES + p->max_bytes / 16 * spare > p->max_bytes;
}

static void count_open(struct handles *p, struct handle *h)
{
    p->open++;
    p->opened++;
    h->bytes = HANDLE_BYTES;
    p->bytes += h->bytes;
}

int handle_take(struct handles *p, struct handle *h,
                int (*open)(void *ctx, struct handle *h, struct mailbox **out), void *ctx)
{
    struct handle *victim;
    struct mailbox *box = NULL;
    int r;

    pthread_mutex_lock(&p->lock);
    while (h->closing)
        pthread_cond_wait(&p->closed, &p->lock);
    if (h->box) {
        if (h->idle)
            idle_remove(p, h);
        pthread_mutex_unlock(&p->lock);
        return 1;
    }
    if (!open) {
        pthread_mutex_unlock(&p->lock);
        return E_CLOSED;
    }
    while (over(p, 1, 0) && (victim = longest_unused(p)) != NULL)
        close_one(p, victim);
    count_open(p, h); /* before it is: others make room meanwhile */
    pthread_mutex_unlock(&p->lock);
    if ((r = open(ctx, h, &box)) == 0) {
        h->box = box;
        return 0;
    }
    pthread_mutex_lock(&p->lock);
    p->open--;
    p->bytes -= h->bytes;
    h->bytes = 0;
    pthread_mutex_unlock(&p->lock);
    return r;
}

void handle_give(struct handles *p, struct handle *h)
{
    size_t bytes;

    if (!h->box)
        return;
    bytes = HANDLE_BYTES + mailbox_cache_bytes(h->box);
    pthread_mutex_lock(&p->lock);
    p->bytes += bytes - h->bytes;
    h->bytes = bytes;
    h->resting = false;
    h->used_ms = clock_mono_ms();
    idle_push(p, h);
    pthread_mutex_unlock(&p->lock);
}

void handle_adopt(struct handles *p, struct handle *h, struct mailbox *box)
{
    struct handle *victim;

    pthread_mutex_lock(&p->lock);
    while (over(p, 1, 0) && (victim = longest_unused(p)) != NULL)
        close_one(p, victim);
    count_open(p, h);
    h->box = box;
    pthread_mutex_unlock(&p->lock);
}

int handle_drop(struct handles *p, struct handle *h)
{
    struct mailbox *box;

    pthread_mutex_lock(&p->lock);
    while (h->closing)
        pthread_cond_wait(&p->closed, &p->lock);
    if (h->idle)
        idle_remove(p, h);
    box = h->box;
    h->box = NULL;
    if (box) {
        p->open--;
        p->bytes -= h->bytes;
        h->bytes = 0;
    }
    pthread_mutex_unlock(&p->lock);
    return mailbox_close(&box);
}

void handle_interrupt(struct handles *p, struct handle *h)
{
    pthread_mutex_lock(&p->lock);
    if (h->box && !h->idle && !h->closing)
        db_interrupt(mailbox_db(h->box));
    pthread_mutex_unlock(&p->lock);
}

bool handles_other(struct handles *p, int more)
{
    bool many;

    pthread_mutex_lock(&p->lock);
    if (more < 0)
        p->other--;
    else
        p->other += (size_t)more;
    many = over(p, 0, 0);
    pthread_mutex_unlock(&p->lock);
    return many;
}

bool handles_crowded(struct handles *p)
{
    bool crowded;

    pthread_mutex_lock(&p->lock);
    crowded = p->idle && over(p, 0, 1) && p->max >= 16;
    pthread_mutex_unlock(&p->lock);
    return crowded;
}

size_t handles_trim(struct handles *p)
{
    struct handle *victim;
    size_t n = 0;

    pthread_mutex_lock(&p->lock);
    while (over(p, 0, 1) && (victim = longest_unused(p)) != NULL && n < TRIM_MAX) {
        close_one(p, victim);
        n++;
    }
    pthread_mutex_unlock(&p->lock);
    return n;
}

/* With the lock, which is free meanwhile. It keeps its place among the idle ones. */
static void slim_one(struct handles *p, struct handle *h, bool rest)
{
    h->closing = true;
    pthread_mutex_unlock(&p->lock);
    if (rest && p->closing)
        p->closing(h); /* for when it is closed: to be asked then it would have to read its schema */
    mailbox_shed(h->box);
    if (rest)
        db_rest(mailbox_db(h->box));
    pthread_mutex_lock(&p->lock);
    h->closing = false;
    h->resting = rest;
    p->bytes -= h->bytes;
    h->bytes = rest ? REST_BYTES : HANDLE_BYTES;
    p->bytes += h->bytes;
    pthread_cond_broadcast(&p->closed);
}

/* Those of SLIM_MAX that nobody used since. */
static size_t slim_some(struct handles *p, int64_t before, bool rest)
{
    struct handle *some[SLIM_MAX];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(p->lists); i++)
        for (struct handle *h = p->lists[i].head; h && h->used_ms <= before && n < SLIM_MAX; h = h->next)
            if (!h->closing && (rest ? !h->resting : h->bytes > HANDLE_BYTES + FAT_BYTES)) {
                h->closing = true; /* nobody closes it, or takes it, until it had its turn */
                some[n++] = h;
            }
    for (size_t i = 0; i < n; i++)
        slim_one(p, some[i], rest);
    return n;
}

/* A mailbox at rest has one handle: a reader costs as much as a writer, and is opened again in a millisecond. */
static size_t close_readers(struct handles *p, int64_t before)
{
    struct handle *h = p->lists[1].head, *next;
    size_t n = 0;

    for (; h && h->used_ms <= before && n < SLIM_MAX; h = next) {
        next = h->next;
        if (h->closing)
            continue;
        close_one(p, h);
        n++;
        next = p->lists[1].head; /* the lock was free meanwhile */
    }
    return n;
}

size_t handles_slim(struct handles *p, int64_t unused_ms)
{
    int64_t before = clock_mono_ms() - unused_ms;
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = slim_some(p, before, false);
    n += slim_some(p, before - HANDLES_REST_MS, true);
    n += close_readers(p, before - HANDLES_READER_MS);
    pthread_mutex_unlock(&p->lock);
    return n;
}

void handles_get_figures(struct handles *p, struct handles_figures *out)
{
    pthread_mutex_lock(&p->lock);
    *out = (struct handles_figures){ .open = p->open,
                                     .idle = p->idle,
                                     .bytes = p->bytes,
                                     .other = p->other,
                                     .opened = p->opened,
                                     .closed_for_others = p->closed_for_others };
    pthread_mutex_unlock(&p->lock);
}
