#include "src/content/sevenbit.h"
#include "lib/mime/sevenbit.h"

struct job {
    struct rpc_req *req;
    void (*done)(void *ctx);
    void *ctx;
    struct buf in, out;
    size_t at; /* of out: sent */
    bool made;
};

static void job_end(struct job *j, int status)
{
    void (*done)(void *ctx) = j->done;
    void *ctx = j->ctx;

    rpc_req_on_data(j->req, NULL, NULL);
    rpc_req_on_room(j->req, NULL, NULL);
    rpc_req_on_cancel(j->req, NULL, NULL);
    rpc_reply(j->req, status, NULL, NULL);
    buf_release(&j->in);
    buf_release(&j->out);
    free(j);
    done(ctx);
}

static void pump(void *ctx)
{
    struct job *j = ctx;
    size_t n;

    if (!j->made)
        return;
    while ((n = size_min(j->out.n - j->at, rpc_req_room(j->req))) > 0) {
        if (rpc_req_send(j->req, str_slice(buf_str(&j->out), j->at, j->at + n)) < 0) {
            job_end(j, E_NOMEM);
            return;
        }
        j->at += n;
    }
    if (j->at == j->out.n)
        job_end(j, 0);
}

static void make(struct job *j)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(4) };
    int r = mime_to_7bit(&a, buf_str(&j->in), &j->out);

    if (r < 0) {
        job_end(j, r);
        return;
    }
    buf_release(&j->in);
    j->made = true;
    pump(j);
}

static void take_data(void *ctx, struct str data, bool end)
{
    struct job *j = ctx;

    if (j->in.n + data.n > SEVENBIT_MAX || buf_puts(&j->in, data) < 0) {
        job_end(j, E_TOO_BIG);
        return;
    }
    rpc_req_consumed(j->req, data.n);
    if (end)
        make(j);
}

static void cancelled(void *ctx)
{
    job_end(ctx, E_CANCELED);
}

int sevenbit_start(struct rpc_req *q, void (*done)(void *ctx), void *ctx)
{
    struct job *j = calloc(1, sizeof *j);

    if (!j)
        return E_NOMEM;
    *j = (struct job){
        .req = q, .done = done, .ctx = ctx, .in = { .max = SEVENBIT_MAX }, .out = { .max = 3 * SEVENBIT_MAX }
    };
    rpc_req_on_data(q, take_data, j);
    rpc_req_on_room(q, pump, j);
    rpc_req_on_cancel(q, cancelled, j);
    return 0;
}
