/* lib/s3/put.c: an object is written: in one request when it fits in one part, else in parts of one size (R2 takes no
 * others). A part is in memory until it is answered, so that it can be sent again. At the end the storage is asked whether it has
 * as many bytes as we gave it. */
#include "lib/base/hex.h"
#include "lib/s3/private.h"
#include <sodium.h>
#include <stdio.h>

#define ETAG_MAX    128u
#define VERSION_MAX 1024u

struct s3_put {
    struct s3 *s;
    char name[S3_KEY_MAX];
    uint64_t bytes, got, part_bytes;
    struct buf part, etags, complete;
    unsigned nparts; /* that are there */
    char *upload;    /* NULL: none was begun */
    crypto_hash_sha256_state hash;
    struct s3_call *call;
    struct timer ending;
    bool cancelled, full;
    int status;
    void (*on_room)(void *ctx);
    s3_put_done *done;
    void *ctx;
    char version[VERSION_MAX + 1];
};

static void part_send(struct s3_put *p);

/* ---- the end ---- */

static void put_free(struct s3_put *p)
{
    buf_release(&p->part);
    buf_release(&p->etags);
    buf_release(&p->complete);
    timer_release(&p->ending);
    free(p->upload);
    free(p);
}

static void end_now(struct s3_put *p)
{
    s3_put_done *done = p->done;
    void *ctx = p->ctx;
    int status = p->status;
    char version[VERSION_MAX + 1];

    memcpy(version, p->version, sizeof version);
    put_free(p);
    done(ctx, status, str_from(version));
}

static void ending_fired(struct timer *t)
{
    end_now(CONTAINER_OF(t, struct s3_put, ending));
}

static void called_off(void *ctx, const struct s3_result *r UNUSED)
{
    struct s3_put *p = ctx;

    p->call = NULL;
    end_now(p);
}

/* What was begun there costs its owner money until it is called off. */
static void fail(struct s3_put *p, int status)
{
    p->status = status;
    p->full = true;
    if (p->upload) {
        struct s3_ask a = { .what = "abort",
                            .method = "DELETE",
                            .name = p->name,
                            .query = { { "uploadId", p->upload } },
                            .nquery = 1,
                            .may_miss = true,
                            .done = called_off,
                            .ctx = p };

        if ((p->call = s3_ask(p->s, &a)))
            return;
    }
    timer_set(&p->ending, 0);
}

/* ---- is it there? ---- */

static void looked(void *ctx, const struct s3_result *r)
{
    struct s3_put *p = ctx;
    uint64_t n = 0;

    p->call = NULL;
    if (r->status == 0 && (!str_to_u64(r->length, &n) || n != p->bytes)) {
        p->status = E_CORRUPT;
        timer_set(&p->ending, 0);
        return;
    }
    p->status = r->status == E_NOTFOUND ? E_CORRUPT : r->status; /* it was said to be there */
    if (r->version.n <= VERSION_MAX)
        snprintf(p->version, sizeof p->version, "%.*s", STR_ARG(r->version));
    end_now(p);
}

static void look(struct s3_put *p)
{
    struct s3_ask a = { .what = "head", .method = "HEAD", .name = p->name, .done = looked, .ctx = p };

    free(p->upload);
    p->upload = NULL;
    if (!(p->call = s3_ask(p->s, &a)))
        fail(p, E_NOMEM);
}

/* ---- parts become one ---- */

/* A repeat of a request whose answer was lost finds no upload any more: whether it is there the look will tell. */
static void completed(void *ctx, const struct s3_result *r)
{
    struct s3_put *p = ctx;

    p->call = NULL;
    if (r->status < 0 && r->status != E_NOTFOUND)
        fail(p, r->status);
    else
        look(p);
}

