#include "src/common/dump.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/db/db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SLICE_BYTES KIB(192)
#define PATH_BYTES  128u

struct dump {
    struct work_job work;
    struct rpc_req *q;
    struct dump_source source;
    char copy[PATH_BYTES];
    int fd, status;
    bool busy;
    struct buf slice;
};

static void dump_end(struct dump *d, int status)
{
    void (*ended)(void) = d->source.ended;

    rpc_req_on_room(d->q, NULL, NULL);
    rpc_reply(d->q, status, NULL, NULL);
    buf_release(&d->slice);
    fd_close(&d->fd);
    free(d);
    if (ended)
        ended();
}

static int copy_make(struct dump *d)
{
    struct db_options o = { .flags = DB_OWN_CHECKPOINTS, .cache_kib = 1024, .statements = 4 };
    struct db *db = NULL;
    int r, c;

    if (unlink(d->copy) < 0 && errno != ENOENT)
        return error_from_errno(errno);
    if ((r = db_open(d->source.path, d->source.key, &o, &db)) < 0)
        return r;
    r = db_copy(db, d->copy, d->source.key);
    c = db_close(&db);
    if (r < 0 || c < 0)
        return r < 0 ? r : c;
    d->fd = open(d->copy, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    unlink(d->copy);
    return d->fd < 0 ? error_from_errno(errno) : 0;
}

static void dump_run(struct work_job *w)
{
    struct dump *d = CONTAINER_OF(w, struct dump, work);
    char *p;
    ssize_t n;

    if (d->fd < 0 && (d->status = copy_make(d)) < 0)
        return;
    if (!(p = buf_reserve(&d->slice, SLICE_BYTES))) {
        d->status = E_NOMEM;
        return;
    }
    n = read(d->fd, p, SLICE_BYTES);
    d->status = n < 0 ? error_from_errno(errno) : 0;
    d->slice.n = n > 0 ? (size_t)n : 0;
}

static void dump_go_on(struct dump *d);

static void dump_done(struct work_job *w)
{
    struct dump *d = CONTAINER_OF(w, struct dump, work);
    bool last = d->status < 0 || d->slice.n == 0;

    d->busy = false;
    if (!last && rpc_req_send(d->q, buf_str(&d->slice)) < 0) {
        d->status = E_NOMEM;
        last = true;
    }
    buf_clear(&d->slice);
    if (last)
        dump_end(d, d->status);
    else
        dump_go_on(d);
}

static void dump_go_on(struct dump *d)
{
    if (d->busy || (rpc_req_room(d->q) == 0 && !rpc_req_cancelled(d->q)))
        return;
    if (rpc_req_cancelled(d->q)) {
        dump_end(d, E_CANCELED);
        return;
    }
    d->work = (struct work_job){ .run = dump_run, .done = dump_done };
    d->busy = true;
    if (work_submit(d->source.pool, &d->work) < 0)
        dump_end(d, E_BUSY);
}

static void dump_room(void *ctx)
{
    dump_go_on(ctx);
}

static void dump_cancelled(void *ctx)
{
    struct dump *d = ctx;

    if (!d->busy)
        dump_end(d, E_CANCELED);
}

int dump_begin(struct rpc_req *q, const struct dump_source *s)
{
    struct dump *d = calloc(1, sizeof *d);

    if (!d)
        return E_NOMEM;
    *d = (struct dump){ .q = q, .source = *s, .fd = -1, .slice = { .max = SLICE_BYTES } };
    if (snprintf(d->copy, sizeof d->copy, "%s.dump", s->path) >= (int)sizeof d->copy) {
        free(d);
        return E_BUG;
    }
    rpc_req_on_cancel(q, dump_cancelled, d);
    rpc_req_on_room(q, dump_room, d);
    dump_go_on(d);
    return 0;
}
