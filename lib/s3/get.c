/* lib/s3/get.c: an object is read, window by window: each can be asked for again, and whoever takes the bytes says when
 * the next may come. */
#include "lib/s3/private.h"
#include <stdio.h>

#define ETAG_MAX 256u

struct s3_get {
    struct s3 *s;
    char name[S3_KEY_MAX], etag[ETAG_MAX];
    uint64_t at, end; /* end: where it stops, as far as is known */
    struct s3_call *call;
    struct timer ending;
    int status;
    bool waits; /* for s3_get_next */
    void (*window)(void *ctx, struct str bytes);
    s3_done *done;
    void *ctx;
};

static void ask(struct s3_get *g);

void s3_get_cancel(struct s3_get *g)
{
    s3_call_cancel(g->call);
    timer_release(&g->ending);
    free(g);
}

static void end_now(struct s3_get *g, int status)
{
    s3_done *done = g->done;
    void *ctx = g->ctx;

    s3_get_cancel(g);
    done(ctx, status);
}

static void ending_fired(struct timer *t)
{
    struct s3_get *g = CONTAINER_OF(t, struct s3_get, ending);

    end_now(g, g->status);
}

/* "bytes 0-9/443": what came, and of how many. */
static bool range_parse(struct str s, uint64_t *from, uint64_t *to, uint64_t *all)
{
    struct str range, a, b;

    if (!str_starts(s, STR("bytes ")) || !str_cut(str_skip(s, 6), '/', &range, &s) ||
        !str_cut(range, '-', &a, &b))
        return false;
    return str_to_u64(str_trim(a), from) && str_to_u64(str_trim(b), to) && str_to_u64(str_trim(s), all);
}

/* 0, or E_CORRUPT: it is not what was asked for. */
static int judge(struct s3_get *g, const struct s3_result *r)
{
    uint64_t from = 0, to = 0, all = r->body.n;

    if (r->http == 206 &&
        (!range_parse(r->range, &from, &to, &all) || to < from || to >= all || to - from + 1 != r->body.n))
        return E_CORRUPT;
    if (from != g->at) /* 200: the whole of it, which helps only at the beginning */
        return E_CORRUPT;
    if (all < g->end)
        g->end = all;
    if (r->body.n == 0 && g->at < g->end)
        return E_CORRUPT;
    if (!g->etag[0] && r->etag.n < ETAG_MAX)
        snprintf(g->etag, sizeof g->etag, "%.*s", STR_ARG(r->etag));
    return 0;
}

static void got(void *ctx, const struct s3_result *r)
{
    struct s3_get *g = ctx;
    int e = r->status;
    struct str bytes = r->body;

    g->call = NULL;
    if (e == E_RANGE) { /* there is nothing from here on */
        end_now(g, 0);
        return;
    }
    if (e == 0)
        e = judge(g, r);
    if (e < 0) {
        end_now(g, e);
        return;
    }
    s3_count_bytes(g->s, 0, bytes.n);
    bytes = str_slice(bytes, 0, (size_t)(g->end - g->at < bytes.n ? g->end - g->at : bytes.n));
    g->at += bytes.n;
    g->waits = true;
    if (bytes.n)
        g->window(g->ctx, bytes);
    else
        s3_get_next(g);
}

static void ask(struct s3_get *g)
{
    uint64_t n = g->end - g->at < S3_WINDOW ? g->end - g->at : S3_WINDOW;
    char range[64];
    struct s3_ask a = { .what = "get",
                        .method = "GET",
                        .name = g->name,
                        .range = range,
                        .if_match = g->etag[0] ? g->etag : NULL,
                        .answer_max = S3_WINDOW,
                        .may_miss = true,
                        .done = got,
                        .ctx = g };

    snprintf(range, sizeof range, "bytes=%llu-%llu", (unsigned long long)g->at,
             (unsigned long long)(g->at + n - 1));
    if ((g->call = s3_ask(g->s, &a)))
        return;
    g->status = E_NOMEM;
    timer_set(&g->ending, 0);
}

void s3_get_next(struct s3_get *g)
{
    if (!g->waits)
        return;
    g->waits = false;
    if (g->at < g->end)
        ask(g);
    else
        timer_set(&g->ending, 0);
}

struct s3_get *s3_get_new(struct s3 *s, const char *name, uint64_t at, uint64_t max,
                          void (*window)(void *ctx, struct str bytes), s3_done *done, void *ctx)
{
    struct s3_get *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    *g = (struct s3_get){ .s = s,
                          .at = at,
                          .end = max > UINT64_MAX - at ? UINT64_MAX : at + max,
                          .window = window,
                          .done = done,
                          .ctx = ctx };
    if (strlen(name) >= sizeof g->name || timer_init(&g->ending, s3_loop(s), ending_fired) < 0) {
        free(g);
        return NULL;
    }
    memcpy(g->name, name, strlen(name) + 1);
    if (max)
        ask(g);
    else
        timer_set(&g->ending, 0);
    return g;
}