static void complete(struct s3_put *p)
{
    struct s3_ask a = { .what = "complete",
                        .method = "POST",
                        .name = p->name,
                        .query = { { "uploadId", p->upload } },
                        .nquery = 1,
                        .may_miss = true,
                        .done = completed,
                        .ctx = p };

    buf_release(&p->part);
    p->complete.max = p->etags.max + KIB(1);
    if (buf_printf(&p->complete,
                   "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">") < 0 ||
        buf_puts(&p->complete, buf_str(&p->etags)) < 0 ||
        buf_putz(&p->complete, "</CompleteMultipartUpload>") < 0) {
        fail(p, E_NOMEM);
        return;
    }
    a.body = buf_str(&p->complete);
    if (!(p->call = s3_ask(p->s, &a)))
        fail(p, E_NOMEM);
}

/* ---- a part ---- */

/* The tag goes into XML: it is a quoted string of hexadecimal digits, or something like it. */
static bool etag_ok(struct str e)
{
    if (e.n < 2 || e.n > ETAG_MAX)
        return false;
    for (size_t i = 0; i < e.n; i++)
        if (e.p[i] <= ' ' || e.p[i] > '~' || strchr("<>&'", e.p[i]))
            return false;
    return true;
}

static int etag_keep(struct s3_put *p, struct str e)
{
    if (!etag_ok(e))
        return E_CORRUPT;
    return buf_printf(&p->etags, "<Part><PartNumber>%u</PartNumber><ETag>%.*s</ETag></Part>", p->nparts,
                      STR_ARG(e));
}

static void part_begin(struct s3_put *p)
{
    buf_clear(&p->part);
    crypto_hash_sha256_init(&p->hash);
    p->full = false;
}

static void sent(void *ctx, const struct s3_result *r)
{
    struct s3_put *p = ctx;
    int e = r->status;

    p->call = NULL;
    s3_count_bytes(p->s, p->part.n, 0);
    p->nparts++;
    if (p->upload && e == 0)
        e = etag_keep(p, r->etag);
    if (e == E_NOTFOUND)
        e = E_GONE; /* the upload: somebody called it off */
    if (e < 0) {
        fail(p, e);
    } else if (!p->upload) {
        look(p);
    } else if (p->got == p->bytes) {
        complete(p);
    } else {
        part_begin(p);
        p->on_room(p->ctx);
    }
}

static void begun(void *ctx, const struct s3_result *r)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(16) };
    struct s3_put *p = ctx;
    struct str id = STR_NONE;
    int e = r->status;

    p->call = NULL;
    if (e == 0)
        e = s3_element(r->body, "UploadId", &a, &id);
    if (e == 0 && (!id.n || !(p->upload = strdup(id.p))))
        e = id.n ? E_NOMEM : E_CORRUPT;
    if (e < 0)
        fail(p, e == E_NOTFOUND && r->status == 0 ? E_CORRUPT : e);
    else
        part_send(p);
}

static void begin(struct s3_put *p)
{
    struct s3_ask a = { .what = "begin",
                        .method = "POST",
                        .name = p->name,
                        .query = { { "uploads", "" } },
                        .nquery = 1,
                        .done = begun,
                        .ctx = p };

    if (!(p->call = s3_ask(p->s, &a)))
        fail(p, E_NOMEM);
}

static void part_send(struct s3_put *p)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[S3_HASH_HEX + 1], number[12];
    struct s3_ask a = { .what = "put",
                        .method = "PUT",
                        .name = p->name,
                        .body = buf_str(&p->part),
                        .hash = hex,
                        .done = sent,
                        .ctx = p };
    crypto_hash_sha256_state state = p->hash;

    crypto_hash_sha256_final(&state, hash);
    hex_encode(hash, sizeof hash, hex);
    snprintf(number, sizeof number, "%u", p->nparts + 1);
    if (p->upload) {
        a.query[0] = (struct s3_pair){ "partNumber", number };
        a.query[1] = (struct s3_pair){ "uploadId", p->upload };
        a.nquery = 2;
    }
    if (!(p->call = s3_ask(p->s, &a)))
        fail(p, E_NOMEM);
}

/* ---- bytes come ---- */

size_t s3_put_room(const struct s3_put *p)
{
    uint64_t left = p->bytes - p->got, room = p->part_bytes - p->part.n;

    return p->full ? 0 : (size_t)(left < room ? left : room);
}

static void part_ready(struct s3_put *p)
{
    p->full = true;
    if (p->bytes > p->part_bytes && !p->upload)
        begin(p);
    else
        part_send(p);
}

void s3_put_data(struct s3_put *p, struct str bytes)
{
    if (p->status < 0 || p->cancelled)
        return;
    if (bytes.n > s3_put_room(p)) {
        fail(p, E_TOO_BIG);
        return;
    }
    crypto_hash_sha256_update(&p->hash, (const uint8_t *)bytes.p, bytes.n);
    if (buf_append(&p->part, bytes.p, bytes.n) < 0) {
        fail(p, E_NOMEM);
        return;
    }
    p->got += bytes.n;
    if (p->part.n == p->part_bytes || p->got == p->bytes)
        part_ready(p);
}

void s3_put_cancel(struct s3_put *p)
{
    if (p->cancelled || p->status < 0)
        return;
    p->cancelled = true;
    s3_call_cancel(p->call);
    p->call = NULL;
    fail(p, E_CANCELED);
}

struct s3_put *s3_put_new(struct s3 *s, const char *name, uint64_t bytes, void (*on_room)(void *ctx),
                          s3_put_done *done, void *ctx)
{
    struct s3_put *p = calloc(1, sizeof *p);
    uint64_t part = s3_conf_of(s)->part_bytes;

    if (!p)
        return NULL;
    while (bytes / part >= S3_PARTS_MAX)
        part *= 2;
    *p = (struct s3_put){ .s = s,
                          .bytes = bytes,
                          .part_bytes = part,
                          .on_room = on_room,
                          .done = done,
                          .ctx = ctx,
                          .part = { .max = (size_t)part },
                          .etags = { .max = MIB(4) } };
    if (strlen(name) >= sizeof p->name || timer_init(&p->ending, s3_loop(s), ending_fired) < 0) {
        put_free(p);
        return NULL;
    }
    memcpy(p->name, name, strlen(name) + 1);
    part_begin(p);
    if (bytes == 0)
        part_ready(p);
    return p;
}
