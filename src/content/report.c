#include "src/content/report.h"
#include "lib/mime/decode.h"
#include "lib/mime/dsn.h"
#include "lib/mime/scan.h"
#include "proto/content.pb-c.h"

#define TREE_MAX   KIB(512)
#define STATUS_MAX KIB(64) /* of a part; what is longer ends there */

struct job {
    struct rpc_req *req;
    void (*done)(void *ctx);
    void *ctx;
    struct arena arena;
    struct mime_scan scan;
    struct mime_decoder decoder;
    struct buf text;
    bool inside, seen, full;
};

static void job_reply(struct job *j, int status, const ProtobufCMessage *body)
{
    rpc_req_on_data(j->req, NULL, NULL);
    rpc_reply(j->req, status, body, NULL);
    mime_scan_release(&j->scan);
    arena_release(&j->arena);
    buf_release(&j->text);
    j->done(j->ctx);
    free(j);
}

static bool is_status(const struct mime_part *p)
{
    return mime_part_is(p, "message", "delivery-status") ||
           mime_part_is(p, "message", "global-delivery-status");
}

static void body_begin(void *user, const struct mime_part *p)
{
    struct job *j = user;

    j->inside = !j->seen && is_status(p); /* the first: others are of messages that are given back */
    j->seen = j->seen || j->inside;
    mime_decoder_init(&j->decoder, mime_encoding_of(p->encoding));
}

static void body(void *user, const struct mime_part *p UNUSED, struct str bytes)
{
    struct job *j = user;

    if (j->inside && !j->full)
        j->full = mime_decoder_feed(&j->decoder, bytes, &j->text) < 0;
}

static void part_end(void *user, const struct mime_part *p UNUSED)
{
    struct job *j = user;

    if (j->inside && !j->full)
        j->full = mime_decoder_finish(&j->decoder, &j->text) < 0;
    j->inside = false;
}

static int answer_fill(struct job *j, Content__ReportResponse *out)
{
    struct arena *a = rpc_req_arena(j->req);
    Content__ReportRecipient *v;
    struct dsn d = { .n = 0 };
    int r;

    if (!j->seen)
        return 0;
    if ((r = dsn_parse(a, buf_str(&j->text), &d)) < 0)
        return r;
    v = ARENA_ARRAY(a, d.n + 1, Content__ReportRecipient);
    out->recipients = ARENA_ARRAY(a, d.n + 1, Content__ReportRecipient *);
    if (!v || !out->recipients)
        return E_NOMEM;
    out->reporter = str_pb(d.reporter);
    for (size_t i = 0; i < d.n; i++) {
        content__report_recipient__init(&v[i]);
        v[i].final = str_pb(d.recipients[i].final);
        v[i].original = str_pb(d.recipients[i].original);
        v[i].action = str_pb(d.recipients[i].action);
        v[i].status = str_pb(d.recipients[i].status);
        v[i].diagnostic = str_pb(d.recipients[i].diagnostic);
        v[i].remote = str_pb(d.recipients[i].remote);
        out->recipients[out->n_recipients++] = &v[i];
    }
    return 0;
}

static void take_data(void *ctx, struct str data, bool end)
{
    Content__ReportResponse out = CONTENT__REPORT_RESPONSE__INIT;
    struct job *j = ctx;
    int r;

    mime_scan_feed(&j->scan, data);
    if (!end) {
        rpc_req_consumed(j->req, data.n);
        return;
    }
    (void)mime_scan_finish(&j->scan);
    r = answer_fill(j, &out);
    job_reply(j, r, r < 0 ? NULL : &out.base);
}

static void cancelled(void *ctx)
{
    job_reply(ctx, E_CANCELED, NULL);
}

int report_read_start(struct rpc_req *q, void (*done)(void *ctx), void *ctx)
{
    struct job *j = calloc(1, sizeof *j);
    const struct mime_hooks hooks = {
        .user = j, .body_begin = body_begin, .body = body, .part_end = part_end
    };

    if (!j)
        return E_NOMEM;
    *j = (struct job){
        .req = q, .done = done, .ctx = ctx, .arena = { .max = TREE_MAX }, .text = { .max = STATUS_MAX }
    };
    if (mime_scan_init(&j->scan, &j->arena, &hooks) < 0) {
        arena_release(&j->arena);
        free(j);
        return E_NOMEM;
    }
    rpc_req_on_data(q, take_data, j);
    rpc_req_on_cancel(q, cancelled, j);
    return 0;
}
