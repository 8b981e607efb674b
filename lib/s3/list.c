/* lib/s3/list.c: what there is, a page at a time, and what shall not be there any more. */
#include "lib/s3/private.h"
#include <stdio.h>

#define ARENA_BYTES MIB(8)

struct listing {
    struct s3 *s;
    enum s3_listed kind;
    void (*done)(void *ctx, int status, const struct s3_page *page);
    void *ctx;
};

/* Keys lose the prefix of the place; what is not below it was not asked for. */
static void keys_shorten(const struct s3_place *place, struct s3_page *page)
{
    struct str prefix = str_from(place->prefix);
    struct s3_entry **at = &page->list;

    page->n = 0;
    while (*at) {
        struct s3_entry *e = *at;

        if (!str_starts(e->key, prefix) || e->key.n == prefix.n) {
            *at = e->next;
            continue;
        }
        e->key = str_skip(e->key, prefix.n);
        page->n++;
        at = &e->next;
    }
}

static void listed(void *ctx, const struct s3_result *r)
{
    CLEANUP(arena_release) struct arena a = { .max = ARENA_BYTES };
    struct listing l = *(struct listing *)ctx;
    struct s3_page page = { .list = NULL };
    int e = r->status;

    free(ctx);
    if (e == 0 && (e = s3_page_parse(r->body, l.kind, &a, &page)) == 0)
        keys_shorten(&s3_conf_of(l.s)->place, &page);
    l.done(l.ctx, e, &page);
}

struct s3_call *s3_list(struct s3 *s, enum s3_listed kind, const char *prefix, bool by_folder,
                        const char *after, const char *after_version,
                        void (*done)(void *ctx, int status, const struct s3_page *page), void *ctx)
{
    static const struct s3_pair firsts[] = { [S3_OBJECTS] = { "list-type", "2" },
                                             [S3_VERSIONS] = { "versions", "" },
                                             [S3_UPLOADS] = { "uploads", "" } };
    char whole[S3_KEY_MAX];
    struct listing *l = calloc(1, sizeof *l);
    struct s3_ask a = { .what = "list",
                        .method = "GET",
                        .query = { firsts[kind], { "prefix", whole } },
                        .nquery = 2,
                        .done = listed,
                        .ctx = l };
    struct s3_call *k;

    if (!l)
        return NULL;
    *l = (struct listing){ s, kind, done, ctx };
    snprintf(whole, sizeof whole, "%s%s", s3_conf_of(s)->place.prefix, prefix);
    if (by_folder)
        a.query[a.nquery++] = (struct s3_pair){ "delimiter", "/" };
    if (after[0])
        a.query[a.nquery++] =
            (struct s3_pair){ kind == S3_OBJECTS ? "continuation-token" : "key-marker", after };
    if (after_version[0])
        a.query[a.nquery++] =
            (struct s3_pair){ kind == S3_UPLOADS ? "upload-id-marker" : "version-id-marker", after_version };
    if (!(k = s3_ask(s, &a)))
        free(l);
    return k;
}

/* ---- deleting ---- */

struct deletion {
    s3_done *done;
    void *ctx;
};

static void deleted(void *ctx, const struct s3_result *r)
{
    struct deletion d = *(struct deletion *)ctx;
    int status = r->status == E_NOTFOUND ? 0 : r->status;

    free(ctx);
    d.done(d.ctx, status);
}

struct s3_call *s3_delete(struct s3 *s, enum s3_listed kind, const char *name, const char *version,
                          s3_done *done, void *ctx)
{
    struct deletion *d = calloc(1, sizeof *d);
    struct s3_ask a = {
        .what = "delete", .method = "DELETE", .name = name, .may_miss = true, .done = deleted, .ctx = d
    };
    struct s3_call *k;

    if (!d)
        return NULL;
    *d = (struct deletion){ done, ctx };
    if (kind == S3_VERSIONS && version[0])
        a.query[a.nquery++] = (struct s3_pair){ "versionId", version };
    else if (kind == S3_UPLOADS)
        a.query[a.nquery++] = (struct s3_pair){ "uploadId", version };
    if (!(k = s3_ask(s, &a)))
        free(d);
    return k;
}
