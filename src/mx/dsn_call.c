/* src/mx/dsn_call.c: a report of an arrival is asked for. It outlives the session, and a courier that dies meanwhile. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/rpc/rpc.h"
#include "proto/courier.pb-c.h"
#include "src/mx/dsn.h"
#include <stdlib.h>

struct mx_dsn_call {
    mx_dsn_fn *done; /* NULL: nobody waits any more */
    void *ctx;
};

static void answered(void *ctx, int status, struct str body UNUSED)
{
    struct mx_dsn_call *c = ctx;
    struct mx_dsn_call was = *c;

    free(c);
    if (status < 0)
        log_event(LOG_WARN, "mx.dsn_failed", F_ERR(status));
    if (was.done)
        was.done(was.ctx, status);
}

void mx_dsn_leave(struct mx_dsn_call **c)
{
    if (*c)
        (*c)->done = NULL;
    *c = NULL;
}

int mx_dsn_send(struct smtp_session *s, struct rpc_link *courier, int64_t deadline_ms, mx_dsn_fn *done,
                void *ctx, struct mx_dsn_call **out)
{
    CLEANUP(arena_release) struct arena a = { .max = MIB(2) };
    struct rpc_ask ask = {
        .op = COURIER__OP__REPORT_ARRIVAL, .changes = true, .done = answered, .deadline_ms = deadline_ms
    };
    struct mx_dsn_call *c;
    Courier__ArrivalRequest q;
    int r;

    if ((r = mx_dsn_request(s, &a, &q)) <= 0)
        return r;
    if (!(c = calloc(1, sizeof *c)))
        return E_NOMEM;
    *c = (struct mx_dsn_call){ done, ctx };
    ask.body = &q.base;
    ask.ctx = c;
    if (!rpc_link_ask(courier, &ask)) {
        free(c);
        return E_NOMEM;
    }
    *out = c;
    return 1;
}
