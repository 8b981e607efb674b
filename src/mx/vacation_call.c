/* src/mx/vacation_call.c: an automatic reply goes to the courier's queue. It outlives the session, and a courier that dies
 * meanwhile: it is brought again, and the queue takes it once. Nobody waits for it: a reply that is lost with us is not
 * sent. */
#include "lib/base/errors.h"
#include "lib/base/log.h"
#include "lib/rpc/rpc.h"
#include "proto/courier.pb-c.h"
#include "src/mx/vacation.h"
#include <stdlib.h>

#define AT_ONCE 64u
#define ASK_MS  60000
#define TRIES   4u

struct job {
    struct rpc_link *courier;
    struct rpc_call *call;
    struct buf text;
    size_t sent;
    unsigned tries;
    uint8_t once[MX_VACATION_ONCE];
    char alias[SMTP_PATH_MAX + 1], to[SMTP_PATH_MAX + 1];
};
static unsigned under_way;

static int job_stage(struct job *j);

static void job_end(struct job *j, int status)
{
    /* what was staged is gone with a courier that died */
    if ((status == E_CLOSED || status == E_NOTFOUND) && ++j->tries < TRIES && (status = job_stage(j)) == 0)
        return;
    if (status < 0)
        log_event(LOG_WARN, "mx.vacation_lost", F_ERR(status));
    buf_release(&j->text);
    free(j);
    under_way--;
}

static void queued(void *ctx, int status, struct str body UNUSED)
{
    job_end(ctx, status);
}

static bool is_ascii(const char *z)
{
    while (*z && !(*z & 0x80))
        z++;
    return *z == '\0';
}

/* From nobody (RFC 3834 3.3), so that nothing answers it; signed for the domain of who is away. */
static int enqueue(struct job *j, ProtobufCBinaryData stage)
{
    Courier__EnqueueRequest q = COURIER__ENQUEUE_REQUEST__INIT;
    Courier__Target t = COURIER__TARGET__INIT, *list = &t;
    struct rpc_ask ask = { .op = COURIER__OP__ENQUEUE,
                           .body = &q.base,
                           .changes = true,
                           .done = queued,
                           .ctx = j,
                           .deadline_ms = ASK_MS };

    t.to = str_pb(str_from(j->to));
    t.alias = str_pb(str_from(j->alias));
    q.stage = stage;
    q.origin = COURIER__ORIGIN__REPORT;
    q.targets = &list;
    q.n_targets = 1;
    q.signer = str_pb(str_from(strrchr(j->alias, '@') + 1));
    q.smtputf8 = !is_ascii(j->to) || !is_ascii(j->alias);
    q.once = str_pb(str_of(j->once, sizeof j->once));
    q.once_days = MX_VACATION_DAYS;
    return rpc_link_ask(j->courier, &ask) ? 0 : E_NOMEM;
}

static void staged(void *ctx, int status, struct str body)
{
    CLEANUP(arena_release) struct arena a = { .max = KIB(4) };
    Courier__StageResponse *m = status == 0 ? RPC_UNPACK(&a, body, courier__stage_response) : NULL;
    struct job *j = ctx;

    j->call = NULL;
    if (!m || (status = enqueue(j, m->stage)) < 0)
        job_end(j, status < 0 ? status : E_BUG);
}

static void feed(void *ctx)
{
    struct job *j = ctx;
    size_t n;

    while (j->call && j->sent < j->text.n &&
           (n = size_min(j->text.n - j->sent, rpc_call_room(j->call))) > 0) {
        if (rpc_call_send(j->call, str_slice(buf_str(&j->text), j->sent, j->sent + n)) < 0)
            return;
        j->sent += n;
        if (j->sent == j->text.n)
            rpc_call_end(j->call);
    }
}

static bool keep(char out[SMTP_PATH_MAX + 1], struct str s)
{
    if (s.n == 0 || s.n > SMTP_PATH_MAX)
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static int job_stage(struct job *j)
{
    Courier__StageRequest m = COURIER__STAGE_REQUEST__INIT;
    struct rpc_ask ask = { .op = COURIER__OP__STAGE,
                           .body = &m.base,
                           .upload = true,
                           .done = staged,
                           .on_room = feed,
                           .ctx = j,
                           .deadline_ms = ASK_MS };

    m.bytes_expected = j->text.n;
    j->sent = 0;
    if (!(j->call = rpc_link_ask(j->courier, &ask)))
        return E_NOMEM;
    feed(j);
    return 0;
}

static void begin(struct mx_vacation_reply *v, struct rpc_link *courier)
{
    struct job *j = under_way < AT_ONCE ? calloc(1, sizeof *j) : NULL;
    int r;

    if (!j || !keep(j->alias, v->alias) || !keep(j->to, v->to)) {
        log_event(LOG_WARN, "mx.vacation_lost", F_U64("under_way", under_way));
        buf_release(&v->text);
        free(j);
        return;
    }
    under_way++;
    j->courier = courier;
    j->text = v->text;
    memcpy(j->once, v->once, sizeof j->once);
    if ((r = job_stage(j)) < 0)
        job_end(j, r);
}

void mx_vacation_send(struct smtp_session *s, struct rpc_link *courier)
{
    struct mx_vacation_reply v;
    size_t at = 0;

    while (mx_vacation_next(s, &at, &v))
        begin(&v, courier);
}
